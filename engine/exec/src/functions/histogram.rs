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

/// Buckets that had fewer observations than those below them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lifted {
    /// Least bound of such a bucket.
    pub(crate) bound_min: f64,
    /// Greatest bound of such a bucket.
    pub(crate) bound_max: f64,
    /// How many observations were missing at most.
    pub(crate) difference_max: f64,
}

/// Relative differences up to this are taken for rounding noise between buckets.
const NOISE: f64 = 1e-12;

/// The φ-quantile of a histogram whose buckets are sorted here by bound.
///
/// NaN without observations, without a bucket to +Inf, or with fewer than two buckets. φ below 0
/// gives -Inf, above 1 +Inf. Within a bucket observations are taken as evenly spread; the first
/// bucket begins at 0 if its bound is positive; in the last bucket the bound below it is the answer.
/// Also what was lifted to get it.
pub(crate) fn bucket_quantile(phi: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Lifted>) {
    if phi.is_nan() {
        return (f64::NAN, None);
    }
    if phi < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if phi > 1.0 {
        return (f64::INFINITY, None);
    }
    let (observations, lifted) = prepare(buckets);
    let Some(observations) = observations.filter(|_| buckets.len() > 1) else {
        return (f64::NAN, lifted);
    };
    (prepared_quantile(phi, observations, buckets), lifted)
}

/// The φ-quantile of at least two buckets with observations that were mended.
fn prepared_quantile(phi: f64, observations: f64, buckets: &[Bucket]) -> f64 {
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
    let (Some(observations), _) = prepare(buckets) else { return f64::NAN };
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
/// bucket ends, and what was lifted.
fn prepare(buckets: &mut Vec<Bucket>) -> (Option<f64>, Option<Lifted>) {
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return (None, None);
    }
    merge_equal_bounds(buckets);
    let lifted = make_monotonic(buckets);
    let observations = buckets.last().map(|last| last.count);
    (observations.filter(|count| *count != 0.0 && !count.is_nan()), lifted)
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
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Lifted> {
    let mut lifted: Option<Lifted> = None;
    let mut previous = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let sum = bucket.count.abs() + previous.abs();
        let noise = (bucket.count - previous).abs() < NOISE * sum.min(f64::MAX);
        if bucket.count < previous && !noise {
            let (upper, difference) = (bucket.upper, previous - bucket.count);
            let all = lifted.get_or_insert(Lifted {
                bound_min: upper,
                bound_max: upper,
                difference_max: difference,
            });
            all.bound_max = upper;
            all.difference_max = all.difference_max.max(difference);
        }
        if bucket.count < previous || noise {
            bucket.count = previous;
        }
        previous = bucket.count;
    }
    lifted
}
