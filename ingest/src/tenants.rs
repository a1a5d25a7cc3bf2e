//! Limits of tenants: how much one may send, so that it costs the others nothing.
//!
//! ```text
//!  bytes, records ─▶ bucket of the tenant and signal ─▶ enough?  admitted
//!                    fills at its rate up to a burst         no: 429, try again later
//!  a new series or stream ─▶ fewer than the limit today?  ─▶ no: rejected, the rest is stored
//! ```
//!
//! The words of refusals are those that Loki, Mimir and Tempo use, since people have alerts and
//! dashboards on them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use schemas::model::Signal;

use crate::error::{Error, ErrorKind};
use crate::limits::Limits;

/// Tenants whose buckets are kept; beyond, those that are full again are forgotten first.
const BUCKETS_MAX: usize = 20_000;

/// What one tenant may send; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantLimits {
    /// Log records, data points and spans a second, of each signal. Default 0.
    pub records_per_second: u64,
    /// Bytes of bodies a second after decompression, of each signal. Default 0.
    pub bytes_per_second: u64,
    /// How much may come at once: as much as the rates let in over this time. Default 10 s.
    pub burst: Duration,
    /// Series seen on a day (UTC). Default 0.
    pub series_max: usize,
    /// Log streams seen on a day (UTC). Default 0.
    pub streams_max: usize,
    /// Bytes of a log record's body; 0: those of [`Limits`]. Default 0.
    pub line_bytes_max: usize,
    /// Labels of a series or stream; 0: as many as [`Limits`] says. Default 0.
    pub labels_max: usize,
    /// Bytes of a label's name; 0: those of [`Limits`]. Default 0.
    pub label_name_bytes_max: usize,
    /// Bytes of a label's value; 0: those of [`Limits`]. Default 0.
    pub label_value_bytes_max: usize,
}

impl TenantLimits {
    /// The limits of all with what the tenant has of its own.
    pub(crate) fn over(&self, limits: &Limits) -> Limits {
        let own = |own: usize, all: usize| if own == 0 { all } else { own };
        Limits {
            log_body_bytes_max: own(self.line_bytes_max, limits.log_body_bytes_max),
            labels_max: own(self.labels_max, limits.labels_max),
            label_name_bytes_max: own(self.label_name_bytes_max, limits.label_name_bytes_max),
            label_value_bytes_max: own(self.label_value_bytes_max, limits.label_value_bytes_max),
            ..limits.clone()
        }
    }
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            records_per_second: 0,
            bytes_per_second: 0,
            burst: Duration::from_secs(10),
            series_max: 0,
            streams_max: 0,
            line_bytes_max: 0,
            labels_max: 0,
            label_name_bytes_max: 0,
            label_value_bytes_max: 0,
        }
    }
}

/// The limits of all tenants, and how much of them is used.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    limits: RwLock<(TenantLimits, HashMap<String, TenantLimits>)>,
    buckets: Mutex<HashMap<(Arc<str>, Signal), Buckets>>,
}

/// What a tenant may still send of a signal.
#[derive(Clone, Copy, Debug)]
struct Buckets {
    records: f64,
    bytes: f64,
    filled: Instant,
}

/// What a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Tenants {
    /// Limits of tenants that have none of their own, and those that have.
    pub(crate) fn new(defaults: TenantLimits, overrides: HashMap<String, TenantLimits>) -> Self {
        Self { limits: RwLock::new((defaults, overrides)), buckets: Mutex::default() }
    }

    /// From now on these limits hold.
    pub(crate) fn set(&self, defaults: TenantLimits, overrides: HashMap<String, TenantLimits>) {
        *self.limits.write() = (defaults, overrides);
    }

    /// The limits of a tenant.
    pub(crate) fn limits(&self, tenant: &str) -> TenantLimits {
        let limits = self.limits.read();
        limits.1.get(tenant).copied().unwrap_or(limits.0)
    }

    /// Takes a request's load from what the tenant may send, or refuses it and takes nothing.
    pub(crate) fn admit(
        &self,
        tenant: &Arc<str>,
        signal: Signal,
        load: Load,
        now: Instant,
    ) -> Result<(), Error> {
        let limits = self.limits(tenant);
        if limits.records_per_second == 0 && limits.bytes_per_second == 0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock();
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, held| now.duration_since(held.filled) < limits.burst);
        }
        let key = (Arc::clone(tenant), signal);
        let full = Buckets::full(&limits, now);
        let held = buckets.entry(key).or_insert(full);
        held.fill(&limits, now);
        if limits.bytes_per_second > 0 && held.bytes < load.bytes as f64 {
            return Err(refused(tenant, signal, limits, load, true));
        }
        if limits.records_per_second > 0 && held.records < load.records as f64 {
            return Err(refused(tenant, signal, limits, load, false));
        }
        held.bytes -= load.bytes as f64;
        held.records -= load.records as f64;
        Ok(())
    }
}

impl Buckets {
    fn full(limits: &TenantLimits, now: Instant) -> Self {
        let seconds = limits.burst.as_secs_f64().max(1.0);
        Self {
            records: limits.records_per_second as f64 * seconds,
            bytes: limits.bytes_per_second as f64 * seconds,
            filled: now,
        }
    }

    fn fill(&mut self, limits: &TenantLimits, now: Instant) {
        let full = Self::full(limits, now);
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        let grown = |held: f64, rate: u64, full: f64| (held + rate as f64 * seconds).min(full);
        self.records = grown(self.records, limits.records_per_second, full.records);
        self.bytes = grown(self.bytes, limits.bytes_per_second, full.bytes);
        self.filled = now;
    }
}

fn refused(
    tenant: &str,
    signal: Signal,
    limits: TenantLimits,
    load: Load,
    of_bytes: bool,
) -> Error {
    let Load { records, bytes } = load;
    let (rate, unit) = if of_bytes {
        (limits.bytes_per_second, "bytes/sec")
    } else {
        (limits.records_per_second, "records/sec")
    };
    let message = match signal {
        Signal::Logs => format!(
            "Ingestion rate limit exceeded for user {tenant} (limit: {rate} {unit}) while \
             attempting to ingest '{records}' lines totaling '{bytes}' bytes, reduce log volume or \
             contact your Loki administrator to see if the limit can be increased"
        ),
        Signal::Metrics => format!(
            "the request has been rejected because the tenant exceeded the ingestion rate limit, \
             set to {rate} {unit} with a burst of {} seconds; it has {records} samples in {bytes} \
             bytes (user: {tenant})",
            limits.burst.as_secs()
        ),
        Signal::Traces => format!(
            "RATE_LIMITED: ingestion rate limit (local: {rate} {unit}) exceeded while adding \
             {bytes} bytes, {records} spans, for user {tenant}"
        ),
    };
    Error::new(ErrorKind::Limit, message)
}

#[cfg(test)]
mod tests;
