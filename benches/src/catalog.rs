//! The catalog: how long starts, plans and commits take on a table of very many segments.
//!
//! ```text
//!  server makes a table ─▶ its one `add`, copied many times over a year, as further commits
//!      ─▶ start from commits ─▶ checkpoint ─▶ start from it ─▶ plans of an hour ─▶ commits
//! ```
//!
//! The segments that are made up have no objects: what is measured never reads any.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::Server;

/// Segments that one made-up commit adds.
const ADDS_PER_COMMIT: u64 = 1000;
/// How long a checkpoint may take to appear.
const PATIENCE: Duration = Duration::from_secs(120);
const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;
const METRIC: &str = "bench_requests";

/// What is measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct CatalogArgs {
    /// Live segments of the table while it is started and asked.
    #[arg(long, default_value_t = 100_000)]
    segments: u64,
    /// Days over which they are spread, back from today.
    #[arg(long, default_value_t = 365)]
    days: u64,
    /// Live segments of the table while commits are timed.
    #[arg(long, default_value_t = 10_000)]
    commit_segments: u64,
    /// Plans and commits that are timed.
    #[arg(long, default_value_t = 200)]
    runs: usize,
}

/// Makes the tables and measures.
pub(crate) async fn run(out: &mut impl Write, args: &CatalogArgs) -> io::Result<()> {
    let folder = TempDir::new()?;
    make(folder.path(), args.segments, args.days).await?;
    writeln!(out, "\ncatalog: {} live segments over {} days", args.segments, args.days)?;
    starts(out, folder.path()).await?;
    plans(out, folder.path(), args).await?;
    let folder = TempDir::new()?;
    make(folder.path(), args.commit_segments, args.days).await?;
    commits(out, folder.path(), args).await
}

/// A server that leaves the made-up segments alone.
async fn serve(folder: &Path, settings: &[&str]) -> io::Result<Server> {
    let fixed = ["storage.compaction.enabled=false", "log.format=json"];
    let settings: Vec<String> =
        fixed.iter().chain(settings).map(|setting| (*setting).to_owned()).collect();
    Server::start(folder, &settings).await
}

fn log_folder(folder: &Path) -> PathBuf {
    folder.join("data/lake/metric_samples/_delta_log")
}

/// A table with as many live segments as wanted.
async fn make(folder: &Path, segments: u64, days: u64) -> io::Result<()> {
    let server = serve(folder, &[]).await?;
    send(&server).await?;
    server.stop().await?;
    let log = log_folder(folder);
    let first = fs::read_to_string(log.join(format!("{:020}.json", 1)))?;
    let adds = first.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let add = adds.filter_map(|line| line.get("add").cloned()).next();
    let add = add.ok_or_else(|| io::Error::other("the first commit adds nothing"))?;
    let today = now_ns() / DAY_NS;
    let per_day = i64::try_from(segments.div_ceil(days.max(1))).unwrap_or(i64::MAX);
    let mut at = 0;
    for commit in 0..segments.div_ceil(ADDS_PER_COMMIT) {
        let mut lines = String::new();
        for _ in 0..ADDS_PER_COMMIT.min(segments - commit * ADDS_PER_COMMIT) {
            let start_ns = (today - at / per_day) * DAY_NS + at % per_day * (DAY_NS / per_day);
            lines.push_str(&json!({"add": copy(&add, at, start_ns, DAY_NS / per_day)}).to_string());
            lines.push('\n');
            at += 1;
        }
        fs::write(log.join(format!("{:020}.json", commit + 2)), lines)?;
    }
    Ok(())
}

/// The `add` of a segment that begins at a time; it overlaps the next by half.
fn copy(add: &Value, at: i64, start_ns: i64, step_ns: i64) -> Value {
    let end_ns = start_ns + (step_ns * 3 / 2).min((start_ns / DAY_NS + 1) * DAY_NS - 1 - start_ns);
    let times_ms = (start_ns / 1_000_000, end_ns / 1_000_000);
    let date = add["partitionValues"]["date"].as_str().unwrap_or_default();
    let day = date_of(start_ns / DAY_NS);
    let mut copy = add.clone();
    let path = add["path"].as_str().unwrap_or_default().replace(date, &day);
    copy["path"] = path.replace(".parquet", &format!("-{at:07}.parquet")).into();
    copy["partitionValues"]["date"] = day.into();
    // As in life, each segment has some rows of nearly every series.
    let ends = [(i64::MIN, i64::MAX), (i64::MIN, i64::MAX), times_ms];
    let named = |end: fn(&(i64, i64)) -> i64| {
        let [metric, series, time] = ends.each_ref().map(end);
        json!({"metric_id": metric, "series_id": series, "time_ms": time})
    };
    copy["stats"] = json!({
        "numRecords": 120_000 + at % 1000, "minValues": named(|end| end.0),
        "maxValues": named(|end| end.1),
        "nullCount": {"metric_id": 0, "series_id": 0, "time_ms": 0},
    })
    .to_string()
    .into();
    let tags = &mut copy["tags"];
    tags["day"] = (start_ns / DAY_NS).to_string().into();
    tags["min_time_ns"] = start_ns.to_string().into();
    tags["max_time_ns"] = end_ns.to_string().into();
    tags["key_ranges"] = json!(ends).to_string().into();
    tags["crc32c"] = ((at * 2_654_435_761) & 0xffff_ffff).to_string().into();
    copy
}

