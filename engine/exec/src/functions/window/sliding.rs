//! Windows that are put together from parts, so that a sample is looked at a bounded number of
//! times however many windows it is in.
//!
//! ```text
//!  samples   lo ───────── middle ───────── hi
//!            suffixes of a part     one running prefix
//!  window  = suffix[lo]  ·  prefix
//! ```
//!
//! As `lo` passes `middle`, what lies between them becomes suffixes and the prefix begins anew:
//! each sample is folded twice, each window joined once. Nothing is ever taken out of a sum, so
//! no error stays behind and an infinity or a NaN leaves with its sample.

use super::{Output, Samples, Windows};
use crate::functions::compensated::{Moments, Sum};

/// Samples of a window up to which it is folded by itself, in order of time: such windows give
/// the same bits as a loop over the window, whatever other windows there are.
pub(super) const DIRECT_SAMPLES_MAX: usize = 32;

/// A part of a window: joining is associative, but for rounding.
pub(super) trait Part: Copy {
    /// The part that is one sample.
    fn of(samples: Samples<'_>, at: usize) -> Self;
    /// The part that is `self` followed by `next`.
    fn join(self, next: Self, samples: Samples<'_>) -> Self;
}

/// Calls `each(k, lo, hi, part)` for every window, in order; the part is absent for empty ones and
/// for those that are short enough to be folded by themselves.
pub(super) fn slide<P: Part>(
    samples: Samples<'_>,
    windows: &Windows,
    direct_max: usize,
    mut each: impl FnMut(usize, usize, usize, Option<P>),
) {
    let mut suffixes: Vec<P> = Vec::new();
    let (mut middle, mut end) = (0, 0);
    let mut prefix: Option<P> = None;
    windows.for_each(samples.times, |k, lo, hi, _| {
        if hi - lo <= direct_max {
            return each(k, lo, hi, None);
        }
        if lo >= middle {
            suffixes.clear();
            let mut suffix: Option<P> = None;
            for at in (lo..hi).rev() {
                let one = P::of(samples, at);
                let longer = suffix.map_or(one, |rest| one.join(rest, samples));
                suffixes.push(longer);
                suffix = Some(longer);
            }
            (middle, end, prefix) = (hi, hi, None);
        }
        for at in end..hi {
            let one = P::of(samples, at);
            prefix = Some(prefix.map_or(one, |before| before.join(one, samples)));
        }
        end = hi;
        let suffix = suffixes[middle - lo - 1];
        let whole = prefix.map_or(suffix, |rest| suffix.join(rest, samples));
        each(k, lo, hi, Some(whole));
    });
}

impl Part for Sum {
    fn of(samples: Samples<'_>, at: usize) -> Self {
        Self::of(samples.values[at])
    }

    fn join(self, next: Self, _: Samples<'_>) -> Self {
        self.join(next)
    }
}

impl Part for Moments {
    fn of(samples: Samples<'_>, at: usize) -> Self {
        let mut moments = Self::default();
        moments.add(samples.values[at]);
        moments
    }

    fn join(self, next: Self, _: Samples<'_>) -> Self {
        self.join(next)
    }
}

/// The position of the least value of a part: the first of equal ones, NaN only if there is
/// nothing else, then the last one.
#[derive(Clone, Copy)]
pub(super) struct Least(pub(super) usize);

impl Part for Least {
    fn of(_: Samples<'_>, at: usize) -> Self {
        Self(at)
    }

    fn join(self, next: Self, samples: Samples<'_>) -> Self {
        let (value, other) = (samples.values[self.0], samples.values[next.0]);
        if other < value || value.is_nan() { next } else { self }
    }
}

/// The same of the greatest value.
#[derive(Clone, Copy)]
pub(super) struct Greatest(pub(super) usize);

impl Part for Greatest {
    fn of(_: Samples<'_>, at: usize) -> Self {
        Self(at)
    }

    fn join(self, next: Self, samples: Samples<'_>) -> Self {
        let (value, other) = (samples.values[self.0], samples.values[next.0]);
        if other > value || value.is_nan() { next } else { self }
    }
}

/// For every sample the number of those before it, and at it, for which something holds.
pub(super) struct Counts(Vec<u32>);

impl Counts {
    /// Counts the positions for which `holds`.
    pub(super) fn new(count: usize, holds: impl Fn(usize) -> bool) -> Self {
        let mut counted = 0;
        let mut counts = Vec::with_capacity(count + 1);
        counts.push(0);
        for at in 0..count {
            counted += u32::from(holds(at));
            counts.push(counted);
        }
        Self(counts)
    }

    /// How many of `lo..hi` there are; nothing if `hi` is not above `lo`.
    pub(super) fn within(&self, lo: usize, hi: usize) -> u32 {
        self.0[hi.max(lo)] - self.0[lo]
    }

    /// Whether nothing was looked at.
    fn are_none(&self) -> bool {
        self.0.len() == 1
    }
}

/// Applies a function of values to every window that is not empty: to windows put together from
/// parts where that gives the same but for rounding, else to the window itself.
///
/// Short windows are folded by themselves. Values that are not finite are taken out beforehand:
/// a window with a NaN or with both infinities gives NaN, one with an infinity `of_infinity`.
/// Series of values so large that a sum of them may overflow are looked at window by window,
/// since there the order matters.
pub(super) fn folded<P: Part>(
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    of_infinity: impl Fn(f64) -> f64,
    of_window: impl Fn(&[f64]) -> f64,
    of_part: impl Fn(P, usize) -> f64,
) {
    let values = samples.values;
    let finite = |greatest: f64, value: &f64| {
        if value.is_finite() { greatest.max(value.abs()) } else { greatest }
    };
    let greatest = values.iter().fold(0.0, finite);
    if !windows.overlap_much() || (greatest * values.len() as f64).is_infinite() {
        return windows.for_each(samples.times, |k, lo, hi, _| {
            output.set(k, (lo < hi).then(|| of_window(&values[lo..hi])));
        });
    }
    let odd = Odd::new(values);
    let tamed: Vec<f64>;
    let mut tame = samples;
    if !odd.are_none() {
        let or_zero = |value: &f64| if value.is_finite() { *value } else { 0.0 };
        tamed = values.iter().map(or_zero).collect();
        tame.values = &tamed;
    }
    slide(tame, windows, DIRECT_SAMPLES_MAX, |k, lo, hi, part: Option<P>| {
        let value = match part {
            None => (lo < hi).then(|| of_window(&values[lo..hi])),
            Some(part) => Some(match odd.within(lo, hi) {
                None => of_part(part, hi - lo),
                Some(odd) if odd.is_nan() => odd,
                Some(infinity) => of_infinity(infinity),
            }),
        };
        output.set(k, value);
    });
}

/// Where values are not finite.
struct Odd {
    nans: Counts,
    positive: Counts,
    negative: Counts,
}

impl Odd {
    fn new(values: &[f64]) -> Self {
        let none = values.iter().all(|value| value.is_finite());
        let count = |holds: fn(f64) -> bool| {
            Counts::new(if none { 0 } else { values.len() }, |at| holds(values[at]))
        };
        Self {
            nans: count(f64::is_nan),
            positive: count(|value| value == f64::INFINITY),
            negative: count(|value| value == f64::NEG_INFINITY),
        }
    }

    fn are_none(&self) -> bool {
        self.nans.are_none()
    }

    /// What a sum over a window is if some of its values are not finite.
    fn within(&self, lo: usize, hi: usize) -> Option<f64> {
        if self.are_none() {
            return None;
        }
        let has = |counts: &Counts| counts.within(lo, hi) > 0;
        match (has(&self.nans), has(&self.positive), has(&self.negative)) {
            (false, false, false) => None,
            (false, true, false) => Some(f64::INFINITY),
            (false, false, true) => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }
}
