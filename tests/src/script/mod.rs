//! Prometheus' test language: what a `.test` file says, run against the engine in this process.
//!
//! ```text
//!  file ── parse ──▶ commands ── run ──▶ engine (load, clear, instant, range)
//!            │ series                      │
//!            └ expected ──── compare ◀──── answer        failures ──▶ ledger
//! ```
//!
//! Format, rules of comparison and repetitions of instant queries (in a range, and fixed by `@`)
//! are those of Prometheus' own runner. Not covered: native histograms and start timestamps.

mod compare;
mod engine;
mod ledger;
mod parse;
mod run;
mod series;

pub(crate) use engine::Place;
pub(crate) use ledger::Ledger;
pub(crate) use run::{FileReport, run_file};

use std::path::{Path, PathBuf};

/// The `.test` files of a folder by name.
pub(crate) fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "test") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
