//! Measures the real program: a seeded generator, the release binary beside this one, and what
//! the operating system says about it.
//!
//! ```text
//!  generate ─▶ OTLP requests ─▶ load ──▶ siglake serve (child, fsync on) ─▶ SIGTERM = flush
//!                                │                       │
//!                                └─ ack latencies        └─ CPU, peak memory, bytes on disk
//! ```
//!
//! `cargo run --release -p benches -- all`, after `cargo build --release`. Reading order:
//! `generate`, `server`, `load`, `ingest`, `query`.

mod catalog;
mod generate;
mod ingest;
mod layout;
mod load;
mod machine;
mod promql;
mod query;
mod replay;
mod server;
mod soak;

use std::io::{self, Write};

use clap::{Args, Parser, Subcommand};

use crate::generate::Signal;
use crate::load::Transport;
use crate::replay::ReplayArgs;

/// Measures how the program takes telemetry in and answers.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Rows per second, CPU per row, peak memory, bytes on disk, ack latency.
    Ingest {
        /// What to send.
        #[arg(long, value_enum)]
        signal: Signal,
        #[command(flatten)]
        load: LoadArgs,
    },
    /// Bytes per row and processor time once a day is merged; 4,000,000 rows or so to mean
    /// something.
    Layout {
        /// What to send; everything unless told.
        #[arg(long, value_enum)]
        signal: Option<Signal>,
        #[command(flatten)]
        load: LoadArgs,
    },
    /// How long the first queries take over an hour of each signal.
    Query {
        #[command(flatten)]
        load: LoadArgs,
        /// Times each query is asked; the median is told.
        #[arg(long, default_value_t = 20)]
        runs: usize,
    },
    /// How long a start takes after `kill -9`, and what it costs.
    Replay {
        #[command(flatten)]
        replay: ReplayArgs,
    },
    /// Takes in, merges and asks for a while: whether memory stays flat and acknowledgements fast.
    Soak {
        #[command(flatten)]
        args: soak::SoakArgs,
    },
    /// How long starts, plans and commits take on a table of very many segments.
    Catalog {
        #[command(flatten)]
        args: catalog::CatalogArgs,
    },
    /// PromQL beside Prometheus and VictoriaMetrics, on the same samples.
    Promql {
        #[command(flatten)]
        args: promql::PromqlArgs,
    },
    /// Names, labels and counts of a million series, beside Prometheus and VictoriaMetrics.
    Metadata {
        #[command(flatten)]
        args: promql::metadata::MetadataArgs,
    },
    /// Everything of the above but replay, catalog, promql and metadata.
    All {
        #[command(flatten)]
        load: LoadArgs,
        /// Times each query is asked; the median is told.
        #[arg(long, default_value_t = 20)]
        runs: usize,
    },
}

/// How load is made.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Log records, samples or spans; by default 500,000, 2,400,000 and 500,000.
    #[arg(long)]
    pub(crate) rows: Option<u64>,
    /// Clients that send at once, each its next request when the last is acknowledged.
    #[arg(long, default_value_t = 50)]
    pub(crate) clients: usize,
    /// Milliseconds a client rests after each acknowledgement: 0 asks for all the machine can do,
    /// more for the latency of a machine that is not full.
    #[arg(long, default_value_t = 0)]
    pub(crate) pause_ms: u64,
    /// Minutes of data between two flushes.
    #[arg(long, default_value_t = 6)]
    pub(crate) flush_minutes: u64,
    /// How requests are sent.
    #[arg(long, value_enum, default_value_t = Transport::Grpc)]
    pub(crate) transport: Transport,
    /// What the telemetry is made from: the same seed makes the same.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// A configuration key of the server, `key=value`; may be repeated.
    #[arg(long)]
    pub(crate) set: Vec<String>,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "machine: {}", machine::describe())?;
    match Cli::parse().command {
        Command::Ingest { signal, load } => ingest::run(&mut out, signal, &load).await,
        Command::Layout { signal, load } => {
            let chosen = signal.as_ref().map_or(&Signal::LAYOUTS[..], std::slice::from_ref);
            for signal in chosen {
                layout::run(&mut out, *signal, &load).await?;
            }
            Ok(())
        }
        Command::Query { load, runs } => query::run(&mut out, &load, runs).await,
        Command::Replay { replay } => replay::run(&mut out, &replay).await,
        Command::Soak { args } => soak::run(&mut out, &args).await,
        Command::Catalog { args } => catalog::run(&mut out, &args).await,
        Command::Promql { args } => promql::run(&mut out, &args).await,
        Command::Metadata { args } => promql::metadata::run(&mut out, &args).await,
        Command::All { load, runs } => {
            for signal in Signal::ALL {
                ingest::run(&mut out, signal, &load).await?;
            }
            query::run(&mut out, &load, runs).await
        }
    }
}
