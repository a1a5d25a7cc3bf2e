//! Where buckets lie.

use super::Histogram;

/// A bucket with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounded {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Whether an observation that equals the lower bound lies in it.
    pub includes_lower: bool,
    /// Whether an observation that equals the upper bound lies in it.
    pub includes_upper: bool,
    /// Observations.
    pub count: f64,
}

/// `base^index` of a schema, the largest float where that is beyond all floats.
pub(crate) fn bound(schema: i32, index: i32) -> f64 {
    let power = if schema <= 0 {
        f64::from(index) * f64::from(1 << (-schema).min(30))
    } else {
        f64::from(index) / f64::from(1 << schema.min(30))
    };
    // The last bucket that holds finite observations ends at the greatest of them.
    if power == 1024.0 { f64::MAX } else { power.exp2() }
}

impl Histogram {
    /// A positive bucket's bounds, or those of a custom bucket.
    pub(crate) fn positive_bounds(&self, (index, count): (i32, f64)) -> Bounded {
        if !self.is_custom() {
            let (lower, upper) = (bound(self.schema, index - 1), bound(self.schema, index));
            return Bounded { lower, upper, includes_lower: false, includes_upper: true, count };
        }
        let at = |index: i32| usize::try_from(index).ok().and_then(|at| self.bounds.get(at));
        Bounded {
            lower: if index > 0 { at(index - 1).copied() } else { None }
                .unwrap_or(f64::NEG_INFINITY),
            upper: at(index).copied().unwrap_or(f64::INFINITY),
            includes_lower: index == 0,
            includes_upper: true,
            count,
        }
    }

    /// A negative bucket's bounds.
    pub(crate) fn negative_bounds(&self, (index, count): (i32, f64)) -> Bounded {
        let (lower, upper) = (-bound(self.schema, index), -bound(self.schema, index - 1));
        Bounded { lower, upper, includes_lower: true, includes_upper: false, count }
    }

    /// The zero bucket's bounds.
    pub(crate) fn zero_bounds(&self) -> Bounded {
        Bounded {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            includes_lower: true,
            includes_upper: true,
            count: self.zero_count,
        }
    }

    /// All buckets with observations, ascending.
    pub fn buckets(&self) -> Vec<Bounded> {
        let negative = self.negative.iter().rev().map(|bucket| self.negative_bounds(*bucket));
        let positive = self.positive.iter().map(|bucket| self.positive_bounds(*bucket));
        let zero = std::iter::once(self.zero_bounds());
        negative.chain(zero).chain(positive).filter(|bucket| bucket.count != 0.0).collect()
    }
}
