//! The configuration: what the file, the environment and the flags say, as typed options.
//!
//! ```text
//!  keys ─▶ Settings ─▶ Config      units: sizes and durations   suggest: mistyped keys
//!            └────▶ print: TOML with documentation
//! ```

mod keys;
mod kind;
mod print;
mod retention;
mod settings;
mod suggest;
mod tenants;
mod units;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use storage::{Budget, Machine, Shares, Use};

use self::settings::Memory;
use crate::cli::ConfigArgs;

pub(crate) use print::to_toml;
pub(crate) use settings::{Origin, Settings};
pub(crate) use units::{format_size, parse_duration};

/// The smallest and the largest block of a cached segment.
const BLOCK_BYTES: (u64, u64) = (64 << 10, 8 << 20);

/// The smallest part of a large object that S3 takes, unless it is the last.
const PART_BYTES_MIN: usize = 5 << 20;

/// The nicest that Linux lets a thread be.
const NICE_MAX: i32 = 19;

/// What is wrong with the configuration; all of it is the operator's to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error("cannot read configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("configuration file {} is not TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Why, with the position.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A key that does not exist.
    #[error("unknown configuration key `{path}` ({origin}){suggestion}")]
    Unknown {
        /// The key as written.
        path: String,
        /// Where it is written.
        origin: Origin,
        /// What may be meant.
        suggestion: String,
    },
    /// Limits of a tenant that there cannot be.
    #[error("configuration table [{path}]: {message}")]
    Tenant {
        /// The table.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A value that the key does not take.
    #[error("configuration key `{path}` ({origin}): {message}")]
    Value {
        /// The key.
        path: &'static str,
        /// Where the value is written.
        origin: Origin,
        /// What is wrong.
        message: String,
    },
}

/// Everything the program can be told.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Folder of the WAL and, without S3, of the lake.
    pub(crate) data: PathBuf,
    /// Address of the main port.
    pub(crate) listen: String,
    /// Addresses of the classic ports.
    pub(crate) ports: Ports,
    /// How connections are served.
    pub(crate) http: Http,
    /// How the program logs.
    pub(crate) log: Log,
    /// How data is stored.
    pub(crate) storage: storage::StoreOptions,
    /// Where the lake is, if not in the data folder.
    pub(crate) s3: Option<S3>,
    /// The S3 server with no bucket: where backups may lie.
    s3_server: S3,
    /// What queries may use.
    pub(crate) limits: exec::Limits,
    /// What queries of each tenant may use.
    pub(crate) tenant_limits: exec::LimitsOfTenants,
    /// What the query APIs accept.
    pub(crate) api: api::ApiOptions,
    /// What is taken in.
    pub(crate) ingest: ingest::IngestOptions,
    /// Whether requests name their tenant.
    pub(crate) multi_tenancy: bool,
    /// Who yields the processors to whom.
    pub(crate) threads: Threads,
}

/// How much nicer threads are than those that take data in: 0 to 19.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threads {
    /// Those that answer queries.
    pub(crate) query_nice: i32,
    /// Those that flush, merge and remove.
    pub(crate) background_nice: i32,
}

/// Addresses of the classic ports; `None`: off.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    /// OTLP over gRPC.
    pub(crate) otlp_grpc: Option<String>,
    /// OTLP over HTTP.
    pub(crate) otlp_http: Option<String>,
    /// The Prometheus API at its root.
    pub(crate) prometheus: Option<String>,
    /// The Loki API at its root.
    pub(crate) loki: Option<String>,
    /// The Tempo API at its root.
    pub(crate) tempo: Option<String>,
}

/// How connections are served.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    /// Connections open at once on each port.
    pub(crate) connections_max: usize,
    /// Whether answers are compressed.
    pub(crate) compression: bool,
    /// Origin whose pages may send OTLP; `*` any; `None` none.
    pub(crate) cors_origin: Option<String>,
    /// How long a stopping server waits for running requests.
    pub(crate) shutdown_grace: Duration,
}

/// How the program logs.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// A level, or directives by crate.
    pub(crate) level: String,
    /// JSON instead of text.
    pub(crate) json: bool,
}

