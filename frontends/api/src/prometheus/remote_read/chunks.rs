//! The samples of a series as chunks, in the order of their times.

use exec::RawSeries;

use super::messages::Chunk;
use super::{histogram_chunk, xor};

/// Samples of a chunk, as in Prometheus.
const SAMPLES_PER_CHUNK: usize = 120;

/// Chunks of numbers and of histograms, whichever come first.
///
/// ```text
///  numbers      1 2 3 . . 6 7      ─▶  [1 2 3] [4 5] [6 7]
///  histograms   . . . 4 5 . .           XOR     HIST  XOR
/// ```
pub(super) fn chunks(series: &RawSeries) -> impl Iterator<Item = Chunk> {
    let mut samples = series.samples.as_slice();
    let mut histograms = series.histograms.as_slice();
    std::iter::from_fn(move || {
        let next_histogram = histograms.first().map_or(i64::MAX, |sample| sample.0);
        let numbers = samples.iter().take(SAMPLES_PER_CHUNK);
        let before = numbers.take_while(|sample| sample.0 <= next_histogram).count();
        if before > 0 {
            let (taken, rest) = samples.split_at(before);
            samples = rest;
            return Some(xor::chunk(taken));
        }
        let next_number = samples.first().map_or(i64::MAX, |sample| sample.0);
        let most = histograms.iter().take(SAMPLES_PER_CHUNK);
        let most = most.take_while(|sample| sample.0 <= next_number).count();
        if most == 0 {
            return None;
        }
        let (taken, rest) = histograms.split_at(histogram_chunk::run_length(histograms, most));
        histograms = rest;
        Some(histogram_chunk::chunk(taken))
    })
}

#[cfg(test)]
mod tests;
