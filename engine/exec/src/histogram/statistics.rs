//! Numbers that describe a distribution. Source: Prometheus' documentation of the functions.

use super::Histogram;
use super::bounds::Bounded;
use crate::functions::compensated::Sum;

/// What NaN observations did to a quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NanPart {
    /// Nothing.
    None,
    /// The quantile lies among them.
    Result,
    /// It lies higher than without them.
    Skew,
}

impl Histogram {
    /// The φ-quantile, and what part NaN observations had in it.
    ///
    /// NaN without observations. Within a bucket observations are spread evenly over its
    /// logarithm, in the zero bucket and in those with custom bounds over its width.
    pub(crate) fn quantile(&self, phi: f64) -> (f64, NanPart) {
        if phi < 0.0 {
            return (f64::NEG_INFINITY, NanPart::None);
        }
        if phi > 1.0 {
            return (f64::INFINITY, NanPart::None);
        }
        if self.count == 0.0 || phi.is_nan() {
            return (f64::NAN, NanPart::None);
        }
        // NaN observations count behind all others, so ranks are told from the front then.
        let forward = self.sum.is_nan() || phi < 0.5;
        let rank = if forward { phi * self.count } else { (1.0 - phi) * self.count };
        let mut buckets = self.buckets();
        if !forward {
            buckets.reverse();
        }
        let mut below = 0.0;
        let mut found = None;
        for bucket in buckets {
            below += bucket.count;
            found = Some(bucket);
            if below >= rank {
                break;
            }
        }
        let Some(bucket) = found else { return (f64::NAN, NanPart::None) };
        let bucket = self.without_idle_half(bucket);
        if self.is_custom() {
            if bucket.lower == f64::NEG_INFINITY {
                return (bucket.upper, NanPart::None);
            }
            if bucket.upper == f64::INFINITY {
                return (bucket.lower, NanPart::None);
            }
        }
        let below = below.min(self.count);
        if below < rank {
            let has_nan = self.sum.is_nan();
            return if has_nan {
                (f64::NAN, NanPart::Result)
            } else {
                (bucket.upper, NanPart::None)
            };
        }
        let rank = if forward { rank - (below - bucket.count) } else { below - rank };
        let nan_part = if self.has_nan() { NanPart::Skew } else { NanPart::None };
        (self.at_share(&bucket, rank / bucket.count), nan_part)
    }

    /// Whether NaN was observed: it is in the count and in no bucket. A sum that is NaN alone may
    /// be that of both infinities.
    pub(crate) fn has_nan(&self) -> bool {
        let within = || self.buckets().iter().map(|bucket| bucket.count).sum::<f64>();
        self.sum.is_nan() && within() < self.count
    }

    /// The value below which a share of a bucket's observations lie.
    fn at_share(&self, bucket: &Bounded, share: f64) -> f64 {
        let Bounded { lower, upper, .. } = *bucket;
        if self.is_linear(bucket) {
            return lower + (upper - lower) * share;
        }
        let (near, far) = (lower.abs().log2(), upper.abs().log2());
        if lower > 0.0 {
            (near + (far - near) * share).exp2()
        } else {
            -(far + (near - far) * (1.0 - share)).exp2()
        }
    }

    /// The share of a bucket's observations that lie below a value within it.
    fn share_below(&self, bucket: &Bounded, value: f64) -> f64 {
        let Bounded { lower, upper, .. } = *bucket;
        if self.is_linear(bucket) {
            // Observations without a finite bound on one side are taken to lie at the other end.
            if lower.is_infinite() || upper.is_infinite() {
                return if lower.is_infinite() { 1.0 } else { 0.0 };
            }
            return (value - lower) / (upper - lower);
        }
        let (near, far, at) = (lower.abs().log2(), upper.abs().log2(), value.abs().log2());
        if lower > 0.0 { (at - near) / (far - near) } else { 1.0 - (at - far) / (near - far) }
    }

    /// Custom buckets and the zero bucket.
    fn is_linear(&self, bucket: &Bounded) -> bool {
        self.is_custom() || (bucket.lower <= 0.0 && bucket.upper >= 0.0)
    }

    /// The zero bucket of a histogram with observations of one sign ends at zero; so begins a
    /// first custom bucket with a positive bound.
    fn without_idle_half(&self, mut bucket: Bounded) -> Bounded {
        if self.is_custom() {
            if bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
                bucket.lower = 0.0;
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            if self.negative.is_empty() && !self.positive.is_empty() {
                bucket.lower = 0.0;
            } else if self.positive.is_empty() && !self.negative.is_empty() {
                bucket.upper = 0.0;
            }
        }
        bucket
    }

    /// The share of observations between two values; NaN without observations, 0 if the values
    /// are crossed.
    pub(crate) fn fraction(&self, lower: f64, upper: f64) -> f64 {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return f64::NAN;
        }
        if lower >= upper {
            return 0.0;
        }
        let buckets = self.buckets();
        // NaN observations are in the count and in no bucket.
        let within = if self.sum.is_nan() {
            buckets.iter().map(|bucket| bucket.count).sum()
        } else {
            self.count
        };
        let below = |value| self.observations_below(&buckets, value).min(within);
        (below(upper) - below(lower)) / self.count
    }

    fn observations_below(&self, buckets: &[Bounded], value: f64) -> f64 {
        let mut below = 0.0;
        for bucket in buckets {
            let bucket = self.without_idle_half(*bucket);
            if bucket.lower >= value {
                return below;
            }
            if bucket.upper > value {
                return below + bucket.count * self.share_below(&bucket, value);
            }
            below += bucket.count;
        }
        // More than there are: the caller knows how many observations the buckets hold.
        f64::INFINITY
    }

    /// Population variance of the observations, each taken to lie in the middle of its bucket.
    pub(crate) fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let mut squares = Sum::default();
        for bucket in self.buckets() {
            let Bounded { lower, upper, count, .. } = bucket;
            let middle = if self.is_custom() {
                (lower + upper) / 2.0
            } else if lower <= 0.0 && upper >= 0.0 {
                0.0
            } else if upper < 0.0 {
                -(lower * upper).sqrt()
            } else {
                (lower * upper).sqrt()
            };
            squares.add(count * (middle - mean) * (middle - mean));
        }
        squares.total() / self.count
    }
}
