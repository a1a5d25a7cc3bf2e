//! Native histograms: spans of buckets → rows of `metric_histograms`.
//!
//! Counts with fractions, which recording rules make, go beside the whole ones. Finer schemas than
//! PromQL works with are merged, as Prometheus does.

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

/// One side as sent: spans over consecutive buckets, counts as differences or, with fractions, as
/// they are.
#[derive(Default)]
struct Side {
    /// Distance from the end of the span before (the first: bucket index), and length.
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

/// Reads a `Histogram` message.
pub(super) fn read(message: &[u8]) -> Result<Read, Failure> {
    let mut read = Read { time_ms: 0, start_ms: 0, point: ExponentialPoint::default() };
    let (mut positive, mut negative) = (Side::default(), Side::default());
    let mut fractions: Option<(f64, f64)> = None;
    let mut counts_too_large = false;
    let mut whole = |value: Value<'_>| -> Result<i64, Malformed> {
        let count = value.varint()?;
        counts_too_large |= i64::try_from(count).is_err();
        Ok(count as i64)
    };
    let point = &mut read.point;
    each(message, |field, value| {
        match field {
            1 => point.count = whole(value)?,
            2 => fractions.get_or_insert_default().0 = value.double()?,
            3 => point.sum = Some(value.double()?),
            4 => point.scale = value.sint32()?,
            5 => point.zero_threshold = value.double()?,
            6 => point.zero_count = whole(value)?,
            7 => fractions.get_or_insert_default().1 = value.double()?,
            8 => negative.spans.push(span(value.bytes()?)?),
            9 => value.each_varint(|delta| negative.deltas.push(zigzag(delta)))?,
            10 => value.each_fixed64(|count| negative.counts.push(f64::from_bits(count)))?,
            11 => positive.spans.push(span(value.bytes()?)?),
            12 => value.each_varint(|delta| positive.deltas.push(zigzag(delta)))?,
            13 => value.each_fixed64(|count| positive.counts.push(f64::from_bits(count)))?,
            14 => point.reset_hint = i32::try_from(value.uint32()?).ok().filter(|hint| *hint != 0),
            15 => read.time_ms = value.varint()? as i64,
            16 => value.each_fixed64(|bound| {
                point.custom_bounds.get_or_insert_default().push(f64::from_bits(bound));
            })?,
            17 => read.start_ms = value.varint()? as i64,
            _ => {}
        }
        Ok(())
    })?;
    if counts_too_large {
        return Err(rejected("a histogram has a count of 2^63 or more"));
    }
    let layout = layout(point)?;
    match fractions {
        None => {
            (point.positive, _) = positive.buckets(&layout, true)?;
            (point.negative, _) = negative.buckets(&layout, true)?;
        }
        Some((count, zero_count)) => {
            let mut all = vec![count, zero_count];
            let (positive, counts) = positive.buckets(&layout, false)?;
            all.extend(counts);
            let (negative, counts) = negative.buckets(&layout, false)?;
            all.extend(counts);
            (point.positive, point.negative) = (positive, negative);
            point.fractions = Some(all);
        }
    }
    if point.sum.is_some_and(|sum| sum.to_bits() == STALE.to_bits()) {
        point.flags |= NO_RECORDED_VALUE;
    }
    Ok(read)
}

/// How bucket numbers as sent become those of a row.
struct Layout {
    is_custom: bool,
    /// By how many schemas the row is coarser.
    coarser: u32,
}

/// Checks the schema and sets the one that the row has.
fn layout(point: &mut ExponentialPoint) -> Result<Layout, Failure> {
    let schema = point.scale;
    if schema == CUSTOM_BOUNDS {
        let bounds = point.custom_bounds.get_or_insert_default();
        if bounds.len() >= HISTOGRAM_BUCKETS_MAX || !bounds.is_sorted_by(|a, b| a < b) {
            let message = format!(
                "custom bounds of a histogram must ascend, fewer than {HISTOGRAM_BUCKETS_MAX}"
            );
            return Err(rejected(&message));
        }
        return Ok(Layout { is_custom: true, coarser: 0 });
    }
    if schema < SCALE_MIN {
        return Err(rejected(&format!(
            "a histogram has schema {schema}, the least is {SCALE_MIN}"
        )));
    }
    point.custom_bounds = None;
    point.scale = schema.min(SCALE_MAX);
    let coarser = u32::try_from(schema - point.scale).unwrap_or_default().min(31);
    Ok(Layout { is_custom: false, coarser })
}

/// Counts the rows that a histogram is about to make.
pub(super) fn reserve(point: &ExponentialPoint, tally: &mut Tally) -> Result<(), Failure> {
    let buckets = point.positive.counts.len() + point.negative.counts.len();
    tally.make_rows(buckets, BUCKET_BYTES)?;
    tally.make_rows(1, HISTOGRAM_ROW_BYTES)
}

impl Side {
    /// The counts from the first bucket to the last: whole ones, or zeros and beside them those
    /// with fractions.
    ///
    /// Bucket `i` of Prometheus ends at `base^i`, bucket `i` of OTLP, which the rows have, begins
    /// there. Buckets with custom bounds are numbered alike.
    fn buckets(
        &self,
        layout: &Layout,
        is_whole: bool,
    ) -> Result<(ExponentialBuckets, Vec<f64>), Failure> {
        let mut buckets = ExponentialBuckets::default();
        let mut fractions = Vec::new();
        let (mut deltas, mut counts) = (self.deltas.iter(), self.counts.iter());
        let (mut index, mut count) = (0_i64, 0_i64);
        let missing = || rejected("a histogram has spans over missing buckets");
        for (distance, length) in &self.spans {
            index += i64::from(*distance);
            for _ in 0..*length {
                let at = if layout.is_custom { index } else { (index - 1) >> layout.coarser };
                index += 1;
                let fraction = if is_whole {
                    let delta = deltas.next().ok_or_else(missing)?;
                    count =
                        count.checked_add(*delta).filter(|count| *count >= 0).ok_or_else(|| {
                            rejected("a bucket of a histogram has a count out of range")
                        })?;
                    0.0
                } else {
                    *counts.next().ok_or_else(missing)?
                };
                if count == 0 && fraction == 0.0 {
                    continue;
                }
                let at = place(&mut buckets, at)?;
                let sum = buckets.counts[at].checked_add(count);
                buckets.counts[at] = sum.ok_or_else(out_of_range)?;
                fractions.resize(buckets.counts.len(), 0.0);
                fractions[at] += fraction;
            }
        }
        if deltas.next().is_some() && is_whole || counts.next().is_some() && !is_whole {
            return Err(rejected("a histogram has buckets outside of its spans"));
        }
        Ok((buckets, fractions))
    }
}

fn out_of_range() -> Failure {
    rejected("a histogram has a bucket out of range")
}

/// The place of the bucket at `index`, which is not below those before, made if it is new.
fn place(buckets: &mut ExponentialBuckets, index: i64) -> Result<usize, Failure> {
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
    Ok(at)
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
