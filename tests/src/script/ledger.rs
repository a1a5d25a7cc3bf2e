//! The list of evals that are known to fail. It may only get shorter.

use std::collections::BTreeSet;
use std::path::Path;

use super::FileReport;

/// `file:line` of each eval that is expected to fail.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    places: BTreeSet<String>,
}

impl Ledger {
    /// Reads a list: a line is `file:line reason`; `#` opens a comment.
    pub(crate) fn read(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let places = lines.filter_map(|line| line.split_whitespace().next());
        Ok(Self { places: places.map(str::to_owned).collect() })
    }

    /// What is not as listed: failures that are new, and listed ones that passed.
    pub(crate) fn differences(&self, reports: &[FileReport]) -> Vec<String> {
        let mut differences = Vec::new();
        let mut failed = BTreeSet::new();
        for report in reports {
            for failure in &report.failures {
                let place = format!("{}:{}", report.file, failure.line);
                if !self.places.contains(&place) {
                    let reason = failure.reason.name();
                    let (query, message) = (&failure.query, &failure.message);
                    differences.push(format!("{place} {reason}: {query}\n    {message}"));
                }
                failed.insert(place);
            }
        }
        for place in self.places.difference(&failed) {
            differences.push(format!("{place} passes: take it off the list"));
        }
        differences
    }
}
