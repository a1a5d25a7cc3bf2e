//! Tables of metrics: samples are narrow and sorted by series, labels are stored once a day.

use arrow_schema::{DataType, FieldRef};

use super::{SortKey, columns, dictionary, label_map, list_of, optional, required};
use crate::model::NANOS_PER_MILLI;

/// All samples of a series lie together, oldest first; all series of a metric lie together.
pub(super) const SAMPLES_SORT_KEY: SortKey = SortKey {
    columns: &[columns::METRIC_ID, columns::SERIES_ID, columns::TIME_MS],
    time_column: columns::TIME_MS,
    time_unit_ns: NANOS_PER_MILLI,
};

pub(super) const SERIES_SORT_KEY: SortKey = SortKey {
    columns: &[columns::METRIC_ID, columns::SERIES_ID],
    time_column: columns::TIME_MS,
    time_unit_ns: NANOS_PER_MILLI,
};

pub(super) const EXEMPLARS_SORT_KEY: SortKey = SortKey {
    columns: &[columns::SERIES_ID, columns::TIME_MS],
    time_column: columns::TIME_MS,
    time_unit_ns: NANOS_PER_MILLI,
};

/// `metric_samples`: one row is a float sample.
///
/// In memtables every row has its `value`. In segments a row whose number is exactly a decimal
/// has `value_mantissa` and `value_exponent` in place of it: consecutive integers of a counter
/// take a fraction of the bytes of consecutive floats, and decode faster.
pub(super) fn samples() -> Vec<FieldRef> {
    vec![
        required(columns::METRIC_ID, DataType::Int64),
        required(columns::SERIES_ID, DataType::Int64),
        required(columns::TIME_MS, DataType::Int64),
        optional(columns::VALUE, DataType::Float64),
        optional(columns::VALUE_MANTISSA, DataType::Int64),
        optional(columns::VALUE_EXPONENT, DataType::Int32),
        optional(columns::START_TIME_MS, DataType::Int64),
    ]
}

/// `metric_histograms`: one row is a native histogram sample: exponential buckets, as OTLP has
/// them, or buckets with bounds of their own.
pub(super) fn histograms() -> Vec<FieldRef> {
    vec![
        required(columns::METRIC_ID, DataType::Int64),
        required(columns::SERIES_ID, DataType::Int64),
        required(columns::TIME_MS, DataType::Int64),
        optional(columns::START_TIME_MS, DataType::Int64),
        required(columns::COUNT, DataType::Int64),
        optional(columns::SUM, DataType::Float64),
        optional(columns::MIN, DataType::Float64),
        optional(columns::MAX, DataType::Float64),
        required(columns::SCALE, DataType::Int32),
        required(columns::ZERO_THRESHOLD, DataType::Float64),
        required(columns::ZERO_COUNT, DataType::Int64),
        required(columns::POSITIVE_OFFSET, DataType::Int32),
        optional(columns::POSITIVE_COUNTS, list_of(DataType::Int64)),
        required(columns::NEGATIVE_OFFSET, DataType::Int32),
        optional(columns::NEGATIVE_COUNTS, list_of(DataType::Int64)),
        required(columns::FLAGS, DataType::Int32),
        optional(columns::RESET_HINT, DataType::Int32),
        optional(columns::CUSTOM_BOUNDS, list_of(DataType::Float64)),
        optional(columns::FRACTIONS, list_of(DataType::Float64)),
    ]
}

/// `metric_series`: one row is a series seen on the day of `time_ms`, its first sample there.
pub(super) fn series() -> Vec<FieldRef> {
    vec![
        required(columns::METRIC_ID, DataType::Int64),
        required(columns::SERIES_ID, DataType::Int64),
        required(columns::TIME_MS, DataType::Int64),
        required(columns::METRIC_NAME, dictionary()),
        required(columns::LABELS, label_map()),
        required(columns::TYPE, dictionary()),
        optional(columns::UNIT, dictionary()),
        optional(columns::HELP, dictionary()),
        optional(columns::TEMPORALITY, dictionary()),
    ]
}

/// `exemplars`: one row is a measurement that stands for others, with the trace it came from.
pub(super) fn exemplars() -> Vec<FieldRef> {
    vec![
        required(columns::SERIES_ID, DataType::Int64),
        required(columns::TIME_MS, DataType::Int64),
        required(columns::VALUE, DataType::Float64),
        optional(columns::TRACE_ID, DataType::FixedSizeBinary(16)),
        optional(columns::SPAN_ID, DataType::FixedSizeBinary(8)),
        optional(columns::ATTRIBUTES, DataType::Utf8),
    ]
}
