//! Soak: all signals come in at a steady pace, are flushed and merged all the time, and are asked
//! for, for as long as one likes. Told per window of the run: memory, and how long
//! acknowledgements and answers took.
//!
//! ```text
//!  minute by minute ─▶ due requests ─▶ senders ─▶ latency from when a request was due
//!                                  a question at a time ─▶ latency
//!                                  memory every second
//! ```
//!
//! A latency counts from the moment at which a request was due, so that waiting behind a slow one
//! is seen. The data is of three hours ago, an hour that is over, so that it is merged at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::generate::{Load, SECOND_NS, SERVICES, Signal, last_minute_ns};
use crate::load::{RETRY_AFTER, Sink, Transport};
use crate::query::{Question, ask, range, search, sql};
use crate::server::{Server, folder_bytes};

/// Connections that send a signal.
const SENDERS: usize = 8;

/// Requests that may be due and not yet sent, per signal.
const BACKLOG: usize = 1_024;

/// What is traced of the server's own metrics.
const TRACED: [&str; 5] = [
    "siglake_memory_used",
    "siglake_memory_resident",
    "siglake_flush",
    "siglake_compaction",
    "siglake_wal_sync",
];

/// Windows that the run is told in.
const WINDOWS: usize = 6;

/// What is sent and asked.
#[derive(Clone, Debug, Args)]
pub(crate) struct SoakArgs {
    /// Minutes that it lasts.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Log records a second.
    #[arg(long, default_value_t = 5_000)]
    logs: u64,
    /// Spans a second. Of 10,000 series there comes a sample every 15 seconds.
    #[arg(long, default_value_t = 5_000)]
    spans: u64,
    /// Minutes of data that questions are about: once as many have come, they cost the same until
    /// the end.
    #[arg(long, default_value_t = 5)]
    asked_minutes: u64,
    /// Milliseconds between two questions.
    #[arg(long, default_value_t = 500)]
    question_ms: u64,
    /// A configuration key of the server, `key=value`; may be repeated.
    #[arg(long)]
    set: Vec<String>,
    /// File for a line of CSV about each acknowledgement, answer and second.
    #[arg(long)]
    trace: Option<PathBuf>,
}

/// What was seen, with the moment at which it was.
#[derive(Debug, Default)]
struct Seen {
    acks: Vec<(Duration, Duration)>,
    answers: Vec<(Duration, Duration)>,
    memory: Vec<(Duration, u64)>,
    failed: BTreeMap<String, u64>,
    trace: Option<BufWriter<File>>,
}

impl Seen {
    /// Writes a line of the trace: when, what, and how much of it.
    fn trace(&mut self, at: Duration, what: &str, value: f64) -> io::Result<()> {
        let Some(trace) = &mut self.trace else { return Ok(()) };
        writeln!(trace, "{:.4},{what},{value:.3}", at.as_secs_f64())
    }
}

/// Runs the soak on an empty folder.
pub(crate) async fn run(out: &mut impl Write, args: &SoakArgs) -> io::Result<()> {
    let folder = TempDir::new()?;
    let mut settings: Vec<String> =
        ["storage.flush_interval=30s", "storage.compaction.settle=30s"].map(str::to_owned).into();
    settings.extend(args.set.iter().cloned());
    let server = Arc::new(Server::start(folder.path(), &settings).await?);
    let trace = args.trace.as_ref().map(File::create).transpose()?.map(BufWriter::new);
    let seen = Arc::new(Mutex::new(Seen { trace, ..Seen::default() }));
    let over = Arc::new(AtomicBool::new(false));
    let refused = Arc::new(AtomicU64::new(0));
    // The first minute of each signal is made until then.
    let began = Instant::now() + Duration::from_secs(5);
    let start_ns = last_minute_ns() - 3 * 3_600 * SECOND_NS;

    let mut senders = JoinSet::new();
    for signal in [Signal::Day, Signal::Requests, Signal::Spans] {
        let (due, queue) = mpsc::channel(BACKLOG);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..SENDERS {
            let sink = Sink::open(&server, signal, Transport::Grpc).await?;
            let (queue, seen) = (Arc::clone(&queue), Arc::clone(&seen));
            let refused = Arc::clone(&refused);
            senders.spawn(deliver(signal, sink, queue, seen, began, refused));
        }
        senders.spawn(pace(signal, args.clone(), start_ns, due, began));
    }
    let mut watchers = JoinSet::new();
    watchers.spawn(watch(Arc::clone(&server), Arc::clone(&seen), began, Arc::clone(&over)));
    watchers.spawn(question(
        Arc::clone(&server),
        Arc::clone(&seen),
        (began, start_ns, args.clone()),
        Arc::clone(&over),
    ));
    while let Some(done) = senders.join_next().await {
        done.map_err(io::Error::other)??;
    }
    over.store(true, Ordering::Relaxed);
    while let Some(done) = watchers.join_next().await {
        done.map_err(io::Error::other)??;
    }
    let seen = std::mem::take(&mut *seen.lock().await);
    report(out, args, &seen, refused.load(Ordering::Relaxed), began.elapsed())?;
    let server = Arc::into_inner(server).ok_or_else(|| io::Error::other("the server is in use"))?;
    let usage = server.stop().await?;
    let bytes = folder_bytes(folder.path(), ".parquet")?;
    writeln!(out, "  CPU {:.0} s, {:.1} MB of segments", usage.cpu_seconds, bytes as f64 / 1e6)
}

