//! Tables of logs: records are sorted by stream, what a stream's records share is stored once.

use arrow_schema::{DataType, FieldRef};

use super::{SortKey, columns, dictionary, label_map, optional, required};

/// Records of a stream lie together, oldest first: bodies of one stream look alike and compress.
pub(super) const LOGS_SORT_KEY: SortKey = SortKey {
    columns: &[columns::STREAM_ID, columns::TIME_NS],
    time_column: columns::TIME_NS,
    time_unit_ns: 1,
};

pub(super) const STREAMS_SORT_KEY: SortKey =
    SortKey { columns: &[columns::STREAM_ID], time_column: columns::TIME_NS, time_unit_ns: 1 };

/// `logs`: one row is a log record.
pub(super) fn logs() -> Vec<FieldRef> {
    vec![
        required(columns::STREAM_ID, DataType::Int64),
        required(columns::TIME_NS, DataType::Int64),
        optional(columns::OBSERVED_TIME_NS, DataType::Int64),
        optional(columns::SEVERITY_NUMBER, DataType::Int32),
        optional(columns::SEVERITY_TEXT, dictionary()),
        required(columns::BODY, DataType::Utf8),
        optional(columns::BODY_TYPE, dictionary()),
        optional(columns::EVENT_NAME, dictionary()),
        optional(columns::TRACE_ID, DataType::FixedSizeBinary(16)),
        optional(columns::SPAN_ID, DataType::FixedSizeBinary(8)),
        required(columns::FLAGS, DataType::Int32),
        required(columns::DROPPED_ATTRIBUTES_COUNT, DataType::Int32),
        optional(columns::ATTRIBUTES, DataType::Utf8),
    ]
}

/// `log_streams`: one row is a stream seen on the day of `time_unix_nano`, its first record there.
///
/// `labels` are the index labels that LogQL selects by; the resource and the scope are complete
/// here, so a record needs nothing but its `stream_id`.
pub(super) fn streams() -> Vec<FieldRef> {
    vec![
        required(columns::STREAM_ID, DataType::Int64),
        required(columns::TIME_NS, DataType::Int64),
        required(columns::LABELS, label_map()),
        required(columns::SERVICE, dictionary()),
        optional(columns::RESOURCE_ATTRIBUTES, dictionary()),
        optional(columns::RESOURCE_SCHEMA_URL, dictionary()),
        required(columns::RESOURCE_DROPPED_ATTRIBUTES_COUNT, DataType::Int32),
        optional(columns::SCOPE_NAME, dictionary()),
        optional(columns::SCOPE_VERSION, dictionary()),
        optional(columns::SCOPE_ATTRIBUTES, dictionary()),
        optional(columns::SCOPE_SCHEMA_URL, dictionary()),
        required(columns::SCOPE_DROPPED_ATTRIBUTES_COUNT, DataType::Int32),
    ]
}
