//! Limits of tenants on what they ask.
//!
//! The words of refusals are those of Loki, Mimir and Tempo.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plan::Node;
use plan::node::Query;
use schemas::model::TimeRange;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, ErrorKind};

/// Tenants whose running queries are counted; beyond, those without any are forgotten.
const GATES_MAX: usize = 10_000;

/// What one tenant may ask; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantLimits {
    /// Longest time from the first to the last step of a range query, or from the oldest to the
    /// newest record of a log query. Default 0.
    pub query_range_max: Duration,
    /// Queries that run at once. Default 0.
    pub queries_max: usize,
}

/// The limits of all tenants, and the queries that each runs.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    defaults: TenantLimits,
    overrides: HashMap<String, TenantLimits>,
    gates: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Held while a query of a tenant with a limit runs.
pub(crate) type Permit = Option<OwnedSemaphorePermit>;

impl Tenants {
    pub(crate) fn new(defaults: TenantLimits, overrides: HashMap<String, TenantLimits>) -> Self {
        Self { defaults, overrides, gates: Mutex::default() }
    }

    fn limits(&self, tenant: &str) -> TenantLimits {
        self.overrides.get(tenant).copied().unwrap_or(self.defaults)
    }

    /// Room for one more query of a tenant, or a refusal that asks to try again.
    pub(crate) fn enter(&self, tenant: &str) -> Result<Permit, Error> {
        let max = self.limits(tenant).queries_max;
        if max == 0 {
            return Ok(None);
        }
        let mut gates = self.gates.lock();
        if gates.len() >= GATES_MAX {
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
        let gate = gates.entry(tenant.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(max)));
        match Arc::clone(gate).try_acquire_owned() {
            Ok(permit) => Ok(Some(permit)),
            Err(_) => Err(Error::new(
                ErrorKind::TooMany,
                format!("too many outstanding requests (limit: {max} queries at once)"),
            )),
        }
    }

    /// Refuses a query over more time than the tenant may ask for.
    pub(crate) fn check(&self, tenant: &str, query: &Query) -> Result<(), Error> {
        let max = self.limits(tenant).query_range_max;
        if max.is_zero() {
            return Ok(());
        }
        let asked = Duration::from_nanos(u64::try_from(length_ns(query)).unwrap_or_default());
        if asked <= max {
            return Ok(());
        }
        Err(Error::limit(format!(
            "the query time range exceeds the limit (query length: {}, limit: {})",
            in_words(asked),
            in_words(max)
        )))
    }
}

/// From the first to the last step; of records the range that is read; 0 if that has no end.
fn length_ns(query: &Query) -> i64 {
    if let Some(grid) = query.grid {
        return grid.step_ns.saturating_mul(i64::from(grid.steps.saturating_sub(1)));
    }
    let mut nodes = vec![&query.root];
    let mut longest = 0;
    while let Some(node) = nodes.pop() {
        if let Node::Scan(scan) = node {
            let TimeRange { start_ns, end_ns } = scan.selector.range;
            let is_bounded = start_ns > i64::MIN && end_ns < i64::MAX;
            longest = longest.max(if is_bounded { end_ns.saturating_sub(start_ns) } else { 0 });
        }
        nodes.extend(node.inputs());
    }
    longest
}

/// `1d2h3m4s`, as Prometheus writes durations, parts of seconds left out.
fn in_words(duration: Duration) -> String {
    let mut seconds = duration.as_secs();
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
mod tests {
    use schemas::model::StepGrid;

    use super::*;

    #[test]
    fn a_tenant_runs_so_many_queries_at_once() {
        let limits = TenantLimits { queries_max: 2, ..TenantLimits::default() };
        let tenants = Tenants::new(TenantLimits::default(), [("a".to_owned(), limits)].into());
        let first = tenants.enter("a").unwrap();
        let _second = tenants.enter("a").unwrap();
        assert_eq!(tenants.enter("a").unwrap_err().kind(), ErrorKind::TooMany);
        assert!(tenants.enter("b").unwrap().is_none());
        drop(first);
        assert!(tenants.enter("a").is_ok());
    }

    #[test]
    fn long_ranges_are_refused_in_lokis_words() {
        let limits =
            TenantLimits { query_range_max: Duration::from_secs(3_600), ..TenantLimits::default() };
        let tenants = Tenants::new(limits, HashMap::new());
        let query = |seconds: i64| Query {
            root: Node::Time,
            grid: Some(StepGrid::new(0, seconds * 1_000_000_000, 1_000_000_000)),
        };
        assert!(tenants.check("a", &query(3_600)).is_ok());
        assert_eq!(
            tenants.check("a", &query(90_000)).unwrap_err().to_string(),
            "the query time range exceeds the limit (query length: 1d1h, limit: 1h)"
        );
    }
}
