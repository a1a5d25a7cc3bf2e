//! Limits of tenants on what they ask, by whichever door.
//!
//! ```text
//!  run, sql, raw, exemplars ─▶ range ─▶ gate of the tenant ─▶ places of all ─▶ deadline, bytes
//!                              no: refused    full: wait, then 429
//! ```
//!
//! The words of refusals are those of Loki, Mimir and Tempo.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use plan::node::Query;
use plan::{Node, Shape};
use schemas::model::{NANOS_PER_SECOND, TimeRange};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::{Error, ErrorKind, Limits};

/// Tenants whose running queries are counted; beyond, those without any are forgotten.
const GATES_MAX: usize = 10_000;

/// What one tenant may ask; 0 is no limit but those of all queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantLimits {
    /// Longest time from the first to the last step of a range query, or from the oldest to the
    /// newest record of a log query or a search. SQL has none. Default 0.
    pub range_max: Duration,
    /// Queries that run at once. Default 0.
    pub queries_max: usize,
    /// Queries that wait while as many run as may; those beyond are refused. Default 20.
    pub queue_max: usize,
    /// Time that one query may take, at most [`Limits::timeout`]. Default 0.
    pub timeout: Duration,
    /// Bytes of segments that one query may read, as they are stored. Default 0.
    pub bytes_max: u64,
    /// Samples that one query may read, at most [`Limits::samples_max`]. Default 0.
    pub samples_max: usize,
    /// Series that one selector may select, at most [`Limits::series_max`]. Default 0.
    pub series_max: usize,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            range_max: Duration::ZERO,
            queries_max: 0,
            queue_max: 20,
            timeout: Duration::ZERO,
            bytes_max: 0,
            samples_max: 0,
            series_max: 0,
        }
    }
}

/// The limits of all tenants.
#[derive(Clone, Debug, Default)]
pub struct LimitsOfTenants {
    /// Of tenants that have none of their own.
    pub defaults: TenantLimits,
    /// Of those that have, by name.
    pub overrides: HashMap<String, TenantLimits>,
}

impl LimitsOfTenants {
    fn of(&self, tenant: &str) -> TenantLimits {
        self.overrides.get(tenant).copied().unwrap_or(self.defaults)
    }
}

/// The limits of all tenants, and the queries that each runs.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    limits: RwLock<LimitsOfTenants>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
}

/// The places of one tenant.
#[derive(Debug)]
struct Gate {
    queries_max: usize,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// One who waits at a gate.
struct Waiting<'g>(&'g Gate);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Held while a query of a tenant with a limit runs.
pub(crate) type Permit = Option<OwnedSemaphorePermit>;

impl Tenants {
    /// From now on these limits hold; queries that run keep theirs.
    pub(crate) fn set(&self, limits: LimitsOfTenants) {
        *self.limits.write() = limits;
    }

    pub(crate) fn of(&self, tenant: &str) -> TenantLimits {
        self.limits.read().of(tenant)
    }

    /// What one query of a tenant may use, given what any may.
    pub(crate) fn within(&self, tenant: &str, limits: &Limits) -> Limits {
        let of = self.of(tenant);
        let least = |own: usize, all: usize| if own == 0 { all } else { own.min(all) };
        Limits {
            samples_max: least(of.samples_max, limits.samples_max),
            series_max: least(of.series_max, limits.series_max),
            timeout: self.timeout(tenant, limits),
            ..limits.clone()
        }
    }

    /// The time that one query of a tenant may take.
    pub(crate) fn timeout(&self, tenant: &str, limits: &Limits) -> Duration {
        match self.of(tenant).timeout {
            Duration::ZERO => limits.timeout,
            timeout => timeout.min(limits.timeout),
        }
    }

