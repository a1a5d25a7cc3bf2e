//! PromQL side by side: the same samples and questions for Siglake, Prometheus and
//! VictoriaMetrics.
//!
//! ```text
//!  data ─ write ─▶ remote write ─▶ each system by itself ─▶ rest, merge, restart
//!  cases ─▶ answers equal to 1e-9? ─▶ wall and CPU time cold and warm ─▶ table, ratios
//! ```
//!
//! CPU time is what the kernel counts for the threads of the process, background work of that
//! moment included. *Cold* is the first time a question is asked with the page cache dropped
//! (where the machine allows it) after a restart of each system; `--keep-peers` restarts Siglake
//! alone, which favours the others. *Warm* is the mean of many further times. VictoriaMetrics is asked with
//! `nocache=1`, since it would otherwise answer repeated questions from its cache of results.

mod cases;
mod compare;
mod data;
pub(crate) mod metadata;
mod systems;
mod table;
mod write;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::Value;

use self::cases::{Case, Form, Victoria, cases};
use self::compare::{Difference, compare, size};
use self::data::{INTERVAL_MS, series};
use self::systems::{Kind, System};
use self::table::Row;
use self::write::{Requests, Writer, send};

/// Samples of a series in one request while the bulk is loaded.
const BULK_TOGETHER: u64 = 20;
/// Steps that are sent with one sample a series and request, to measure taking in.
const SINGLE_STEPS: u64 = 40;

/// What is measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct PromqlArgs {
    /// Series; Prometheus' benchmark wants its own, so not fewer than 2,500.
    #[arg(long, default_value_t = 10_000)]
    series: usize,
    /// Hours of samples, one every 15 s.
    #[arg(long, default_value_t = 24)]
    hours: u64,
    /// Measure Siglake alone.
    #[arg(long)]
    skip_peers: bool,
    /// Only questions that hold this text.
    #[arg(long, default_value = "")]
    only: String,
    /// Seconds of warm runs of each question, about; at least five runs.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Restart Siglake alone before each question, rather than every system.
    #[arg(long)]
    keep_peers: bool,
    /// Folder to load into and to leave there; one that is loaded already is asked again.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// What the samples are made from.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// A configuration key of Siglake, `key=value`; may be repeated.
    #[arg(long)]
    set: Vec<String>,
}

/// What a question cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    wall_ms: f64,
    cpu_ms: f64,
}

/// What taking samples in cost, in CPU seconds for a million.
#[derive(Clone, Copy, Debug, Default)]
struct LoadCost {
    single: f64,
    bulk: f64,
    peak_bytes: u64,
}

/// Loads, compares, measures.
pub(crate) async fn run(out: &mut impl Write, args: &PromqlArgs) -> io::Result<()> {
    let kinds = kinds(out, args)?;
    let temporary = tempfile::TempDir::new()?;
    let folder = args.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    let end_ms = load(out, &folder, &kinds, args).await?;
    let mut systems = start(&kinds, &folder, args).await?;
    writeln!(out, "\n{}", table::head(&kinds))?;
    let mut rows = Vec::new();
    let hours = i64::try_from(args.hours).unwrap_or(24);
    let is_asked = |case: &Case| case.query.contains(&args.only);
    let cases: Vec<Case> = cases(hours).into_iter().filter(is_asked).collect();
    for case in &cases {
        systems = restarted(systems, args.keep_peers).await?;
        let row = measure(case, &systems, end_ms, args).await?;
        writeln!(out, "{}", row.text())?;
        out.flush()?;
        rows.push(row);
    }
    writeln!(out, "{}", table::means(&rows, kinds.len()))?;
    for system in systems {
        system.stop().await?;
    }
    peaks(out, start(&kinds, &folder, args).await?, &cases, end_ms).await
}

/// Starts all systems and lets them come to rest.
async fn start(kinds: &[Kind], folder: &Path, args: &PromqlArgs) -> io::Result<Vec<System>> {
    let mut systems = Vec::new();
    for kind in kinds {
        let system = System::start(*kind, &folder.join(kind.name()), &args.set).await?;
        system.rest().await?;
        systems.push(system);
    }
    Ok(systems)
}

/// Asks each system everything twice, without a restart, and tells how much memory that took.
async fn peaks(
    out: &mut impl Write,
    systems: Vec<System>,
    cases: &[Case],
    end_ms: i64,
) -> io::Result<()> {
    for system in systems {
        // Some processes are not allowed to; their peak is that of the start then.
        let _ = system.forget_peak();
        for case in cases.iter().chain(cases) {
            // Some refuse some.
            let _ = fetch(&system, case, end_ms).await;
        }
        let (name, peak) = (system.kind.name(), system.peak_memory() / 1_000_000);
        writeln!(out, "peak memory while asked everything twice: {name} {peak} MB")?;
        system.stop().await?;
    }
    Ok(())
}

