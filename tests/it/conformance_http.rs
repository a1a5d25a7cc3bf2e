//! PromQL cases once more, through remote write and the HTTP API of the real program.

use std::path::Path;

use crate::program::Program;
use crate::script::{self, FileReport, Language, Ledger, Place};
use crate::tidy::root;

/// The cases lie in 1970, and each `clear` goes on as another tenant.
const SETTINGS: [&str; 4] = [
    "multi_tenancy=true",
    "ingest.past_max=100000d",
    "promql.delayed_name_removal=true",
    "promql.start_times=true",
];

async fn run(dir: &Path) -> Vec<FileReport> {
    let program = Program::start(&SETTINGS).await;
    let place = Place::Server(program.url("/prometheus"));
    let reports = script::run_folder(Language::Promql, dir, place).await;
    reports.unwrap_or_else(|error| panic!("{error}\n{}", program.log()))
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_cases_over_http() {
    let reports = run(&root().join("tests/cases/promql")).await;
    let differences = Ledger::default().differences(&reports);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(reports.iter().all(|report| report.passed > 0), "each file asks something");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_cases_over_http() {
    let dir = root().join("../shared/conformance/promql");
    if !dir.exists() {
        eprintln!("{} is not here: nothing to compare", dir.display());
        return;
    }
    let differences = Ledger::default().differences(&run(&dir).await);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
