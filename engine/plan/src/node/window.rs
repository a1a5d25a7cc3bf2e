//! `Window`: functions over a sliding time range.

use schemas::model::{Grouping, StepGrid, TimestampNs};

use super::Node;
use crate::{Expr, Position};

/// At each step a function of what lies in the left-open range `(t' - range, t']`, with
/// `t' = at_ns.unwrap_or(t) - offset_ns`; no value where the function has none.
#[derive(Clone, Debug)]
pub struct Window {
    /// A scan of metrics; log rows; or series on a finer grid (a subquery, given by
    /// `input_grid`).
    pub input: Box<Node>,
    /// The grid of the input if it is series: its steps are the samples of the window.
    pub input_grid: Option<StepGrid>,
    /// The steps.
    pub grid: StepGrid,
    /// Width of the window in nanoseconds; positive.
    pub range_ns: i64,
    /// Evaluation is moved back by this; negative moves it forward.
    pub offset_ns: i64,
    /// Fixed evaluation time (PromQL's `@`), the same for every step.
    pub at_ns: Option<TimestampNs>,
    /// Whether samples beyond the range count, too; other than plain over scans of metrics only.
    pub edges: Edges,
    /// Over scans of metrics: whether counters are known to begin at their start times, for
    /// `Rate`, `Increase`, `Irate` and `Resets` with plain edges.
    pub start_times: bool,
    /// What is computed.
    pub function: WindowFunction,
    /// Scalars that stand for the parameters of the function, in their order, where these change
    /// from step to step; empty if the function's own count, otherwise one for each of them.
    pub parameters: Vec<Node>,
    /// Keep the metric name (`last_over_time`, `first_over_time`).
    pub keep_name: bool,
    /// Log rows only: the label whose value is the sample; without it a row counts as a line.
    pub unwrap: Option<Unwrap>,
    /// Log rows only: the labels that tell series apart; `None` takes all labels of the pipeline.
    pub grouping: Option<Grouping>,
    /// Where the first argument stands; without it no remarks are made.
    pub position: Option<Position>,
}

/// What a window takes for the values at its edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edges {
    /// Nothing: only samples within the range count, and counters are extrapolated.
    #[default]
    Plain,
    /// The newest sample not after the left edge; nothing is extrapolated (`Rate`, `Increase`,
    /// `Delta`, `Changes`, `Resets`).
    Anchored {
        /// How far before the range that sample may lie, in nanoseconds; positive.
        lookback_ns: i64,
    },
    /// What lies on a straight line between the samples around each edge (`Rate`, `Increase`,
    /// `Delta`).
    Smoothed {
        /// How far outside the range those samples may lie, in nanoseconds; positive.
        lookback_ns: i64,
    },
}

/// LogQL's `| unwrap`.
#[derive(Clone, Debug)]
pub struct Unwrap {
    /// The label that holds the number; it is not part of the series' labels.
    pub label: String,
    /// How its text is read.
    pub read_as: UnwrapAs,
    /// Asked of the row once its text was read, so it sees the `__error__` of a failed reading;
    /// rows for which it does not hold are no samples.
    pub filter: Option<Expr>,
}

/// How an unwrapped text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnwrapAs {
    /// A decimal number.
    Number,
    /// A Go duration, in seconds.
    Seconds,
    /// A size, in bytes.
    Bytes,
}

/// What is computed over a window. Semantics are Prometheus' unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowFunction {
    /// Extrapolated increase of a counter per second.
    Rate,
    /// As `Rate`, but 0 where the window holds a single sample (LogQL's `rate_counter`).
    RateCounter,
    /// Extrapolated increase of a counter.
    Increase,
    /// Extrapolated difference of a gauge.
    Delta,
    /// Per-second increase between the last two samples of a counter.
    Irate,
    /// Difference of the last two samples.
    Idelta,
    /// Sum of the samples.
    Sum,
    /// Mean of the samples.
    Avg,
    /// Least sample; NaN only if all are.
    Min,
    /// Greatest sample; NaN only if all are.
    Max,
    /// Number of samples, or of log rows.
    Count,
    /// Newest sample.
    Last,
    /// Oldest sample.
    First,
    /// 1 where there is a sample.
    Present,
    /// 1 where no series has a sample; labels are given.
    Absent(Vec<(String, String)>),
    /// The φ-quantile, linearly interpolated.
    Quantile(f64),
    /// Population standard deviation.
    Stddev,
    /// Population variance.
    Stdvar,
    /// Median absolute deviation.
    Mad,
    /// Number of value changes.
    Changes,
    /// Number of counter resets.
    Resets,
    /// Slope of the least-squares line per second.
    Deriv,
    /// Value of the least-squares line so many seconds after the evaluation time.
    PredictLinear(f64),
    /// Holt-Winters double exponential smoothing.
    DoubleExponentialSmoothing {
        /// Weight of new values, between 0 and 1.
        smoothing: f64,
        /// Weight of new trends, between 0 and 1.
        trend: f64,
    },
    /// Time of the oldest sample in seconds.
    TimeOfFirst,
    /// Time of the newest sample in seconds.
    TimeOfLast,
    /// Time of the least sample in seconds.
    TimeOfMin,
    /// Time of the greatest sample in seconds.
    TimeOfMax,
    /// Log rows (or unwrapped values, summed) per second of the window; no extrapolation.
    PerSecond,
    /// Bytes of the lines.
    Bytes,
    /// Bytes of the lines per second of the window.
    BytesPerSecond,
}

impl WindowFunction {
    /// The same function with other parameters, as many as it has.
    ///
    /// # Errors
    /// Those of [`Self::smoothing`].
    pub fn with_parameters(&self, parameters: &[f64]) -> Result<Self, String> {
        match (self, parameters) {
            (Self::Quantile(_), [quantile]) => Ok(Self::Quantile(*quantile)),
            (Self::PredictLinear(_), [seconds]) => Ok(Self::PredictLinear(*seconds)),
            (Self::DoubleExponentialSmoothing { .. }, [smoothing, trend]) => {
                Self::smoothing(*smoothing, *trend)
            }
            _ => Ok(self.clone()),
        }
    }

    /// Double exponential smoothing.
    ///
    /// # Errors
    /// Prometheus' words about a factor that is not between 0 and 1.
    pub fn smoothing(smoothing: f64, trend: f64) -> Result<Self, String> {
        let is_inside = |factor: f64| factor > 0.0 && factor < 1.0;
        if !is_inside(smoothing) {
            return Err(format!(
                "invalid smoothing factor. Expected: 0 < sf < 1, got: {smoothing:.6}"
            ));
        }
        if !is_inside(trend) {
            return Err(format!("invalid trend factor. Expected: 0 < tf < 1, got: {trend:.6}"));
        }
        Ok(Self::DoubleExponentialSmoothing { smoothing, trend })
    }
}