    /// Room for one more query of a tenant, for which it waits until `until`.
    ///
    /// `TooMany` if as many wait as may, or the time is over.
    pub(crate) async fn enter(&self, tenant: &str, until: Instant) -> Result<Permit, Error> {
        let TenantLimits { queries_max, queue_max, .. } = self.of(tenant);
        if queries_max == 0 {
            return Ok(None);
        }
        let gate = self.gate(tenant, queries_max);
        if let Ok(permit) = Arc::clone(&gate.places).try_acquire_owned() {
            return Ok(Some(permit));
        }
        let refused = || {
            let message =
                format!("too many outstanding requests (limit: {queries_max} queries at once)");
            Error::new(ErrorKind::TooMany, message)
        };
        let waiting = gate.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&gate);
        if waiting >= queue_max {
            return Err(refused());
        }
        let place = Arc::clone(&gate.places).acquire_owned();
        match tokio::time::timeout_at(until, place).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(_)) | Err(_) => Err(refused()),
        }
    }

    fn gate(&self, tenant: &str, queries_max: usize) -> Arc<Gate> {
        let mut gates = self.gates.lock();
        if gates.len() >= GATES_MAX {
            let is_used = |gate: &Arc<Gate>| {
                Arc::strong_count(gate) > 1 || gate.places.available_permits() < gate.queries_max
            };
            gates.retain(|_, gate| is_used(gate));
        }
        if let Some(gate) = gates.get(tenant).filter(|gate| gate.queries_max == queries_max) {
            return Arc::clone(gate);
        }
        let places = Arc::new(Semaphore::new(queries_max.min(Semaphore::MAX_PERMITS)));
        let gate = Arc::new(Gate { queries_max, places, waiting: AtomicUsize::new(0) });
        gates.insert(tenant.to_owned(), Arc::clone(&gate));
        gate
    }

    /// Refuses a query over more time than the tenant may ask for.
    pub(crate) fn check(&self, tenant: &str, query: &Query) -> Result<(), Error> {
        let is_search = query.root.shape() == Shape::Spansets;
        self.check_range(tenant, &range_of(query), is_search)
    }

    /// The same of a range; one that has no end passes.
    pub(crate) fn check_range(
        &self,
        tenant: &str,
        range: &TimeRange,
        is_search: bool,
    ) -> Result<(), Error> {
        let max = self.of(tenant).range_max;
        if max.is_zero() || range.start_ns == i64::MIN || range.end_ns == i64::MAX {
            return Ok(());
        }
        let length_ns = range.end_ns.saturating_sub(range.start_ns);
        let asked = Duration::from_nanos(u64::try_from(length_ns).unwrap_or_default());
        if asked <= max {
            return Ok(());
        }
        let message = match is_search {
            true => format!(
                "range specified by start and end exceeds {}. received start={} end={}",
                in_words(max, true),
                range.start_ns.div_euclid(NANOS_PER_SECOND),
                range.end_ns.div_euclid(NANOS_PER_SECOND)
            ),
            false => format!(
                "the query time range exceeds the limit (query length: {}, limit: {})",
                in_words(asked, false),
                in_words(max, false)
            ),
        };
        Err(Error::new(ErrorKind::Limit, message))
    }
}

/// From the first to the last step; of records the range that is read; empty if that has no end.
fn range_of(query: &Query) -> TimeRange {
    if let Some(grid) = query.grid {
        let last = i64::from(grid.steps.saturating_sub(1));
        let end_ns = grid.start_ns.saturating_add(grid.step_ns.saturating_mul(last));
        return TimeRange { start_ns: grid.start_ns, end_ns };
    }
    let length = |range: &TimeRange| range.end_ns.saturating_sub(range.start_ns);
    let mut nodes = vec![&query.root];
    let mut longest = TimeRange { start_ns: 0, end_ns: 0 };
    while let Some(node) = nodes.pop() {
        if let Node::Scan(scan) = node {
            let range = scan.selector.range;
            let is_bounded = range.start_ns > i64::MIN && range.end_ns < i64::MAX;
            if is_bounded && length(&range) > length(&longest) {
                longest = range;
            }
        }
        nodes.extend(node.inputs());
    }
    longest
}

/// `1d2h3m4s` as Prometheus writes durations, or `26h3m4s` as Go does; parts of seconds left out.
fn in_words(duration: Duration, go: bool) -> String {
    let mut seconds = duration.as_secs();
    if go {
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        return match seconds {
            0..60 => format!("{seconds}s"),
            60..3_600 => format!("{minutes}m{}s", seconds % 60),
            _ => format!("{hours}h{minutes}m{}s", seconds % 60),
        };
    }
    let mut text = String::new();
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if seconds >= length {
            text.push_str(&format!("{}{unit}", seconds / length));
            seconds %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests;
