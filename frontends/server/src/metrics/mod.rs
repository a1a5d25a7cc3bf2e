//! The server's own metrics, in the text format of Prometheus and as JSON.

mod catalog;
mod json;
mod process;
mod text;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use schemas::model::compile_anchored;
use schemas::tables::Table;
use storage::{OperationStats, RequestKind};

use self::process::ProcessStats;
use self::text::{Family, Kind, Writer};
use crate::engine::EngineStats;

/// Answers `/metrics`.
pub(crate) fn respond(stats: &EngineStats) -> Response {
    let text = text::text(&families(stats, &process::read()));
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Answers Prometheus' `status/self_metrics`: the families whose names a pattern matches as a
/// whole; `None` is all.
pub(crate) fn respond_json(stats: &EngineStats, pattern: Option<&str>) -> Response {
    let pattern = match pattern.map(compile_anchored).transpose() {
        Ok(pattern) => pattern,
        Err(error) => {
            let message = format!("invalid parameter \"metric_name_pattern\": {error}");
            let body = serde_json::json!({
                "status": "error", "errorType": "bad_data", "error": message
            });
            return (StatusCode::BAD_REQUEST, axum::Json(body)).into_response();
        }
    };
    let mut families = families(stats, &process::read());
    families.retain(|it| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&it.name)));
    let body = serde_json::json!({"status": "success", "data": json::json(&families)});
    axum::Json(body).into_response()
}

fn families(stats: &EngineStats, process: &ProcessStats) -> Vec<Family> {
    let mut out = Writer::default();
    ingest(&mut out, stats);
    store(&mut out, stats);
    usage(&mut out, &stats.usage);
    catalog::catalog(&mut out, &stats.store.catalog);
    memory(&mut out, &stats.store.budget);
    objects(&mut out, stats);
    cache(&mut out, stats);
    queries(&mut out, stats);
    own_process(&mut out, process);
    out.finish()
}

fn ingest(out: &mut Writer, stats: &EngineStats) {
    type Read = fn(&ingest::SignalStats) -> u64;
    let counters: [(&str, &str, Read); 7] = [
        ("siglake_ingest_requests_total", "Requests answered, refused ones included.", |s| {
            s.requests
        }),
        ("siglake_ingest_bytes_total", "Bytes of request bodies as received.", |s| s.bytes),
        (
            "siglake_ingest_rows_received_total",
            "Log records, data points and spans received; the sum of stored, rejected and \
             deduplicated.",
            |s| s.received_rows,
        ),
        ("siglake_ingest_rows_stored_total", "Log records, data points and spans stored.", |s| {
            s.stored_rows
        }),
        (
            "siglake_ingest_rows_rejected_total",
            "Log records, data points and spans rejected one by one.",
            |s| s.rejected_rows,
        ),
        (
            "siglake_ingest_rows_deduplicated_total",
            "Log records, data points and spans of requests that had been stored before.",
            |s| s.deduplicated_rows,
        ),
        (
            "siglake_ingest_requests_deduplicated_total",
            "Requests that had been stored before and were answered without storing them again.",
            |s| s.deduplicated_requests,
        ),
    ];
    for (name, help, read) in counters {
        out.family(name, Kind::Counter, help);
        for tenant in &stats.ingest.tenants {
            for (signal, stats) in &tenant.signals {
                let labels = [("tenant", tenant.tenant.as_ref()), ("signal", signal.name())];
                out.sample(name, &labels, read(stats) as f64);
            }
        }
    }
    let name = "siglake_ingest_requests_refused_total";
    out.family(name, Kind::Counter, "Requests refused as a whole, by kind of error.");
    for (kind, count) in &stats.ingest.refused {
        out.sample(name, &[("kind", kind)], *count as f64);
    }
    let name = "siglake_ingest_rejections_total";
    out.family(name, Kind::Counter, "Records rejected one by one, by reason.");
    for (reason, count) in &stats.ingest.rejected {
        out.sample(name, &[("reason", reason)], *count as f64);
    }
    let help = "Bytes of the requests under way, as received and as inflated.";
    out.gauge("siglake_ingest_inflight_bytes", help, stats.ingest.inflight_bytes as f64);
}

