//! Keys of what a tenant may send and ask: those that `[tenants."name"]` may have, too.

use super::{Key, Kind, key};

/// Keys that stand behind those of storage.
pub(super) const KEYS: &[Key] = &[
    key(
        "limits.records_per_second",
        Kind::Count,
        "0",
        "Log records, data points and spans a second that a tenant may send, of each signal; 0: \
         any. A tenant has limits of its own in a table [tenants.\"name\"] of the file, by the \
         last parts of these keys. All of these keys are read again at SIGHUP.",
    ),
    key(
        "limits.bytes_per_second",
        Kind::Size,
        "0",
        "Bytes a second, decompressed, that a tenant may send of each signal; 0: any.",
    ),
    key(
        "limits.burst",
        Kind::Duration,
        "10s",
        "How much may come at once: what the rates let in over this time.",
    ),
    key(
        "limits.series_max",
        Kind::Count,
        "0",
        "Series of a tenant on a day (UTC); samples of further ones are rejected. 0: any number.",
    ),
    key(
        "limits.streams_max",
        Kind::Count,
        "0",
        "Log streams of a tenant on a day (UTC); records of further ones are rejected. 0: any.",
    ),
    key(
        "limits.query_range_max",
        Kind::Duration,
        "0s",
        "Longest time range that a tenant's query may have, SQL left out; 0s: any.",
    ),
    key(
        "limits.queries_max",
        Kind::Count,
        "0",
        "Queries of a tenant that run at once, by whichever door; further ones wait. 0: any \
         number.",
    ),
    key(
        "limits.queue_max",
        Kind::Count,
        "20",
        "Queries of a tenant that wait while limits.queries_max others run, for \
         query.queue_timeout at most; those beyond are answered 429.",
    ),
    key(
        "limits.query_timeout",
        Kind::Duration,
        "0s",
        "Time that one query of a tenant may take; 0s, or more than that: query.timeout.",
    ),
    key(
        "limits.query_bytes",
        Kind::Size,
        "0",
        "Bytes of segments, as they are stored, that one query of a tenant may read; 0: any.",
    ),
    key(
        "limits.query_samples_max",
        Kind::Count,
        "0",
        "Samples that one query of a tenant may read; 0, or more than that: query.samples_max.",
    ),
    key(
        "limits.query_series_max",
        Kind::Count,
        "0",
        "Series that a selector of a tenant may select; 0, or more than that: query.series_max.",
    ),
    key(
        "limits.log_records_max",
        Kind::Count,
        "0",
        "Log records that a query of a tenant may ask for; 0: query.log_records_max.",
    ),
    key(
        "limits.traces_max",
        Kind::Count,
        "0",
        "Traces that a search of a tenant may ask for; 0: query.traces_max.",
    ),
    key(
        "limits.trace_bytes",
        Kind::Size,
        "0",
        "Bytes of one trace, as Protobuf, that a tenant may fetch; 0: 64MiB.",
    ),
    key(
        "limits.sql_rows_max",
        Kind::Count,
        "0",
        "Rows of a SQL answer in JSON or CSV to a tenant; 0: query.sql_rows_max.",
    ),
    key(
        "limits.answer_bytes",
        Kind::Size,
        "0",
        "Bytes of an answer over HTTP to a tenant, before compression; 0: any. An answer that is \
         found to be longer once it has begun is cut off: the body does not end as HTTP asks, which \
         every client takes for an error.",
    ),
    key(
        "limits.line_bytes",
        Kind::Size,
        "0",
        "Bytes of a log record's body; longer ones are rejected. 0: 1MiB.",
    ),
    key(
        "limits.labels_max",
        Kind::Count,
        "0",
        "Labels of a tenant's series or stream; those with more are rejected. 0: 128.",
    ),
    key(
        "limits.label_name_bytes",
        Kind::Size,
        "0",
        "Bytes of a label's name; what has a longer one is rejected. 0: 1KiB.",
    ),
    key(
        "limits.label_value_bytes",
        Kind::Size,
        "0",
        "Bytes of a label's value; what has a longer one is rejected. 0: 4KiB.",
    ),
];
