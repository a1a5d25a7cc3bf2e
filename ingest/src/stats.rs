//! Counters of what was received, stored, rejected, recognised and refused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ahash::AHashMap;
use schemas::model::Signal;

use crate::admit::{Reason, Rejections};
use crate::error::ErrorKind;

/// Tenants that are counted by name; the rest are counted together, without one. As many as a
/// lake may have.
const TENANTS_MAX: usize = 10_000;

/// Counters of one tenant and signal since the start. Rows are records as the sender counts them:
/// log records, data points, spans. `received_rows = stored_rows + rejected_rows +
/// deduplicated_rows` holds for requests that were answered; of those that were refused as a whole
/// no rows are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalStats {
    /// Requests answered, refused ones included.
    pub requests: u64,
    /// Requests that were stored before and were not stored again.
    pub deduplicated_requests: u64,
    /// Bytes of bodies as received, refused requests included.
    pub bytes: u64,
    /// Records of accepted requests.
    pub received_rows: u64,
    /// Records stored.
    pub stored_rows: u64,
    /// Records rejected.
    pub rejected_rows: u64,
    /// Records that were stored before and were not stored again.
    pub deduplicated_rows: u64,
}

/// Counters of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantStats {
    /// Its name; empty for requests that were refused before it was known.
    pub tenant: Arc<str>,
    /// In the order of `Signal::ALL`.
    pub signals: Vec<(Signal, SignalStats)>,
}

/// Counters since the start, and gauges of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestStats {
    /// Of tenants that have sent anything, sorted by name.
    pub tenants: Vec<TenantStats>,
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
    tenants: RwLock<AHashMap<Arc<str>, Arc<[SignalCounters; 3]>>>,
    refused: [AtomicU64; ErrorKind::ALL.len()],
    rejected: [AtomicU64; Reason::ALL.len()],
}

#[derive(Debug, Default)]
struct SignalCounters {
    requests: AtomicU64,
    deduplicated_requests: AtomicU64,
    bytes: AtomicU64,
    received_rows: AtomicU64,
    stored_rows: AtomicU64,
    rejected_rows: AtomicU64,
    deduplicated_rows: AtomicU64,
}

/// What is counted of a request that was not refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'r> {
    /// Bytes of the body as received.
    pub(crate) bytes: usize,
    /// Records of the request.
    pub(crate) received_rows: u64,
    /// Those that were rejected.
    pub(crate) rejections: &'r Rejections,
    /// Whether the others had been stored before.
    pub(crate) is_duplicate: bool,
}

impl Counters {
    /// Counts a request that was stored, wholly or in part, now or before.
    pub(crate) fn accepted(&self, tenant: &str, signal: Signal, request: Counted<'_>) {
        let tenant = self.tenant(tenant);
        let counters = &tenant[signal_index(signal)];
        let rejected = request.rejections.count();
        let rest = request.received_rows.saturating_sub(rejected);
        add(&counters.requests, 1);
        add(&counters.bytes, request.bytes as u64);
        add(&counters.received_rows, request.received_rows);
        add(&counters.rejected_rows, rejected);
        if request.is_duplicate {
            add(&counters.deduplicated_requests, 1);
            add(&counters.deduplicated_rows, rest);
        } else {
            add(&counters.stored_rows, rest);
        }
        for (reason, count) in request.rejections.by_reason() {
            add(&self.rejected[reason.index()], count);
        }
    }

    /// Counts a request that was refused as a whole; `tenant` is empty if it is not known.
    pub(crate) fn refused(&self, tenant: &str, signal: Signal, bytes: usize, kind: ErrorKind) {
        let tenant = self.tenant(tenant);
        let counters = &tenant[signal_index(signal)];
        add(&counters.requests, 1);
        add(&counters.bytes, bytes as u64);
        add(&self.refused[kind.index()], 1);
    }

    /// Shows a tenant that has sent nothing yet.
    pub(crate) fn know(&self, tenant: &str) {
        self.tenant(tenant);
    }

    fn tenant(&self, name: &str) -> Arc<[SignalCounters; 3]> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tenants.get(name) {
            return Arc::clone(known);
        }
        let is_full = tenants.len() >= TENANTS_MAX;
        drop(tenants);
        let name = if is_full { "" } else { name };
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tenants.entry(Arc::from(name)).or_default())
    }

    /// The counters now.
    pub(crate) fn stats(&self, inflight_bytes: usize) -> IngestStats {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut tenants: Vec<TenantStats> = tenants
            .into_iter()
            .map(|(tenant, counters)| TenantStats {
                tenant,
                signals: Signal::ALL
                    .map(|signal| (signal, counters[signal_index(signal)].stats()))
                    .to_vec(),
            })
            .collect();
        tenants.sort_unstable_by(|a, b| a.tenant.cmp(&b.tenant));
        let refused =
            ErrorKind::ALL.iter().map(|kind| (kind.name(), load(&self.refused[kind.index()])));
        let rejected =
            Reason::ALL.iter().map(|reason| (reason.name(), load(&self.rejected[reason.index()])));
        IngestStats {
            tenants,
            refused: refused.collect(),
            rejected: rejected.collect(),
            inflight_bytes: inflight_bytes as u64,
        }
    }
}

impl SignalCounters {
    fn stats(&self) -> SignalStats {
        SignalStats {
            requests: load(&self.requests),
            deduplicated_requests: load(&self.deduplicated_requests),
            bytes: load(&self.bytes),
            received_rows: load(&self.received_rows),
            stored_rows: load(&self.stored_rows),
            rejected_rows: load(&self.rejected_rows),
            deduplicated_rows: load(&self.deduplicated_rows),
        }
    }
}

fn signal_index(signal: Signal) -> usize {
    signal as usize
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