fn store(out: &mut Writer, stats: &EngineStats) {
    let store = &stats.store;
    let seconds = |ns: u64| ns as f64 / 1e9;
    out.counter("siglake_wal_bytes_total", "Bytes appended to the WAL.", store.wal_bytes as f64);
    out.counter("siglake_wal_syncs_total", "Times the WAL was synced.", store.wal_syncs as f64);
    let help = "Groups of requests refused because the WAL could not be written.";
    out.counter("siglake_wal_errors_total", help, store.wal_errors as f64);
    let help = "Requests that are recognised if they come again.";
    out.gauge("siglake_known_requests", help, store.known_requests as f64);
    let help = "Time spent in syncing the WAL.";
    out.counter("siglake_wal_sync_seconds_total", help, seconds(store.wal_sync_ns));
    let help = "Bytes in memtables, active and being flushed.";
    out.gauge("siglake_memtable_bytes", help, store.memtable_bytes as f64);
    let name = "siglake_store_rows_total";
    out.family(name, Kind::Counter, "Rows appended, by table.");
    for (table, rows) in Table::ALL.iter().zip(store.rows) {
        out.sample(name, &[("table", table.name())], rows as f64);
    }
    out.counter("siglake_flushes_total", "Memtables flushed.", store.flushes as f64);
    let help = "Time spent in flushes.";
    out.counter("siglake_flush_seconds_total", help, seconds(store.flush_ns));
    let help = "Flushes that failed and are tried again.";
    out.counter("siglake_flush_errors_total", help, store.flush_errors as f64);
    out.gauge("siglake_segments", "Live segments of all tables.", store.segments as f64);
    out.gauge("siglake_segment_bytes", "Bytes of live segments.", store.segment_bytes as f64);
    out.gauge("siglake_series", "Metric series in the index.", store.series as f64);
    out.gauge("siglake_streams", "Log streams in the index.", store.streams as f64);
    compaction(out, store);
}

/// What tenants take: the hundred largest, so that labels are bounded.
fn usage(out: &mut Writer, tenants: &[storage::TenantUsage]) {
    type Read = fn(&storage::TenantUsage) -> u64;
    let gauges: [(&str, &str, Read); 5] = [
        ("siglake_tenant_segments", "Live segments of a tenant.", |of| of.segments),
        ("siglake_tenant_segment_bytes", "Bytes of a tenant's live segments.", |of| {
            of.segment_bytes
        }),
        ("siglake_tenant_memtable_bytes", "Bytes of a tenant's rows in memtables.", |of| {
            of.memtable_bytes
        }),
        ("siglake_tenant_series", "Metric series of a tenant in memory.", |of| of.series),
        ("siglake_tenant_streams", "Log streams of a tenant in memory.", |of| of.streams),
    ];
    for (name, help, read) in gauges {
        out.family(name, Kind::Gauge, help);
        for of in tenants {
            out.sample(name, &[("tenant", of.tenant.as_ref())], read(of) as f64);
        }
    }
}