/// Hands requests on when they are due.
async fn pace(
    signal: Signal,
    args: SoakArgs,
    start_ns: u64,
    due: mpsc::Sender<(Instant, Load)>,
    began: Instant,
) -> io::Result<()> {
    // A minute is made while the one before is sent: making it takes seconds.
    let (made, mut minutes) = mpsc::channel(1);
    let maker = tokio::task::spawn_blocking(move || make(signal, &args, start_ns, &made));
    while let Some(loads) = minutes.recv().await {
        for load in loads {
            let at = began + Duration::from_nanos(load.time_ns.saturating_sub(start_ns));
            tokio::time::sleep_until(at.into()).await;
            if due.send((at, load)).await.is_err() {
                return Ok(());
            }
        }
    }
    maker.await.map_err(io::Error::other)
}

/// Makes the requests of each minute, as long as anybody wants them.
fn make(signal: Signal, args: &SoakArgs, start_ns: u64, made: &mpsc::Sender<Vec<Load>>) {
    // What is measured does not wait for what it is measured with.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        eprintln!("requests are made at full priority: {error}");
    }
    let minute_ns = 60 * SECOND_NS;
    let samples = args.minutes * 4 * 10_000;
    let mut day = Signal::Day.generate(samples, 7, start_ns + args.minutes * minute_ns).peekable();
    for minute in 0..args.minutes {
        let from_ns = start_ns + minute * minute_ns;
        let end_ns = from_ns + minute_ns;
        let loads = match signal {
            Signal::Day => {
                std::iter::from_fn(|| day.next_if(|load| load.time_ns <= end_ns)).collect()
            }
            Signal::Spans => signal.generate_within(args.spans * 60, minute, from_ns, minute_ns),
            _ => signal.generate_within(args.logs * 60, minute, from_ns, minute_ns),
        };
        if made.blocking_send(loads).is_err() {
            return;
        }
    }
}

/// Sends what is due until nothing more comes.
async fn deliver(
    signal: Signal,
    mut sink: Sink,
    queue: Arc<Mutex<mpsc::Receiver<(Instant, Load)>>>,
    seen: Arc<Mutex<Seen>>,
    began: Instant,
    refused: Arc<AtomicU64>,
) -> io::Result<()> {
    loop {
        let Some((due, load)) = queue.lock().await.recv().await else { return Ok(()) };
        while !sink.send(load.body.clone()).await? {
            refused.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(RETRY_AFTER).await;
        }
        let (at, took) = (began.elapsed(), due.elapsed());
        let mut seen = seen.lock().await;
        seen.acks.push((at, took));
        seen.trace(at, &format!("ack {signal:?}"), took.as_secs_f64() * 1e3)?;
    }
}

