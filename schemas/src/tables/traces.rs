//! Tables of traces: one row is a span, events and links inside it.

use arrow_schema::{DataType, FieldRef};

use super::{SortKey, columns, dictionary, list_of_structs, optional, required};

/// Fresh segments are sorted by start; a segment of some minutes holds whole traces mostly.
pub(super) const SPANS_SORT_KEY: SortKey =
    SortKey { columns: &[columns::START_NS], time_column: columns::START_NS, time_unit_ns: 1 };

/// `spans`: one row is a span.
pub(super) fn spans() -> Vec<FieldRef> {
    vec![
        required(columns::TRACE_ID, DataType::FixedSizeBinary(16)),
        required(columns::SPAN_ID, DataType::FixedSizeBinary(8)),
        optional(columns::PARENT_SPAN_ID, DataType::FixedSizeBinary(8)),
        required(columns::START_NS, DataType::Int64),
        required(columns::DURATION_NS, DataType::Int64),
        required(columns::SERVICE, dictionary()),
        required(columns::NAME, dictionary()),
        required(columns::KIND, DataType::Int32),
        required(columns::STATUS_CODE, DataType::Int32),
        optional(columns::STATUS_MESSAGE, DataType::Utf8),
        optional(columns::TRACE_STATE, dictionary()),
        required(columns::FLAGS, DataType::Int32),
        optional(columns::ATTRIBUTES, DataType::Utf8),
        required(columns::DROPPED_ATTRIBUTES_COUNT, DataType::Int32),
        optional(columns::EVENTS, events()),
        required(columns::DROPPED_EVENTS_COUNT, DataType::Int32),
        optional(columns::LINKS, links()),
        required(columns::DROPPED_LINKS_COUNT, DataType::Int32),
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

fn events() -> DataType {
    list_of_structs(vec![
        required(columns::TIME_NS, DataType::Int64),
        required(columns::NAME, DataType::Utf8),
        optional(columns::ATTRIBUTES, DataType::Utf8),
        required(columns::DROPPED_ATTRIBUTES_COUNT, DataType::Int32),
    ])
}

fn links() -> DataType {
    list_of_structs(vec![
        required(columns::TRACE_ID, DataType::FixedSizeBinary(16)),
        required(columns::SPAN_ID, DataType::FixedSizeBinary(8)),
        optional(columns::TRACE_STATE, DataType::Utf8),
        optional(columns::ATTRIBUTES, DataType::Utf8),
        required(columns::DROPPED_ATTRIBUTES_COUNT, DataType::Int32),
        required(columns::FLAGS, DataType::Int32),
    ])
}
