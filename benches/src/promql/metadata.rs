//! Questions about very many series: names, labels and counts, which should cost what the answer
//! is long, and not what the samples are.
//!
//! ```text
//!  data ─ write ─▶ each system by itself ─▶ asked at once, and again after a restart ─▶ table
//! ```
//!
//! At once the samples are where fresh ones are; after a restart Siglake has them in segments.

use std::io::{self, Write};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::Args;

use super::data::{INTERVAL_MS, series};
use super::systems::{Kind, System};
use super::write::{Requests, Writer, send};

/// What is measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct MetadataArgs {
    /// Series.
    #[arg(long, default_value_t = 1_000_000)]
    series: usize,
    /// Samples of each, one every 15 s.
    #[arg(long, default_value_t = 8)]
    steps: u64,
    /// Times each question is asked; means are told.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Measure Siglake alone.
    #[arg(long)]
    skip_peers: bool,
    /// What the samples are made from.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// A configuration key of Siglake, `key=value`; may be repeated.
    #[arg(long)]
    set: Vec<String>,
}

/// A question: path and parameter.
type Question = (&'static str, (&'static str, &'static str));

const QUESTIONS: [Question; 8] = [
    ("query", ("query", r#"count({__name__!=""}) by (__name__)"#)),
    ("query", ("query", r#"count({__name__!=""})"#)),
    ("query", ("query", r#"topk(10, count by (job) ({__name__=~".+"}))"#)),
    ("query", ("query", r#"sum by (job) (http_requests_total)"#)),
    ("query", ("query", r#"count({job="job-7",instance=~"host-1.*"})"#)),
    ("label/__name__/values", ("match[]", r#"{job="job-7"}"#)),
    ("label/instance/values", ("limit", "1000000")),
    ("series", ("match[]", r#"{job="job-7",instance=~"host-12.*"}"#)),
];

/// Loads and asks one system after the other.
pub(crate) async fn run(out: &mut impl Write, args: &MetadataArgs) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let end_ms = i64::try_from(now).unwrap_or(0) / 60_000 * 60_000;
    let start_ms = end_ms - i64::try_from(args.steps).unwrap_or(0) * INTERVAL_MS + INTERVAL_MS;
    let series = series(args.series);
    let mut writer = Writer::new(&series, start_ms, args.steps, args.seed);
    let requests = writer.requests(0..args.steps, args.steps)?;
    writeln!(out, "\n{} series, {} samples of each", series.len(), args.steps)?;
    for kind in [Kind::Siglake, Kind::Prometheus, Kind::VictoriaMetrics] {
        if kind != Kind::Siglake && (args.skip_peers || !kind.is_installed()) {
            continue;
        }
        // One system at a time has the machine and its memory.
        one(out, kind, &requests, end_ms, args).await?;
    }
    Ok(())
}

async fn one(
    out: &mut impl Write,
    kind: Kind,
    requests: &Requests,
    end_ms: i64,
    args: &MetadataArgs,
) -> io::Result<()> {
    let folder = tempfile::TempDir::new()?;
    let system = System::start(kind, folder.path(), &args.set).await?;
    send(&system.url("/api/v1/write"), requests).await?;
    let peak = system.peak_memory() / 1_000_000;
    writeln!(out, "\n{}: peak memory while written {peak} MB", kind.name())?;
    ask_all(out, &system, end_ms, args.runs).await?;
    let system = system.restart().await?;
    system.rest().await?;
    writeln!(out, "  after a restart")?;
    ask_all(out, &system, end_ms, args.runs).await?;
    system.stop().await.map(|_| ())
}

async fn ask_all(out: &mut impl Write, system: &System, end_ms: i64, runs: u32) -> io::Result<()> {
    writeln!(out, "  wall ms   CPU ms   peak MB   answer kB")?;
    for (path, parameter) in QUESTIONS {
        // Some processes are not allowed to; their peak is that of the start then.
        let _ = system.forget_peak();
        let (before, _) = system.cpu_ms_since(None);
        let (mut wall_ms, mut told) = (0.0, String::new());
        for _ in 0..runs {
            let started = Instant::now();
            match ask(system, path, parameter, end_ms).await? {
                Ok(bytes) => told = format!("{:>9}", bytes / 1_000),
                Err(refused) => told = refused,
            }
            wall_ms += started.elapsed().as_secs_f64() * 1_000.0;
        }
        let cpu_ms = system.cpu_ms_since(Some(before)).1;
        let (wall_ms, cpu_ms) = (wall_ms / f64::from(runs), cpu_ms / f64::from(runs));
        let peak = system.peak_memory() / 1_000_000;
        let question = format!("{path} {}", parameter.1);
        writeln!(out, "{wall_ms:>9.1} {cpu_ms:>8.1} {peak:>9} {told:>11}   {question}")?;
        out.flush()?;
    }
    Ok(())
}

/// Bytes of the answer, or why there is none.
async fn ask(
    system: &System,
    path: &str,
    parameter: (&str, &str),
    end_ms: i64,
) -> io::Result<Result<usize, String>> {
    let end = (end_ms / 1_000).to_string();
    let start = (end_ms / 1_000 - 300).to_string();
    let params = match path {
        "query" => vec![parameter, ("time", end.as_str()), ("nocache", "1")],
        _ => vec![parameter, ("start", start.as_str()), ("end", end.as_str())],
    };
    let request = reqwest::Client::new().get(system.url(&format!("/api/v1/{path}"))).query(&params);
    let answer = request.send().await.map_err(io::Error::other)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(io::Error::other)?;
    let refused = || format!("{status}: {:.200}", String::from_utf8_lossy(&body));
    Ok(if status.is_success() { Ok(body.len()) } else { Err(refused()) })
}
