//! Rows as samples: which series a row belongs to, and its value.

use std::collections::HashMap;
use std::sync::Arc;

use plan::expr::LabelType;
use plan::node::{Unwrap, UnwrapAs};
use schemas::model::{Grouping, Label, Labels};

use super::labels::RowLabels;
use super::names::{NameId, Names};
use super::predicate::{Test, read, unreadable};
use super::usage::Usage;
use crate::{Error, ErrorKind};

/// `| unwrap`, compiled.
#[derive(Debug)]
pub(super) struct UnwrapStage {
    label: NameId,
    read_as: LabelType,
    filter: Option<Test>,
}

impl UnwrapStage {
    pub(super) fn new(unwrap: &Unwrap, names: &mut Names) -> Result<Self, Error> {
        let read_as = match unwrap.read_as {
            UnwrapAs::Number => LabelType::Number,
            UnwrapAs::Seconds => LabelType::Duration,
            UnwrapAs::Bytes => LabelType::Bytes,
        };
        let filter =
            unwrap.filter.as_ref().map(|filter| Test::compile(filter, names)).transpose()?;
        Ok(Self { label: names.id(&unwrap.label), read_as, filter })
    }

    /// The sample of a row; `None` if it has none.
    pub(super) fn value(&self, line: &str, labels: &mut RowLabels) -> Option<f64> {
        let text = labels.get(self.label).filter(|text| !text.is_empty())?;
        let value = match read(text, self.read_as) {
            Some(value) => value,
            None => {
                let details = unreadable(text, self.read_as);
                labels.fail("SampleExtractionErr", || details);
                0.0
            }
        };
        match &self.filter {
            Some(filter) if !filter.holds(line, labels) => None,
            _ => Some(value),
        }
    }
}

/// Which labels tell series apart.
#[derive(Debug)]
enum Kept {
    All,
    By(Vec<NameId>),
    Without(Vec<NameId>),
}

/// The series of a batch, numbered as they are met.
#[derive(Debug)]
pub(super) struct SeriesSet {
    kept: Kept,
    /// The unwrapped label, unless the grouping names it.
    left_out: Option<NameId>,
    ids: HashMap<Vec<u8>, u32, ahash::RandomState>,
    labels: Vec<Labels>,
    /// Memory of all label sets and what identifies them, about.
    bytes: usize,
    /// Reused: the labels of a row, then the bytes that identify them.
    row: Vec<(NameId, usize, usize)>,
    values: String,
    key: Vec<u8>,
}

impl SeriesSet {
    pub(super) fn new(
        grouping: Option<&Grouping>,
        unwrap: Option<&UnwrapStage>,
        usage: &Usage,
        names: &mut Names,
    ) -> Self {
        let kept = match (grouping, &usage.grouping) {
            (_, Some(by)) => Kept::By(by.clone()),
            (Some(Grouping::Without(without)), None) => {
                Kept::Without(without.iter().map(|name| names.id(name)).collect())
            }
            _ => Kept::All,
        };
        Self {
            kept,
            left_out: unwrap.map(|unwrap| unwrap.label),
            ids: HashMap::default(),
            labels: Vec::new(),
            bytes: 0,
            row: Vec::new(),
            values: String::new(),
            key: Vec::new(),
        }
    }

    /// Whether every row of a stream with these labels has the same series, if no stage changes
    /// labels of the stream.
    pub(super) fn is_of_stream(&self, stream: &[NameId]) -> bool {
        match &self.kept {
            Kept::By(by) => by.iter().all(|name| stream.contains(name)),
            Kept::All | Kept::Without(_) => false,
        }
    }

    /// The series of a row.
    pub(super) fn series(&mut self, labels: &RowLabels, names: &Names) -> u32 {
        self.row.clear();
        self.values.clear();
        match &self.kept {
            Kept::By(by) => {
                for name in by {
                    if let Some(value) = labels.get(*name) {
                        push(&mut self.row, &mut self.values, *name, value);
                    }
                }
            }
            Kept::All | Kept::Without(_) => {
                let without: &[NameId] = match &self.kept {
                    Kept::Without(without) => without,
                    _ => &[],
                };
                let is_kept =
                    |name: NameId| Some(name) != self.left_out && !without.contains(&name);
                let stream = labels.visible_stream().map(|(name, value)| (name, value.as_ref()));
                let added = labels.added().map(|(name, _, value)| (name, value));
                for (name, value) in stream.chain(added).filter(|(name, _)| is_kept(*name)) {
                    push(&mut self.row, &mut self.values, name, value);
                }
                self.row.sort_unstable();
            }
        }
        self.key.clear();
        for (name, start, end) in &self.row {
            self.key.extend_from_slice(&name.to_le_bytes());
            self.key.extend_from_slice(&((end - start) as u64).to_le_bytes());
            self.key.extend_from_slice(&self.values.as_bytes()[*start..*end]);
        }
        if let Some(series) = self.ids.get(self.key.as_slice()) {
            return *series;
        }
        let series = u32::try_from(self.labels.len()).expect("a batch has far less than 2^32 rows");
        let label = |(name, start, end): &(NameId, usize, usize)| Label {
            name: Arc::clone(names.text(*name)),
            value: self.values[*start..*end].into(),
        };
        self.labels.push(Labels::with_empty_values(self.row.iter().map(label).collect()));
        self.ids.insert(self.key.clone(), series);
        self.bytes += self.row.len() * size_of::<Label>() + self.values.len() + self.key.len();
        series
    }

    /// Memory of the label sets and of what identifies them, about, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The label sets by number.
    pub(super) fn into_labels(self) -> Vec<Labels> {
        self.labels
    }
}

fn push(row: &mut Vec<(NameId, usize, usize)>, values: &mut String, name: NameId, value: &str) {
    let start = values.len();
    values.push_str(value);
    row.push((name, start, values.len()));
}

/// The error of a query whose row has one.
pub(super) fn pipeline_error(error: &str, labels: &Labels) -> Error {
    Error::new(
        ErrorKind::Invalid,
        format!(
            "pipeline error: '{error}' for series: '{labels}'.\n\
             Use a label filter to intentionally skip this error. \
             (e.g | __error__!=\"{error}\").\n\
             To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n\
             The label filter can also be specified after unwrap. \
             (e.g | unwrap latency | __error__=\"\" )\n"
        ),
    )
}
