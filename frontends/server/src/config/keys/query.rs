//! Keys of memory and of what queries may use.

use super::{Key, Kind, key};

/// Keys that stand behind those of storage.
pub(super) const KEYS: &[Key] = &[
    key(
        "memory.budget",
        Kind::Memory,
        "60%",
        "Memory that requests, memtables, indexes, queries, compaction and caches may hold \
         together, in bytes or as a part of what the machine, the control group and the resource \
         limits leave to the process; 64MiB at least. Work beyond it waits on disk or is refused \
         with 429 or 503. The rest is for the allocator, code and stacks.",
    ),
    key(
        "memory.limit",
        Kind::Size,
        "0",
        "Memory that the machine is taken to leave to the process; 0: what the machine, the \
         control group and the resource limits tell. Above 80% of it new work is refused.",
    ),
    key(
        "memory.ingest",
        Kind::Percent,
        "30%",
        "Part of memory.budget that requests being received and decoded may hold; a third of it \
         is kept for them.",
    ),
    key(
        "memory.memtable",
        Kind::Percent,
        "50%",
        "Part of memory.budget that rows which are not yet in segments may hold, with their \
         copies while they are sorted and encoded; 20% are kept for them.",
    ),
    key(
        "memory.index",
        Kind::Percent,
        "35%",
        "Part of memory.budget that the label indexes may hold, at about 500 bytes a series; \
         new series beyond it are refused, known ones go on. 5% are kept for them.",
    ),
    key(
        "memory.query",
        Kind::Percent,
        "50%",
        "Part of memory.budget that all running queries may hold together, with their answers; \
         15% are kept for them.",
    ),
    key(
        "memory.compaction",
        Kind::Percent,
        "30%",
        "Part of memory.budget that merges of segments may hold; 10% are kept for them.",
    ),
    key(
        "memory.cache",
        Kind::Percent,
        "25%",
        "Part of memory.budget that cached blocks of segments may hold; they are given up when \
         anything else needs the memory.",
    ),
    key(
        "query.memory_bytes",
        Kind::Size,
        "512MiB",
        "Memory that one query may hold, and never more than half of memory.query: sorting and \
         grouping go on on disk, anything else beyond it fails.",
    ),
    key(
        "query.spill_bytes",
        Kind::Size,
        "8GiB",
        "Bytes that sorting and grouping of all queries may put into the folder `tmp` of the data \
         folder; 0: they fail instead.",
    ),
    key("query.samples_max", Kind::Count, "50000000", "Samples that one query may read."),
    key(
        "query.samples_cache_bytes",
        Kind::Size,
        "256MiB",
        "Part of memory.cache that decoded samples of metrics may hold for the next query, at \
         about 2 bytes a sample; 0 decodes segments every time.",
    ),
    key(
        "query.series_max",
        Kind::Count,
        "1000000",
        "Series that one selector may select; a query may make four times as many label sets.",
    ),
    key("query.steps_max", Kind::Count, "11000", "Steps of a range query."),
    key("query.timeout", Kind::Duration, "2m", "Time that one query may take."),
    key("query.concurrency_max", Kind::Count, "20", "Queries that run at once; more wait."),
    key(
        "query.queue_max",
        Kind::Count,
        "100",
        "Queries that wait for others to end; those beyond are refused at once with 503.",
    ),
    key(
        "query.queue_timeout",
        Kind::Duration,
        "30s",
        "How long a query may wait for others to end; then it is refused with 503.",
    ),
    key("query.depth_max", Kind::Count, "128", "Nodes that the plan of a query may be deep."),
    key(
        "query.lookback",
        Kind::Duration,
        "5m",
        "How far back a sample counts for an instant selector of PromQL.",
    ),
    key("query.log_records_max", Kind::Count, "5000", "Log records that a query may ask for."),
    key("query.traces_max", Kind::Count, "10000", "Traces that a search may ask for."),
    key("query.sql_rows_max", Kind::Count, "1000000", "Rows of a SQL answer in JSON or CSV."),
    key(
        "promql.delayed_name_removal",
        Kind::Switch,
        "false",
        "Whether functions of PromQL keep the metric name until the end of a query, so that what \
         stands around them can group by it and take it into labels; Prometheus' feature \
         promql-delayed-name-removal.",
    ),
    key(
        "promql.start_times",
        Kind::Switch,
        "false",
        "Whether rate, increase, irate and resets of PromQL take counters to begin at the start \
         times sent with their samples (Prometheus' use-start-timestamps).",
    ),
    key(
        "promql.search",
        Kind::Switch,
        "false",
        "Whether names of metrics and labels and values may be searched for as they are typed \
         (/prometheus/api/v1/search/…; Prometheus' search-api).",
    ),
    key(
        "promql.search_results_max",
        Kind::Count,
        "10000",
        "Results that one such search may ask for.",
    ),
    key(
        "promql.cors_origin",
        Kind::Text,
        "*",
        "Origin whose browser pages may read answers of the Prometheus API, as Prometheus' \
         web.cors.origin: `*` any, empty none.",
    ),
];
