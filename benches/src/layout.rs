//! Layout: bytes a row and processor time once the segments of a day are merged.
//!
//! The rows are of a day that is over. They are taken in and flushed as in `ingest`, then
//! `siglake compact` merges them: what both used is told, and what is left on the disk.

use std::io::{self, Write};

use tempfile::TempDir;

use crate::LoadArgs;
use crate::generate::{Signal, last_day_ns};
use crate::ingest::load;
use crate::server::{compact, folder_bytes};

/// Measures one signal on an empty folder.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) async fn run(out: &mut impl Write, signal: Signal, args: &LoadArgs) -> io::Result<()> {
    let folder = TempDir::new()?;
    let loaded = load(folder.path(), signal, args, last_day_ns()).await?;
    let data = folder.path().join("data");
    let rows = loaded.rows as f64;
    let flushed = folder_bytes(&data, ".parquet")? as f64;
    let (usage, said) = compact(folder.path(), &args.set)?;
    // Merged objects stay for a while, so what is live is told by the program itself.
    let live = live_bytes(&said).unwrap_or(0.0);
    let log = folder_bytes(&data, "_delta_log")? as f64;
    writeln!(out, "\n{}, of a day that is over", signal.describe())?;
    writeln!(
        out,
        "  {} rows, {:.1} MB as OTLP ({:.1} bytes a row), {} flushes",
        loaded.rows,
        loaded.request_bytes as f64 / 1e6,
        loaded.request_bytes as f64 / rows,
        loaded.flushes,
    )?;
    writeln!(out, "  {}", said.trim().replace('\n', "\n  "))?;
    let cpu = (loaded.usage.cpu_seconds, usage.cpu_seconds);
    writeln!(out, "  CPU s per million rows {:>12.2} in and flushed", cpu.0 / rows * 1e6)?;
    writeln!(out, "                         {:>12.2} merged", cpu.1 / rows * 1e6)?;
    writeln!(out, "                         {:>12.2} together", (cpu.0 + cpu.1) / rows * 1e6)?;
    writeln!(out, "  bytes per row, flushed {:>12.2}", flushed / rows)?;
    writeln!(out, "  bytes per row, merged  {:>12.2}, log {:.3}", live / rows, log / rows)?;
    let ratio = loaded.request_bytes as f64 / (live + log);
    writeln!(out, "  OTLP bytes to all      {ratio:>12.1} : 1")?;
    out.flush()
}

/// `… became 3 of 12.5MiB`: the bytes.
fn live_bytes(said: &str) -> Option<f64> {
    let size = said.lines().next()?.split(" (").nth(1)?.split(' ').next()?;
    size.parse().ok()
}
