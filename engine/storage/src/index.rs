//! The label index: resolves matchers to series and streams without reading samples or records.

use std::sync::Arc;

use schemas::model::{CompiledMatcher, Labels, TimeRange};

/// What is known of a metric's series beside its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeriesInfo {
    /// `counter gauge histogram summary exponential_histogram unknown`; empty for streams.
    pub kind: String,
    /// UCUM unit; empty if not sent.
    pub unit: String,
    /// Description; empty if not sent.
    pub help: String,
    /// `cumulative` or `delta`; empty for what has none.
    pub temporality: String,
}

/// A series or a stream.
#[derive(Clone, Debug)]
pub struct SeriesEntry {
    /// `series_id` or `stream_id`.
    pub id: i64,
    /// `metric_id`; 0 for streams.
    pub metric_id: i64,
    /// All labels of a series with `__name__`; the index labels of a stream.
    pub labels: Labels,
    /// Shared by the series of a metric.
    pub info: Arc<SeriesInfo>,
}

/// All series of a tenant, or all its streams. Grows while it is read.
#[derive(Debug, Default)]
pub struct LabelIndex {}

impl LabelIndex {
    /// The entries that every matcher accepts and that were seen on a day of `range`, sorted by
    /// `(metric_id, id)`.
    pub fn resolve(&self, _matchers: &[CompiledMatcher], _range: &TimeRange) -> Vec<SeriesEntry> {
        Vec::new()
    }

    /// Whether `id` is known for `day`, counted from 1970-01-01.
    pub fn contains(&self, _id: i64, _day: i32) -> bool {
        false
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
