//! `| regexp`: named groups of a pattern become labels.

use regex::Regex;

use super::names::{NameId, Names};
use super::stages::Row;

/// A pattern with the labels of its groups.
#[derive(Debug)]
pub(super) struct Regexp {
    pattern: Regex,
    /// Number of a group and its label.
    groups: Vec<(usize, NameId)>,
}

impl Regexp {
    pub(super) fn new(pattern: Regex, names: &mut Names) -> Self {
        let named = pattern.capture_names().enumerate();
        let groups = named.filter_map(|(at, name)| name.map(|name| (at, names.id(name))));
        let groups = groups.collect();
        Self { pattern, groups }
    }

    /// Adds the groups of the first match; a group that took no part is empty.
    pub(super) fn parse(&self, row: &mut Row<'_>) {
        if !self.groups.iter().any(|(_, name)| row.parsed.has(*name)) {
            return;
        }
        let line = row.line.get(row.stored);
        let Some(captures) = self.pattern.captures(line) else { return };
        for (group, name) in &self.groups {
            if row.parsed.has(*name) {
                let text = captures.get(*group).map_or("", |found| found.as_str());
                row.labels.add_parsed(*name, row.names, |value| value.push_str(text));
            }
        }
    }
}
