//! Query cases: what their files say, run against the engine in this process.
//!
//! ```text
//!  file ── parse ──▶ commands ── run ──▶ engine (load, clear, instant, range)
//!            │ series                      │
//!            └ expected ──── compare ◀──── answer        failures ──▶ report, ledger
//! ```
//!
//! `.test` files are PromQL: format, rules of comparison and repetitions of instant queries (in a
//! range, and fixed by `@`) are those of Prometheus' own runner. Not covered: start timestamps. `.logqltest` files are LogQL, see `logql`.

mod compare;
mod engine;
mod histogram;
mod histogram_rows;
mod ledger;
mod logql;
mod parse;
mod report;
mod run;
mod series;

pub(crate) use engine::Place;
pub(crate) use ledger::Ledger;
pub(crate) use report::FileReport;

use std::path::{Path, PathBuf};

use engine::BoxError;

/// The language of a folder's cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// `.test` files.
    Promql,
    /// `.logqltest` files.
    Logql,
}

impl Language {
    fn extension(self) -> &'static str {
        match self {
            Self::Promql => "test",
            Self::Logql => "logqltest",
        }
    }
}

/// Runs the files of a folder by name; an error says that one could not be run at all.
pub(crate) async fn run_folder(
    language: Language,
    dir: &Path,
    place: Place,
) -> Result<Vec<FileReport>, BoxError> {
    let mut reports = Vec::new();
    for file in files(dir, language.extension())? {
        let report = match language {
            Language::Promql => run::run_file(&file, place).await,
            Language::Logql => logql::run_file(&file, place).await,
        };
        reports.push(report.map_err(|error| format!("{}: {error}", file.display()))?);
    }
    Ok(reports)
}

fn files(dir: &Path, extension: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
