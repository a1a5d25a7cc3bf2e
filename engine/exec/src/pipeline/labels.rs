//! The labels of one row while it runs through the stages.
//!
//! A row sees one flat set of names. Three categories bring labels in, stream, structured
//! metadata and parsed; the stronger one keeps a name and the weaker one gets `_extracted`
//! behind it. Labels of the stream are never copied: a row only notes which of them it hides.

use std::ops::Range;
use std::sync::Arc;

use schemas::model::Labels;

use super::names::{ERROR, ERROR_DETAILS, NameId, Names};

/// What a stream gives to each of its rows.
#[derive(Debug)]
pub(super) struct StreamState {
    /// The index labels.
    pub(super) labels: Labels,
    /// Their names, in the same order.
    pub(super) names: Vec<NameId>,
    /// Structured metadata that all its records share.
    pub(super) shared: Vec<(NameId, Arc<str>)>,
}

/// Where a label came from, besides the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    Metadata,
    Parsed,
}

#[derive(Debug)]
struct Entry {
    name: NameId,
    /// Bytes of the arena.
    value: Range<usize>,
    category: Category,
    /// A parser added it, so a later parser does not.
    by_parser: bool,
}

/// The labels of one row; reused from row to row.
#[derive(Debug)]
pub(super) struct RowLabels {
    stream: Arc<StreamState>,
    hidden: Vec<bool>,
    any_hidden: bool,
    entries: Vec<Entry>,
    /// Names of structured metadata, also of what was dropped since.
    metadata: Vec<NameId>,
    arena: String,
    error: Option<String>,
    error_details: Option<String>,
}

impl RowLabels {
    pub(super) fn new(stream: Arc<StreamState>) -> Self {
        let mut labels = Self {
            stream: Arc::clone(&stream),
            hidden: Vec::new(),
            any_hidden: false,
            entries: Vec::new(),
            metadata: Vec::new(),
            arena: String::new(),
            error: None,
            error_details: None,
        };
        labels.set_stream(stream);
        labels
    }

    /// Turns to the rows of another stream.
    pub(super) fn set_stream(&mut self, stream: Arc<StreamState>) {
        self.hidden.clear();
        self.hidden.resize(stream.names.len(), false);
        self.stream = stream;
        self.start();
    }

    /// Turns to the next row of the stream.
    pub(super) fn start(&mut self) {
        if self.any_hidden {
            self.hidden.fill(false);
            self.any_hidden = false;
        }
        self.entries.clear();
        self.metadata.clear();
        self.arena.clear();
        self.error = None;
        self.error_details = None;
    }

    pub(super) fn stream(&self) -> &Arc<StreamState> {
        &self.stream
    }

    /// Memory of the values that are not the stream's, in bytes, overwritten ones included.
    pub(super) fn bytes(&self) -> usize {
        let errors = [&self.error, &self.error_details].into_iter().flatten();
        self.arena.len() + errors.map(String::len).sum::<usize>()
    }

    /// The value of a label; `None` if it is absent.
    pub(super) fn get(&self, name: NameId) -> Option<&str> {
        match name {
            ERROR => return self.error.as_deref(),
            ERROR_DETAILS => return self.error_details.as_deref(),
            _ => {}
        }
        if let Some(entry) = self.entries.iter().find(|entry| entry.name == name) {
            return Some(&self.arena[entry.value.clone()]);
        }
        let at = self.stream_position(name).filter(|at| !self.hidden[*at])?;
        self.stream.labels.iter().nth(at).map(|label| label.value.as_ref())
    }

    fn stream_position(&self, name: NameId) -> Option<usize> {
        self.stream.names.iter().position(|other| *other == name)
    }

    /// The value of a label of the stream, hidden or not.
    pub(super) fn stream_value(&self, name: NameId) -> Option<&str> {
        let at = self.stream_position(name)?;
        self.stream.labels.iter().nth(at).map(|label| label.value.as_ref())
    }

