//! The messages of OTLP: JSON name, number and kind of each field.
//!
//! Written after opentelemetry-proto 1.11 (`opentelemetry/proto/{common,resource,logs,metrics,
//! trace}/v1`). A field that is not here is ignored, as the protocol asks.

/// A message: its fields.
#[derive(Debug)]
pub(super) struct Message {
    fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// The name in JSON, lower camel case.
    pub(super) name: &'static str,
    /// The name in the protocol's source, which JSON readers have to take as well.
    proto_name: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) is_repeated: bool,
}

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Bool,
    Int64,
    UInt32,
    UInt64,
    SInt32,
    Fixed32,
    Fixed64,
    SFixed64,
    Double,
    Text,
    /// Base64.
    Bytes,
    /// Hex: trace and span ids.
    Hex,
    /// An integer, or one of these names.
    Enum(&'static [(&'static str, i32)]),
    /// A message; behind a function because messages contain themselves.
    Message(fn() -> &'static Message),
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Message {
    /// The field with this name, in either spelling.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name || field.proto_name == name)
    }
}

macro_rules! message {
    (
        $id:ident:
        $($name:literal $proto:literal $number:literal $kind:expr $(, $repeated:ident)?;)*
    ) => {
        pub(super) static $id: Message = Message {
            fields: &[$(Field {
                name: $name,
                proto_name: $proto,
                number: $number,
                kind: $kind,
                is_repeated: message!(@repeated $($repeated)?),
            }),*],
        };
    };
    (@repeated) => { false };
    (@repeated repeated) => { true };
}

macro_rules! nested {
    ($id:ident) => {
        Kind::Message(|| &$id)
    };
}

message! { LOGS_REQUEST: "resourceLogs" "resource_logs" 1 nested!(RESOURCE_LOGS), repeated; }
message! { METRICS_REQUEST:
    "resourceMetrics" "resource_metrics" 1 nested!(RESOURCE_METRICS), repeated;
}
message! { TRACES_REQUEST: "resourceSpans" "resource_spans" 1 nested!(RESOURCE_SPANS), repeated; }

message! { RESOURCE_LOGS:
    "resource" "resource" 1 nested!(RESOURCE);
    "scopeLogs" "scope_logs" 2 nested!(SCOPE_LOGS), repeated;
    "schemaUrl" "schema_url" 3 Kind::Text;
}
message! { RESOURCE_METRICS:
    "resource" "resource" 1 nested!(RESOURCE);
    "scopeMetrics" "scope_metrics" 2 nested!(SCOPE_METRICS), repeated;
    "schemaUrl" "schema_url" 3 Kind::Text;
}
message! { RESOURCE_SPANS:
    "resource" "resource" 1 nested!(RESOURCE);
    "scopeSpans" "scope_spans" 2 nested!(SCOPE_SPANS), repeated;
    "schemaUrl" "schema_url" 3 Kind::Text;
}
message! { SCOPE_LOGS:
    "scope" "scope" 1 nested!(SCOPE);
    "logRecords" "log_records" 2 nested!(LOG_RECORD), repeated;
    "schemaUrl" "schema_url" 3 Kind::Text;
}
message! { SCOPE_METRICS:
    "scope" "scope" 1 nested!(SCOPE);
    "metrics" "metrics" 2 nested!(METRIC), repeated;
    "schemaUrl" "schema_url" 3 Kind::Text;
}
message! { SCOPE_SPANS:
    "scope" "scope" 1 nested!(SCOPE);
    "spans" "spans" 2 nested!(SPAN), repeated;
    "schemaUrl" "schema_url" 3 Kind::Text;
}

message! { RESOURCE:
    "attributes" "attributes" 1 nested!(KEY_VALUE), repeated;
    "droppedAttributesCount" "dropped_attributes_count" 2 Kind::UInt32;
}
message! { SCOPE:
    "name" "name" 1 Kind::Text;
    "version" "version" 2 Kind::Text;
    "attributes" "attributes" 3 nested!(KEY_VALUE), repeated;
    "droppedAttributesCount" "dropped_attributes_count" 4 Kind::UInt32;
}
message! { KEY_VALUE:
    "key" "key" 1 Kind::Text;
    "value" "value" 2 nested!(ANY_VALUE);
}
message! { ANY_VALUE:
    "stringValue" "string_value" 1 Kind::Text;
    "boolValue" "bool_value" 2 Kind::Bool;
    "intValue" "int_value" 3 Kind::Int64;
    "doubleValue" "double_value" 4 Kind::Double;
    "arrayValue" "array_value" 5 nested!(ARRAY_VALUE);
    "kvlistValue" "kvlist_value" 6 nested!(KEY_VALUE_LIST);
    "bytesValue" "bytes_value" 7 Kind::Bytes;
}
message! { ARRAY_VALUE: "values" "values" 1 nested!(ANY_VALUE), repeated; }
message! { KEY_VALUE_LIST: "values" "values" 1 nested!(KEY_VALUE), repeated; }

