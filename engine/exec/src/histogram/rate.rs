//! How much a histogram grew over a window of samples.

use super::{Conflict, Histogram, ResetHint, detect_reset};

/// What became of a computation, and what is worth telling about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// The result; `None` if exponential and custom buckets were mixed.
    pub(crate) histogram: Option<Histogram>,
    /// Custom bounds that differed.
    pub(crate) bounds: bool,
    /// A gauge was taken for a counter.
    pub(crate) not_counter: bool,
    /// A counter was taken for a gauge.
    pub(crate) not_gauge: bool,
}

/// The last sample less the first, and, of a counter, more what it held before each reset. There
/// are at least two samples, or one, which grew from nothing.
pub(crate) fn increase(samples: &[&Histogram], is_counter: bool) -> Outcome {
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    let mut outcome = Outcome::default();
    let is_gauge = |sample: &&Histogram| sample.hint == ResetHint::Gauge;
    if is_counter {
        outcome.not_counter = samples.iter().any(is_gauge);
    } else {
        outcome.not_gauge = !(is_gauge(&first) && is_gauge(&last));
    }
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
    let compared = std::iter::once(start).chain(samples[1..].iter().copied());
    let mut schema = last.schema;
    for sample in compared {
        if sample.is_custom() != last.is_custom() {
            return outcome;
        }
        schema = schema.min(sample.schema);
    }
    let grown = last.clone().reduced(schema).minus(start);
    let Some((mut grown, mut conflict)) = grown else { return outcome };
    let mut previous = start;
    for sample in samples[1..].iter().filter(|_| is_counter) {
        if detect_reset(previous, sample) {
            let Some((more, other)) = grown.plus(previous) else { return outcome };
            (grown, conflict) = (more, conflict.or(other));
        }
        previous = sample;
    }
    outcome.bounds = conflict.bounds;
    outcome.histogram = Some(grown.hinted(ResetHint::Gauge).compacted());
    outcome
}

/// The last sample less the one before it, or, of a counter that was reset, the last itself.
pub(crate) fn difference(before: &Histogram, last: &Histogram, is_counter: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let is_gauge = |sample: &Histogram| sample.hint == ResetHint::Gauge;
    if is_counter {
        outcome.not_counter = is_gauge(before) || is_gauge(last);
    } else {
        outcome.not_gauge = !(is_gauge(before) && is_gauge(last));
    }
    if is_counter && detect_reset(before, last) {
        outcome.histogram = Some(last.clone().hinted(ResetHint::Gauge).compacted());
        return outcome;
    }
    if let Some((grown, Conflict { bounds, .. })) = last.clone().minus(before) {
        outcome.bounds = bounds;
        outcome.histogram = Some(grown.compacted());
    }
    outcome
}
