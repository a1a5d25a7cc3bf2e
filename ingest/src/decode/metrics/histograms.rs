//! Data points of explicit and exponential histograms.

use super::super::Failure;
use super::super::wire::{Fields, MarkedFields, Value};
use super::points::format_float;
use super::{Family, MetricsDecoder, NO_RECORDED_VALUE, STALE, Tally, Times};
use crate::admit::{Reason, Rejection};
use crate::known::Key;
use crate::limits::{BUCKET_BYTES, HISTOGRAM_BUCKETS_MAX, HISTOGRAM_ROW_BYTES, SAMPLE_ROW_BYTES};

/// Tells the series of counts and of sums from those of buckets and quantiles, which are never NaN
/// of these bits.
pub(super) const COUNT_PART: u64 = u64::MAX;
pub(super) const SUM_PART: u64 = u64::MAX - 1;

/// The buckets of the explicit histogram that is being read. Bounds seldom change from point to
/// point, so their texts are kept.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    counts: Vec<u64>,
    bounds: Vec<f64>,
    /// Texts of `texts_of`.
    texts: Vec<String>,
    texts_of: Vec<f64>,
}

impl Buckets {
    fn clear(&mut self) {
        self.counts.clear();
        self.bounds.clear();
    }

    fn push_counts(&mut self, value: Value<'_>) -> Result<(), Failure> {
        let counts = &mut self.counts;
        value.each_fixed64(|count| counts.push(count))?;
        check_buckets(self.counts.len())
    }

    fn push_bounds(&mut self, value: Value<'_>) -> Result<(), Failure> {
        let bounds = &mut self.bounds;
        value.each_fixed64(|bits| bounds.push(f64::from_bits(bits)))?;
        check_buckets(self.bounds.len())
    }

    /// Checks the bounds of a point of the metric `name` and writes their texts. A last bound of infinity is left out: the bucket
    /// with all counts is made in any case.
    fn finish(&mut self, name: &str) -> Result<(), Failure> {
        let invalid = |what: String| {
            let message = format!("a point of {name} {what}");
            Err(Rejection::new(Reason::InvalidMetric, message).into())
        };
        let (counts, bounds) = (self.counts.len(), self.bounds.len());
        if counts != bounds + 1 && counts + bounds != 0 {
            return invalid(format!("has {counts} bucket counts for {bounds} bounds"));
        }
        let is_rising = self.bounds.is_sorted_by(|a, b| a < b);
        if !is_rising || self.bounds.iter().any(|bound| bound.is_nan()) {
            return invalid("has bounds that do not rise".to_owned());
        }
        if self.bounds.last() == Some(&f64::INFINITY) {
            self.bounds.pop();
        }
        let is_known = self.texts_of.len() == self.bounds.len()
            && self.texts_of.iter().zip(&self.bounds).all(|(a, b)| a.to_bits() == b.to_bits());
        if !is_known {
            self.texts_of.clone_from(&self.bounds);
            self.texts = self.bounds.iter().map(|bound| format_float(*bound)).collect();
        }
        Ok(())
    }

    /// What tells the series of a bucket from the others of its histogram.
    fn part(&self, bucket: usize) -> u64 {
        self.bounds.get(bucket).unwrap_or(&f64::INFINITY).to_bits()
    }

    /// The bucket that a measurement fell into; the last one is that of infinity.
    fn bucket_of(&self, number: f64) -> usize {
        self.bounds.partition_point(|bound| *bound < number)
    }
}

fn check_buckets(buckets: usize) -> Result<(), Failure> {
    if buckets > HISTOGRAM_BUCKETS_MAX {
        let message = format!("a histogram has more than {HISTOGRAM_BUCKETS_MAX} buckets");
        return Err(Rejection::new(Reason::InvalidMetric, message).into());
    }
    Ok(())
}

/// The fields of an explicit histogram's point that are neither labels nor buckets.
#[derive(Default)]
struct HistogramPoint {
    start_ns: u64,
    time_ns: u64,
    count: u64,
    sum: Option<f64>,
    flags: u32,
}