fn compaction(out: &mut Writer, store: &storage::StoreStats) {
    let help = "Bytes of the segments that flushes have written.";
    out.counter("siglake_flushed_bytes_total", help, store.flushed_bytes as f64);
    let of = &store.compaction;
    let counters: [(&str, &str, u64); 10] = [
        ("siglake_compaction_merges_total", "Merges of segments committed.", of.merges),
        (
            "siglake_compaction_conflicts_total",
            "Merges in vain: another process had replaced their segments.",
            of.conflicts,
        ),
        ("siglake_compaction_errors_total", "Merges that failed, to be tried again.", of.errors),
        ("siglake_compaction_input_segments_total", "Segments merged.", of.input_segments),
        ("siglake_compaction_input_bytes_total", "Bytes of segments merged.", of.input_bytes),
        ("siglake_compaction_input_rows_total", "Rows of segments merged.", of.input_rows),
        ("siglake_compaction_output_bytes_total", "Bytes of merged segments.", of.output_bytes),
        ("siglake_compaction_output_rows_total", "Rows of merged segments.", of.output_rows),
        (
            "siglake_compaction_repeated_rows_total",
            "Rows left out of merged segments because another row tells the same.",
            of.repeated_rows,
        ),
        (
            "siglake_compaction_deleted_rows_total",
            "Rows left out of merged segments because a delete request matches them.",
            of.deleted_rows,
        ),
    ];
    for (name, help, value) in counters {
        out.counter(name, help, value as f64);
    }
    let help = "Time spent in merges.";
    out.counter("siglake_compaction_seconds_total", help, of.merge_ns as f64 / 1e9);
    let help = "Segments found worth merging and not merged yet.";
    out.gauge("siglake_compaction_backlog_segments", help, of.backlog_segments as f64);
    let help = "How often a byte was written to segments since the start: by its flush and merges.";
    let flushed = (store.flushed_bytes as f64).max(1.0);
    let amplification = 1.0 + of.output_bytes as f64 / flushed;
    out.gauge("siglake_write_amplification", help, amplification);
}

fn memory(out: &mut Writer, budget: &storage::BudgetStats) {
    let help = "Memory that may be reserved, in bytes (memory.budget).";
    out.gauge("siglake_memory_budget_bytes", help, budget.bytes_max as f64);
    let help = "Memory that the machine leaves to the process, in bytes; 0 if not known.";
    out.gauge("siglake_memory_machine_bytes", help, budget.machine_bytes as f64);
    let help = "Memory that the process holds, pages of files aside, in bytes; 0 if not known. \
                What of it is not in siglake_memory_used_bytes is not reserved or kept by the \
                allocator.";
    out.gauge("siglake_memory_resident_bytes", help, budget.resident_bytes as f64);
    let help = "1 while new work waits because the machine's memory is nearly full; what waits for \
                some seconds is refused.";
    out.gauge("siglake_memory_pressed", help, f64::from(u8::from(budget.is_pressed)));
    let help = "Most memory that was ever reserved, in bytes.";
    out.gauge("siglake_memory_reserved_peak_bytes", help, budget.peak as f64);
    type Read = fn(&storage::UseStats) -> u64;
    let families: [(&str, Kind, &str, Read); 4] = [
        ("siglake_memory_used_bytes", Kind::Gauge, "Memory reserved, by use.", |of| of.used),
        ("siglake_memory_peak_bytes", Kind::Gauge, "Most memory ever reserved, by use.", |of| {
            of.peak
        }),
        ("siglake_memory_limit_bytes", Kind::Gauge, "Memory a use may reserve.", |of| of.cap),
        ("siglake_memory_refused_total", Kind::Counter, "Reservations refused, by use.", |of| {
            of.refused
        }),
    ];
    for (name, kind, help, read) in families {
        out.family(name, kind, help);
        for of in &budget.uses {
            out.sample(name, &[("use", of.of.name())], read(of) as f64);
        }
    }
}

fn objects(out: &mut Writer, stats: &EngineStats) {
    type Read = fn(&OperationStats) -> f64;
    let counters: [(&str, &str, Read); 5] = [
        (
            "siglake_object_requests_total",
            "Requests to the object store (or the disk in its place), each attempt counted.",
            |s| s.requests as f64,
        ),
        ("siglake_object_retries_total", "Attempts after the first of a request.", |s| {
            s.retries as f64
        }),
        ("siglake_object_errors_total", "Requests given up.", |s| s.errors as f64),
        ("siglake_object_bytes_total", "Bytes of objects received or sent.", |s| s.bytes as f64),
        ("siglake_object_wait_seconds_total", "Time from each attempt to its answer.", |s| {
            s.wait_ns as f64 / 1e9
        }),
    ];
    for (name, help, read) in counters {
        out.family(name, Kind::Counter, help);
        for operation in RequestKind::ALL {
            let labels = [("operation", operation.name())];
            out.sample(name, &labels, read(&stats.store.objects.of(operation)));
        }
    }
}

