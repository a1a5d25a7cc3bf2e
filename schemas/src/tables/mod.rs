//! The tables of the lake: which columns they have, how they are sorted and partitioned.
//!
//! Types are those that Delta Lake can name: no unsigned integers, times as `Int64` (the unit is
//! part of the column's name), identities as `Int64` hashes or fixed-size binary.
//! Attributes that have no column of their own are kept with their types in one JSON object
//! per scope; its form is documented at [`columns::ATTRIBUTES`]. Which attributes have one is told
//! by the [`TableLayout`].

pub mod columns;
mod layout;
mod logs;
mod metrics;
pub mod object;
mod partition;
mod promoted;
mod sort_key;
mod traces;

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, SchemaRef};

use crate::model::Signal;

pub use layout::{PROMOTED_MAX, TableLayout, overflow_columns};
pub use partition::{date_of_day, day_of_ms, day_of_ns};
pub use promoted::{Promoted, PromotedType, attribute_of, column_of, has_column_name};
pub use sort_key::SortKey;

/// A table of the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Float samples of series.
    MetricSamples,
    /// Exponential (native) histogram samples of series.
    MetricHistograms,
    /// Series seen on a day.
    MetricSeries,
    /// Exemplars of series.
    Exemplars,
    /// Log records.
    Logs,
    /// Streams seen on a day.
    LogStreams,
    /// Spans.
    Spans,
}

impl Table {
    /// Every table, in a fixed order: the tables that name identities stand before those that
    /// use them, so a reader that loads in this order never meets an unknown id.
    pub const ALL: [Self; 7] = [
        Self::MetricSeries,
        Self::MetricSamples,
        Self::MetricHistograms,
        Self::Exemplars,
        Self::LogStreams,
        Self::Logs,
        Self::Spans,
    ];

    /// The table's name, which is also its folder in the lake.
    pub fn name(self) -> &'static str {
        match self {
            Self::MetricSamples => "metric_samples",
            Self::MetricHistograms => "metric_histograms",
            Self::MetricSeries => "metric_series",
            Self::Exemplars => "exemplars",
            Self::Logs => "logs",
            Self::LogStreams => "log_streams",
            Self::Spans => "spans",
        }
    }

    /// The signal whose records the table holds.
    pub fn signal(self) -> Signal {
        match self {
            Self::MetricSamples | Self::MetricHistograms | Self::MetricSeries | Self::Exemplars => {
                Signal::Metrics
            }
            Self::Logs | Self::LogStreams => Signal::Logs,
            Self::Spans => Signal::Traces,
        }
    }

    /// The columns of rows as ingest makes them, in order: those of the starting layout.
    /// Partition columns are not among them.
    pub fn schema(self) -> SchemaRef {
        Arc::clone(TableLayout::starting(self).schema())
    }

    /// How segments are sorted and which column tells the time.
    pub fn sort_key(self) -> SortKey {
        match self {
            Self::MetricSamples | Self::MetricHistograms => metrics::SAMPLES_SORT_KEY,
            Self::MetricSeries => metrics::SERIES_SORT_KEY,
            Self::Exemplars => metrics::EXEMPLARS_SORT_KEY,
            Self::Logs => logs::LOGS_SORT_KEY,
            Self::LogStreams => logs::STREAMS_SORT_KEY,
            Self::Spans => traces::SPANS_SORT_KEY,
        }
    }

    /// The columns that every segment has in every lake, in order.
    fn fixed_fields(self) -> Vec<FieldRef> {
        match self {
            Self::MetricSamples => metrics::samples(),
            Self::MetricHistograms => metrics::histograms(),
            Self::MetricSeries => metrics::series(),
            Self::Exemplars => metrics::exemplars(),
            Self::Logs => logs::logs(),
            Self::LogStreams => logs::streams(),
            Self::Spans => traces::spans(),
        }
    }
}

/// A column that has a value in every row.
fn required(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, false))
}

/// A column that may be null; null means that the sender left the field out.
fn optional(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, true))
}

/// Texts that repeat: dictionary in memory and in Parquet, plain text to other engines.
fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Labels of a series or stream, sorted by name.
pub fn label_map() -> DataType {
    let entries = Fields::from(vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Utf8, true),
    ]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    DataType::Map(Arc::new(entries), false)
}

/// A list whose items are `data_type`, named and nullable as Arrow's builders make them.
fn list_of(data_type: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(data_type, true)))
}

/// A list of structs.
fn list_of_structs(fields: Vec<FieldRef>) -> DataType {
    list_of(DataType::Struct(Fields::from(fields)))
}