    /// Writes another value over that of structured metadata.
    pub(super) fn replace(&mut self, name: NameId, value: &str) {
        let start = self.arena.len();
        self.arena.push_str(value);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.name == name) {
            entry.value = start..self.arena.len();
        }
    }

    /// Adds structured metadata, whose value `write` appends; the first of a name wins.
    pub(super) fn add_metadata(
        &mut self,
        name: NameId,
        names: &mut Names,
        write: impl FnOnce(&mut String),
    ) {
        let taken = self.stream_position(name).is_some();
        let name = if taken { names.extracted(name) } else { name };
        if self.entries.iter().any(|entry| entry.name == name) {
            return;
        }
        if !taken {
            self.metadata.push(name);
        }
        self.push(name, Category::Metadata, false, write);
    }

    /// Adds what a parser read, whose value `write` appends; whether it was the first to.
    pub(super) fn add_parsed(
        &mut self,
        name: NameId,
        names: &mut Names,
        write: impl FnOnce(&mut String),
    ) -> bool {
        let taken = self.metadata.contains(&name) || self.stream_position(name).is_some();
        let name = if taken { names.extracted(name) } else { name };
        if self.entries.iter().any(|entry| entry.name == name && entry.by_parser) {
            return false;
        }
        self.remove(name);
        self.push(name, Category::Parsed, true, write);
        true
    }

    /// Sets a label, hiding whatever had the name.
    pub(super) fn set(&mut self, name: NameId, value: &str) {
        match name {
            ERROR => self.error = Some(value.to_owned()),
            ERROR_DETAILS => self.error_details = Some(value.to_owned()),
            _ => {
                self.remove(name);
                self.push(name, Category::Parsed, false, |arena| arena.push_str(value));
            }
        }
    }

    fn push(
        &mut self,
        name: NameId,
        category: Category,
        by_parser: bool,
        write: impl FnOnce(&mut String),
    ) {
        let start = self.arena.len();
        write(&mut self.arena);
        let value = start..self.arena.len();
        self.entries.push(Entry { name, value, category, by_parser });
    }

    /// Removes a label, whatever its category.
    pub(super) fn remove(&mut self, name: NameId) {
        match name {
            ERROR => self.error = None,
            ERROR_DETAILS => self.error_details = None,
            _ => {}
        }
        self.entries.retain(|entry| entry.name != name);
        if let Some(at) = self.stream_position(name) {
            self.hidden[at] = true;
            self.any_hidden = true;
        }
    }

    /// Notes that a stage failed; the first error of a row stays.
    pub(super) fn fail(&mut self, error: &str, details: impl FnOnce() -> String) {
        if self.error.is_none() {
            self.error = Some(error.to_owned());
            self.error_details = Some(details());
        }
    }

    /// The kind of the row's error.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The stream's labels that are not hidden.
    pub(super) fn visible_stream(&self) -> impl Iterator<Item = (NameId, &Arc<str>)> {
        let visible = self.stream.names.iter().zip(&self.stream.labels).zip(&self.hidden);
        visible.filter(|(_, hidden)| !**hidden).map(|((name, label), _)| (*name, &label.value))
    }

    /// The index labels if none is hidden.
    pub(super) fn whole_stream(&self) -> Option<&Labels> {
        (!self.any_hidden).then_some(&self.stream.labels)
    }

    /// The labels that are not the stream's, errors included.
    pub(super) fn added(&self) -> impl Iterator<Item = (NameId, Category, &str)> {
        let entries = self
            .entries
            .iter()
            .map(|entry| (entry.name, entry.category, &self.arena[entry.value.clone()]));
        let errors = [(ERROR, &self.error), (ERROR_DETAILS, &self.error_details)];
        let errors = errors.into_iter().filter_map(|(name, value)| {
            value.as_deref().map(|value| (name, Category::Parsed, value))
        });
        entries.chain(errors)
    }
}
