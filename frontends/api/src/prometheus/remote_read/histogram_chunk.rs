//! Chunks of native histograms, as Prometheus packs them.
//!
//! ```text
//!  count (2 bytes) · what is known of resets (2 bits, then 6 zeros) · zero threshold · schema ·
//!  spans of positive and of negative buckets · bounds, if they are custom · samples:
//!
//!               time             counts and buckets, whole        not whole       sum
//!  sample 0     as it is         as they are, buckets each as     64 bits each    64 bits
//!                                difference from the one before
//!  sample 1     difference       difference                       XOR             XOR
//!  sample n     its change       change of the difference         XOR             XOR
//! ```
//!
//! All histograms of a chunk have the same buckets, and no counter is reset within one.

use exec::output::{Bucket, Histogram, ResetHint};

use super::bits::{Bits, Values};
use super::messages::{self, Chunk, Span};

/// The numbers of the two encodings: counts that are whole, and others.
const WHOLE: i32 = 2;
const FLOAT: i32 = 3;

/// Counts up to this are told apart from their neighbours.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Bounds times a thousand up to this are written as whole numbers, if they are.
const BOUND_MAX: f64 = 33_554_430.0;

/// How many of these samples, which are not empty and have ascending times, go into one chunk.
pub(super) fn run_length(samples: &[(i64, Histogram)], most: usize) -> usize {
    let pairs = samples.iter().zip(samples.iter().skip(1)).take(most.saturating_sub(1));
    1 + pairs.take_while(|((_, before), (_, next))| continues(before, next)).count()
}

/// Whether one histogram can stand behind the other one in a chunk.
fn continues(before: &Histogram, next: &Histogram) -> bool {
    if before.is_stale() || next.is_stale() {
        return before.is_stale() && next.is_stale();
    }
    let is_gauge = |it: &Histogram| it.hint == ResetHint::Gauge;
    let same_indexes = |a: &[Bucket], b: &[Bucket]| {
        let index = |bucket: &Bucket| bucket.0;
        a.iter().map(index).eq(b.iter().map(index))
    };
    let is_same = is_gauge(before) == is_gauge(next)
        && is_whole(before) == is_whole(next)
        && before.schema == next.schema
        && before.zero_threshold.to_bits() == next.zero_threshold.to_bits()
        && before.bounds == next.bounds
        && same_indexes(&before.positive, &next.positive)
        && same_indexes(&before.negative, &next.negative);
    is_same && (is_gauge(next) || !is_reset(before, next))
}

/// Whether a counter begins anew, as its sender says or its counts tell.
fn is_reset(before: &Histogram, next: &Histogram) -> bool {
    let shrinks = |a: &[Bucket], b: &[Bucket]| a.iter().zip(b).any(|(a, b)| b.1 < a.1);
    next.hint == ResetHint::Reset
        || next.count < before.count
        || next.zero_count < before.zero_count
        || shrinks(&before.positive, &next.positive)
        || shrinks(&before.negative, &next.negative)
}

fn is_whole(histogram: &Histogram) -> bool {
    let is_whole = |count: f64| (0.0..=WHOLE_MAX).contains(&count) && count.trunc() == count;
    let mut buckets = histogram.positive.iter().chain(&histogram.negative);
    is_whole(histogram.count)
        && is_whole(histogram.zero_count)
        && buckets.all(|bucket| is_whole(bucket.1))
}

/// A run of samples, packed; see [`run_length`].
pub(super) fn chunk(samples: &[(i64, Histogram)]) -> Chunk {
    let bare: Vec<(i64, Histogram)>;
    let samples = match samples.first() {
        // A stale marker has no buckets, whatever stood before it.
        Some((_, first)) if first.is_stale() => {
            let marker = |sum| Histogram { sum, ..Histogram::default() };
            bare = samples.iter().map(|(time_ms, it)| (*time_ms, marker(it.sum))).collect();
            bare.as_slice()
        }
        _ => samples,
    };
    let mut bits = Bits::default();
    bits.write(samples.len() as u64, 16);
    let kind = match samples.first() {
        Some((_, first)) => {
            write_layout(&mut bits, first);
            let is_whole = is_whole(first);
            if is_whole {
                write_whole(&mut bits, samples)
            } else {
                write_float(&mut bits, samples)
            }
            if is_whole { WHOLE } else { FLOAT }
        }
        None => WHOLE,
    };
    Chunk {
        min_time_ms: samples.first().map_or(0, |sample| sample.0),
        max_time_ms: samples.last().map_or(0, |sample| sample.0),
        kind,
        data: bits.bytes,
    }
}