/// Starts systems anew, so that each has read nothing yet.
async fn restarted(systems: Vec<System>, keeps_peers: bool) -> io::Result<Vec<System>> {
    let mut anew = Vec::with_capacity(systems.len());
    for system in systems {
        let is_kept = keeps_peers && system.kind != Kind::Siglake;
        anew.push(if is_kept { system } else { system.restart().await? });
    }
    Ok(anew)
}

fn kinds(out: &mut impl Write, args: &PromqlArgs) -> io::Result<Vec<Kind>> {
    let mut kinds = vec![Kind::Siglake];
    if args.skip_peers {
        return Ok(kinds);
    }
    for kind in [Kind::Prometheus, Kind::VictoriaMetrics] {
        if kind.is_installed() {
            kinds.push(kind);
        } else {
            writeln!(out, "{} is not installed (apt install): left out", kind.name())?;
        }
    }
    Ok(kinds)
}

/// Loads every system that has no data in the folder yet; the end of the samples.
async fn load(
    out: &mut impl Write,
    folder: &Path,
    kinds: &[Kind],
    args: &PromqlArgs,
) -> io::Result<i64> {
    std::fs::create_dir_all(folder)?;
    let mark = folder.join("end_ms");
    if let Ok(text) = std::fs::read_to_string(&mark) {
        return text.trim().parse().map_err(io::Error::other);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let end_ms = i64::try_from(now).unwrap_or(0) / 60_000 * 60_000;
    let steps = args.hours * 240;
    let start_ms = end_ms - i64::try_from(steps).unwrap_or(0) * INTERVAL_MS + INTERVAL_MS;
    let series = series(args.series);
    let mut writer = Writer::new(&series, start_ms, steps, args.seed);
    let bulk = writer.requests(0..steps - SINGLE_STEPS, BULK_TOGETHER)?;
    let single = writer.requests(steps - SINGLE_STEPS..steps, 1)?;
    writeln!(
        out,
        "\n{} series, {} h every 15 s: {:.1} M samples",
        series.len(),
        args.hours,
        millions(bulk.samples + single.samples)
    )?;
    for kind in kinds {
        let cost = load_one(*kind, &folder.join(kind.name()), &bulk, &single, &args.set).await?;
        writeln!(
            out,
            "  {:<16} CPU s per million samples: {:.2} one sample a series and request, {:.2} \
             twenty; peak memory {} MB",
            kind.name(),
            cost.single,
            cost.bulk,
            cost.peak_bytes / 1_000_000,
        )?;
        out.flush()?;
    }
    std::fs::write(mark, end_ms.to_string())?;
    Ok(end_ms)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn millions(samples: u64) -> f64 {
    samples as f64 / 1e6
}

/// Takes the samples in until all background work is done; ours is flushed at the end of each
/// part, and merged last, which counts for the bulk.
async fn load_one(
    kind: Kind,
    folder: &Path,
    bulk: &Requests,
    single: &Requests,
    settings: &[String],
) -> io::Result<LoadCost> {
    let mut cost = LoadCost::default();
    let system = System::start(kind, folder, settings).await?;
    send(&system.url("/api/v1/write"), bulk).await?;
    system.rest().await?;
    cost.peak_bytes = system.peak_memory();
    let mut used = system.stop().await?;
    let system = System::start(kind, folder, settings).await?;
    system.rest().await?;
    let before = system.cpu_seconds();
    send(&system.url("/api/v1/write"), single).await?;
    system.rest().await?;
    cost.peak_bytes = cost.peak_bytes.max(system.peak_memory());
    cost.single = (system.stop().await? - before) / millions(single.samples);
    if kind == Kind::Siglake {
        used += crate::server::compact(folder, settings)?.0.cpu_seconds;
    }
    cost.bulk = used / millions(bulk.samples);
    Ok(cost)
}

/// Asks every system, compares, and asks again for a while.
async fn measure(
    case: &Case,
    systems: &[System],
    end_ms: i64,
    args: &PromqlArgs,
) -> io::Result<Row> {
    let mut row = Row::new(name(case));
    let mut ours = Value::Null;
    for system in systems {
        // Only the superuser may; where it fails, cold means cold caches of our own alone.
        let _ = std::fs::write("/proc/sys/vm/drop_caches", "1");
        let (answer, cold) = match ask(system, case, end_ms).await {
            Ok(answered) => answered,
            Err(_) => {
                row.add(None, "refused");
                continue;
            }
        };
        let note = if system.kind == Kind::Siglake {
            row.series = size(&answer);
            ours = answer;
            String::new()
        } else {
            // Of equal values anyone may be among the best.
            let any_series = case.query.starts_with("topk(");
            note(case, system.kind, compare(&ours, &answer, any_series))
        };
        let warm = warm(system, case, end_ms, args.seconds).await?;
        row.add(Some((cold, warm)), &note);
    }
    Ok(row)
}

fn note(case: &Case, kind: Kind, difference: Difference) -> String {
    let expected = match kind {
        Kind::Prometheus => case.query != cases::CLAMPED,
        _ => case.victoria == Victoria::Same,
    };
    match difference {
        Difference::None(_) => "=".to_owned(),
        Difference::Shape if expected => "OTHER SERIES OR STEPS".to_owned(),
        Difference::Value(part) if expected => format!("OFF BY {part:.1e}"),
        Difference::Shape | Difference::Value(_) => "~".to_owned(),
    }
}

async fn warm(system: &System, case: &Case, end_ms: i64, seconds: f64) -> io::Result<Cost> {
    ask(system, case, end_ms).await?;
    let (mut runs, mut wall_ms) = (0, 0.0);
    let (before, _) = system.cpu_ms_since(None);
    while runs < 5 || (wall_ms < seconds * 1000.0 && runs < 200) {
        wall_ms += fetch(system, case, end_ms).await?.1;
        runs += 1;
    }
    let runs = f64::from(runs);
    // What is still done after the last answer belongs to it.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let cpu_ms = system.cpu_ms_since(Some(before)).1 / runs;
    Ok(Cost { wall_ms: wall_ms / runs, cpu_ms })
}

async fn ask(system: &System, case: &Case, end_ms: i64) -> io::Result<(Value, Cost)> {
    let (before, _) = system.cpu_ms_since(None);
    let (text, wall_ms) = fetch(system, case, end_ms).await?;
    let cpu_ms = system.cpu_ms_since(Some(before)).1;
    let mut answer: Value = serde_json::from_slice(&text).map_err(io::Error::other)?;
    Ok((answer["data"].take(), Cost { wall_ms, cpu_ms }))
}

/// The body of an answer, and the milliseconds it took.
async fn fetch(system: &System, case: &Case, end_ms: i64) -> io::Result<(bytes::Bytes, f64)> {
    // Between two samples, see `cases`.
    let end_s = end_ms / 1000 - 8;
    let mut params = vec![("nocache", "1".to_owned())];
    let path = match &case.form {
        Form::Range { seconds, step } => {
            params.push(("start", (end_s - seconds).to_string()));
            params.push(("end", end_s.to_string()));
            params.push(("step", step.to_string()));
            "/api/v1/query_range".to_owned()
        }
        Form::Instant => {
            params.push(("time", end_s.to_string()));
            "/api/v1/query".to_owned()
        }
        Form::LabelValues(label) => {
            // None of them looks at samples for this: Prometheus tells what its blocks hold that
            // the range touches, the others what was seen on its days. Over a day they agree; over
            // an hour Prometheus may leave out what the others have from earlier that day.
            params.push(("start", (end_s - 24 * 3600).to_string()));
            params.push(("end", end_s.to_string()));
            format!("/api/v1/label/{label}/values")
        }
    };
    if !case.query.is_empty() {
        params.push(("query", cases::spelled(&case.query, system.kind)));
    }
    let request = reqwest::Client::new().get(system.url(&path)).query(&params);
    let started = Instant::now();
    let answer = request.send().await.map_err(io::Error::other)?;
    let status = answer.status();
    let text = answer.bytes().await.map_err(io::Error::other)?;
    let wall_ms = started.elapsed().as_secs_f64() * 1000.0;
    if status.is_success() {
        return Ok((text, wall_ms));
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    Err(io::Error::other(format!("{}: {}: {status}: {text}", system.kind.name(), case.query)))
}

fn name(case: &Case) -> String {
    match &case.form {
        Form::Range { seconds, step } => {
            format!("{} · {} h / {step} s", case.query, (seconds + 1800) / 3600)
        }
        Form::Instant => format!("{} · instant", case.query),
        Form::LabelValues(label) => format!("values of {label}"),
    }
}
