//! `Call`: functions of series.

use schemas::model::Matcher;

use super::{Node, Shape};
use crate::Position;

/// A function applied at each step.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is computed.
    pub function: Function,
    /// Series and scalars, in the order of the function's signature.
    pub arguments: Vec<Node>,
    /// Where each of the arguments stands, where remarks may be made about them; empty: none are.
    pub positions: Vec<Position>,
}

impl Call {
    /// A call about which no remarks are made.
    pub fn new(function: Function, arguments: Vec<Node>) -> Self {
        Self { function, arguments, positions: Vec::new() }
    }
}

/// What is computed. Arguments in brackets are nodes; texts are part of the function.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// `[vector]` → vector, value by value; the metric name is dropped.
    Map(MapFunction),
    /// `[vector, scalar]`: rounds to the nearest multiple, halves up.
    Round,
    /// `[vector, scalar min, scalar max]`.
    Clamp,
    /// `[vector, scalar min]`.
    ClampMin,
    /// `[vector, scalar max]`.
    ClampMax,
    /// `[vector]`: 1 where no series has a value; these labels.
    Absent(Vec<(String, String)>),
    /// `[vector]` → scalar: the value if there is exactly one series, else NaN.
    Scalar,
    /// `[scalar]` → vector without labels.
    Vector,
    /// `[vector]`: the time of each value in seconds, the step's own unless it is a selector.
    Timestamp,
    /// `[vector]`: one label rewritten from another by a pattern.
    LabelReplace {
        /// Label that is set.
        target: String,
        /// Replacement with `$1` and `${name}`.
        replacement: String,
        /// Label that is read.
        source: String,
        /// Pattern as written, anchored when compiled.
        pattern: String,
    },
    /// `[vector]`: one label set to the joined values of others.
    LabelJoin {
        /// Label that is set.
        target: String,
        /// Between the values.
        separator: String,
        /// Labels that are read.
        sources: Vec<String>,
    },
    /// `[scalar φ, vector of buckets]`: quantile of classic histograms by their `le` label.
    HistogramQuantile,
    /// `[scalar lower, scalar upper, vector of buckets]`: share of the observations of classic
    /// histograms that lie between the bounds.
    HistogramFraction,
    /// `[vector]`: a number of each native histogram; numbers are left out.
    Histogram(HistogramNumber),
    /// `[scalars φ…, vector]`: several quantiles at once, each under a label of this name with φ
    /// as its value.
    HistogramQuantiles(String),
    /// `[vector, selector of info metrics]`: labels of the info series of the same instance and
    /// job are added, those that the series has are kept.
    Info {
        /// Matchers of the info metrics' names; series whose own name they match stay unchanged.
        names: Vec<Matcher>,
        /// Matchers of the labels that are added; without any all are. A series without info
        /// series stays only if all of them match the empty text.
        labels: Vec<Matcher>,
    },
    /// `[vector]`: the sign of every value turned; the metric name is dropped.
    Negate,
}

/// Numbers that describe a native histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistogramNumber {
    /// Number of observations.
    Count,
    /// Sum of the observations.
    Sum,
    /// Mean of the observations.
    Avg,
    /// Estimated population standard deviation.
    Stddev,
    /// Estimated population variance.
    Stdvar,
}

/// Functions of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapFunction {
    /// Magnitude.
    Abs,
    /// Least integer not less.
    Ceil,
    /// Greatest integer not greater.
    Floor,
    /// e to the power.
    Exp,
    /// Natural logarithm.
    Ln,
    /// Logarithm to base 2.
    Log2,
    /// Logarithm to base 10.
    Log10,
    /// Square root.
    Sqrt,
    /// -1, 0 or 1.
    Sgn,
    /// Sine and its kin, in radians.
    Sin,
    /// Cosine.
    Cos,
    /// Tangent.
    Tan,
    /// Arc sine.
    Asin,
    /// Arc cosine.
    Acos,
    /// Arc tangent.
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Hyperbolic tangent.
    Tanh,
    /// Inverse hyperbolic sine.
    Asinh,
    /// Inverse hyperbolic cosine.
    Acosh,
    /// Inverse hyperbolic tangent.
    Atanh,
    /// Radians to degrees.
    Deg,
    /// Degrees to radians.
    Rad,
    /// Minute of the hour of a UTC time in seconds.
    Minute,
    /// Hour of the day.
    Hour,
    /// Day of the week, Sunday is 0.
    DayOfWeek,
    /// Day of the month.
    DayOfMonth,
    /// Day of the year.
    DayOfYear,
    /// Number of days of the month.
    DaysInMonth,
    /// Month of the year.
    Month,
    /// Year.
    Year,
}

impl Function {
    /// What flows out of a call.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Scalar => Shape::Scalar,
            _ => Shape::Vector,
        }
    }
}
