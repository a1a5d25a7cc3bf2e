//! Query cases: what their files say, run against the engine in this process or against a server.
//!
//! ```text
//!  file ── parse ──▶ commands ── run ──▶ backend: engine, remote (load, clear, query)
//!            │ series                      │
//!            └ expected ──── compare ◀──── answer        failures ──▶ report, ledger
//! ```
//!
//! `.test` files are PromQL: format, rules of comparison and repetitions of instant queries (in a
//! range, and fixed by `@`) are those of Prometheus' own runner. `.logqltest` files are LogQL, see
//! `logql`.

mod backend;
mod compare;
mod engine;
mod histogram;
mod histogram_rows;
mod ledger;
mod logql;
mod parse;
mod remote;
mod report;
mod run;
pub(crate) mod series;
pub(crate) mod write_request;

pub(crate) use engine::Place;
pub(crate) use ledger::Ledger;
pub(crate) use report::FileReport;

use std::path::{Path, PathBuf};

use engine::BoxError;
use futures::{StreamExt, TryStreamExt};

/// Files that are run side by side: a server that is asked has time in between.
const FILES_AT_ONCE: usize = 4;

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
    let reports = files(dir, language.extension())?.into_iter().map(|file| {
        let place = place.clone();
        async move {
            let report = match language {
                Language::Promql => run::run_file(&file, place).await,
                Language::Logql => logql::run_file(&file, place).await,
            };
            report.map_err(|error| format!("{}: {error}", file.display()).into())
        }
    });
    futures::stream::iter(reports).buffered(FILES_AT_ONCE).try_collect().await
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
