//! Holt's double exponential smoothing over sliding windows.
//!
//! A sample moves the state (level, slope) by one linear map `M`, the same for all samples, and
//! adds a multiple of one vector:
//!
//! ```text
//!  level' = s x + (1 - s) (level + slope)         M = │ 1-s   1-s  │   v = │  s  │
//!  slope' = t (level' - level) + (1 - t) slope        │ -ts   1-ts │       │ t s │
//!
//!  samples   lo ───────── middle ───────── hi
//!            states[lo]           drift, power
//!  window  = power · states[lo] + drift
//! ```
//!
//! `states[lo]` is the state at `middle` of the window that begins at `lo`; `power` and `drift` are
//! the map of what has come since. As in [`super::sliding`], each sample is folded twice and each
//! window joined once, and nothing is ever taken out again.

use super::sliding::{Counts, DIRECT_SAMPLES_MAX};
use super::{Output, Samples, Windows};

/// Smoothing factors below this are computed window by window: powers of the map grow to about
/// two over the factor before they fall, and rounding errors with them.
const JOINED_FACTOR_MIN: f64 = 1e-3;

/// Powers of the map whose entries are all below this are nothing. Numbers much smaller would be
/// subnormal, which processors take a hundred times as long to multiply.
const POWER_MIN: f64 = 1e-280;

/// Samples at a window's end from which a value that is not finite may leave a level that is a
/// number or an infinity; one before them leaves NaN, since the slope is one of infinities by then.
const ODD_AT_END: usize = 2;

/// Holt's double exponential smoothing; needs two samples. Factors are between zero and one.
///
/// Each window begins anew with its first two samples. Short windows, and those that overlap
/// little, have the bits of a loop over the window; long ones are joined and differ from the loop
/// by rounding: less than 1e-9 of the greatest value in the window. Windows whose last samples
/// are not finite are looped over.
pub(super) fn smooth(
    smoothing: f64,
    trend: f64,
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
) {
    let values = samples.values;
    let alone = |lo: usize, hi: usize| looped(smoothing, trend, &values[lo..hi]);
    if !windows.overlap_much() || smoothing < JOINED_FACTOR_MIN {
        return windows.for_each(samples.times, |k, lo, hi, _| output.set(k, alone(lo, hi)));
    }
    let odd = Counts::new(values.len(), |at| !values[at].is_finite());
    let mut joined = Joined::new(smoothing, trend, values);
    windows.for_each(samples.times, |k, lo, hi, _| {
        if hi - lo <= DIRECT_SAMPLES_MAX {
            return output.set(k, alone(lo, hi));
        }
        let level = joined.level(lo, hi);
        let level = if level.is_finite() {
            Some(level)
        } else if odd.within(lo, hi - ODD_AT_END) > 0 {
            Some(f64::NAN)
        } else {
            alone(lo, hi)
        };
        output.set(k, level);
    });
}

/// The definition: a loop over the window. `None` with less than two samples.
fn looped(smoothing: f64, trend: f64, window: &[f64]) -> Option<f64> {
    let [first, second, ..] = window else { return None };
    let (mut level, mut slope) = (*first, second - first);
    for value in &window[1..] {
        let before = level;
        level = smoothing * value + (1.0 - smoothing) * (before + slope);
        slope = trend * (level - before) + (1.0 - trend) * slope;
    }
    Some(level)
}

/// Level and slope.
type State = [f64; 2];

/// A linear map of states, row by row.
#[derive(Clone, Copy, Debug)]
struct Map([State; 2]);

impl Map {
    const IDENTITY: Self = Self([[1.0, 0.0], [0.0, 1.0]]);
    const NOTHING: Self = Self([[0.0, 0.0], [0.0, 0.0]]);

    #[inline]
    fn of(&self, state: State) -> State {
        self.0.map(|row| row[0] * state[0] + row[1] * state[1])
    }

    /// This map after `before`; nothing once that has faded.
    #[inline]
    fn after(&self, before: &Self) -> Self {
        let [[a, b], [c, d]] = before.0;
        let product = Self(self.0.map(|row| [row[0] * a + row[1] * c, row[0] * b + row[1] * d]));
        let is_faded = product.0.as_flattened().iter().all(|entry| entry.abs() < POWER_MIN);
        if is_faded { Self::NOTHING } else { product }
    }
}

#[inline]
fn plus(a: State, b: State) -> State {
    [a[0] + b[0], a[1] + b[1]]
}

/// Windows put together from two parts; both edges only ever move right.
struct Joined<'a> {
    values: &'a [f64],
    map: Map,
    /// What a sample of one adds to the state.
    gain: State,
    /// From `middle - 1` downwards: the state at `middle` of the window that begins there.
    states: Vec<State>,
    middle: usize,
    /// Where the samples end that are in `power` and `drift`.
    end: usize,
    power: Map,
    drift: State,
}

impl<'a> Joined<'a> {
    fn new(smoothing: f64, trend: f64, values: &'a [f64]) -> Self {
        let (s, ts) = (smoothing, trend * smoothing);
        let map = Map([[1.0 - s, 1.0 - s], [-ts, 1.0 - ts]]);
        let (states, power) = (Vec::new(), Map::IDENTITY);
        Self { values, map, gain: [s, ts], states, middle: 0, end: 0, power, drift: [0.0; 2] }
    }

    /// The level at the end of a window of two samples or more.
    fn level(&mut self, lo: usize, hi: usize) -> f64 {
        if lo >= self.middle {
            self.begin(lo, hi);
        }
        for value in &self.values[self.end..hi] {
            self.drift = plus(self.map.of(self.drift), self.added(*value));
            self.power = self.map.after(&self.power);
        }
        self.end = hi;
        plus(self.power.of(self.states[self.middle - lo - 1]), self.drift)[0]
    }

    fn added(&self, value: f64) -> State {
        self.gain.map(|gain| gain * value)
    }

    /// Makes `hi` the middle, and states of what lies before it.
    fn begin(&mut self, lo: usize, hi: usize) {
        self.states.clear();
        // The map from behind a sample to the middle, and what the samples behind it add there.
        let (mut power, mut drift) = (Map::IDENTITY, [0.0; 2]);
        for at in (lo..hi).rev() {
            let value = self.values[at];
            // A window that begins with the very last sample is too short to be asked for.
            let next = self.values.get(at + 1).unwrap_or(&value);
            self.states.push(plus(power.of([value, next - value]), drift));
            drift = plus(power.of(self.added(value)), drift);
            power = self.map.after(&power);
        }
        (self.middle, self.end) = (hi, hi);
        (self.power, self.drift) = (Map::IDENTITY, [0.0; 2]);
    }
}
