//! `conformance promql DIR` and `conformance logql DIR`: runs a folder of `.test` or `.logqltest`
//! files and says how they fared.
//!
//! With `--list` only the failures are printed, as lines for a list of expected failures; with
//! `--expected LIST` only what is not as that list says; both may name where it runs before:
//!
//! ```text
//!  --flush        what was loaded is asked for in segments rather than in memory
//!  --http [URL]   PromQL on a server: the one whose Prometheus API is at URL, or one of its own,
//!                 the program `siglake` beside this one. It must tell tenants apart and take
//!                 samples of 1970 (multi_tenancy=true, ingest.past_max=100000d), and drop names
//!                 and read start times as the cases expect (promql.delayed_name_removal=true,
//!                 promql.start_times=true).
//! ```

#[path = "../script/mod.rs"]
mod script;
#[path = "../serve.rs"]
mod serve;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use script::{FileReport, Language, Ledger, Place};

const USAGE: &str = "usage: conformance promql|logql DIR [--flush | --http [URL]] \
                     [--list | --expected LIST]";

/// What a server that is asked must be set to.
const SETTINGS: [&str; 5] = [
    "multi_tenancy=true",
    "ingest.past_max=100000d",
    "storage.durability=none",
    "promql.delayed_name_removal=true",
    "promql.start_times=true",
];

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (language, dir, options) = match arguments.as_slice() {
        ["promql", dir, options @ ..] => (Language::Promql, dir, options),
        ["logql", dir, options @ ..] => (Language::Logql, dir, options),
        _ => return Err(USAGE.into()),
    };
    let mut served = None;
    let (place, options) = match options {
        ["--flush", options @ ..] => (Place::Segments, options),
        ["--http", url, options @ ..] if !url.starts_with('-') => {
            (Place::Server((*url).to_owned()), options)
        }
        ["--http", options @ ..] => {
            let server = served.insert(serve::Served::start(&SETTINGS).await?);
            (Place::Server(server.url("/prometheus")), options)
        }
        options => (Place::Memory, options),
    };
    let reports = script::run_folder(language, Path::new(dir), place).await?;
    let is_good = match options {
        [] => tell(&reports)?,
        ["--list"] => list(&reports)?,
        ["--expected", list] => compare(&reports, Path::new(list))?,
        _ => return Err(USAGE.into()),
    };
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(reports: &[FileReport]) -> std::io::Result<bool> {
    let mut out = std::io::stdout().lock();
    for report in reports {
        let name = &report.file;
        writeln!(out, "{name}: {} passed, {} failed", report.passed, report.failures.len())?;
        for failure in &report.failures {
            let (line, reason) = (failure.line, failure.reason.name());
            writeln!(out, "  {name}:{line} {reason}: {}", failure.query)?;
            writeln!(out, "    {}", failure.message)?;
        }
    }
    let passed: usize = reports.iter().map(|report| report.passed).sum();
    let failed: usize = reports.iter().map(|report| report.failures.len()).sum();
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(failed == 0)
}

fn list(reports: &[FileReport]) -> std::io::Result<bool> {
    let mut out = std::io::stdout().lock();
    for report in reports {
        for failure in &report.failures {
            writeln!(out, "{}:{} {}", report.file, failure.line, failure.reason.name())?;
        }
    }
    Ok(true)
}

fn compare(reports: &[FileReport], list: &Path) -> std::io::Result<bool> {
    let differences = Ledger::read(list)?.differences(reports);
    let mut out = std::io::stdout().lock();
    for difference in &differences {
        writeln!(out, "{difference}")?;
    }
    Ok(differences.is_empty())
}
