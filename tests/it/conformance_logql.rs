//! LogQL as Loki understands it: our own cases, and the shared ones where they are present.

use std::path::PathBuf;

use crate::script::{self, Language, Ledger, Place};
use crate::tidy::root;

#[tokio::test(flavor = "multi_thread")]
async fn our_own_cases() {
    let dir = root().join("tests/cases/logql");
    for place in [Place::Memory, Place::Segments] {
        let reports = script::run_folder(Language::Logql, &dir, place.clone()).await.unwrap();
        let differences = Ledger::default().differences(&reports);
        assert!(differences.is_empty(), "{place:?}:\n{}", differences.join("\n"));
        assert!(!reports.is_empty(), "there are cases");
        assert!(reports.iter().all(|report| report.passed > 0), "each file asks something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_cases() {
    let dir: PathBuf = root().join("../shared/conformance/logql");
    if !dir.exists() {
        eprintln!("{} is not here: nothing to compare", dir.display());
        return;
    }
    let ledger = Ledger::read(&root().join("tests/cases/logql-expected-failures.txt")).unwrap();
    let reports = script::run_folder(Language::Logql, &dir, Place::Memory).await.unwrap();
    let differences = ledger.differences(&reports);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
