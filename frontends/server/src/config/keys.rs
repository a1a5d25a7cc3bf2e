//! Every configuration key, in the order in which it is printed: the one list that the file,
//! the environment, the flags and the documentation are checked against.

mod limits;
mod query;
mod removal;
mod threads;

pub(crate) use super::kind::Kind;

/// A configuration key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Dotted path in the file: `storage.flush_interval`.
    pub(crate) path: &'static str,
    /// What the value must be.
    pub(crate) kind: Kind,
    /// The default, as text.
    pub(crate) default: &'static str,
    /// What it does and what it costs.
    pub(crate) doc: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, doc }
}

/// Every key, in the order in which they are printed; those of a table stand together.
pub(crate) fn all() -> impl Iterator<Item = &'static Key> {
    let further = [limits::KEYS, query::KEYS, removal::KEYS, threads::KEYS];
    KEYS.iter().chain(further.into_iter().flatten())
}

const KEYS: &[Key] = &[
    key("data", Kind::Text, "./data", "Folder of the WAL and, without S3, of the lake."),
    key(
        "listen",
        Kind::Text,
        "127.0.0.1:7400",
        "Address of the main port, where every protocol answers: HTTP/1.1 and h2c gRPC.",
    ),
    key(
        "multi_tenancy",
        Kind::Switch,
        "false",
        "Whether X-Scope-OrgID names the tenant and is required: 1 to 150 letters, digits and \
         !-_.*'(), one name a request. If not, the header is ignored and all data belong to the \
         tenant `default`. There are no passwords: a proxy in front must set the header.",
    ),
    key(
        "ports.otlp_grpc",
        Kind::Text,
        "127.0.0.1:4317",
        "Classic address of OTLP over gRPC; empty: off. A taken address is only warned of.",
    ),
    key(
        "ports.otlp_http",
        Kind::Text,
        "127.0.0.1:4318",
        "Classic address of OTLP over HTTP; empty: off.",
    ),
    key(
        "ports.prometheus",
        Kind::Text,
        "",
        "Classic address of the Prometheus API (0.0.0.0:9090), at its root; empty: off.",
    ),
    key(
        "ports.loki",
        Kind::Text,
        "",
        "Classic address of the Loki API (0.0.0.0:3100), at its root; empty: off.",
    ),
    key(
        "ports.tempo",
        Kind::Text,
        "",
        "Classic address of the Tempo API (0.0.0.0:3200), at its root; empty: off.",
    ),
    key(
        "http.connections_max",
        Kind::Count,
        "4096",
        "Connections that are open at once on each port; more wait to be accepted.",
    ),
    key(
        "http.compression",
        Kind::Switch,
        "true",
        "Compress answers with gzip or deflate for clients that accept it: fewer bytes, more CPU.",
    ),
    key(
        "http.cors_origin",
        Kind::Text,
        "*",
        "Origin whose browser pages may send OTLP over HTTP; `*` any, empty none.",
    ),
    key(
        "http.shutdown_grace",
        Kind::Duration,
        "20s",
        "How long a stopping server waits for running requests before it flushes and exits.",
    ),
    key(
        "log.level",
        Kind::Text,
        "info",
        "What is logged to stderr: error, warn, info, debug, trace, or `crate=level,…`.",
    ),
    key(
        "log.format",
        Kind::Choice(&["text", "json"]),
        "text",
        "Form of log lines: text for people, json for machines.",
    ),
    key(
        "ingest.body_bytes",
        Kind::Size,
        "20MiB",
        "Size of a request body as received; larger ones are refused.",
    ),
    key(
        "ingest.inflated_bytes",
        Kind::Size,
        "64MiB",
        "Size of a request body after decompression; larger ones are refused.",
    ),
    key(
        "ingest.inflight_bytes",
        Kind::Size,
        "256MiB",
        "Memory of all requests under way; those beyond are told to try again later.",
    ),
    key(
        "ingest.past_max",
        Kind::Duration,
        "7d",
        "Records that are older when they are received are rejected.",
    ),
    key(
        "ingest.ahead_max",
        Kind::Duration,
        "10m",
        "Records that are further ahead when they are received are rejected.",
    ),
    key(
        "storage.durability",
        Kind::Choice(&["fsync", "interval", "none"]),
        "fsync",
        "When a write is acknowledged. fsync: once on the disk, nothing acknowledged is lost; \
         interval: once written, a power failure loses up to storage.sync_interval; \
         none: the operating system decides. A crash of the process alone never loses data.",
    ),
    key(
        "storage.sync_interval",
        Kind::Duration,
        "100ms",
        "Time between syncs with durability = interval; the bound of the loss.",
    ),
    key(
        "storage.memtable_bytes",
        Kind::Size,
        "128MiB",
        "Memtables are flushed at this size. More makes fewer, better compressed segments and \
         costs as much memory again while sorting.",
    ),
    key(
        "storage.flush_interval",
        Kind::Duration,
        "5m",
        "Memtables are flushed at this age. Longer compresses better and lengthens recovery.",
    ),
    key(
        "storage.flush_tenant_bytes_min",
        Kind::Size,
        "1MiB",
        "With storage.flush_tenants_min tenants or more in the memtable, those with fewer bytes \
         wait in it and in the WAL until they have as many, for storage.flush_tenant_age_max at \
         most, and as long as they take a quarter of storage.memtable_bytes together; 0: nobody.",
    ),
    key(
        "storage.flush_tenant_age_max",
        Kind::Duration,
        "30m",
        "How long rows of a small tenant wait: so much later other processes and engines see them.",
    ),
    key(
        "storage.flush_tenants_min",
        Kind::Count,
        "16",
        "Tenants with rows in the memtable from which on small ones wait.",
    ),
    key(
        "storage.index_idle_max",
        Kind::Duration,
        "1h",
        "The label indexes of a tenant that nobody has written to or asked for so long are \
         dropped from memory, and loaded when it is asked for again; 0s keeps all.",
    ),
    key(
        "storage.buffered_bytes",
        Kind::Size,
        "384MiB",
        "Writes are refused while memtables, active and being flushed, hold this much; those that \
         were filled from the WAL at the start do not count.",
    ),
    key(
        "storage.replayed_bytes",
        Kind::Size,
        "2GiB",
        "Memtables that are filled from the WAL at a start hold this much, and half of memory.memtable \
         at most; what is over is flushed before requests are answered.",
    ),
    key(
        "storage.wal_segment_bytes",
        Kind::Size,
        "64MiB",
        "Size of a WAL file before the next one is begun.",
    ),
    key(
        "storage.dedup_window",
        Kind::Duration,
        "10m",
        "How long a request is recognised that comes again, after restarts too, and stored once; \
         0 never.",
    ),
    key(
        "storage.dedup_requests",
        Kind::Count,
        "500000",
        "Requests that are recognised at most, the youngest: each takes up to 60 bytes of memory \
         and 32 of disk.",
    ),
    key(
        "storage.row_group_rows",
        Kind::Count,
        "1048576",
        "Rows of a Parquet row group. Fewer prune better, more compress better.",
    ),
    key(
        "storage.lake_dir",
        Kind::Text,
        "",
        "Local folder of the tables; empty: `lake` in the data folder. Several processes may \
         share one, each with a data folder of its own.",
    ),
    key(
        "storage.refresh_interval",
        Kind::Duration,
        "1s",
        "How often commits of other processes on the same lake are looked for, with one request a \
         table; 0 if there are none. Bounds how old answers may be in what others have written.",
    ),
    key(
        "storage.checkpoint_commits",
        Kind::Count,
        "50",
        "Commits of a table from one checkpoint to the next. Fewer make starts faster; 0 writes \
         no checkpoints.",
    ),
    key(
        "storage.log_retention",
        Kind::Duration,
        "24h",
        "How long commits behind a checkpoint stay in a table's log, and what was removed is \
         told in it.",
    ),
    key(
        "storage.promotion.columns_max",
        Kind::Count,
        "60",
        "Columns of attributes that a table may have, at most 128. Frequent attributes get one: \
         conditions on them get several times faster, reading whole records a little slower. \
         Those of the starting list are there in any case; 0 adds none.",
    ),
    key(
        "storage.promotion.share_percent",
        Kind::Count,
        "5",
        "Share of a table's rows, of all tenants, that must have an attribute before it gets a \
         column. Columns are never removed.",
    ),
    key(
        "storage.promotion.rows_min",
        Kind::Count,
        "100000",
        "Rows that are flushed before columns are chosen; then the counting starts again.",
    ),
    key(
        "storage.compaction.enabled",
        Kind::Switch,
        "true",
        "Merge small segments into large ones in the background. Several processes may do so on \
         one lake.",
    ),
    key(
        "storage.compaction.interval",
        Kind::Duration,
        "1m",
        "Time between two looks for something to merge.",
    ),
    key(
        "storage.compaction.fan_in",
        Kind::Count,
        "32",
        "Segments of one merge, at most. More write each row less often and take more memory.",
    ),
    key(
        "storage.compaction.segment_bytes",
        Kind::Size,
        "512MiB",
        "Segments of this size are not merged any more; a merge takes twice as many bytes in, at \
         most. Larger: fewer objects; smaller: late rows cost less.",
    ),
    key(
        "storage.compaction.memory_bytes",
        Kind::Size,
        "256MiB",
        "Memory of one merge, at most; one that would take more takes fewer segments.",
    ),
    key(
        "storage.compaction.hour_segments",
        Kind::Count,
        "8",
        "Segments of a table, tenant and hour once the hour is over, at most.",
    ),
    key(
        "storage.compaction.day_segments",
        Kind::Count,
        "4",
        "Segments of a table, tenant and day once the day is over, at most, besides those of \
         storage.compaction.segment_bytes.",
    ),
    key(
        "storage.compaction.hour_grace",
        Kind::Duration,
        "6m",
        "How long after its end an hour is merged: a little longer than storage.flush_interval.",
    ),
    key(
        "storage.compaction.day_grace",
        Kind::Duration,
        "30m",
        "How long after its end a day is merged.",
    ),
    key(
        "storage.compaction.settle",
        Kind::Duration,
        "5m",
        "Fresh segments of late rows wait this long for others of their kind.",
    ),
    key(
        "storage.cache.disk_bytes",
        Kind::Size,
        "10GiB",
        "Most bytes of cached segments in data/cache, if the lake is in a bucket; 0: in memory \
         only. What memory may hold is memory.cache.",
    ),
    key(
        "storage.cache.disk_free_bytes",
        Kind::Size,
        "1GiB",
        "Bytes that the cache leaves free on the disk, which the WAL shares.",
    ),
    key(
        "storage.cache.block_bytes",
        Kind::Size,
        "1MiB",
        "Blocks in which segments are fetched and cached. Larger ones cost fewer requests and \
         fetch more that nobody asked for.",
    ),
    key(
        "storage.cache.write_through",
        Kind::Switch,
        "true",
        "Cache new segments when they are written: no requests for their first queries, as many \
         writes to the local disk.",
    ),
    key(
        "storage.s3.bucket",
        Kind::Text,
        "",
        "Bucket of the lake; empty keeps it in the data folder. The WAL is always local.",
    ),
    key("storage.s3.prefix", Kind::Text, "", "Folder in the bucket; empty: its root."),
    key(
        "storage.s3.endpoint",
        Kind::Text,
        "",
        "URL of an S3-compatible server (http://minio:9000); empty: AWS.",
    ),
    key("storage.s3.region", Kind::Text, "us-east-1", "Region of the bucket."),
    key(
        "storage.s3.access_key_id",
        Kind::Text,
        "",
        "Access key; empty: the AWS_… environment or the instance's role.",
    ),
    key("storage.s3.secret_access_key", Kind::Secret, "", "Secret of the access key."),
    key("storage.s3.allow_http", Kind::Switch, "false", "Allow an endpoint without TLS."),
    key(
        "storage.s3.virtual_hosted",
        Kind::Switch,
        "false",
        "Address the bucket as a host name instead of a path.",
    ),
    key(
        "storage.s3.attempts_max",
        Kind::Count,
        "6",
        "Attempts of a request that is throttled, fails with 5xx, or is not answered; the first \
         included.",
    ),
    key(
        "storage.s3.request_timeout",
        Kind::Duration,
        "10s",
        "Time an attempt may take, plus a second for each MiB that it moves.",
    ),
    key(
        "storage.s3.request_deadline",
        Kind::Duration,
        "1m",
        "Time that all attempts of a request may take together, plus the same.",
    ),
    key(
        "storage.s3.retry_backoff",
        Kind::Duration,
        "100ms",
        "Wait before the second attempt; doubled before each further one, with jitter.",
    ),
    key(
        "storage.s3.part_bytes",
        Kind::Size,
        "16MiB",
        "Parts in which larger objects are sent; S3 takes 5 MiB at least and 10,000 of them. \
         Larger ones cost fewer requests and more memory.",
    ),
];

/// The key of this path.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    all().find(|key| key.path == path)
}
