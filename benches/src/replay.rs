//! Replay: how long a start takes after `kill -9` with a long WAL, and what it costs.
//!
//! The WAL is filled with flushes put off as far as memory goes; the start that is measured has
//! the default settings, so what does not fit is flushed while the log is read.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use clap::Args;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::generate::{Signal, last_minute_ns};
use crate::server::{Server, folder_bytes};

/// Clients that fill the WAL at once.
const CLIENTS: usize = 16;

/// Settings under which the WAL grows: the largest memtable there is.
const FILLING: [&str; 2] = ["storage.memtable_bytes=2000MiB", "storage.buffered_bytes=2047MiB"];

/// What is replayed.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// What the WAL holds.
    #[arg(long, value_enum)]
    signal: Signal,
    /// Megabytes of requests in the WAL.
    #[arg(long, default_value_t = 1000)]
    megabytes: u64,
    /// Send requests compressed with gzip, which is how they then stand in the WAL.
    #[arg(long)]
    gzip: bool,
    /// A configuration key of the server that replays, `key=value`; may be repeated.
    #[arg(long)]
    set: Vec<String>,
}

/// Measures one start.
pub(crate) async fn run(out: &mut impl Write, args: &ReplayArgs) -> io::Result<()> {
    let folder = TempDir::new()?;
    let filling: Vec<String> = FILLING.iter().map(|&setting| setting.to_owned()).collect();
    let server = Server::start(folder.path(), &filling).await?;
    let empty = (server.ready_seconds(), server.cpu_seconds());
    let (requests, sent, inflated) = fill(&server, args).await?;
    server.kill()?;
    let wal = folder_bytes(&folder.path().join("data").join("wal"), ".wal")?;
    let server = Server::start(folder.path(), &args.set).await?;
    report(out, args, (requests, sent, inflated, wal), empty, &server)?;
    server.kill()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(
    out: &mut impl Write,
    args: &ReplayArgs,
    (requests, sent, inflated, wal): (usize, u64, u64, u64),
    (empty_ready, empty_cpu): (f64, f64),
    server: &Server,
) -> io::Result<()> {
    let (ready, cpu) = (server.ready_seconds(), server.cpu_seconds());
    let rate = |bytes: u64, seconds: f64| bytes as f64 / 1e6 / seconds;
    writeln!(out, "\n{}", args.signal.describe())?;
    writeln!(
        out,
        "  {requests} requests, {:.0} MB in the WAL{}, {:.0} MB inflated, {:.0} MB of files",
        sent as f64 / 1e6,
        if args.gzip { " (gzip)" } else { "" },
        inflated as f64 / 1e6,
        wal as f64 / 1e6,
    )?;
    writeln!(out, "  ready after            {ready:>12.2} s, an empty start {empty_ready:.2} s")?;
    writeln!(out, "  CPU until then         {cpu:>12.2} s, an empty start {empty_cpu:.2} s")?;
    let (ready, cpu) = (ready - empty_ready, cpu - empty_cpu);
    writeln!(out, "  WAL MB/s               {:>12.0}", rate(sent, ready))?;
    writeln!(out, "  WAL MB/s of a core     {:>12.0}", rate(sent, cpu))?;
    writeln!(out, "  inflated MB/s of a core{:>12.0}", rate(inflated, cpu))?;
    writeln!(out, "  peak memory            {:>12.0} MB", server.peak_memory() as f64 / 1e6)?;
    out.flush()
}

/// Fills the WAL; returns the requests, their bytes as sent and as inflated.
async fn fill(server: &Server, args: &ReplayArgs) -> io::Result<(usize, u64, u64)> {
    let wanted = args.megabytes * 1_000_000;
    // How long a row is, is told by a few of them.
    let few: Vec<_> = args.signal.generate(20_000, 1, last_minute_ns()).collect();
    let row_bytes = few.iter().map(|load| body(&load.body, args.gzip).len()).sum::<usize>() as u64;
    let row_bytes = (row_bytes / few.iter().map(|load| load.rows).sum::<u64>()).max(1);
    let loads = args.signal.generate(wanted / row_bytes, 7, last_minute_ns());
    let loads = Arc::new(loads.collect::<Vec<_>>());
    let inflated = loads.iter().map(|load| load.body.len() as u64).sum();
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (loads, next, gzip) = (Arc::clone(&loads), Arc::clone(&next), args.gzip);
        let url = server.url(args.signal.http_path());
        clients.spawn(async move {
            let client = reqwest::Client::new();
            let mut sent = 0;
            while let Some(load) = loads.get(next.fetch_add(1, Ordering::Relaxed)) {
                let body = body(&load.body, gzip);
                sent += body.len() as u64;
                let mut request =
                    client.post(&url).header("content-type", "application/x-protobuf");
                if gzip {
                    request = request.header("content-encoding", "gzip");
                }
                let answer = request.body(body).send().await.map_err(io::Error::other)?;
                if answer.status() != 200 {
                    let message = format!("{}: fewer --megabytes fit into memory", answer.status());
                    return Err(io::Error::other(message));
                }
            }
            Ok(sent)
        });
    }
    let mut sent = 0;
    while let Some(done) = clients.join_next().await {
        sent += done.map_err(io::Error::other)??;
    }
    Ok((loads.len(), sent, inflated))
}

fn body(plain: &Bytes, gzip: bool) -> Bytes {
    if !gzip {
        return plain.clone();
    }
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default().into()
}
