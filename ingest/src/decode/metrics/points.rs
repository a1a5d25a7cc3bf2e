//! Data points of gauges, sums and summaries.

use schemas::tables::day_of_ms;

use super::super::Failure;
use super::super::attributes;
use super::super::wire::{Fields, MarkedFields};
use super::histograms::{COUNT_PART, SUM_PART};
use super::{Family, MetricsDecoder, NO_RECORDED_VALUE, Name, STALE, Tally, Times};
use crate::admit::{Reason, Rejection};
use crate::known::{Found, Key};
use crate::limits::SAMPLE_ROW_BYTES;

impl<'a> MetricsDecoder<'a, '_> {
    pub(super) fn push_number(
        &mut self,
        family: &Family<'a>,
        message: &'a [u8],
        tally: &mut Tally,
    ) -> Result<Times, Failure> {
        let limits = self.context.limits;
        self.scratch.exemplars.clear();
        let (mut start_ns, mut time_ns, mut flags) = (0, 0, 0);
        let mut number = None;
        let mut fields = MarkedFields::new(message, 7);
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => start_ns = value.fixed64()?,
                3 => time_ns = value.fixed64()?,
                4 => number = Some(value.double()?),
                5 => self.scratch.exemplars.push(value.bytes()?),
                6 => number = Some(value.fixed64()? as i64 as f64),
                8 => flags = value.uint32()?,
                _ => {}
            }
        }
        let number = match number {
            _ if flags & NO_RECORDED_VALUE != 0 => STALE,
            Some(number) => number,
            None => {
                let name = &self.names(family)?.plain.text;
                let message = format!("a point of {name} has no value");
                return Err(Rejection::new(Reason::InvalidMetric, message).into());
            }
        };
        let times = self.read_times(family, time_ns, start_ns)?;
        let key = fields.marked().map(|raw| Key::new(raw, family.seed));
        let known = self.known_series(key, times);
        if known.is_none() {
            self.read_labels(message, 7)?;
        }
        self.scratch.exemplars.read(times, &self.bounds, limits, tally)?;
        let (metric, series) = match known {
            Some(known) => (known.metric, known.series),
            None => {
                let name = &self.names(family)?.plain;
                (name.metric_id, self.series(key, family, (name, ""), times, tally)?)
            }
        };
        self.sink.push_sample(metric, series, times, number);
        for exemplar in self.scratch.exemplars.iter() {
            self.sink.push_exemplar(series, exemplar);
        }
        Ok(times)
    }

    /// The series of labels that came before and that is known for the day; what it is told for
    /// is remembered.
    pub(super) fn known_series(&mut self, key: Option<Key>, times: Times) -> Option<Found> {
        let key = key?;
        let found = self.lookup.get(key)?;
        let wanted = day_of_ms(times.time_ms);
        if found.day != Some(wanted) {
            if !self.context.series.contains(found.series, wanted) {
                return None;
            }
            self.lookup.put(key, found.series, found.metric, wanted);
        }
        Some(found)
    }

    /// The series of the labels that were read, with this name and value of the extra label.
    pub(super) fn series(
        &mut self,
        key: Option<Key>,
        family: &Family<'a>,
        (name, extra): (&Name, &str),
        times: Times,
        tally: &mut Tally,
    ) -> Result<i64, Failure> {
        let (series, is_known) =
            self.sink.series(&mut self.labels, &family.about, (name, extra), times, tally)?;
        if let Some(key) = key.filter(|_| is_known) {
            self.lookup.put(key, series, name.metric_id, day_of_ms(times.time_ms));
        }
        Ok(series)
    }

    /// Reads the labels of a point, whose attributes are the fields of this number.
    pub(super) fn read_labels(&mut self, message: &'a [u8], number: u32) -> Result<(), Failure> {
        let limits = self.context.limits;
        let list = &mut self.scratch.attributes;
        list.clear();
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            if field == number {
                attributes::push(list, value.bytes()?, limits)?;
            }
        }
        attributes::dedup(list);
        self.labels.read(list, limits)
    }

    pub(super) fn push_summary(
        &mut self,
        family: &Family<'a>,
        message: &'a [u8],
        tally: &mut Tally,
    ) -> Result<Times, Failure> {
        let (mut start_ns, mut time_ns, mut flags) = (0, 0, 0);
        let (mut count, mut sum) = (0, 0.0);
        let mut quantiles = Vec::new();
        let mut fields = MarkedFields::new(message, 7);
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => start_ns = value.fixed64()?,
                3 => time_ns = value.fixed64()?,
                4 => count = value.fixed64()?,
                5 => sum = value.double()?,
                6 => quantiles.push(read_quantile(value.bytes()?)?),
                8 => flags = value.uint32()?,
                _ => {}
            }
        }
        let times = self.read_times(family, time_ns, start_ns)?;
        let is_stale = flags & NO_RECORDED_VALUE != 0;
        let value_of = |number: f64| if is_stale { STALE } else { number };
        let key = fields.marked().map(|raw| Key::new(raw, family.seed));
        let known = self.known_summary(key, &quantiles, times);
        if known.is_none() {
            self.read_labels(message, 7)?;
        }
        tally.make_rows(2 + quantiles.len(), SAMPLE_ROW_BYTES)?;
        let (count_series, sum_series) = match known {
            Some(known) => known,
            None => self.summary_series(key, &quantiles, family, times, tally)?,
        };
        let names = self.names(family)?;
        self.sink.push_sample(names.count.metric_id, count_series, times, value_of(count as f64));
        self.sink.push_sample(names.sum.metric_id, sum_series, times, value_of(sum));
        for ((_, number), series) in quantiles.iter().zip(&self.scratch.series) {
            let number = value_of(*number);
            self.sink.push_sample(names.plain.metric_id, *series, times, number);
        }
        Ok(times)
    }

    /// The series of counts and of sums; those of the quantiles are put into `scratch.series`.
    /// `None` if one of them is not known for the day.
    fn known_summary(
        &mut self,
        key: Option<Key>,
        quantiles: &[(f64, f64)],
        times: Times,
    ) -> Option<(i64, i64)> {
        let key = key?;
        let count = self.known_series(Some(key.part(COUNT_PART)), times)?.series;
        let sum = self.known_series(Some(key.part(SUM_PART)), times)?.series;
        self.scratch.series.clear();
        for (quantile, _) in quantiles {
            let series = self.known_series(Some(key.part(part_of(*quantile))), times)?.series;
            self.scratch.series.push(series);
        }
        Some((count, sum))
    }

    /// The same for labels that were read.
    fn summary_series(
        &mut self,
        key: Option<Key>,
        quantiles: &[(f64, f64)],
        family: &Family<'a>,
        times: Times,
        tally: &mut Tally,
    ) -> Result<(i64, i64), Failure> {
        let names = self.names(family)?;
        let part = |part: u64| key.map(|key| key.part(part));
        let count = self.series(part(COUNT_PART), family, (&names.count, ""), times, tally)?;
        let sum = self.series(part(SUM_PART), family, (&names.sum, ""), times, tally)?;
        self.scratch.series.clear();
        for (quantile, _) in quantiles {
            let (key, text) = (part(part_of(*quantile)), format_float(*quantile));
            let series = self.series(key, family, (&names.plain, &text), times, tally)?;
            self.scratch.series.push(series);
        }
        Ok((count, sum))
    }
}

/// What tells the series of a quantile from the others of its summary. All that is no number is
/// one quantile, and none has the bits of the parts of counts and sums.
fn part_of(quantile: f64) -> u64 {
    if quantile.is_nan() { f64::NAN.to_bits() } else { quantile.to_bits() }
}

fn read_quantile(message: &[u8]) -> Result<(f64, f64), Failure> {
    let (mut quantile, mut number) = (0.0, 0.0);
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => quantile = value.double()?,
            2 => number = value.double()?,
            _ => {}
        }
    }
    Ok((quantile, number))
}

/// A number as the value of `le` or `quantile`: the shortest decimal, without an exponent.
pub(super) fn format_float(number: f64) -> String {
    match number {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        number => number.to_string(),
    }
}