message! { LOG_RECORD:
    "timeUnixNano" "time_unix_nano" 1 Kind::Fixed64;
    "observedTimeUnixNano" "observed_time_unix_nano" 11 Kind::Fixed64;
    "severityNumber" "severity_number" 2 Kind::Enum(SEVERITIES);
    "severityText" "severity_text" 3 Kind::Text;
    "body" "body" 5 nested!(ANY_VALUE);
    "attributes" "attributes" 6 nested!(KEY_VALUE), repeated;
    "droppedAttributesCount" "dropped_attributes_count" 7 Kind::UInt32;
    "flags" "flags" 8 Kind::Fixed32;
    "traceId" "trace_id" 9 Kind::Hex;
    "spanId" "span_id" 10 Kind::Hex;
    "eventName" "event_name" 12 Kind::Text;
}

message! { METRIC:
    "name" "name" 1 Kind::Text;
    "description" "description" 2 Kind::Text;
    "unit" "unit" 3 Kind::Text;
    "gauge" "gauge" 5 nested!(GAUGE);
    "sum" "sum" 7 nested!(SUM);
    "histogram" "histogram" 9 nested!(HISTOGRAM);
    "exponentialHistogram" "exponential_histogram" 10 nested!(EXPONENTIAL_HISTOGRAM);
    "summary" "summary" 11 nested!(SUMMARY);
}
message! { GAUGE: "dataPoints" "data_points" 1 nested!(NUMBER_POINT), repeated; }
message! { SUM:
    "dataPoints" "data_points" 1 nested!(NUMBER_POINT), repeated;
    "aggregationTemporality" "aggregation_temporality" 2 Kind::Enum(TEMPORALITIES);
    "isMonotonic" "is_monotonic" 3 Kind::Bool;
}
message! { HISTOGRAM:
    "dataPoints" "data_points" 1 nested!(HISTOGRAM_POINT), repeated;
    "aggregationTemporality" "aggregation_temporality" 2 Kind::Enum(TEMPORALITIES);
}
message! { EXPONENTIAL_HISTOGRAM:
    "dataPoints" "data_points" 1 nested!(EXPONENTIAL_POINT), repeated;
    "aggregationTemporality" "aggregation_temporality" 2 Kind::Enum(TEMPORALITIES);
}
message! { SUMMARY: "dataPoints" "data_points" 1 nested!(SUMMARY_POINT), repeated; }
message! { NUMBER_POINT:
    "attributes" "attributes" 7 nested!(KEY_VALUE), repeated;
    "startTimeUnixNano" "start_time_unix_nano" 2 Kind::Fixed64;
    "timeUnixNano" "time_unix_nano" 3 Kind::Fixed64;
    "asDouble" "as_double" 4 Kind::Double;
    "asInt" "as_int" 6 Kind::SFixed64;
    "exemplars" "exemplars" 5 nested!(EXEMPLAR), repeated;
    "flags" "flags" 8 Kind::UInt32;
}
message! { HISTOGRAM_POINT:
    "attributes" "attributes" 9 nested!(KEY_VALUE), repeated;
    "startTimeUnixNano" "start_time_unix_nano" 2 Kind::Fixed64;
    "timeUnixNano" "time_unix_nano" 3 Kind::Fixed64;
    "count" "count" 4 Kind::Fixed64;
    "sum" "sum" 5 Kind::Double;
    "bucketCounts" "bucket_counts" 6 Kind::Fixed64, repeated;
    "explicitBounds" "explicit_bounds" 7 Kind::Double, repeated;
    "exemplars" "exemplars" 8 nested!(EXEMPLAR), repeated;
    "flags" "flags" 10 Kind::UInt32;
    "min" "min" 11 Kind::Double;
    "max" "max" 12 Kind::Double;
}
message! { EXPONENTIAL_POINT:
    "attributes" "attributes" 1 nested!(KEY_VALUE), repeated;
    "startTimeUnixNano" "start_time_unix_nano" 2 Kind::Fixed64;
    "timeUnixNano" "time_unix_nano" 3 Kind::Fixed64;
    "count" "count" 4 Kind::Fixed64;
    "sum" "sum" 5 Kind::Double;
    "scale" "scale" 6 Kind::SInt32;
    "zeroCount" "zero_count" 7 Kind::Fixed64;
    "positive" "positive" 8 nested!(BUCKETS);
    "negative" "negative" 9 nested!(BUCKETS);
    "flags" "flags" 10 Kind::UInt32;
    "exemplars" "exemplars" 11 nested!(EXEMPLAR), repeated;
    "min" "min" 12 Kind::Double;
    "max" "max" 13 Kind::Double;
    "zeroThreshold" "zero_threshold" 14 Kind::Double;
}
message! { BUCKETS:
    "offset" "offset" 1 Kind::SInt32;
    "bucketCounts" "bucket_counts" 2 Kind::UInt64, repeated;
}
message! { SUMMARY_POINT:
    "attributes" "attributes" 7 nested!(KEY_VALUE), repeated;
    "startTimeUnixNano" "start_time_unix_nano" 2 Kind::Fixed64;
    "timeUnixNano" "time_unix_nano" 3 Kind::Fixed64;
    "count" "count" 4 Kind::Fixed64;
    "sum" "sum" 5 Kind::Double;
    "quantileValues" "quantile_values" 6 nested!(QUANTILE), repeated;
    "flags" "flags" 8 Kind::UInt32;
}
message! { QUANTILE:
    "quantile" "quantile" 1 Kind::Double;
    "value" "value" 2 Kind::Double;
}
message! { EXEMPLAR:
    "filteredAttributes" "filtered_attributes" 7 nested!(KEY_VALUE), repeated;
    "timeUnixNano" "time_unix_nano" 2 Kind::Fixed64;
    "asDouble" "as_double" 3 Kind::Double;
    "asInt" "as_int" 6 Kind::SFixed64;
    "spanId" "span_id" 4 Kind::Hex;
    "traceId" "trace_id" 5 Kind::Hex;
}