impl<'a> MetricsDecoder<'a, '_> {
    pub(super) fn push_histogram(
        &mut self,
        family: &Family<'a>,
        message: &'a [u8],
        tally: &mut Tally,
    ) -> Result<Times, Failure> {
        let limits = self.context.limits;
        let (point, key) = self.read_histogram(family, message)?;
        let times = self.read_times(family, point.time_ns, point.start_ns)?;
        let names = self.names(family)?;
        self.scratch.buckets.finish(&names.plain.text)?;
        let is_stale = point.flags & NO_RECORDED_VALUE != 0;
        let value_of = |number: f64| if is_stale { STALE } else { number };
        // A stale point has no sum but ends the series of sums, too.
        let sum = if is_stale { Some(STALE) } else { point.sum };

        let known = self.known_histogram(key, sum.is_some(), times);
        if known.is_none() {
            self.read_labels(message, 9)?;
        }
        self.scratch.exemplars.read(times, &self.bounds, limits, tally)?;
        tally.make_rows(3 + self.scratch.buckets.bounds.len(), SAMPLE_ROW_BYTES)?;
        let (count_series, sum_series) = match known {
            Some(known) => known,
            None => self.histogram_series(key, sum.is_some(), family, times, tally)?,
        };

        let count = value_of(point.count as f64);
        self.sink.push_sample(names.count.metric_id, count_series, times, count);
        if let (Some(series), Some(sum)) = (sum_series, sum) {
            self.sink.push_sample(names.sum.metric_id, series, times, sum);
        }
        let mut cumulative = 0_u64;
        let last = self.scratch.buckets.bounds.len();
        for (i, series) in self.scratch.series.iter().enumerate() {
            let count = self.scratch.buckets.counts.get(i).copied().unwrap_or(0);
            cumulative = cumulative.saturating_add(count);
            let count = if i == last { point.count } else { cumulative };
            let count = value_of(count as f64);
            self.sink.push_sample(names.bucket.metric_id, *series, times, count);
        }
        for exemplar in self.scratch.exemplars.iter() {
            let bucket = self.scratch.buckets.bucket_of(exemplar.number);
            self.sink.push_exemplar(self.scratch.series[bucket], exemplar);
        }
        Ok(times)
    }

    /// The series of counts and, if there is one, of sums; those of the buckets are put into
    /// `scratch.series`. `None` if one of them is not known for the day.
    fn known_histogram(
        &mut self,
        key: Option<Key>,
        has_sum: bool,
        times: Times,
    ) -> Option<(i64, Option<i64>)> {
        let key = key?;
        let count = self.known_series(Some(key.part(COUNT_PART)), times)?.series;
        let sum = match has_sum {
            true => Some(self.known_series(Some(key.part(SUM_PART)), times)?.series),
            false => None,
        };
        self.scratch.series.clear();
        for bucket in 0..=self.scratch.buckets.bounds.len() {
            let part = self.scratch.buckets.part(bucket);
            let series = self.known_series(Some(key.part(part)), times)?.series;
            self.scratch.series.push(series);
        }
        Some((count, sum))
    }

    /// The same for labels that were read.
    fn histogram_series(
        &mut self,
        key: Option<Key>,
        has_sum: bool,
        family: &Family<'a>,
        times: Times,
        tally: &mut Tally,
    ) -> Result<(i64, Option<i64>), Failure> {
        let names = self.names(family)?;
        let part = |part: u64| key.map(|key| key.part(part));
        let count = self.series(part(COUNT_PART), family, (&names.count, ""), times, tally)?;
        let sum = match has_sum {
            true => Some(self.series(part(SUM_PART), family, (&names.sum, ""), times, tally)?),
            false => None,
        };
        self.scratch.series.clear();
        let texts = std::mem::take(&mut self.scratch.buckets.texts);
        let mut failure = None;
        for (bucket, le) in texts.iter().map(String::as_str).chain(["+Inf"]).enumerate() {
            let key = part(self.scratch.buckets.part(bucket));
            match self.series(key, family, (&names.bucket, le), times, tally) {
                Ok(series) => self.scratch.series.push(series),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        // The texts are those of the next point, too, whatever became of this one.
        self.scratch.buckets.texts = texts;
        failure.map_or(Ok((count, sum)), Err)
    }

    fn read_histogram(
        &mut self,
        family: &Family<'a>,
        message: &'a [u8],
    ) -> Result<(HistogramPoint, Option<Key>), Failure> {
        let scratch = &mut self.scratch;
        scratch.exemplars.clear();
        scratch.buckets.clear();
        let mut point = HistogramPoint::default();
        let mut fields = MarkedFields::new(message, 9);
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => point.start_ns = value.fixed64()?,
                3 => point.time_ns = value.fixed64()?,
                4 => point.count = value.fixed64()?,
                5 => point.sum = Some(value.double()?),
                6 => scratch.buckets.push_counts(value)?,
                7 => scratch.buckets.push_bounds(value)?,
                8 => scratch.exemplars.push(value.bytes()?),
                10 => point.flags = value.uint32()?,
                _ => {}
            }
        }
        Ok((point, fields.marked().map(|raw| Key::new(raw, family.seed))))
    }

    pub(super) fn push_exponential(
        &mut self,
        family: &Family<'a>,
        message: &'a [u8],
        tally: &mut Tally,
    ) -> Result<Times, Failure> {
        let limits = self.context.limits;
        let (mut point, key) = self.read_exponential(family, message)?;
        // The difference to the point before is no counter.
        point.reset_hint = (family.about.temporality == "delta").then_some(RESET_HINT_GAUGE);
        let times = self.read_times(family, point.time_ns, point.start_ns)?;
        if point.flags & NO_RECORDED_VALUE != 0 {
            point.sum = Some(STALE);
        }
        let known = self.known_series(key, times);
        if known.is_none() {
            self.read_labels(message, 1)?;
        }
        self.scratch.exemplars.read(times, &self.bounds, limits, tally)?;
        let buckets = point.positive.counts.len() + point.negative.counts.len();
        tally.make_rows(buckets, BUCKET_BYTES)?;
        tally.make_rows(1, HISTOGRAM_ROW_BYTES)?;
        let name = &self.names(family)?.plain;
        let series = match known {
            Some(known) => known.series,
            None => self.series(key, family, (name, ""), times, tally)?,
        };
        self.sink.push_histogram(name, series, times, &point);
        for exemplar in self.scratch.exemplars.iter() {
            self.sink.push_exemplar(series, exemplar);
        }
        Ok(times)
    }

    fn read_exponential(
        &mut self,
        family: &Family<'a>,
        message: &'a [u8],
    ) -> Result<(ExponentialPoint, Option<Key>), Failure> {
        let scratch = &mut self.scratch;
        scratch.exemplars.clear();
        let mut point = ExponentialPoint::default();
        let mut fields = MarkedFields::new(message, 1);
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => point.start_ns = value.fixed64()?,
                3 => point.time_ns = value.fixed64()?,
                4 => point.count = signed(value.fixed64()?)?,
                5 => point.sum = Some(value.double()?),
                6 => point.scale = value.sint32()?,
                7 => point.zero_count = signed(value.fixed64()?)?,
                8 => point.positive.read(value.bytes()?)?,
                9 => point.negative.read(value.bytes()?)?,
                10 => point.flags = value.uint32()?,
                11 => scratch.exemplars.push(value.bytes()?),
                12 => point.min = Some(value.double()?),
                13 => point.max = Some(value.double()?),
                14 => point.zero_threshold = value.double()?,
                _ => {}
            }
        }
        Ok((point, fields.marked().map(|raw| Key::new(raw, family.seed))))
    }
}

