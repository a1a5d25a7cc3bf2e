//! Options of retention, each with its default.

use std::collections::HashMap;
use std::time::Duration;

use schemas::model::{Matcher, Signal};

/// What is kept for how long. By default everything is kept forever.
#[derive(Clone, Debug)]
pub struct RetentionOptions {
    /// Time between two looks for what goes. Default 1 hour.
    pub interval: Duration,
    /// For tenants that have no periods of their own.
    pub periods: SignalPeriods,
    /// The periods of tenants, by name; what a tenant leaves out is as for all.
    pub tenants: HashMap<String, SignalPeriods>,
    /// Exceptions for series and log streams.
    pub classes: Vec<RetentionClass>,
}

/// How long each signal is kept; `None` means as for all tenants, and there forever. So does a
/// period of zero, but for all tenants and for one alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalPeriods {
    /// Samples, histograms, exemplars and series.
    pub metrics: Option<Duration>,
    /// Log records and streams.
    pub logs: Option<Duration>,
    /// Spans.
    pub traces: Option<Duration>,
}

impl SignalPeriods {
    /// The period of a signal.
    pub fn of(&self, signal: Signal) -> Option<Duration> {
        match signal {
            Signal::Metrics => self.metrics,
            Signal::Logs => self.logs,
            Signal::Traces => self.traces,
        }
    }
}

/// Series or streams that are kept for a time of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct RetentionClass {
    /// The tenant it holds for; `None`: all.
    pub tenant: Option<String>,
    /// Metrics or logs.
    pub signal: Signal,
    /// What their labels must be like.
    pub matchers: Vec<Matcher>,
    /// Of several classes that match the one with the highest number holds.
    pub priority: i64,
    /// How long they are kept; zero: forever.
    pub period: Duration,
}

impl Default for RetentionOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(3600),
            periods: SignalPeriods::default(),
            tenants: HashMap::new(),
            classes: Vec::new(),
        }
    }
}