/// An S3 bucket that holds the lake.
#[derive(Clone)]
pub(crate) struct S3 {
    /// Name of the bucket.
    pub(crate) bucket: String,
    /// Folder in the bucket; `None`: its root.
    pub(crate) prefix: Option<String>,
    /// URL of the server; `None`: AWS.
    pub(crate) endpoint: Option<String>,
    /// Region of the bucket.
    pub(crate) region: String,
    /// Access key and secret; `None`: from the environment or the instance's role.
    pub(crate) key: Option<(String, String)>,
    /// Whether the endpoint may be without TLS.
    pub(crate) allow_http: bool,
    /// Whether the bucket is part of the host name.
    pub(crate) virtual_hosted: bool,
    /// How long and how often the server is asked.
    pub(crate) requests: storage::RequestLimits,
}

impl std::fmt::Debug for S3 {
    /// Leaves out the key, which must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// The settings as typed options.
    pub(crate) fn new(settings: &Settings) -> Self {
        let data = PathBuf::from(settings.text("data"));
        Self {
            listen: settings.text("listen"),
            ports: Ports {
                otlp_grpc: non_empty(settings.text("ports.otlp_grpc")),
                otlp_http: non_empty(settings.text("ports.otlp_http")),
                prometheus: non_empty(settings.text("ports.prometheus")),
                loki: non_empty(settings.text("ports.loki")),
                tempo: non_empty(settings.text("ports.tempo")),
            },
            http: Http {
                connections_max: count(settings, "http.connections_max"),
                compression: settings.switch("http.compression"),
                cors_origin: non_empty(settings.text("http.cors_origin")),
                shutdown_grace: settings.duration("http.shutdown_grace"),
            },
            log: Log {
                level: settings.text("log.level"),
                json: settings.text("log.format") == "json",
            },
            storage: store_options(settings, &data),
            s3: Some(s3(settings)).filter(|s3| !s3.bucket.is_empty()),
            s3_server: s3(settings),
            limits: limits(settings, &data),
            tenant_limits: exec::LimitsOfTenants {
                defaults: tenants::asking(settings),
                overrides: tenants::overrides(settings, tenants::asking),
            },
            api: api_options(settings),
            ingest: ingest_options(settings),
            multi_tenancy: settings.switch("multi_tenancy"),
            threads: Threads {
                query_nice: nice(settings, "threads.query_nice"),
                background_nice: nice(settings, "threads.background_nice"),
            },
            data,
        }
    }

    /// A folder of another bucket on the configured S3 server.
    pub(crate) fn s3_of(&self, bucket: &str, prefix: &str) -> S3 {
        let (bucket, prefix) = (bucket.to_owned(), non_empty(prefix.to_owned()));
        S3 { bucket, prefix, ..self.s3_server.clone() }
    }
}

/// The settings of a command: defaults, then the file, the environment and the flags.
pub(crate) fn load(
    args: &ConfigArgs,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, Error> {
    let mut settings = Settings::defaults();
    if let Some(path) = &args.config {
        settings.merge_file(path, &read(path)?)?;
    }
    settings.merge_environment(environment)?;
    let set = args.set.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    settings.merge_flags(set)?;
    let named = [("data", &args.data), ("listen", &args.listen)];
    settings.merge_flags(
        named.iter().filter_map(|(path, text)| text.as_deref().map(|text| (*path, text))),
    )?;
    Ok(settings)
}

/// The variables of the environment; bytes that are no text only ever belong to other programs.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    })
}

fn read(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > settings::FILE_BYTES_MAX {
        let limit = format_size(settings::FILE_BYTES_MAX);
        return Err(failed(std::io::Error::other(format!("file is larger than {limit}"))));
    }
    std::fs::read_to_string(path).map_err(failed)
}