fn cache(out: &mut Writer, stats: &EngineStats) {
    let cache = &stats.store.cache;
    let name = "siglake_cache_blocks_total";
    out.family(name, Kind::Counter, "Blocks of segments in a bucket that were read, by source.");
    for (source, blocks) in [
        ("memory", cache.memory_hits),
        ("disk", cache.disk_hits),
        ("shared", cache.shared),
        ("bucket", cache.misses),
    ] {
        out.sample(name, &[("source", source)], blocks as f64);
    }
    let tiers = [
        ("memory", cache.memory_bytes, cache.memory_evictions),
        ("disk", cache.disk_bytes, cache.disk_evictions),
    ];
    let name = "siglake_cache_bytes";
    out.family(name, Kind::Gauge, "Bytes of cached blocks, by where they are.");
    for (tier, bytes, _) in tiers {
        out.sample(name, &[("tier", tier)], bytes as f64);
    }
    let name = "siglake_cache_evictions_total";
    out.family(name, Kind::Counter, "Cached blocks that were dropped for others.");
    for (tier, _, evictions) in tiers {
        out.sample(name, &[("tier", tier)], evictions as f64);
    }
    let help = "Blocks that were not written to the local disk, because it was full or slow.";
    out.counter("siglake_cache_skipped_total", help, cache.skipped as f64);
    let help = "Cached blocks that were damaged on the local disk and fetched again.";
    out.counter("siglake_cache_damaged_total", help, cache.damaged as f64);
}

fn queries(out: &mut Writer, stats: &EngineStats) {
    let languages = &stats.api.languages;
    out.gauge("siglake_queries_running", "Queries that run now.", stats.api.running as f64);
    let name = "siglake_queries_total";
    out.family(name, Kind::Counter, "Queries ended, by language and outcome.");
    for stats in languages {
        let outcomes = [
            ("answered", stats.answered),
            ("refused", stats.refused),
            ("failed", stats.failed),
            ("cancelled", stats.cancelled),
        ];
        for (outcome, count) in outcomes {
            let labels = [("language", stats.language.name()), ("outcome", outcome)];
            out.sample(name, &labels, count as f64);
        }
    }
    type Read = fn(&api::LanguageStats) -> f64;
    let counters: [(&str, &str, Read); 3] = [
        ("siglake_query_seconds_total", "Time that queries took, to the last byte.", |s| {
            s.duration.as_secs_f64()
        }),
        ("siglake_query_rows_read_total", "Samples, records and spans read.", |s| {
            s.rows_read as f64
        }),
        ("siglake_query_bytes_read_total", "Bytes of segments read.", |s| s.bytes_read as f64),
    ];
    for (name, help, read) in counters {
        out.family(name, Kind::Counter, help);
        for stats in languages {
            out.sample(name, &[("language", stats.language.name())], read(stats));
        }
    }
}

/// Only what the operating system tells: where it does not, the family is absent.
fn own_process(out: &mut Writer, process: &ProcessStats) {
    let name = "siglake_build_info";
    out.family(name, Kind::Gauge, "Always 1; the version is in the label.");
    out.sample(name, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    if let Some(bytes) = process.resident_bytes {
        out.gauge("process_resident_memory_bytes", "Resident memory.", bytes as f64);
    }
    if let Some(seconds) = process.cpu_seconds {
        out.counter("process_cpu_seconds_total", "Processor time, user and system.", seconds);
    }
    if let Some(files) = process.open_files {
        out.gauge("process_open_fds", "Open file descriptors.", files as f64);
    }
}

#[cfg(test)]
mod tests;