/// What all samples of a chunk share.
fn write_layout(bits: &mut Bits, first: &Histogram) {
    let resets = match first.hint {
        ResetHint::Unknown => 0b00,
        ResetHint::NotReset => 0b01,
        ResetHint::Reset => 0b10,
        ResetHint::Gauge => 0b11,
    };
    bits.write(resets, 2);
    bits.write(0, 6);
    write_threshold(bits, first.zero_threshold);
    bits.write_signed(i64::from(first.schema));
    for buckets in [&first.positive, &first.negative] {
        let (spans, _) = messages::spans(buckets);
        bits.write_unsigned(spans.len() as u64);
        for Span { offset, length } in spans {
            bits.write_unsigned(u64::from(length));
            bits.write_signed(i64::from(offset));
        }
    }
    if first.is_custom() {
        bits.write_unsigned(first.bounds.len() as u64);
        first.bounds.iter().for_each(|bound| write_bound(bits, *bound));
    }
}

/// Zero and most powers of two in one byte, others in nine.
fn write_threshold(bits: &mut Bits, threshold: f64) {
    if threshold == 0.0 {
        return bits.write(0, 8);
    }
    let (exponent, mantissa) = (threshold.to_bits() >> 52, threshold.to_bits() << 12);
    // From 2^-243 to 2^10; the sign is a part of what is taken for the exponent here.
    let number = exponent.wrapping_sub(1023 - 244);
    if mantissa == 0 && (1..=254).contains(&number) {
        return bits.write(number, 8);
    }
    bits.write(255, 8);
    bits.write(threshold.to_bits(), 64);
}

fn write_bound(bits: &mut Bits, bound: f64) {
    let thousandths = (bound * 1_000.0).round();
    let is_told = (thousandths / 1_000.0).to_bits() == bound.to_bits();
    if (0.0..=BOUND_MAX).contains(&thousandths) && is_told {
        return bits.write_unsigned(thousandths as u64 + 1);
    }
    bits.write(0, 1);
    bits.write(bound.to_bits(), 64);
}

/// The counts of a histogram and of its buckets, each bucket as the difference from the one before.
fn whole_numbers(histogram: &Histogram) -> Vec<i64> {
    let mut numbers = vec![histogram.count as i64, histogram.zero_count as i64];
    for buckets in [&histogram.positive, &histogram.negative] {
        let mut before = 0;
        for (_, count) in buckets {
            numbers.push(*count as i64 - before);
            before = *count as i64;
        }
    }
    numbers
}

/// Counts that come first, before the sum: all and those in the zero bucket.
const TOTALS: usize = 2;

fn write_whole(bits: &mut Bits, samples: &[(i64, Histogram)]) {
    let mut sums = Values::default();
    let (mut times, mut numbers) = (Changes::default(), Vec::new());
    for (at, (time_ms, histogram)) in samples.iter().enumerate() {
        bits.write_signed(times.next(at, *time_ms));
        let found = whole_numbers(histogram);
        numbers.resize_with(found.len(), Changes::default);
        for (place, (number, changes)) in found.iter().zip(&mut numbers).enumerate() {
            if place == TOTALS {
                write_number(bits, &mut sums, at, histogram.sum);
            }
            let change = changes.next(at, *number);
            match at == 0 && place < TOTALS {
                true => bits.write_unsigned(change as u64),
                false => bits.write_signed(change),
            }
        }
        if found.len() == TOTALS {
            write_number(bits, &mut sums, at, histogram.sum);
        }
    }
}

fn write_float(bits: &mut Bits, samples: &[(i64, Histogram)]) {
    let (mut times, mut numbers) = (Changes::default(), Vec::new());
    for (at, (time_ms, histogram)) in samples.iter().enumerate() {
        bits.write_signed(times.next(at, *time_ms));
        let buckets = histogram.positive.iter().chain(&histogram.negative).map(|bucket| bucket.1);
        let totals = [histogram.count, histogram.zero_count, histogram.sum];
        for (place, number) in totals.into_iter().chain(buckets).enumerate() {
            if numbers.len() == place {
                numbers.push(Values::default());
            }
            write_number(bits, &mut numbers[place], at, number);
        }
    }
}

/// A number of the first sample as it is, of others as what differs.
fn write_number(bits: &mut Bits, values: &mut Values, at: usize, number: f64) {
    match at {
        0 => values.begin(bits, number),
        _ => values.write(bits, number),
    }
}

/// A whole number of each sample: the first one, then its difference, then how that changes.
#[derive(Debug, Default)]
struct Changes {
    last: i64,
    difference: i64,
}

impl Changes {
    fn next(&mut self, at: usize, number: i64) -> i64 {
        let difference = number.wrapping_sub(self.last);
        let change = match at {
            0 => number,
            1 => difference,
            _ => difference.wrapping_sub(self.difference),
        };
        (self.last, self.difference) = (number, difference);
        change
    }
}

#[cfg(test)]
mod tests;
