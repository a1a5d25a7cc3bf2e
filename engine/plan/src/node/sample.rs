//! `Sample`: the instant value of a series at each step.

use schemas::model::{StepGrid, TimestampNs};

use super::Node;
use crate::Position;

/// At each step the newest sample not older than the lookback; none after a stale marker.
///
/// The sample at step `t` is looked for in the left-open range `(t' - lookback, t']` with
/// `t' = at_ns.unwrap_or(t) - offset_ns`. Labels are kept, the metric name included.
#[derive(Clone, Debug)]
pub struct Sample {
    /// A [`super::Scan`] of metrics.
    pub input: Box<Node>,
    /// The steps.
    pub grid: StepGrid,
    /// How far back a sample still counts, in nanoseconds; positive.
    pub lookback_ns: i64,
    /// Evaluation is moved back by this; negative moves it forward.
    pub offset_ns: i64,
    /// Fixed evaluation time (PromQL's `@`), the same for every step.
    pub at_ns: Option<TimestampNs>,
    /// Between two samples the value lies on a straight line; the later one may be as far ahead
    /// as the lookback.
    pub smoothed: bool,
    /// Where the selector stands in the query, for remarks; `None`: nothing is remarked.
    pub position: Option<Position>,
}
