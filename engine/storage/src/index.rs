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

/// What a log stream's records share beside the index labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamInfo {
    /// `service.name`, `unknown_service` if absent.
    pub service: Arc<str>,
    /// Resource attributes without a column, a JSON object (form of `columns::ATTRIBUTES`).
    pub resource_attributes: Option<Arc<str>>,
    /// Promoted resource attributes: key as sent and value, in the order of their columns.
    pub promoted: Vec<(&'static str, Arc<str>)>,
    /// Name of the instrumentation scope.
    pub scope_name: Option<Arc<str>>,
    /// Version of the instrumentation scope.
    pub scope_version: Option<Arc<str>>,
    /// Scope attributes, a JSON object.
    pub scope_attributes: Option<Arc<str>>,
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

    /// What the records of a stream share; `None` for series and for unknown ids.
    pub fn stream(&self, _id: i64) -> Option<Arc<StreamInfo>> {
        None
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