/// `2026-11-21` of a day counted from 1970-01-01 (Gregorian, proleptic).
fn date_of(day: i64) -> String {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

async fn send(server: &Server) -> io::Result<()> {
    let point = json!({"timeUnixNano": now_ns().to_string(), "asDouble": 1.5, "attributes": [
        {"key": "instance", "value": {"stringValue": "a"}},
    ]});
    let metric = json!({"name": METRIC, "gauge": {"dataPoints": [point]}});
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]});
    let request = reqwest::Client::new().post(server.url("/v1/metrics")).json(&body);
    let answer = request.send().await.map_err(io::Error::other)?;
    answer.error_for_status().map(|_| ()).map_err(io::Error::other)
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Times a start from commits alone and one from a checkpoint.
async fn starts(out: &mut impl Write, folder: &Path) -> io::Result<()> {
    for from in ["commits", "a checkpoint"] {
        let started = Instant::now();
        let server = serve(folder, &[]).await?;
        let ready_ms = started.elapsed().as_secs_f64() * 1000.0;
        let catalog_ms = last_of(folder, "catalogs_ms")?;
        writeln!(
            out,
            "  ready from {from:<13} {ready_ms:>8.0} ms, of it the logs {catalog_ms} ms"
        )?;
        let waiting = Instant::now();
        while !log_folder(folder).join("_last_checkpoint").exists() {
            if waiting.elapsed() > PATIENCE {
                return Err(io::Error::other("no checkpoint was written"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if from == "commits" {
            let took = metric(&server, "siglake_catalog_checkpoint_seconds_total").await?;
            let hint = fs::read_to_string(log_folder(folder).join("_last_checkpoint"))?;
            let hint: Value = serde_json::from_str(&hint).map_err(io::Error::other)?;
            let bytes = hint["sizeInBytes"].as_f64().unwrap_or(0.0);
            let each = bytes / hint["size"].as_f64().unwrap_or(1.0);
            writeln!(
                out,
                "  checkpoint {:>22.0} ms, {:.1} MB, {each:.0} bytes a segment",
                took * 1000.0,
                bytes / 1e6
            )?;
        }
        let usage = server.stop().await?;
        writeln!(out, "  peak memory {:>21} MB", usage.peak_memory_bytes / 1_000_000)?;
    }
    Ok(())
}

/// Times plans of an hour of a series, through the program's own `/explain`.
async fn plans(out: &mut impl Write, folder: &Path, args: &CatalogArgs) -> io::Result<()> {
    let server = serve(folder, &[]).await?;
    let http = reqwest::Client::new();
    let end_s = now_ns() / 1_000_000_000 / 3600 * 3600;
    let params = [
        ("language", "promql".to_owned()),
        ("query", format!("rate({METRIC}[1m])")),
        ("start", (end_s - 3600).to_string()),
        ("end", end_s.to_string()),
    ];
    let mut times_ms = Vec::new();
    let mut groups = String::new();
    for _ in 0..args.runs.max(1) {
        let started = Instant::now();
        let request = http.get(server.url("/explain")).query(&params).send().await;
        let answer = request.map_err(io::Error::other)?;
        let text = answer.text().await.map_err(io::Error::other)?;
        times_ms.push(started.elapsed().as_secs_f64() * 1000.0);
        let found = text.split("file_groups={").nth(1).and_then(|rest| rest.split(':').next());
        groups = found.unwrap_or("no groups").to_owned();
    }
    let (median, max) = median_and_max(&mut times_ms);
    writeln!(
        out,
        "  plan of one hour {median:>16.2} ms at the median, {max:.2} at most, HTTP included; \
         it reads {groups}"
    )?;
    server.stop().await.map(|_| ())
}

/// Times commits: each flush of a sample makes one.
async fn commits(out: &mut impl Write, folder: &Path, args: &CatalogArgs) -> io::Result<()> {
    // Each request is flushed by itself, as the memtable is full with any row.
    let server = serve(folder, &["storage.memtable_bytes=1"]).await?;
    let name = "siglake_catalog_commit_seconds";
    let mut times_ms = Vec::new();
    let mut before = sum_and_count(&server, name).await?;
    while times_ms.len() < args.runs.max(1) {
        send(&server).await?;
        let waiting = Instant::now();
        let mut after = before;
        while after.1 <= before.1 && waiting.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(2)).await;
            after = sum_and_count(&server, name).await?;
        }
        times_ms.push((after.0 - before.0) * 1000.0 / (after.1 - before.1));
        before = after;
    }
    let (median, max) = median_and_max(&mut times_ms);
    writeln!(
        out,
        "\ncommits at {} live segments: {median:.2} ms at the median, {max:.2} at most",
        args.commit_segments
    )?;
    server.stop().await.map(|_| ())
}

async fn sum_and_count(server: &Server, name: &str) -> io::Result<(f64, f64)> {
    let sum = metric(server, &format!("{name}_sum")).await?;
    Ok((sum, metric(server, &format!("{name}_count")).await?))
}

async fn metric(server: &Server, name: &str) -> io::Result<f64> {
    let answer = reqwest::get(server.url("/metrics")).await.map_err(io::Error::other)?;
    let text = answer.text().await.map_err(io::Error::other)?;
    let values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = values.filter_map(|value| value.parse().ok()).next();
    value.ok_or_else(|| io::Error::other(format!("no metric {name}")))
}

/// The last value of a field in the server's log.
fn last_of(folder: &Path, field: &str) -> io::Result<String> {
    let log = fs::read_to_string(folder.join("log"))?;
    let mark = format!("\"{field}\":");
    let value = log.rsplit(&mark).next().unwrap_or_default();
    Ok(value.chars().take_while(|c| !matches!(c, ',' | '}')).collect())
}

fn median_and_max(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() - 1])
}

#[cfg(test)]
mod tests;
