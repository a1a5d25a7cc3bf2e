//! Quantiles and fractions of classic histograms: cumulative buckets with upper bounds.
//!
//! Source: Prometheus documentation of `histogram_quantile` and `histogram_fraction`.

/// A cumulative bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    /// Upper bound, inclusive; the last one must be +Inf.
    pub(crate) upper: f64,
    /// Observations up to the bound; counts may come from `rate`, so they are not integers.
    pub(crate) count: f64,
}

/// Relative differences up to this are taken for rounding noise between buckets.
const NOISE: f64 = 1e-12;

/// The φ-quantile of a histogram whose buckets are sorted here by bound.
///
/// NaN without observations, without a bucket to +Inf, or with fewer than two buckets. φ below 0
/// gives -Inf, above 1 +Inf. Within a bucket observations are taken as evenly spread; the first
/// bucket begins at 0 if its bound is positive; in the last bucket the bound below it is the answer.
pub(crate) fn bucket_quantile(phi: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let Some(observations) = prepare(buckets).filter(|_| buckets.len() > 1) else {
        return f64::NAN;
    };
    let mut rank = phi * observations;
    let found = buckets[..buckets.len() - 1].partition_point(|bucket| bucket.count < rank);
    if found == buckets.len() - 1 {
        return buckets[buckets.len() - 2].upper;
    }
    if found == 0 && buckets[0].upper <= 0.0 {
        return buckets[0].upper;
    }
    let mut start = 0.0;
    let end = buckets[found].upper;
    let mut count = buckets[found].count;
    if found > 0 {
        start = buckets[found - 1].upper;
        count -= buckets[found - 1].count;
        rank -= buckets[found - 1].count;
    }
    start + (end - start) * (rank / count)
}

/// The share of observations between `lower` and `upper` in a histogram whose buckets are sorted
/// here by bound.
///
/// NaN without observations, without a bucket to +Inf, or if a bound is NaN; 0 if the bounds are
/// crossed. Observations are spread as for quantiles, those of a bucket without an end not at all.
pub(crate) fn bucket_fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    let Some(observations) = prepare(buckets) else { return f64::NAN };
    if lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let below = |value| observations_below(value, buckets).min(observations);
    (below(upper) - below(lower)) / observations
}

/// How many observations lie below a value.
fn observations_below(value: f64, buckets: &[Bucket]) -> f64 {
    let mut below = 0.0;
    let mut start = if buckets[0].upper > 0.0 { 0.0 } else { f64::NEG_INFINITY };
    for bucket in buckets {
        if start >= value {
            break;
        }
        if bucket.upper > value {
            // Observations without a finite bound on one side are taken to lie at the other end.
            if start.is_infinite() {
                return bucket.count;
            }
            if bucket.upper.is_infinite() {
                break;
            }
            let inside = bucket.count - below;
            return below + inside * (value - start) / (bucket.upper - start);
        }
        below = bucket.count;
        start = bucket.upper;
    }
    below
}

/// Sorts and mends the buckets; the number of observations, unless there are none or the last
/// bucket ends.
fn prepare(buckets: &mut Vec<Bucket>) -> Option<f64> {
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last()?.upper != f64::INFINITY {
        return None;
    }
    merge_equal_bounds(buckets);
    make_monotonic(buckets);
    let observations = buckets.last()?.count;
    (observations != 0.0 && !observations.is_nan()).then_some(observations)
}

fn merge_equal_bounds(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|later, kept| {
        let equal = later.upper == kept.upper;
        if equal {
            kept.count += later.count;
        }
        equal
    });
}

/// Lifts counts that fall, and levels those that differ by rounding noise only.
fn make_monotonic(buckets: &mut [Bucket]) {
    let mut previous = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let sum = bucket.count.abs() + previous.abs();
        let noise = (bucket.count - previous).abs() < NOISE * sum.min(f64::MAX);
        if bucket.count < previous || noise {
            bucket.count = previous;
        }
        previous = bucket.count;
    }
}
