//! Quantiles of classic histograms: cumulative buckets with upper bounds.
//!
//! Source: Prometheus documentation of `histogram_quantile`.

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
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return f64::NAN;
    }
    merge_equal_bounds(buckets);
    make_monotonic(buckets);
    let observations = buckets[buckets.len() - 1].count;
    if buckets.len() < 2 || observations == 0.0 || observations.is_nan() {
        return f64::NAN;
    }
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
        let noise =
            (bucket.count - previous).abs() <= NOISE * bucket.count.abs().max(previous.abs());
        if bucket.count < previous || noise {
            bucket.count = previous;
        }
        previous = bucket.count;
    }
}
