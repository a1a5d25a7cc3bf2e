//! Taking in: rows per second, CPU per row, memory, bytes on disk, ack latency.
//!
//! Between two flushes lie some minutes of data, not of the clock. A flush is a graceful stop
//! and a start: what the processes used is added up, and the highest peak counts.

use std::io::{self, Write};
use std::path::Path;

use tempfile::TempDir;

use crate::LoadArgs;
use crate::generate::{Load, Signal, last_minute_ns};
use crate::load::{Sent, send};
use crate::server::{Server, Usage, folder_bytes};

/// What loading a signal took.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) rows: u64,
    pub(crate) request_bytes: u64,
    pub(crate) flushes: u64,
    sent: Sent,
    pub(crate) usage: Usage,
}

/// Measures one signal on an empty folder.
pub(crate) async fn run(out: &mut impl Write, signal: Signal, args: &LoadArgs) -> io::Result<()> {
    let folder = TempDir::new()?;
    let mut loaded = load(folder.path(), signal, args, last_minute_ns()).await?;
    report(out, folder.path(), signal, args, &mut loaded)
}

/// Sends an hour of a signal, with a flush after each interval of data.
pub(crate) async fn load(
    folder: &Path,
    signal: Signal,
    args: &LoadArgs,
    end_ns: u64,
) -> io::Result<Loaded> {
    let rows = args.rows.unwrap_or(signal.rows_default());
    let mut loads = signal.generate(rows, args.seed, end_ns).peekable();
    let mut loaded = Loaded::default();
    let interval_ns = args.flush_minutes.max(1) * 60 * 1_000_000_000;
    while let Some(first) = loads.peek() {
        let end_ns = first.time_ns + interval_ns;
        let interval: Vec<Load> =
            std::iter::from_fn(|| loads.next_if(|load| load.time_ns < end_ns)).collect();
        loaded.rows += interval.iter().map(|load| load.rows).sum::<u64>();
        loaded.request_bytes += interval.iter().map(|load| load.body.len() as u64).sum::<u64>();
        let server = Server::start(folder, &args.set).await?;
        let sent = send(&server, signal, args, interval).await?;
        let usage = server.stop().await?;
        loaded.sent.merge(sent);
        loaded.flushes += 1;
        loaded.usage.cpu_seconds += usage.cpu_seconds;
        loaded.usage.exit_seconds += usage.exit_seconds;
        loaded.usage.peak_memory_bytes =
            loaded.usage.peak_memory_bytes.max(usage.peak_memory_bytes);
    }
    Ok(loaded)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(
    out: &mut impl Write,
    folder: &Path,
    signal: Signal,
    args: &LoadArgs,
    loaded: &mut Loaded,
) -> io::Result<()> {
    let rows = loaded.rows as f64;
    let data = folder.join("data");
    let segments = folder_bytes(&data, ".parquet")? as f64;
    let everything = folder_bytes(&data, "")? as f64;
    let (sent, usage) = (&mut loaded.sent, loaded.usage);
    writeln!(out, "\n{}", signal.describe())?;
    writeln!(
        out,
        "  {} rows, {:.1} MB as OTLP, {} clients over {:?} that rest {} ms, fsync, {} flushes \
         ({} min of data each)",
        loaded.rows,
        loaded.request_bytes as f64 / 1e6,
        args.clients,
        args.transport,
        args.pause_ms,
        loaded.flushes,
        args.flush_minutes,
    )?;
    writeln!(out, "  rows/s acknowledged    {:>12.0}", rows / sent.seconds)?;
    writeln!(out, "  rows/s with flushes    {:>12.0}", rows / (sent.seconds + usage.exit_seconds))?;
    writeln!(out, "  CPU s per million rows {:>12.2}", usage.cpu_seconds / rows * 1e6)?;
    writeln!(out, "  peak memory            {:>12.0} MB", usage.peak_memory_bytes as f64 / 1e6)?;
    writeln!(out, "  bytes per row, segments{:>12.2}", segments / rows)?;
    writeln!(out, "  bytes per row, all     {:>12.2}", everything / rows)?;
    let ratio = loaded.request_bytes as f64 / segments;
    writeln!(out, "  OTLP bytes to segments {ratio:>12.1} : 1")?;
    writeln!(
        out,
        "  ack latency p50, p99   {:>12.2} ms, {:.2} ms",
        sent.quantile_ms(0.5),
        sent.quantile_ms(0.99)
    )?;
    writeln!(out, "  told to come later     {:>12}", sent.refused)?;
    out.flush()
}
