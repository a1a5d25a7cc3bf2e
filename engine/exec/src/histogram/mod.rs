//! Native histograms: a sample that is a whole distribution.
//!
//! ```text
//!  schema −4…8   bucket i of the positive side is (base^(i−1), base^i], base = 2^(2^−schema);
//!                the negative side is its mirror; the zero bucket is [−threshold, threshold]
//!  schema −53    bucket i is (bounds[i−1], bounds[i]]; the last one ends at +Inf
//! ```
//!
//! Counts are floats, as everything that PromQL computes. Buckets are sparse: index and count,
//! sorted by index. Source of the rules: Prometheus' specification of native histograms.

mod bounds;
mod change;
mod merge;
mod rate;
mod statistics;
mod sum;
mod text;

use std::sync::Arc;

pub use self::bounds::Bounded;
pub(crate) use self::change::detect_reset;
pub use self::merge::Conflict;
pub(crate) use self::rate::{Outcome, difference, increase};
pub(crate) use self::statistics::NanPart;
pub(crate) use self::sum::Sum;

/// What stands for a schema where the bounds are custom.
pub const CUSTOM_BOUNDS: i32 = -53;

/// Whether a counter was reset before a sample, as far as its sender knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetHint {
    /// To be found out from the counts.
    #[default]
    Unknown,
    /// It was.
    Reset,
    /// It was not.
    NotReset,
    /// The histogram is no counter.
    Gauge,
}

/// A bucket's index, in the meaning of the schema, and its count.
pub type Bucket = (i32, f64);

/// A distribution of observations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Whether it continues the sample before.
    pub hint: ResetHint,
    /// Resolution of the buckets, or [`CUSTOM_BOUNDS`].
    pub schema: i32,
    /// Half the width of the zero bucket; 0 with custom bounds.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations, those that are NaN included.
    pub count: f64,
    /// Sum of the observations; NaN if one of them was. Its bits tell a stale marker.
    pub sum: f64,
    /// Sorted by index, indexes unique.
    pub positive: Vec<Bucket>,
    /// Sorted by index, indexes unique; empty with custom bounds.
    pub negative: Vec<Bucket>,
    /// Upper bounds, strictly ascending, +Inf left out; empty unless they are custom.
    pub bounds: Arc<[f64]>,
}

impl Histogram {
    /// Whether the bounds are custom.
    pub fn is_custom(&self) -> bool {
        self.schema == CUSTOM_BOUNDS
    }

    /// All counts and the sum multiplied; a negative factor makes it a gauge.
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        self.each_number(|number| *number *= factor);
        if factor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
        self.compacted()
    }

    /// All counts and the sum divided; by zero leaves no buckets.
    pub(crate) fn divided(mut self, divisor: f64) -> Self {
        self.each_number(|number| *number /= divisor);
        if divisor == 0.0 {
            self.positive.clear();
            self.negative.clear();
        }
        if divisor < 0.0 {
            self.hint = ResetHint::Gauge;
        }
        self.compacted()
    }

    /// Calls `each` for the sum and every count.
    pub(crate) fn each_number(&mut self, mut each: impl FnMut(&mut f64)) {
        each(&mut self.zero_count);
        each(&mut self.count);
        each(&mut self.sum);
        let buckets = self.positive.iter_mut().chain(&mut self.negative);
        buckets.for_each(|(_, count)| each(count));
    }

    /// Without empty buckets.
    pub fn compacted(mut self) -> Self {
        self.positive.retain(|bucket| bucket.1 != 0.0);
        self.negative.retain(|bucket| bucket.1 != 0.0);
        self
    }

    /// Bytes that it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let buckets = self.positive.len() + self.negative.len();
        size_of::<Self>() + buckets * size_of::<Bucket>() + self.bounds.len() * size_of::<f64>()
    }

    /// With another hint.
    pub(crate) fn hinted(mut self, hint: ResetHint) -> Self {
        self.hint = hint;
        self
    }

    /// Whether two are the same distribution; hints are not compared, NaN is equal to NaN.
    pub fn equals(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a == b;
        let buckets = |a: &[Bucket], b: &[Bucket]| {
            let (mut a, mut b) = (populated(a), populated(b));
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if a.0 == b.0 && same(a.1, b.1) => {}
                    _ => return false,
                }
            }
        };
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && self.bounds == other.bounds
            && same(self.zero_threshold, other.zero_threshold)
            && same(self.zero_count, other.zero_count)
            && buckets(&self.positive, &other.positive)
            && buckets(&self.negative, &other.negative)
    }

    /// Whether it marks the end of its series.
    pub fn is_stale(&self) -> bool {
        crate::functions::window::is_stale(self.sum)
    }
}

fn populated(buckets: &[Bucket]) -> impl Iterator<Item = &Bucket> {
    buckets.iter().filter(|bucket| bucket.1 != 0.0)
}

#[cfg(test)]
mod tests;
