//! Counter resets.

use super::{Bucket, Histogram, ResetHint};

/// Whether a counter was reset between two samples.
pub(crate) fn detect_reset(previous: &Histogram, current: &Histogram) -> bool {
    match current.hint {
        ResetHint::Reset => return true,
        ResetHint::NotReset => return false,
        // A gauge has no resets; who asks for them all the same is answered from the counts.
        ResetHint::Unknown | ResetHint::Gauge => {}
    }
    if current.count < previous.count || current.is_custom() != previous.is_custom() {
        return true;
    }
    if current.is_custom() {
        let (mut current, mut previous) = (current.clone(), previous.clone());
        // Other bounds alone are no reset, if the counts within the common ones do not fall.
        return super::merge::align(&mut current, &mut previous).is_none()
            || falls(&previous.positive, &current.positive);
    }
    if current.schema > previous.schema || current.zero_threshold < previous.zero_threshold {
        return true;
    }
    let (zero_count, threshold) = previous.zero_count_within(current.zero_threshold);
    if threshold != current.zero_threshold || current.zero_count < zero_count {
        return true;
    }
    let mut previous = previous.clone();
    previous.widen_zero(threshold);
    let previous = previous.reduced(current.schema);
    falls(&previous.positive, &current.positive) || falls(&previous.negative, &current.negative)
}

/// Whether any bucket has fewer observations than before.
fn falls(previous: &[Bucket], current: &[Bucket]) -> bool {
    let zipped = super::merge::zip(previous, current, |before, now| now - before);
    zipped.iter().any(|bucket| bucket.1 < 0.0)
}
