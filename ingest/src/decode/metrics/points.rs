//! Data points of gauges, sums and summaries.

use super::super::Failure;
use super::super::attributes;
use super::super::wire::Fields;
use super::{Family, MetricsDecoder, NO_RECORDED_VALUE, STALE, Tally, Times};
use crate::admit::{Reason, Rejection};
use crate::limits::SAMPLE_ROW_BYTES;

impl<'a> MetricsDecoder<'a, '_> {
    pub(super) fn push_number(
        &mut self,
        family: &Family<'a>,
        message: &'a [u8],
        tally: &mut Tally,
    ) -> Result<Times, Failure> {
        let limits = self.context.limits;
        let scratch = &mut self.scratch;
        scratch.attributes.clear();
        scratch.exemplars.clear();
        let (mut start_ns, mut time_ns, mut flags) = (0, 0, 0);
        let mut number = None;
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => start_ns = value.fixed64()?,
                3 => time_ns = value.fixed64()?,
                4 => number = Some(value.double()?),
                5 => scratch.exemplars.push(value.bytes()?),
                6 => number = Some(value.fixed64()? as i64 as f64),
                7 => attributes::push(&mut scratch.attributes, value.bytes()?, limits)?,
                8 => flags = value.uint32()?,
                _ => {}
            }
        }
        let number = match number {
            _ if flags & NO_RECORDED_VALUE != 0 => STALE,
            Some(number) => number,
            None => {
                let message = format!("a point of {} has no value", family.names.plain.text);
                return Err(Rejection::new(Reason::InvalidMetric, message).into());
            }
        };
        let times = self.read_times(family, time_ns, start_ns)?;
        attributes::dedup(&mut self.scratch.attributes);
        self.labels.read(&self.scratch.attributes, limits)?;
        self.scratch.exemplars.read(times, &self.bounds, limits, tally)?;
        let name = &family.names.plain;
        let series = self.sink.series(&mut self.labels, family, name, "", times, tally)?;
        self.sink.push_sample(name, series, times, number);
        for exemplar in self.scratch.exemplars.iter() {
            self.sink.push_exemplar(series, exemplar);
        }
        Ok(times)
    }

    pub(super) fn push_summary(
        &mut self,
        family: &Family<'a>,
        message: &'a [u8],
        tally: &mut Tally,
    ) -> Result<Times, Failure> {
        let limits = self.context.limits;
        let scratch = &mut self.scratch;
        scratch.attributes.clear();
        scratch.series.clear();
        let (mut start_ns, mut time_ns, mut flags) = (0, 0, 0);
        let (mut count, mut sum) = (0, 0.0);
        let mut quantiles = Vec::new();
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => start_ns = value.fixed64()?,
                3 => time_ns = value.fixed64()?,
                4 => count = value.fixed64()?,
                5 => sum = value.double()?,
                6 => quantiles.push(read_quantile(value.bytes()?)?),
                7 => attributes::push(&mut scratch.attributes, value.bytes()?, limits)?,
                8 => flags = value.uint32()?,
                _ => {}
            }
        }
        let times = self.read_times(family, time_ns, start_ns)?;
        let is_stale = flags & NO_RECORDED_VALUE != 0;
        let value_of = |number: f64| if is_stale { STALE } else { number };
        attributes::dedup(&mut self.scratch.attributes);
        self.labels.read(&self.scratch.attributes, limits)?;
        tally.make_rows(2 + quantiles.len(), SAMPLE_ROW_BYTES)?;
        let (labels, names) = (&mut self.labels, &family.names);
        let count_series = self.sink.series(labels, family, &names.count, "", times, tally)?;
        let sum_series = self.sink.series(labels, family, &names.sum, "", times, tally)?;
        for (quantile, _) in &quantiles {
            let quantile = format_float(*quantile);
            let id = self.sink.series(labels, family, &names.plain, &quantile, times, tally)?;
            self.scratch.series.push(id);
        }
        self.sink.push_sample(&names.count, count_series, times, value_of(count as f64));
        self.sink.push_sample(&names.sum, sum_series, times, value_of(sum));
        for ((_, number), series) in quantiles.iter().zip(&self.scratch.series) {
            self.sink.push_sample(&names.plain, *series, times, value_of(*number));
        }
        Ok(times)
    }
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
