//! PromQL as Prometheus understands it: our own cases, and Prometheus' where they are present.

use std::path::{Path, PathBuf};

use crate::script::{self, FileReport, Language, Ledger, Place};
use crate::tidy::root;

async fn run(dir: &Path, place: Place) -> Vec<FileReport> {
    script::run_folder(Language::Promql, dir, place).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_cases() {
    for place in [Place::Memory, Place::Segments] {
        let reports = run(&root().join("tests/cases/promql"), place.clone()).await;
        let differences = Ledger::default().differences(&reports);
        assert!(differences.is_empty(), "{place:?}:\n{}", differences.join("\n"));
        assert!(reports.iter().all(|report| report.passed > 0), "each file asks something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_cases() {
    let dir: PathBuf = root().join("../shared/conformance/promql");
    if !dir.exists() {
        eprintln!("{} is not here: nothing to compare", dir.display());
        return;
    }
    let ledger = Ledger::read(&root().join("tests/cases/promql-expected-failures.txt")).unwrap();
    let reports = run(&dir, Place::Memory).await;
    let differences = ledger.differences(&reports);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