fn store_options(settings: &Settings, data: &Path) -> storage::StoreOptions {
    let durability = match settings.text("storage.durability").as_str() {
        "interval" => storage::Durability::Interval(settings.duration("storage.sync_interval")),
        "none" => storage::Durability::None,
        _ => storage::Durability::Fsync,
    };
    let mut options = storage::StoreOptions::new(data);
    options.budget = budget(settings);
    options.durability = durability;
    options.memtable_bytes_max = count(settings, "storage.memtable_bytes");
    options.flush_interval = settings.duration("storage.flush_interval");
    options.flush_tenant_bytes_min = count(settings, "storage.flush_tenant_bytes_min");
    options.flush_tenant_age_max = settings.duration("storage.flush_tenant_age_max");
    options.flush_tenants_min = count(settings, "storage.flush_tenants_min");
    options.index_idle_max = settings.duration("storage.index_idle_max");
    options.buffered_bytes_max = count(settings, "storage.buffered_bytes");
    options.replayed_bytes_max = count(settings, "storage.replayed_bytes");
    options.wal_segment_bytes = settings.number("storage.wal_segment_bytes");
    options.dedup_window = settings.duration("storage.dedup_window");
    options.dedup_requests_max = count(settings, "storage.dedup_requests");
    options.row_group_rows = count(settings, "storage.row_group_rows");
    options.compaction = compaction(settings);
    options.promotion = promotion(settings);
    options.removal = storage::RemovalOptions {
        enabled: settings.switch("removal.enabled"),
        delete_deadline: settings.duration("removal.delete_deadline"),
        delete_cancel_period: settings.duration("removal.delete_cancel_period"),
        vacuum_grace: settings.duration("removal.vacuum_grace"),
        vacuum_interval: settings.duration("removal.vacuum_interval"),
        orphan_age: settings.duration("removal.orphan_age"),
        retention: retention::options(settings),
    };
    options.lake_dir = non_empty(settings.text("storage.lake_dir")).map(PathBuf::from);
    options.catalog = storage::CatalogOptions {
        refresh_interval: settings.duration("storage.refresh_interval"),
        checkpoint_commits: settings.number("storage.checkpoint_commits"),
        log_retention: settings.duration("storage.log_retention"),
    };
    options.cache = storage::CacheOptions {
        block_bytes: settings
            .number("storage.cache.block_bytes")
            .clamp(BLOCK_BYTES.0, BLOCK_BYTES.1),
        disk_bytes_max: settings.number("storage.cache.disk_bytes"),
        disk_free_bytes_min: settings.number("storage.cache.disk_free_bytes"),
        write_through: settings.switch("storage.cache.write_through"),
    };
    options
}

fn promotion(settings: &Settings) -> storage::PromotionOptions {
    let share = settings.number("storage.promotion.share_percent");
    storage::PromotionOptions {
        columns_max: count(settings, "storage.promotion.columns_max"),
        share_percent: u32::try_from(share).unwrap_or(u32::MAX),
        rows_min: settings.number("storage.promotion.rows_min"),
    }
}

fn compaction(settings: &Settings) -> storage::CompactionOptions {
    storage::CompactionOptions {
        enabled: settings.switch("storage.compaction.enabled"),
        interval: settings.duration("storage.compaction.interval"),
        fan_in_max: count(settings, "storage.compaction.fan_in"),
        segment_bytes: settings.number("storage.compaction.segment_bytes"),
        memory_bytes_max: count(settings, "storage.compaction.memory_bytes"),
        hour_segments_max: count(settings, "storage.compaction.hour_segments"),
        day_segments_max: count(settings, "storage.compaction.day_segments"),
        hour_grace: settings.duration("storage.compaction.hour_grace"),
        day_grace: settings.duration("storage.compaction.day_grace"),
        settle: settings.duration("storage.compaction.settle"),
    }
}

