//! Names of columns. A column's name is written nowhere else.

/// Partition column: who sent the record. Utf8; never null.
pub const TENANT: &str = "tenant";
/// Partition column: UTC day of the record's time as `YYYY-MM-DD`.
pub const DATE: &str = "date";

/// Int64: xxh3 of the metric's name. Rows of one metric lie together.
pub const METRIC_ID: &str = "metric_id";
/// Dictionary Utf8: the metric's name.
pub const METRIC_NAME: &str = "metric_name";
/// Int64: `Labels::id` of the series, metric name included.
pub const SERIES_ID: &str = "series_id";
/// Int64: milliseconds since the epoch of a sample.
pub const TIME_MS: &str = "time_ms";
/// Int64, nullable: milliseconds since the epoch at which a cumulative or delta value began.
pub const START_TIME_MS: &str = "start_time_ms";
/// Float64, nullable in samples: the sample, where it is not told by mantissa and exponent. Stale
/// markers are a NaN with Prometheus' bits. In SQL the sample is
/// `coalesce(value, cast(value_mantissa AS double) / power(10, value_exponent))`, bit for bit.
pub const VALUE: &str = "value";
/// Int64, nullable: the sample as an integer of at most 53 bits; null where `value` is set.
pub const VALUE_MANTISSA: &str = "value_mantissa";
/// Int32, nullable: how often the mantissa is divided by ten, 0 to 12; null where `value` is set.
pub const VALUE_EXPONENT: &str = "value_exponent";

/// Map<Utf8, Utf8>: all labels of a series (with `__name__`) or of a stream, sorted by name.
pub const LABELS: &str = "labels";
/// Dictionary Utf8: `counter gauge histogram summary exponential_histogram unknown`.
pub const TYPE: &str = "type";
/// Dictionary Utf8, nullable: unit as sent, UCUM.
pub const UNIT: &str = "unit";
/// Dictionary Utf8, nullable: description as sent.
pub const HELP: &str = "help";
/// Dictionary Utf8, nullable: `cumulative` or `delta`; null for what has none.
pub const TEMPORALITY: &str = "temporality";

/// Int32: what is known of a counter reset before a histogram sample: 1 there was one, 2 there was
/// none, 3 it is no counter; null if nothing is known.
pub const RESET_HINT: &str = "reset_hint";
/// List<Float64>: upper bounds of the buckets of a histogram with bounds of its own, ascending,
/// +Inf left out; null if buckets are exponential. Its scale is -53, and its first positive count
/// is that of the bucket whose number the offset tells.
pub const CUSTOM_BOUNDS: &str = "custom_bounds";
/// List<Float64>: count, zero count, positive counts and negative counts of a histogram whose
/// counts are not whole, one after the other; the columns of those counts then hold zeros. Null
/// if they are whole.
pub const FRACTIONS: &str = "fractions";
/// Int32: scale of an exponential histogram.
pub const SCALE: &str = "scale";
/// Int64: number of observations.
pub const COUNT: &str = "count";
/// Float64, nullable: sum of observations.
pub const SUM: &str = "sum";
/// Float64, nullable: smallest observation.
pub const MIN: &str = "min";
/// Float64, nullable: largest observation.
pub const MAX: &str = "max";
/// Float64: observations up to this magnitude fall into the zero bucket.
pub const ZERO_THRESHOLD: &str = "zero_threshold";
/// Int64: observations in the zero bucket.
pub const ZERO_COUNT: &str = "zero_count";
/// Int32: index of the first positive bucket.
pub const POSITIVE_OFFSET: &str = "positive_offset";
/// List<Int64>: counts of the positive buckets, not cumulative.
pub const POSITIVE_COUNTS: &str = "positive_counts";
/// Int32: index of the first negative bucket.
pub const NEGATIVE_OFFSET: &str = "negative_offset";
/// List<Int64>: counts of the negative buckets, not cumulative.
pub const NEGATIVE_COUNTS: &str = "negative_counts";

