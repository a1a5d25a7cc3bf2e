//! `Runs`: the samples of a block, which is some pages of a segment, packed.
//!
//! ```text
//!  Run       series 7, 240 rows, first time, every 15 s  ─┐ or a list of distances to the first
//!            narrow[96..336] above 1200, by 10^-2        ─┴ or wide, or floats
//!  value     = (1200 + narrow[i]) / 10^2                    the division that the row stands for
//! ```

use crate::operators::{Scratch, SeriesKey, power_of_ten};

/// Rows of one series.
#[derive(Clone, Debug)]
struct Run {
    key: SeriesKey,
    rows: u32,
    /// Milliseconds.
    first_ms: i64,
    times: Times,
    values: Values,
}

#[derive(Clone, Copy, Debug)]
enum Times {
    /// Each so many milliseconds after the one before.
    Every(u32),
    /// Distances to the first one, from here in `distances`.
    Listed(u32),
}

/// Where values are, and what a packed integer is added to before it is divided.
#[derive(Clone, Copy, Debug)]
enum Values {
    Narrow { at: u32, least: i64, exponent: i32 },
    Wide { at: u32, least: i64, exponent: i32 },
    Full { at: u32 },
}

/// The samples of a block.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// In order of keys.
    runs: Vec<Run>,
    distances: Vec<u32>,
    narrow: Vec<u16>,
    wide: Vec<u32>,
    full: Vec<f64>,
}