/// What the server tells of itself and traces are read for: name and value.
async fn metrics(server: &Server) -> io::Result<Vec<(String, f64)>> {
    let answer = reqwest::get(server.url("/metrics")).await.map_err(io::Error::other)?;
    let text = answer.text().await.map_err(io::Error::other)?;
    let lines = text.lines().filter(|line| TRACED.iter().any(|name| line.starts_with(name)));
    let lines = lines.filter_map(|line| line.rsplit_once(' '));
    Ok(lines.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
}

/// Notes how much memory the server holds, every second.
async fn watch(
    server: Arc<Server>,
    seen: Arc<Mutex<Seen>>,
    began: Instant,
    over: Arc<AtomicBool>,
) -> io::Result<()> {
    let is_traced = seen.lock().await.trace.is_some();
    while !over.load(Ordering::Relaxed) {
        let (at, bytes) = (began.elapsed(), server.memory());
        let metrics = if is_traced { metrics(&server).await? } else { Vec::new() };
        let mut seen = seen.lock().await;
        seen.memory.push((at, bytes));
        seen.trace(at, "rss", bytes as f64 / 1e6)?;
        for (name, value) in metrics {
            seen.trace(at, &name, value)?;
        }
        drop(seen);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Asks one question after the other about the newest data.
async fn question(
    server: Arc<Server>,
    seen: Arc<Mutex<Seen>>,
    (began, start_ns, args): (Instant, u64, SoakArgs),
    over: Arc<AtomicBool>,
) -> io::Result<()> {
    let http = reqwest::Client::new();
    for number in 0_usize.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let end_ns = start_ns + u64::try_from(began.elapsed().as_nanos()).unwrap_or(0);
        let questions = questions(end_ns - args.asked_minutes * 60 * SECOND_NS, end_ns);
        let one = &questions[number % questions.len()];
        let asked = Instant::now();
        let answer = ask(&server, &http, one).await;
        let mut seen = seen.lock().await;
        let (at, took) = (began.elapsed(), asked.elapsed());
        seen.answers.push((at, took));
        seen.trace(at, &format!("ask {}", one.name), took.as_secs_f64() * 1e3)?;
        if let Err(error) = answer {
            *seen.failed.entry(format!("{}: {error}", one.name)).or_default() += 1;
        }
        drop(seen);
        tokio::time::sleep(Duration::from_millis(args.question_ms)).await;
    }
    Ok(())
}

fn questions(start_ns: u64, end_ns: u64) -> Vec<Question> {
    let (start_s, end_s) = (start_ns / SECOND_NS, end_ns / SECOND_NS);
    let since = format!("time >= arrow_cast({start_ns}, 'Timestamp(Nanosecond, None)')");
    let mut questions = crate::query::log_questions(start_ns, end_ns);
    questions.extend([
        range("sum by (service_name) (rate(day_things_0_total[5m]))", start_s, end_s),
        range("topk(5, day_level_9)", start_s, end_s),
        search("{ resource.service.name = \"payment\" && status = error }", start_s, end_s),
        search("{ duration > 500ms }", start_s, end_s),
        sql(&format!("SELECT service_name, count(*) AS n FROM logs WHERE {since} GROUP BY 1")),
        sql(&format!(
            "SELECT count(*) FROM spans WHERE {since} AND service_name = '{}'",
            SERVICES[0]
        )),
    ]);
    questions
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(
    out: &mut impl Write,
    args: &SoakArgs,
    seen: &Seen,
    refused: u64,
    took: Duration,
) -> io::Result<()> {
    writeln!(
        out,
        "\nsoak of {} min: {} records/s, {} spans/s, 10,000 series every 15 s, a question every \
         {} ms about the last {} min, flushes every 30 s, merges at once; took {:.0} s",
        args.minutes,
        args.logs,
        args.spans,
        args.question_ms,
        args.asked_minutes,
        took.as_secs_f64(),
    )?;
    writeln!(
        out,
        "  {:>8} {:>10} {:>10} {:>9} {:>9} {:>9} {:>9}",
        "until s", "mean MB", "max MB", "ack p50", "ack p99", "ask p50", "ask p99"
    )?;
    let within = |at: &Duration, window: usize| {
        let part = at.as_secs_f64() / took.as_secs_f64() * WINDOWS as f64;
        window == WINDOWS || part as usize == window
    };
    // The last line is the whole run.
    for window in 0..=WINDOWS {
        let memory: Vec<u64> = seen
            .memory
            .iter()
            .filter(|(at, _)| within(at, window))
            .map(|(_, bytes)| *bytes)
            .collect();
        let took_in = |latencies: &[(Duration, Duration)]| -> Vec<Duration> {
            let mut all: Vec<Duration> = latencies
                .iter()
                .filter(|(at, _)| within(at, window))
                .map(|(_, took)| *took)
                .collect();
            all.sort_unstable();
            all
        };
        let (acks, answers) = (took_in(&seen.acks), took_in(&seen.answers));
        let mean = memory.iter().sum::<u64>() as f64 / memory.len().max(1) as f64;
        writeln!(
            out,
            "  {:>8.0} {:>10.0} {:>10.0} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            took.as_secs_f64() * (window.min(WINDOWS - 1) + 1) as f64 / WINDOWS as f64,
            mean / 1e6,
            memory.iter().max().copied().unwrap_or(0) as f64 / 1e6,
            quantile_ms(&acks, 0.5),
            quantile_ms(&acks, 0.99),
            quantile_ms(&answers, 0.5),
            quantile_ms(&answers, 0.99),
        )?;
    }
    writeln!(
        out,
        "  {} acknowledged, {refused} told to come later, {} answers",
        seen.acks.len(),
        seen.answers.len()
    )?;
    for (error, times) in &seen.failed {
        writeln!(out, "  failed {times} times: {error}")?;
    }
    Ok(())
}

/// The latency that this share of a sorted list stays below, in milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "an index between 0 and the last"
)]
fn quantile_ms(sorted: &[Duration], share: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(index).map_or(0.0, |took| took.as_secs_f64() * 1e3)
}
