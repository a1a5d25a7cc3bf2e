//! Two histograms in one layout: the coarser schema, the wider zero bucket, the common bounds.

use std::sync::Arc;

use super::{Bucket, CUSTOM_BOUNDS, Histogram, ResetHint, populated};

/// What is worth telling about two histograms that were brought together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conflict {
    /// One says that a counter was reset, the other that it was not.
    pub hints: bool,
    /// Custom bounds differed, so that only those that both have were kept.
    pub bounds: bool,
}

impl Histogram {
    /// `self + other`; `None` if one has custom bounds and the other has not.
    pub fn plus(self, other: &Self) -> Option<(Self, Conflict)> {
        self.combined(other, |left, right| left + right)
    }

    /// `self - other`, a gauge; `None` if one has custom bounds and the other has not.
    pub fn minus(self, other: &Self) -> Option<(Self, Conflict)> {
        let (difference, conflict) = self.combined(other, |left, right| left - right)?;
        Some((difference.hinted(ResetHint::Gauge), conflict))
    }

    fn combined(mut self, other: &Self, op: impl Fn(f64, f64) -> f64) -> Option<(Self, Conflict)> {
        let mut other = other.clone();
        let bounds = align(&mut self, &mut other)?;
        let hints = self.take_hint(other.hint);
        self.zero_count = op(self.zero_count, other.zero_count);
        self.count = op(self.count, other.count);
        self.sum = op(self.sum, other.sum);
        self.positive = zip(&self.positive, &other.positive, &op);
        self.negative = zip(&self.negative, &other.negative, &op);
        Some((self, Conflict { hints, bounds }))
    }

    /// The hint of a sum; whether the two exclude each other.
    pub(super) fn take_hint(&mut self, other: ResetHint) -> bool {
        use ResetHint::{Gauge, Unknown};
        let own = self.hint;
        if own == other || own == Gauge {
            return false;
        }
        self.hint = if other == Gauge { Gauge } else { Unknown };
        other != Gauge && other != Unknown && own != Unknown
    }

    /// At a schema that is not finer.
    pub(crate) fn reduced(mut self, schema: i32) -> Self {
        let coarser = u32::try_from(self.schema - schema).unwrap_or_default();
        if coarser == 0 || self.is_custom() {
            return self;
        }
        for side in [&mut self.positive, &mut self.negative] {
            *side = regrouped(side, |index| ((i64::from(index) - 1) >> coarser.min(62)) as i32 + 1);
        }
        self.schema = schema;
        self
    }

    /// The observations that a zero bucket of at least this threshold holds, and the threshold
    /// that it has: a bucket that the threshold would cut is taken in whole.
    pub(super) fn zero_count_within(&self, mut threshold: f64) -> (f64, f64) {
        'wider: loop {
            let mut count = self.zero_count;
            for bucket in populated(&self.positive) {
                let bounds = self.positive_bounds(*bucket);
                if bounds.lower >= threshold {
                    break;
                }
                count += bounds.count;
                threshold = threshold.max(bounds.upper);
            }
            for bucket in populated(&self.negative) {
                let bounds = self.negative_bounds(*bucket);
                if bounds.upper <= -threshold {
                    break;
                }
                count += bounds.count;
                if bounds.lower < -threshold {
                    threshold = -bounds.lower;
                    continue 'wider;
                }
            }
            return (count, threshold);
        }
    }

    /// Takes the buckets within the threshold into the zero bucket.
    pub(super) fn widen_zero(&mut self, threshold: f64) {
        let (count, threshold) = self.zero_count_within(threshold);
        (self.zero_count, self.zero_threshold) = (count, threshold);
        let schema = self.schema;
        let is_outside = |bucket: &Bucket| super::bounds::bound(schema, bucket.0 - 1) >= threshold;
        self.positive.retain(is_outside);
        self.negative.retain(is_outside);
    }

    fn with_bounds(mut self, bounds: &Arc<[f64]>) -> Self {
        let old = Arc::clone(&self.bounds);
        let new_index = |index: i32| {
            let upper = usize::try_from(index).ok().and_then(|at| old.get(at));
            let at = upper.map_or(bounds.len(), |upper| bounds.partition_point(|b| b < upper));
            i32::try_from(at).unwrap_or(i32::MAX)
        };
        self.positive = regrouped(&self.positive, new_index);
        self.bounds = Arc::clone(bounds);
        self
    }
}

/// Brings both to one layout; whether custom bounds had to be given up, `None` if there is no
/// common layout.
pub(super) fn align(left: &mut Histogram, right: &mut Histogram) -> Option<bool> {
    if left.is_custom() != right.is_custom() {
        return None;
    }
    if left.schema == CUSTOM_BOUNDS {
        if left.bounds == right.bounds {
            return Some(false);
        }
        let is_common = |bound: &&f64| right.bounds.iter().any(|other| other == *bound);
        let common: Arc<[f64]> = left.bounds.iter().filter(is_common).copied().collect();
        *left = std::mem::take(left).with_bounds(&common);
        *right = std::mem::take(right).with_bounds(&common);
        return Some(true);
    }
    while left.zero_threshold != right.zero_threshold {
        if left.zero_threshold < right.zero_threshold {
            left.widen_zero(right.zero_threshold);
        } else {
            right.widen_zero(left.zero_threshold);
        }
    }
    let schema = left.schema.min(right.schema);
    *left = std::mem::take(left).reduced(schema);
    *right = std::mem::take(right).reduced(schema);
    Some(false)
}

/// Buckets with new indexes, which must not fall where the old ones rise; counts of one are added.
fn regrouped(buckets: &[Bucket], index: impl Fn(i32) -> i32) -> Vec<Bucket> {
    let mut grouped: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for (old, count) in buckets {
        let new = index(*old);
        match grouped.last_mut() {
            Some(last) if last.0 == new => last.1 += count,
            _ => grouped.push((new, *count)),
        }
    }
    grouped
}

/// Combines buckets of one index; one that is missing counts as empty.
pub(super) fn zip(left: &[Bucket], right: &[Bucket], op: impl Fn(f64, f64) -> f64) -> Vec<Bucket> {
    let mut zipped = Vec::with_capacity(left.len().max(right.len()));
    let (mut at, mut other) = (0, 0);
    while at < left.len() || other < right.len() {
        let index =
            |buckets: &[Bucket], at: usize| buckets.get(at).map_or(i64::MAX, |b| b.0.into());
        let (ours, theirs) = (index(left, at), index(right, other));
        let least = if ours <= theirs { left[at].0 } else { right[other].0 };
        let mut counts = (0.0, 0.0);
        if ours <= theirs {
            counts.0 = left[at].1;
            at += 1;
        }
        if theirs <= ours {
            counts.1 = right[other].1;
            other += 1;
        }
        zipped.push((least, op(counts.0, counts.1)));
    }
    zipped
}