/// Int64: `Labels::id` of a log stream's full identity (resource and scope with all attributes).
pub const STREAM_ID: &str = "stream_id";
/// Int64: nanoseconds since the epoch; the record's own time, else when it was observed, else
/// when it was received.
pub const TIME_NS: &str = "time_unix_nano";
/// Int64, nullable: nanoseconds since the epoch when the collector saw the record.
pub const OBSERVED_TIME_NS: &str = "observed_time_unix_nano";
/// Int32, nullable: OpenTelemetry severity number, 1 to 24.
pub const SEVERITY_NUMBER: &str = "severity_number";
/// Dictionary Utf8, nullable: severity text as sent.
pub const SEVERITY_TEXT: &str = "severity_text";
/// Utf8: the log body; a body that is not a string is JSON text in the form of [`ATTRIBUTES`].
pub const BODY: &str = "body";
/// Dictionary Utf8, nullable: `json` if the body was not a string; null if it was.
pub const BODY_TYPE: &str = "body_type";
/// Dictionary Utf8, nullable: name of the event that a log record tells of.
pub const EVENT_NAME: &str = "event_name";
/// FixedSizeBinary(16): trace id; nullable in logs and exemplars.
pub const TRACE_ID: &str = "trace_id";
/// FixedSizeBinary(8): span id; nullable in logs and exemplars.
pub const SPAN_ID: &str = "span_id";
/// Int32: W3C trace flags and OTLP's remote bits.
pub const FLAGS: &str = "flags";
/// Int32: attributes that the sender dropped.
pub const DROPPED_ATTRIBUTES_COUNT: &str = "dropped_attributes_count";

/// Utf8, nullable: the attributes that have no column of their own, a JSON object in the order
/// sent; null if there are none.
///
/// Types survive: a string is a JSON string, a bool is `true`/`false`, an int has neither point
/// nor exponent, a double always has one (`1.0`, `1e300`), an array is an array, a map is an
/// object, an empty value is `null`. What JSON cannot say is an object with one reserved key:
/// `{"$bytes":"<base64>"}` and `{"$double":"NaN"|"Infinity"|"-Infinity"}`. A key of a nested map
/// that starts with `$` is written with one more `$`, so the reserved keys are unambiguous.
pub const ATTRIBUTES: &str = "attributes";
/// Dictionary Utf8, nullable: resource attributes without a column, in the form of [`ATTRIBUTES`].
pub const RESOURCE_ATTRIBUTES: &str = "resource_attributes";
/// Dictionary Utf8, nullable: scope attributes, in the form of [`ATTRIBUTES`].
pub const SCOPE_ATTRIBUTES: &str = "scope_attributes";
/// Dictionary Utf8, nullable: name of the instrumentation scope.
pub const SCOPE_NAME: &str = "scope_name";
/// Dictionary Utf8, nullable: version of the instrumentation scope.
pub const SCOPE_VERSION: &str = "scope_version";
/// Dictionary Utf8, nullable: schema URL of the resource.
pub const RESOURCE_SCHEMA_URL: &str = "resource_schema_url";
/// Dictionary Utf8, nullable: schema URL of the scope.
pub const SCOPE_SCHEMA_URL: &str = "scope_schema_url";
/// Int32: resource attributes that the sender dropped.
pub const RESOURCE_DROPPED_ATTRIBUTES_COUNT: &str = "resource_dropped_attributes_count";
/// Int32: scope attributes that the sender dropped.
pub const SCOPE_DROPPED_ATTRIBUTES_COUNT: &str = "scope_dropped_attributes_count";

/// Dictionary Utf8: `service.name` of the resource, `unknown_service` if absent.
pub const SERVICE: &str = "service_name";
/// FixedSizeBinary(8), nullable: the parent span; null for a root.
pub const PARENT_SPAN_ID: &str = "parent_span_id";
/// Dictionary Utf8, nullable: W3C trace state.
pub const TRACE_STATE: &str = "trace_state";
/// Dictionary Utf8: span or event name.
pub const NAME: &str = "name";
/// Int32: span kind, 0 unspecified 1 internal 2 server 3 client 4 producer 5 consumer.
pub const KIND: &str = "kind";
/// Int64: start in nanoseconds since the epoch.
pub const START_NS: &str = "start_time_unix_nano";
/// Int64: end minus start in nanoseconds; 0 if the span ended before it started.
pub const DURATION_NS: &str = "duration_nano";
/// Int32: 0 unset, 1 ok, 2 error.
pub const STATUS_CODE: &str = "status_code";
/// Utf8, nullable: status message.
pub const STATUS_MESSAGE: &str = "status_message";
/// List<Struct>: events in the order sent; null if none.
pub const EVENTS: &str = "events";
/// List<Struct>: links in the order sent; null if none.
pub const LINKS: &str = "links";
/// Int32: events that the sender dropped.
pub const DROPPED_EVENTS_COUNT: &str = "dropped_events_count";
/// Int32: links that the sender dropped.
pub const DROPPED_LINKS_COUNT: &str = "dropped_links_count";
