//! Threads: one runtime for each of three kinds of work, so that none of them waits for another's
//! turn.
//!
//! ```text
//!  serve       connections, decoding, acknowledgements        as nice as the program
//!  query       queries, encoding and compressing of answers   + threads.query_nice
//!  background  flushes, merges, removal                       + threads.background_nice
//! ```
//!
//! A query computes for as long as it has data, and holds its thread meanwhile. Where it shared
//! threads with the senders, those waited for hundreds of milliseconds; on threads of its own it
//! is the system's scheduler that shares the processors, and gives one at once to a sender whose
//! thread wakes up. Nicer threads get less only while others want the processor.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::config;
use crate::error::Error;

/// Threads that drive background work. What computes or waits for a disk has threads of its own
/// beside them.
const BACKGROUND_WORKERS: usize = 1;

/// Threads of a runtime, at most, that compute or wait for a disk, for each processor and in all at
/// least. More would not compute faster, make none earlier, and each keeps memory that it has freed
/// for itself. Merges hold a thread while others of theirs write, so there must be some.
const BLOCKING_EACH: usize = 2;
const BLOCKING_MIN: usize = 4;

/// How long a thread that computes or waits for a disk stays when it has nothing to do. Each keeps
/// pages of the allocator for every size of block that it has used, 27 to 36 MB after a flush with
/// nothing in them; when it ends, they are given back. Starting one again costs far less than what
/// it is started for.
const BLOCKING_KEPT: Duration = Duration::from_millis(200);

/// Stack of a thread: expressions are trees that are walked by recursion, as deep as languages
/// allow. Only what is used of it takes memory.
const STACK_BYTES: usize = 16 << 20;

/// The three runtimes of a running server.
#[derive(Debug)]
pub(crate) struct Threads {
    // Dropped in this order: queries and background work may wait for the runtime that serves.
    query: Runtime,
    background: Runtime,
    serve: Runtime,
}

/// Where a part of a server hands work over to others.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Where queries run.
    pub(crate) query: Handle,
    /// Where flushes, merges and removal run.
    pub(crate) background: Handle,
}

impl Threads {
    /// Starts the threads.
    pub(crate) fn start(config: &config::Threads) -> Result<Self, Error> {
        let failed = |source| Error::io("cannot start worker threads", source);
        let nice = own_nice();
        let mut background = Builder::new_multi_thread();
        background.worker_threads(BACKGROUND_WORKERS);
        Ok(Self {
            query: named(Builder::new_multi_thread(), "query", nice + config.query_nice)
                .map_err(failed)?,
            background: named(background, "background", nice + config.background_nice)
                .map_err(failed)?,
            serve: named(Builder::new_multi_thread(), "serve", nice).map_err(failed)?,
        })
    }

    /// Runs a future that serves until it ends.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.serve.block_on(future)
    }

    /// Where work is handed over.
    pub(crate) fn places(&self) -> Places {
        Places { query: self.query.handle().clone(), background: self.background.handle().clone() }
    }
}

impl Places {
    /// Everything on the runtime that calls.
    #[cfg(test)]
    pub(crate) fn here() -> Self {
        Self { query: Handle::current(), background: Handle::current() }
    }
}

/// A runtime whose threads have this name and are this nice, the blocking ones too.
fn named(mut builder: Builder, name: &str, nice: i32) -> io::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    builder.max_blocking_threads((BLOCKING_EACH * processors).max(BLOCKING_MIN));
    builder.thread_keep_alive(BLOCKING_KEPT).thread_stack_size(STACK_BYTES);
    builder.enable_all().thread_name(name).on_thread_start(move || set_own_nice(nice)).build()
}

/// How nice the calling thread is: 0 unless the program was started otherwise.
#[cfg(target_os = "linux")]
fn own_nice() -> i32 {
    rustix::process::getpriority_process(None).unwrap_or(0)
}

/// Makes the calling thread as nice as told; one that is so already is left alone. The kernel cuts
/// what is beyond 19.
#[cfg(target_os = "linux")]
fn set_own_nice(nice: i32) {
    if own_nice() == nice {
        return;
    }
    // Linux takes no process for the calling thread alone.
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(%error, nice, "a thread keeps its priority");
    }
}

/// Elsewhere all threads of a process are equally nice.
#[cfg(not(target_os = "linux"))]
fn own_nice() -> i32 {
    0
}

#[cfg(not(target_os = "linux"))]
fn set_own_nice(_nice: i32) {}

#[cfg(test)]
mod tests;
