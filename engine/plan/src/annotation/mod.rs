//! Remarks about a query that was answered all the same, and where in its text they belong.
//!
//! A language gives its nodes the [`Position`]s of what they were made from; operators that find
//! something doubtful make a [`Remark`] of it. Nodes without a position say nothing, so a language
//! that knows no remarks leaves positions out. The texts are those that Prometheus' clients know.

mod text;

#[cfg(test)]
mod tests;

/// Where something stands in the text of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in bytes.
    pub column: u32,
}

/// A remark and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// What is remarked.
    pub remark: Remark,
    /// About what part of the query.
    pub at: Position,
}

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The answer, or part of it, is probably not what was asked for.
    Warning,
    /// The answer may not be what was asked for.
    Info,
}

/// What happened to histograms while they were put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistogramOperation {
    /// One was added to another.
    Addition,
    /// One was subtracted from another.
    Subtraction,
    /// Several were summed or averaged.
    Aggregation,
}

/// The kind of a sample, as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleType {
    /// A number.
    Float,
    /// A native histogram.
    Histogram,
}

/// What is worth telling. Metrics are named as far as the series had a name; an empty name is not
/// shown where the text can do without.
#[derive(Clone, Debug, PartialEq)]
pub enum Remark {
    /// A quantile outside of 0 to 1.
    InvalidQuantile(f64),
    /// A ratio outside of -1 to 1, and what was taken in its place.
    InvalidRatio {
        /// As asked for.
        given: f64,
        /// As taken.
        capped: f64,
    },
    /// A bucket of a classic histogram whose bound is no number; it was left out.
    BadBucketLabel {
        /// Value of the label.
        bound: String,
        /// Name of the metric.
        metric: String,
    },
    /// A range with numbers and histograms, which has no value.
    MixedFloatsHistograms(String),
    /// A group with numbers and histograms, which has no value.
    MixedFloatsHistogramsInAggregation,
    /// Classic buckets and a native histogram of one name and labels; neither counted.
    MixedClassicNative(String),
    /// A gauge of histograms was taken for a counter.
    NotCounter(String),
    /// A counter of histograms was taken for a gauge.
    NotGauge(String),
    /// Histograms with exponential and with custom buckets, which have no common result.
    MixedExponentialCustom(String),
    /// The same, as operands of this operator.
    IncompatibleBucketLayout(&'static str),
    /// Sorting where all answers are ordered by labels.
    SortInRangeQuery,
    /// Histograms that say of their counter that it was reset and that it was not.
    ConflictingCounterResets(HistogramOperation),
    /// A sample that began before the sample before it ended.
    OverlappingStart(String),
    /// A counter's function of a metric whose name is not a counter's.
    PossibleNonCounter(String),
    /// Classic buckets that had to be lifted; many of one metric are told together.
    ForcedMonotonicity(ForcedMonotonicity),
    /// Operands for which the operator has no meaning; there is no result.
    IncompatibleTypes {
        /// Of the left operand.
        left: SampleType,
        /// As written.
        operator: &'static str,
        /// Of the right operand.
        right: SampleType,
    },
    /// Histograms that this aggregation does not know.
    IgnoredInAggregation(&'static str),
    /// Histograms among numbers that a function did not look at.
    IgnoredInMixedRange(String),
    /// A quantile that lies among NaN observations.
    QuantileNanResult(String),
    /// A quantile that NaN observations lift.
    QuantileNanSkew(String),
    /// A fraction beside NaN observations.
    FractionNan(String),
    /// Custom bounds that differed, so that only the common ones were kept.
    ReconciledCustomBuckets(HistogramOperation),
}

/// How much classic buckets were lifted.
#[derive(Clone, Debug, PartialEq)]
pub struct ForcedMonotonicity {
    /// Name of the metric.
    pub metric: String,
    /// Least upper bound of a bucket that was lifted.
    pub bound_min: f64,
    /// Greatest upper bound of a bucket that was lifted.
    pub bound_max: f64,
    /// By how much at most.
    pub difference_max: f64,
    /// Number of histograms.
    pub samples: u64,
    /// The first step, in milliseconds.
    pub first_ms: i64,
    /// The last step, in milliseconds.
    pub last_ms: i64,
}

impl ForcedMonotonicity {
    /// Both as one, of the same metric.
    fn merge(&mut self, other: &Self) {
        self.bound_min = self.bound_min.min(other.bound_min);
        self.bound_max = self.bound_max.max(other.bound_max);
        self.difference_max = self.difference_max.max(other.difference_max);
        self.samples += other.samples;
        self.first_ms = self.first_ms.min(other.first_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
    }
}

impl Remark {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::PossibleNonCounter(_)
            | Self::ForcedMonotonicity(_)
            | Self::IncompatibleTypes { .. }
            | Self::IgnoredInAggregation(_)
            | Self::IgnoredInMixedRange(_)
            | Self::QuantileNanResult(_)
            | Self::QuantileNanSkew(_)
            | Self::FractionNan(_)
            | Self::ReconciledCustomBuckets(_) => Severity::Info,
            _ => Severity::Warning,
        }
    }

    /// The text by which remarks are told apart: the whole text but for what [`Self::merge`] adds
    /// up.
    pub fn key(&self) -> String {
        text::key(self)
    }

    /// Adds what another remark of the same key says.
    pub fn merge(&mut self, other: &Self) {
        if let (Self::ForcedMonotonicity(own), Self::ForcedMonotonicity(other)) = (self, other) {
            own.merge(other);
        }
    }
}
