//! Telemetry of a small shop that does not exist: related traces, logs and metrics, made from a
//! seed and sent over OTLP like any other.
//!
//! ```text
//!  seed, second ─▶ traffic ─▶ generate ─▶ request, notification ─▶ Recorded ─┬─▶ emit ─▶ OTLP
//!                                             (calls, story)       meters ◀──┘    ▲
//!                                                                     └───────────┘
//! ```

mod calls;
mod emit;
mod generate;
mod instruments;
mod meters;
mod notification;
mod otlp;
mod request;
mod shop;
mod story;
mod traffic;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tracing::{debug, info, warn};

use self::emit::Emitter;
use self::meters::Meters;
use self::otlp::SECOND_NS;
use self::story::Recorded;
use crate::error::Error;

/// Seconds between two exports of metrics.
const EXPORT_S: u64 = 10;

/// Seconds of the past that are sent together.
const BACKFILL_CHUNK_S: u64 = 60;

/// How far behind the clock live telemetry is, so that no span ends in the future.
const LAG_S: u64 = 5;

/// Seconds that live telemetry may fall behind before it leaves some out.
const BEHIND_MAX_S: u64 = 30;

/// What the demo sends, and where.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The server's gRPC address: `http://127.0.0.1:7400`.
    pub(crate) url: String,
    /// The same seed makes the same telemetry.
    pub(crate) seed: u64,
    /// Requests per second to the shop at noon.
    pub(crate) rate: f64,
    /// How much of the past is filled.
    pub(crate) backfill: Duration,
    /// File that remembers the last second sent, so that a restart sends none twice.
    pub(crate) marker: PathBuf,
}

/// The demo between two seconds.
#[derive(Debug)]
pub(crate) struct Demo {
    options: Options,
    emitter: Emitter,
    meters: Meters,
    next_s: u64,
}

impl Demo {
    /// Prepares to send; nothing is sent yet.
    pub(crate) fn new(options: Options) -> Result<Self, Error> {
        let emitter = Emitter::new(&options.url)?;
        let from_s = now_s().saturating_sub(LAG_S + options.backfill.as_secs());
        let sent_s = read_marker(&options.marker).unwrap_or(0);
        let next_s = from_s.max(sent_s + 1);
        let meters = Meters::new(next_s * SECOND_NS);
        Ok(Self { options, emitter, meters, next_s })
    }

    /// Sends the past, in order, as fast as the server takes it.
    pub(crate) async fn backfill(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let (mut spans, mut logs) = (0, 0);
        let until_s = now_s().saturating_sub(LAG_S);
        while self.next_s < until_s {
            let end_s = (self.next_s + BACKFILL_CHUNK_S).min(until_s);
            let (some_spans, some_logs) = self.send(end_s).await?;
            spans += some_spans;
            logs += some_logs;
        }
        info!(spans, logs, elapsed_ms = began.elapsed().as_millis(), "demo: the past is filled");
        Ok(())
    }

    /// Sends what happens, second by second, until it is dropped.
    pub(crate) async fn live(&mut self) {
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        let mut failing = false;
        loop {
            clock.tick().await;
            let until_s = now_s().saturating_sub(LAG_S);
            if self.next_s + BEHIND_MAX_S < until_s {
                warn!(seconds = until_s - self.next_s, "demo: too slow, leaving some out");
                self.next_s = until_s - 1;
            }
            if self.next_s >= until_s {
                continue;
            }
            // Only changes are told: what fails now will mostly fail a second later, too.
            match self.send(until_s).await {
                Err(error) if !failing => {
                    warn!(error = error.full_message(), "demo: telemetry is lost");
                    failing = true;
                }
                Ok(_) if failing => {
                    info!("demo: telemetry gets through again");
                    failing = false;
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Sends the seconds up to `end_s`, exclusive; returns the number of spans and log records.
    async fn send(&mut self, end_s: u64) -> Result<(usize, usize), Error> {
        let Options { seed, rate, .. } = self.options;
        let mut all = Recorded::default();
        let mut metrics = Vec::new();
        for second in self.next_s..end_s {
            let recorded = generate::second(seed, rate, second);
            all.spans.extend(recorded.spans);
            all.logs.extend(recorded.logs);
            for measurement in recorded.measurements {
                self.meters.record(measurement);
            }
            if second % EXPORT_S == 0 {
                for measurement in generate::observe(seed, rate, second) {
                    self.meters.record(measurement);
                }
                metrics.extend(self.meters.export((second + 1) * SECOND_NS));
            }
        }
        // Moved on first: a failed second is lost, not sent twice.
        self.next_s = end_s;
        let sent = (all.spans.len(), all.logs.len());
        self.emitter.spans(all.spans).await?;
        self.emitter.logs(all.logs).await?;
        self.emitter.metrics(metrics).await?;
        if end_s.is_multiple_of(EXPORT_S) || sent.0 > 0 {
            write_marker(&self.options.marker, end_s - 1);
        }
        Ok(sent)
    }
}

/// Seconds since 1970.
fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or(0)
}

fn read_marker(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Losing the marker costs duplicates of the demo's own telemetry, so a failure is only noted.
fn write_marker(path: &Path, second: u64) {
    if let Err(error) = std::fs::write(path, second.to_string()) {
        debug!(%error, path = %path.display(), "demo: cannot remember what was sent");
    }
}

#[cfg(test)]
mod tests;