/// Of the column `reset_hint`: not a counter.
const RESET_HINT_GAUGE: i32 = 3;

/// An exponential histogram's point but for its labels.
#[derive(Debug, Default)]
pub(super) struct ExponentialPoint {
    start_ns: u64,
    time_ns: u64,
    pub(super) count: i64,
    pub(super) sum: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) scale: i32,
    pub(super) zero_threshold: f64,
    pub(super) zero_count: i64,
    pub(super) positive: ExponentialBuckets,
    pub(super) negative: ExponentialBuckets,
    pub(super) flags: u32,
    /// As the column `reset_hint` has it.
    pub(super) reset_hint: Option<i32>,
    /// As the column `custom_bounds` has them.
    pub(super) custom_bounds: Option<Vec<f64>>,
    /// As the column `fractions` has them.
    pub(super) fractions: Option<Vec<f64>>,
}

/// One side of an exponential histogram.
#[derive(Debug, Default)]
pub(super) struct ExponentialBuckets {
    pub(super) offset: i32,
    pub(super) counts: Vec<i64>,
}

impl ExponentialBuckets {
    fn read(&mut self, message: &[u8]) -> Result<(), Failure> {
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => self.offset = value.sint32()?,
                2 => {
                    let mut largest = 0;
                    let counts = &mut self.counts;
                    value.each_varint(|count| {
                        largest = largest.max(count);
                        counts.push(count as i64);
                    })?;
                    signed(largest)?;
                    check_buckets(self.counts.len())?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn signed(count: u64) -> Result<i64, Failure> {
    i64::try_from(count).map_err(|_| {
        let message = format!("count {count} of a histogram is out of range");
        Rejection::new(Reason::OutOfRange, message).into()
    })
}
