//! The siglake binary: the only place that wires storage, ingest, queries and the network.
//!
//! ```text
//!  cli ─▶ config ─▶ commands/{serve, demo, query, config, compact}
//!                      └─ serve: Store ─▶ Ingest, Session ─▶ Api, Flight ─▶ listen
//! ```

mod away;
mod cli;
mod commands;
mod config;
mod demo;
mod engine;
mod error;
mod home;
mod listen;
mod logging;
mod metrics;
mod objects;
mod query;
mod routes;
mod serve;
mod threads;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;

/// Many small allocations of many threads: measured faster than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    forgo_huge_pages();
    match commands::run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a closed stderr; the exit code still tells.
            let _ = writeln!(std::io::stderr().lock(), "siglake: {}", error.full_message());
            error.exit_code()
        }
    }
}

/// Asks the kernel for small pages only, though the allocator asks for huge ones and even where
/// the system is set to make all of them huge.
///
/// Each thread's heap spreads small and large objects over pages of their own; with huge pages the
/// first byte of each costs clearing two megabytes. Measured without them: a fifth less CPU for
/// taking samples in, half of the resident memory of queries, and no slower ones.
#[cfg(target_os = "linux")]
fn forgo_huge_pages() {
    // A kernel that refuses costs memory, nothing else.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Elsewhere there is nothing to ask for.
#[cfg(not(target_os = "linux"))]
fn forgo_huge_pages() {}
