//! Counters of what was received, stored, rejected and refused.

use std::sync::atomic::{AtomicU64, Ordering};

use schemas::model::Signal;

use crate::admit::{Reason, Rejections};
use crate::error::ErrorKind;

/// Counters of one signal since the start. Rows are records as the sender counts them: log
/// records, data points, spans. `received_rows = stored_rows + rejected_rows` always holds for
/// requests that were answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalStats {
    /// Requests answered, refused ones included.
    pub requests: u64,
    /// Bytes of bodies as received, refused requests included.
    pub bytes: u64,
    /// Records of accepted requests.
    pub received_rows: u64,
    /// Records stored.
    pub stored_rows: u64,
    /// Records rejected.
    pub rejected_rows: u64,
}

/// Counters since the start, and gauges of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestStats {
    /// By signal, in the order of `Signal::ALL`.
    pub signals: Vec<(Signal, SignalStats)>,
    /// Requests refused as a whole, by the name of the error's kind.
    pub refused: Vec<(&'static str, u64)>,
    /// Records rejected, by reason.
    pub rejected: Vec<(&'static str, u64)>,
    /// Bytes of the requests under way.
    pub inflight_bytes: u64,
}

/// The counters behind [`IngestStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    signals: [SignalCounters; 3],
    refused: [AtomicU64; ErrorKind::ALL.len()],
    rejected: [AtomicU64; Reason::ALL.len()],
}

#[derive(Debug, Default)]
struct SignalCounters {
    requests: AtomicU64,
    bytes: AtomicU64,
    received_rows: AtomicU64,
    stored_rows: AtomicU64,
    rejected_rows: AtomicU64,
}

impl Counters {
    /// Counts a request that was stored, wholly or in part.
    pub(crate) fn accepted(
        &self,
        signal: Signal,
        bytes: usize,
        received_rows: u64,
        rejections: &Rejections,
    ) {
        let counters = &self.signals[signal_index(signal)];
        let rejected = rejections.count();
        add(&counters.requests, 1);
        add(&counters.bytes, bytes as u64);
        add(&counters.received_rows, received_rows);
        add(&counters.stored_rows, received_rows.saturating_sub(rejected));
        add(&counters.rejected_rows, rejected);
        for (reason, count) in rejections.by_reason() {
            add(&self.rejected[reason.index()], count);
        }
    }

    /// Counts a request that was refused as a whole.
    pub(crate) fn refused(&self, signal: Signal, bytes: usize, kind: ErrorKind) {
        let counters = &self.signals[signal_index(signal)];
        add(&counters.requests, 1);
        add(&counters.bytes, bytes as u64);
        add(&self.refused[kind.index()], 1);
    }

    /// The counters now.
    pub(crate) fn stats(&self, inflight_bytes: usize) -> IngestStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let signals = Signal::ALL.map(|signal| {
            let counters = &self.signals[signal_index(signal)];
            let stats = SignalStats {
                requests: read(&counters.requests),
                bytes: read(&counters.bytes),
                received_rows: read(&counters.received_rows),
                stored_rows: read(&counters.stored_rows),
                rejected_rows: read(&counters.rejected_rows),
            };
            (signal, stats)
        });
        let refused =
            ErrorKind::ALL.iter().map(|kind| (kind.name(), read(&self.refused[kind.index()])));
        let rejected =
            Reason::ALL.iter().map(|reason| (reason.name(), read(&self.rejected[reason.index()])));
        IngestStats {
            signals: signals.to_vec(),
            refused: refused.collect(),
            rejected: rejected.collect(),
            inflight_bytes: inflight_bytes as u64,
        }
    }
}

fn signal_index(signal: Signal) -> usize {
    signal as usize
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
