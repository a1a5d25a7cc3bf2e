//! Native histograms: spans of buckets → rows of `metric_histograms`.
//!
//! The tables hold histograms of exponential buckets with whole counts, which is what a client
//! library makes. Those with custom bounds or with fractions for counts, which recording rules
//! make, have no table yet and are rejected.

use super::super::histograms::{ExponentialBuckets, ExponentialPoint};
use super::super::{NO_RECORDED_VALUE, STALE};
use super::each;
use crate::admit::{Reason, Rejection};
use crate::decode::wire::{Malformed, Value};
use crate::decode::{Failure, Tally};
use crate::limits::{BUCKET_BYTES, HISTOGRAM_BUCKETS_MAX, HISTOGRAM_ROW_BYTES};

/// Finest scale of a row: finer histograms are merged to it, as Prometheus does.
const SCALE_MAX: i32 = 8;
/// Coarsest scale.
const SCALE_MIN: i32 = -4;
/// What stands for a scale where the bounds are custom.
const CUSTOM_BOUNDS: i32 = -53;

/// A histogram with its times.
pub(super) struct Read {
    pub(super) time_ms: i64,
    /// 0 if it was not sent.
    pub(super) start_ms: i64,
    pub(super) point: ExponentialPoint,
}

/// One side as sent: spans over consecutive buckets, counts as differences.
#[derive(Default)]
struct Side {
    /// Distance from the end of the span before (the first: bucket index), and length.
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
}

/// Reads a `Histogram` message.
pub(super) fn read(message: &[u8]) -> Result<Read, Failure> {
    let mut read = Read { time_ms: 0, start_ms: 0, point: ExponentialPoint::default() };
    let (mut positive, mut negative) = (Side::default(), Side::default());
    let (mut is_fractional, mut counts_too_large) = (false, false);
    let mut whole = |value: Value<'_>| -> Result<i64, Malformed> {
        let count = value.varint()?;
        counts_too_large |= i64::try_from(count).is_err();
        Ok(count as i64)
    };
    each(message, |field, value| {
        match field {
            1 => read.point.count = whole(value)?,
            3 => read.point.sum = Some(value.double()?),
            4 => read.point.scale = value.sint32()?,
            5 => read.point.zero_threshold = value.double()?,
            6 => read.point.zero_count = whole(value)?,
            8 => negative.spans.push(span(value.bytes()?)?),
            9 => value.each_varint(|delta| negative.deltas.push(zigzag(delta)))?,
            11 => positive.spans.push(span(value.bytes()?)?),
            12 => value.each_varint(|delta| positive.deltas.push(zigzag(delta)))?,
            2 | 7 | 10 | 13 => is_fractional = true,
            15 => read.time_ms = value.varint()? as i64,
            17 => read.start_ms = value.varint()? as i64,
            _ => {}
        }
        Ok(())
    })?;
    let scale = read.point.scale;
    if scale == CUSTOM_BOUNDS {
        return Err(rejected("a histogram with custom bounds, which are not stored yet"));
    }
    if is_fractional {
        return Err(rejected("a histogram with fractions for counts, which are not stored yet"));
    }
    if counts_too_large {
        return Err(rejected("a histogram has a count of 2^63 or more"));
    }
    if scale < SCALE_MIN {
        return Err(rejected(&format!("a histogram has schema {scale}, the least is {SCALE_MIN}")));
    }
    read.point.scale = scale.min(SCALE_MAX);
    let coarser = u32::try_from(scale - read.point.scale).unwrap_or_default().min(31);
    read.point.positive = positive.buckets(coarser)?;
    read.point.negative = negative.buckets(coarser)?;
    if read.point.sum.is_some_and(|sum| sum.to_bits() == STALE.to_bits()) {
        read.point.flags |= NO_RECORDED_VALUE;
    }
    Ok(read)
}

/// Counts the rows that a histogram is about to make.
pub(super) fn reserve(point: &ExponentialPoint, tally: &mut Tally) -> Result<(), Failure> {
    let buckets = point.positive.counts.len() + point.negative.counts.len();
    tally.make_rows(buckets, BUCKET_BYTES)?;
    tally.make_rows(1, HISTOGRAM_ROW_BYTES)
}

impl Side {
    /// The counts from the first bucket to the last, `coarser` scales below that of the spans.
    ///
    /// Bucket `i` of Prometheus ends at `base^i`, bucket `i` of OTLP, which the rows have, begins
    /// there.
    fn buckets(&self, coarser: u32) -> Result<ExponentialBuckets, Failure> {
        let mut buckets = ExponentialBuckets::default();
        let mut deltas = self.deltas.iter();
        let (mut index, mut count) = (0_i64, 0_i64);
        for (distance, length) in &self.spans {
            index += i64::from(*distance);
            for _ in 0..*length {
                let delta = deltas.next().ok_or_else(|| rejected("spans over missing buckets"))?;
                count = count
                    .checked_add(*delta)
                    .filter(|count| *count >= 0)
                    .ok_or_else(|| rejected("a bucket of a histogram has a count out of range"))?;
                add(&mut buckets, (index - 1) >> coarser, count)?;
                index += 1;
            }
        }
        if deltas.next().is_some() {
            return Err(rejected("a histogram has buckets outside of its spans"));
        }
        Ok(buckets)
    }
}

/// Adds to the bucket at `index`, which is not below those added before.
fn add(buckets: &mut ExponentialBuckets, index: i64, count: i64) -> Result<(), Failure> {
    if count == 0 {
        return Ok(());
    }
    let out_of_range = || rejected("a histogram has a bucket out of range");
    if buckets.counts.is_empty() {
        buckets.offset = i32::try_from(index).map_err(|_| out_of_range())?;
    }
    let at = usize::try_from(index - i64::from(buckets.offset)).map_err(|_| out_of_range())?;
    if at >= HISTOGRAM_BUCKETS_MAX {
        let message =
            format!("a histogram spans more than {HISTOGRAM_BUCKETS_MAX} buckets, the limit");
        return Err(rejected(&message));
    }
    if at >= buckets.counts.len() {
        buckets.counts.resize(at + 1, 0);
    }
    buckets.counts[at] = buckets.counts[at].checked_add(count).ok_or_else(out_of_range)?;
    Ok(())
}

fn span(message: &[u8]) -> Result<(i32, u32), Malformed> {
    let mut span = (0, 0);
    each(message, |field, value| {
        match field {
            1 => span.0 = value.sint32()?,
            2 => span.1 = value.uint32()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(span)
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn rejected(message: &str) -> Failure {
    Rejection::new(Reason::InvalidMetric, message).into()
}