impl Runs {
    /// Memory it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.runs.capacity() * size_of::<Run>()
            + self.distances.capacity() * size_of::<u32>()
            + self.narrow.capacity() * size_of::<u16>()
            + self.wide.capacity() * size_of::<u32>()
            + self.full.capacity() * size_of::<f64>()
    }

    /// Gives back what was allocated in advance.
    pub(super) fn shrink(&mut self) {
        self.runs.shrink_to_fit();
        self.distances.shrink_to_fit();
        self.narrow.shrink_to_fit();
        self.wide.shrink_to_fit();
        self.full.shrink_to_fit();
    }

    /// Adds the samples of the next series; false if there is no room for so many.
    pub(super) fn push(&mut self, key: SeriesKey, times: &[i64], values: Given<'_>) -> bool {
        let Some(first_ms) = times.first().copied() else { return true };
        let (Ok(rows), Some(times), Some(values)) =
            (u32::try_from(times.len()), self.pack_times(times), self.pack(values))
        else {
            return false;
        };
        self.runs.push(Run { key, rows, first_ms, times, values });
        true
    }

    /// How many series there are; one is counted again where it goes on after a gap in rows.
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// The first place from `at` on whose key is not below `key`: doubling steps, then halving, so
    /// that neighbours are near and far ones cost their logarithm.
    pub(super) fn seek(&self, mut at: usize, key: SeriesKey) -> usize {
        let mut step = 1;
        while at + step < self.runs.len() && self.runs[at + step].key < key {
            at += step;
            step *= 2;
        }
        let reach = (at + step).min(self.runs.len());
        at + self.runs[at..reach].partition_point(|run| run.key < key)
    }

    /// Adds the samples of the series at a place from the first to the last millisecond of
    /// `range_ms`, if it is `key`; whether it is.
    pub(super) fn take(
        &self,
        at: usize,
        key: SeriesKey,
        range_ms: (i64, i64),
        scratch: &mut Scratch,
    ) -> bool {
        let run = self.runs.get(at).filter(|run| run.key == key);
        if let Some(run) = run {
            self.read(run, range_ms, scratch);
        }
        run.is_some()
    }

    fn pack_times(&mut self, times: &[i64]) -> Option<Times> {
        let step = times.get(1).map_or(1, |second| second.wrapping_sub(times[0]));
        let is_even = times.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
        if let (true, Ok(step @ 1..)) = (is_even, u32::try_from(step)) {
            return Some(Times::Every(step));
        }
        let at = u32::try_from(self.distances.len()).ok()?;
        for time in times {
            self.distances.push(u32::try_from(time.checked_sub(times[0])?).ok()?);
        }
        Some(Times::Listed(at))
    }

    fn pack(&mut self, values: Given<'_>) -> Option<Values> {
        let (mantissas, exponent) = match values {
            Given::Numbers(numbers) => {
                let at = u32::try_from(self.full.len()).ok()?;
                self.full.extend_from_slice(numbers);
                return Some(Values::Full { at });
            }
            Given::Decimals(mantissas, exponent) => (mantissas, exponent),
        };
        let least = mantissas.iter().copied().min().unwrap_or(0);
        let span = mantissas.iter().copied().max().unwrap_or(0).checked_sub(least);
        let above = |mantissa: &i64| (mantissa - least).unsigned_abs();
        match span {
            Some(span) if span <= i64::from(u16::MAX) => {
                let at = u32::try_from(self.narrow.len()).ok()?;
                self.narrow.extend(mantissas.iter().map(|mantissa| above(mantissa) as u16));
                Some(Values::Narrow { at, least, exponent })
            }
            Some(span) if span <= i64::from(u32::MAX) => {
                let at = u32::try_from(self.wide.len()).ok()?;
                self.wide.extend(mantissas.iter().map(|mantissa| above(mantissa) as u32));
                Some(Values::Wide { at, least, exponent })
            }
            _ => {
                let at = u32::try_from(self.full.len()).ok()?;
                let divisor = power_of_ten(exponent);
                self.full.extend(mantissas.iter().map(|mantissa| *mantissa as f64 / divisor));
                Some(Values::Full { at })
            }
        }
    }

    /// Adds the samples of a run from `start_ms` to `end_ms`, both inclusive.
    fn read(&self, run: &Run, (start_ms, end_ms): (i64, i64), scratch: &mut Scratch) {
        let rows = run.rows as usize;
        let first = run.first_ms;
        let (lo, hi) = match run.times {
            Times::Every(step) => {
                let step = i64::from(step);
                let until = |time: i64| usize::try_from(time).unwrap_or(0).min(rows);
                let lo = until(start_ms.saturating_sub(first).saturating_add(step - 1) / step);
                let hi = end_ms.saturating_sub(first);
                let hi = if hi < 0 { 0 } else { until(hi / step + 1) };
                if lo < hi {
                    let times = (lo as i64..hi as i64).map(|at| first + at * step);
                    scratch.times.extend(times);
                }
                (lo, hi)
            }
            Times::Listed(at) => {
                let distances = &self.distances[at as usize..at as usize + rows];
                let before = |time: i64| move |distance: &u32| first + i64::from(*distance) < time;
                let lo = distances.partition_point(before(start_ms));
                let hi = distances.partition_point(before(end_ms.saturating_add(1)));
                if lo < hi {
                    let times = distances[lo..hi].iter().map(|it| first + i64::from(*it));
                    scratch.times.extend(times);
                }
                (lo, hi)
            }
        };
        if lo < hi {
            self.read_values(run.values, lo, hi, &mut scratch.values);
        }
    }

    fn read_values(&self, values: Values, lo: usize, hi: usize, to: &mut Vec<f64>) {
        match values {
            Values::Narrow { at, least, exponent } => {
                let packed = &self.narrow[at as usize + lo..at as usize + hi];
                unpack(packed.iter().map(|above| i64::from(*above)), least, exponent, to);
            }
            Values::Wide { at, least, exponent } => {
                let packed = &self.wide[at as usize + lo..at as usize + hi];
                unpack(packed.iter().map(|above| i64::from(*above)), least, exponent, to);
            }
            Values::Full { at } => {
                to.extend_from_slice(&self.full[at as usize + lo..at as usize + hi]);
            }
        }
    }
}

fn unpack(packed: impl Iterator<Item = i64>, least: i64, exponent: i32, to: &mut Vec<f64>) {
    if exponent == 0 {
        // Dividing by one changes nothing and is the commonest case.
        to.extend(packed.map(|above| (least + above) as f64));
    } else {
        let divisor = power_of_ten(exponent);
        to.extend(packed.map(|above| (least + above) as f64 / divisor));
    }
}

/// Values to be packed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given<'a> {
    /// As they are.
    Numbers(&'a [f64]),
    /// Mantissas over one power of ten.
    Decimals(&'a [i64], i32),
}