fn budget(settings: &Settings) -> Arc<Budget> {
    let machine = match count(settings, "memory.limit") {
        0 => Machine::detect(),
        bytes => Machine::of(bytes),
    };
    let bytes_max = match settings.memory("memory.budget") {
        Memory::Bytes(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        Memory::Percent(percent) => machine.percent(percent),
    };
    let shares = Use::ALL.into_iter().fold(Shares::default(), |shares, of| {
        shares.with_cap(of, settings.percent(&format!("memory.{}", of.name())))
    });
    Budget::with_shares(bytes_max, shares, machine)
}

fn s3(settings: &Settings) -> S3 {
    let key = non_empty(settings.text("storage.s3.access_key_id"))
        .map(|id| (id, settings.text("storage.s3.secret_access_key")));
    S3 {
        bucket: settings.text("storage.s3.bucket"),
        prefix: non_empty(settings.text("storage.s3.prefix")),
        endpoint: non_empty(settings.text("storage.s3.endpoint")),
        region: settings.text("storage.s3.region"),
        key,
        allow_http: settings.switch("storage.s3.allow_http"),
        virtual_hosted: settings.switch("storage.s3.virtual_hosted"),
        requests: storage::RequestLimits {
            attempts_max: u32::try_from(settings.number("storage.s3.attempts_max"))
                .unwrap_or(u32::MAX)
                .max(1),
            timeout: settings.duration("storage.s3.request_timeout"),
            deadline: settings.duration("storage.s3.request_deadline"),
            backoff: settings.duration("storage.s3.retry_backoff"),
            part_bytes: count(settings, "storage.s3.part_bytes").max(PART_BYTES_MIN),
        },
    }
}

fn limits(settings: &Settings, data: &Path) -> exec::Limits {
    let spill_bytes_max = settings.number("query.spill_bytes");
    exec::Limits {
        memory_bytes_max: count(settings, "query.memory_bytes"),
        samples_max: count(settings, "query.samples_max"),
        samples_cache_bytes_max: count(settings, "query.samples_cache_bytes"),
        series_max: count(settings, "query.series_max"),
        steps_max: steps_max(settings),
        timeout: settings.duration("query.timeout"),
        concurrency_max: count(settings, "query.concurrency_max").max(1),
        spill_dir: (spill_bytes_max > 0).then(|| data.join("tmp")),
        spill_bytes_max,
        queue_max: count(settings, "query.queue_max"),
        queue_timeout: settings.duration("query.queue_timeout"),
        depth_max: count(settings, "query.depth_max"),
    }
}

fn api_options(settings: &Settings) -> api::ApiOptions {
    api::ApiOptions {
        multi_tenant: settings.switch("multi_tenancy"),
        admin: settings.switch("api.admin"),
        timeout: settings.duration("query.timeout"),
        lookback: settings.duration("query.lookback"),
        delayed_name_removal: settings.switch("promql.delayed_name_removal"),
        promql_start_times: settings.switch("promql.start_times"),
        search: settings.switch("promql.search"),
        search_results_max: count(settings, "promql.search_results_max").max(1),
        cors_origin: non_empty(settings.text("promql.cors_origin")),
        steps_max: steps_max(settings),
        log_records_max: count(settings, "query.log_records_max"),
        traces_max: count(settings, "query.traces_max"),
        sql_rows_max: count(settings, "query.sql_rows_max"),
        tenant_limits: tenants::answering(settings),
        tenant_overrides: tenants::overrides(settings, tenants::answering),
        ..api::ApiOptions::default()
    }
}

fn ingest_options(settings: &Settings) -> ingest::IngestOptions {
    let limits = ingest::Limits {
        body_bytes_max: count(settings, "ingest.body_bytes"),
        inflated_bytes_max: count(settings, "ingest.inflated_bytes"),
        inflight_bytes_max: count(settings, "ingest.inflight_bytes"),
        past_max: settings.duration("ingest.past_max"),
        ahead_max: settings.duration("ingest.ahead_max"),
        ..ingest::Limits::default()
    };
    let multi_tenancy = settings.switch("multi_tenancy");
    ingest::IngestOptions {
        multi_tenancy,
        limits,
        tenant_limits: tenants::sending(settings),
        tenant_overrides: tenants::overrides(settings, tenants::sending),
        ..ingest::IngestOptions::default()
    }
}

fn nice(settings: &Settings, path: &str) -> i32 {
    i32::try_from(settings.number(path)).unwrap_or(NICE_MAX).min(NICE_MAX)
}

fn steps_max(settings: &Settings) -> u32 {
    u32::try_from(settings.number("query.steps_max")).unwrap_or(u32::MAX)
}

fn count(settings: &Settings, path: &str) -> usize {
    usize::try_from(settings.number(path)).unwrap_or(usize::MAX)
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
