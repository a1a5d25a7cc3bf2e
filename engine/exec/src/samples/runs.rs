//! `Runs`: the samples of a block, which is some pages of a segment, packed.
//!
//! ```text
//!  Run       series 7, 240 rows, first time, every 15 s  ─┐ or a list of distances to the first
//!            four chunks, by 10^-2                       ─┴ or floats
//!  Chunk     64 rows above 1200, one byte each
//!  value     = (1200 + above) / 10^2                        the division that the row stands for
//! ```
//!
//! Chunks are short, so that a counter needs no more bytes than it moves in a quarter of an hour.

use crate::operators::{Scratch, SeriesKey, power_of_ten};

/// Rows of one series.
#[derive(Clone, Copy, Debug)]
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

/// Where values are.
#[derive(Clone, Copy, Debug)]
enum Values {
    /// From here in `chunks`, and the power of ten that divides them.
    Packed { chunk: u32, exponent: i32 },
    /// From here in `full`.
    Full { at: u32 },
}

/// Rows of a chunk, but for the last one of a run.
const CHUNK_ROWS: usize = 64;

/// Integers of some rows.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// What is added to each.
    least: i64,
    /// Where they are in `packed`.
    at: u32,
    /// Bytes of each: 0, 1, 2 or 4.
    width: u8,
}

/// The samples of a block.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// In order of keys.
    runs: Vec<Run>,
    distances: Vec<u32>,
    chunks: Vec<Chunk>,
    packed: Vec<u8>,
    full: Vec<f64>,
}

impl Runs {
    /// Memory it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.runs.capacity() * size_of::<Run>()
            + self.distances.capacity() * size_of::<u32>()
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.packed.capacity()
            + self.full.capacity() * size_of::<f64>()
    }

    /// What was packed, in no more memory than it needs; what is left is empty and can be used
    /// again without growing anew, which costs the kernel fresh pages.
    pub(super) fn take_packed(&mut self) -> Self {
        Self {
            runs: taken(&mut self.runs),
            distances: taken(&mut self.distances),
            chunks: taken(&mut self.chunks),
            packed: taken(&mut self.packed),
            full: taken(&mut self.full),
        }
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
        let at = u32::try_from(self.full.len()).ok()?;
        let (mantissas, exponent) = match values {
            Given::Numbers(numbers) => {
                self.full.extend_from_slice(numbers);
                return Some(Values::Full { at });
            }
            Given::Decimals(mantissas, exponent) => (mantissas, exponent),
        };
        let (chunks, packed) = (self.chunks.len(), self.packed.len());
        if mantissas.chunks(CHUNK_ROWS).all(|chunk| self.pack_chunk(chunk).is_some()) {
            return Some(Values::Packed { chunk: u32::try_from(chunks).ok()?, exponent });
        }
        self.chunks.truncate(chunks);
        self.packed.truncate(packed);
        let divisor = power_of_ten(exponent);
        self.full.extend(mantissas.iter().map(|mantissa| *mantissa as f64 / divisor));
        Some(Values::Full { at })
    }

    /// Adds a chunk; `None` if its integers are too far apart.
    fn pack_chunk(&mut self, mantissas: &[i64]) -> Option<()> {
        let first = *mantissas.first()?;
        let ends = |(least, greatest): (i64, i64), mantissa: &i64| {
            (least.min(*mantissa), greatest.max(*mantissa))
        };
        let (least, greatest) = mantissas.iter().fold((first, first), ends);
        let span = u32::try_from(greatest.checked_sub(least)?).ok()?;
        let above = |mantissa: &i64| (mantissa - least) as u32;
        let at = self.packed.len();
        let width = match span {
            0 => 0,
            1..=0xff => {
                self.packed.extend(mantissas.iter().map(|mantissa| above(mantissa) as u8));
                1
            }
            0x100..=0xffff => {
                self.packed.resize(at + 2 * mantissas.len(), 0);
                let (places, _) = self.packed[at..].as_chunks_mut::<2>();
                for (place, mantissa) in places.iter_mut().zip(mantissas) {
                    *place = (above(mantissa) as u16).to_le_bytes();
                }
                2
            }
            _ => {
                self.packed.resize(at + 4 * mantissas.len(), 0);
                let (places, _) = self.packed[at..].as_chunks_mut::<4>();
                for (place, mantissa) in places.iter_mut().zip(mantissas) {
                    *place = above(mantissa).to_le_bytes();
                }
                4
            }
        };
        self.chunks.push(Chunk { least, at: u32::try_from(at).ok()?, width });
        Some(())
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
        let (first, exponent) = match values {
            Values::Packed { chunk, exponent } => (chunk as usize, exponent),
            Values::Full { at } => {
                to.extend_from_slice(&self.full[at as usize + lo..at as usize + hi]);
                return;
            }
        };
        // Dividing by one changes nothing and is the commonest case.
        let divisor = (exponent != 0).then(|| power_of_ten(exponent));
        for at in lo / CHUNK_ROWS..hi.div_ceil(CHUNK_ROWS) {
            let begin = at * CHUNK_ROWS;
            let rows = lo.max(begin) - begin..hi.min(begin + CHUNK_ROWS) - begin;
            let chunk = &self.chunks[first + at];
            let width = usize::from(chunk.width);
            let start = chunk.at as usize;
            let packed = &self.packed[start + width * rows.start..start + width * rows.end];
            match width {
                0 => unpack(rows.map(|_| 0), chunk.least, divisor, to),
                1 => unpack(packed.iter().map(|above| i64::from(*above)), chunk.least, divisor, to),
                2 => {
                    let above = packed.as_chunks::<2>().0.iter();
                    let above = above.map(|above| i64::from(u16::from_le_bytes(*above)));
                    unpack(above, chunk.least, divisor, to);
                }
                _ => {
                    let above = packed.as_chunks::<4>().0.iter();
                    let above = above.map(|above| i64::from(u32::from_le_bytes(*above)));
                    unpack(above, chunk.least, divisor, to);
                }
            }
        }
    }
}

fn taken<T: Copy>(from: &mut Vec<T>) -> Vec<T> {
    let exact = from.as_slice().to_vec();
    from.clear();
    exact
}

fn unpack(packed: impl Iterator<Item = i64>, least: i64, divisor: Option<f64>, to: &mut Vec<f64>) {
    match divisor {
        None => to.extend(packed.map(|above| (least + above) as f64)),
        Some(divisor) => to.extend(packed.map(|above| (least + above) as f64 / divisor)),
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
