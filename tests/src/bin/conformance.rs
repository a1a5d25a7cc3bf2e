//! `conformance promql DIR` and `conformance logql DIR`: runs a folder of `.test` or `.logqltest`
//! files and says how they fared.
//!
//! With `--list` only the failures are printed, as lines for a list of expected failures; with
//! `--expected LIST` only what is not as that list says. With `--flush` as the first option
//! what was loaded is asked for in segments rather than in memory.

#[path = "../script/mod.rs"]
mod script;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use script::{FileReport, Language, Ledger, Place};

const USAGE: &str = "usage: conformance promql|logql DIR [--flush] [--list | --expected LIST]";

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (language, dir, options) = match arguments.as_slice() {
        ["promql", dir, options @ ..] => (Language::Promql, dir, options),
        ["logql", dir, options @ ..] => (Language::Logql, dir, options),
        _ => return Err(USAGE.into()),
    };
    let (place, options) = match options {
        ["--flush", options @ ..] => (Place::Segments, options),
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
