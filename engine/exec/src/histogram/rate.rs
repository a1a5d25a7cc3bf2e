//! How much a histogram grew over a window of samples.

use super::{Histogram, ResetHint, detect_reset};

/// What became of a computation, and what is worth telling about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// The result; `None` if exponential and custom buckets were mixed.
    pub(crate) histogram: Option<Histogram>,
    /// Custom bounds that differed between the first and the last sample.
    pub(crate) bounds_subtracted: bool,
    /// Custom bounds that differed from those before a reset.
    pub(crate) bounds_added: bool,
    /// A gauge was taken for a counter.
    pub(crate) not_counter: bool,
    /// A counter was taken for a gauge.
    pub(crate) not_gauge: bool,
}

/// The last sample less the first, and, of a counter, more what it held before each reset. There
/// are at least two samples, or one, which grew from nothing.
pub(crate) fn increase(samples: &[&Histogram], is_counter: bool) -> Outcome {
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    let is_gauge = |sample: &Histogram| sample.hint == ResetHint::Gauge;
    let mut outcome = Outcome {
        not_counter: is_counter && (is_gauge(first) || is_gauge(last)),
        ..Outcome::default()
    };
    // A reset right after the first sample: it plays no part, whatever its buckets are.
    let second = samples.get(1);
    let nothing =
        second.filter(|second| is_counter && detect_reset(first, second)).map(|second| Histogram {
            schema: second.schema,
            zero_threshold: second.zero_threshold,
            bounds: std::sync::Arc::clone(&second.bounds),
            ..Histogram::default()
        });
    let start = nothing.as_ref().unwrap_or(first);
    if start.is_custom() != last.is_custom() {
        return outcome;
    }
    let mut schema = last.schema.min(start.schema);
    // Of a gauge only the first and last sample are looked at.
    for sample in samples[1..].iter().filter(|_| is_counter) {
        if sample.is_custom() != last.is_custom() {
            return Outcome::default();
        }
        outcome.not_counter |= is_gauge(sample);
        schema = schema.min(sample.schema);
    }
    let Some((mut grown, conflict)) = last.clone().reduced(schema).minus(start) else {
        return Outcome::default();
    };
    outcome.bounds_subtracted = conflict.bounds;
    let mut previous = start;
    for sample in samples[1..].iter().filter(|_| is_counter) {
        if detect_reset(previous, sample) {
            let Some((more, conflict)) = grown.plus(previous) else { return Outcome::default() };
            outcome.bounds_added |= conflict.bounds;
            grown = more;
        }
        previous = sample;
    }
    outcome.not_gauge = !(is_counter || is_gauge(first) && is_gauge(last));
    outcome.histogram = Some(grown.hinted(ResetHint::Gauge).compacted());
    outcome
}

/// The last sample less the one before it, or, of a counter that was reset, the last itself.
pub(crate) fn difference(before: &Histogram, last: &Histogram, is_counter: bool) -> Outcome {
    let is_gauge = |sample: &Histogram| sample.hint == ResetHint::Gauge;
    let mut outcome = Outcome {
        not_counter: is_counter && (is_gauge(before) || is_gauge(last)),
        not_gauge: !(is_counter || is_gauge(before) && is_gauge(last)),
        ..Outcome::default()
    };
    if is_counter && detect_reset(before, last) {
        outcome.histogram = Some(last.clone().hinted(ResetHint::Gauge).compacted());
        return outcome;
    }
    if let Some((grown, conflict)) = last.clone().minus(before) {
        outcome.bounds_subtracted = conflict.bounds;
        outcome.histogram = Some(grown.compacted());
    }
    outcome
}