message! { SPAN:
    "traceId" "trace_id" 1 Kind::Hex;
    "spanId" "span_id" 2 Kind::Hex;
    "traceState" "trace_state" 3 Kind::Text;
    "parentSpanId" "parent_span_id" 4 Kind::Hex;
    "flags" "flags" 16 Kind::Fixed32;
    "name" "name" 5 Kind::Text;
    "kind" "kind" 6 Kind::Enum(SPAN_KINDS);
    "startTimeUnixNano" "start_time_unix_nano" 7 Kind::Fixed64;
    "endTimeUnixNano" "end_time_unix_nano" 8 Kind::Fixed64;
    "attributes" "attributes" 9 nested!(KEY_VALUE), repeated;
    "droppedAttributesCount" "dropped_attributes_count" 10 Kind::UInt32;
    "events" "events" 11 nested!(EVENT), repeated;
    "droppedEventsCount" "dropped_events_count" 12 Kind::UInt32;
    "links" "links" 13 nested!(LINK), repeated;
    "droppedLinksCount" "dropped_links_count" 14 Kind::UInt32;
    "status" "status" 15 nested!(STATUS);
}
message! { EVENT:
    "timeUnixNano" "time_unix_nano" 1 Kind::Fixed64;
    "name" "name" 2 Kind::Text;
    "attributes" "attributes" 3 nested!(KEY_VALUE), repeated;
    "droppedAttributesCount" "dropped_attributes_count" 4 Kind::UInt32;
}
message! { LINK:
    "traceId" "trace_id" 1 Kind::Hex;
    "spanId" "span_id" 2 Kind::Hex;
    "traceState" "trace_state" 3 Kind::Text;
    "attributes" "attributes" 4 nested!(KEY_VALUE), repeated;
    "droppedAttributesCount" "dropped_attributes_count" 5 Kind::UInt32;
    "flags" "flags" 6 Kind::Fixed32;
}
message! { STATUS:
    "message" "message" 2 Kind::Text;
    "code" "code" 3 Kind::Enum(STATUS_CODES);
}

const TEMPORALITIES: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];
const SPAN_KINDS: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];
const STATUS_CODES: &[(&str, i32)] =
    &[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];
const SEVERITIES: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];
