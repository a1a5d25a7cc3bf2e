//! The columns of the four metric tables under construction.

use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use arrow::array::{
    ArrayRef, FixedSizeBinaryBuilder, Float64Array, Float64Builder, Int32Array, Int32Builder,
    Int64Array, Int64Builder, ListBuilder, StringBuilder,
};
use arrow::datatypes::DataType;
use schemas::tables::{Table, day_of_ms};
use storage::{LabelIndex, TableBatch, absent};

use super::super::{Context, Failure};
use super::exemplars::Exemplar;
use super::histograms::ExponentialPoint;
use super::labels::PointLabels;
use super::{About, Name, Tally, Times};
use crate::admit::{Reason, Rejection};
use crate::batch::{self, DictColumn, LabelsColumn, push_id, push_text};
use crate::error::Error;
use crate::limits::SERIES_ROW_BYTES;

/// Where rows go, and which series need none.
pub(super) struct Sink<'c> {
    known: &'c LabelIndex,
    /// Series that the tenant may have on a day; 0 is no limit.
    series_max: usize,
    /// Series and days that this request has made rows of.
    made: AHashSet<(i64, i32)>,
    /// How many of them on each day.
    made_on: AHashMap<i32, usize>,
    samples: SampleColumns,
    /// What most requests have none of is made when the first comes: builders begin with room for
    /// a thousand rows.
    series: Option<Box<SeriesColumns>>,
    histograms: Option<Box<HistogramColumns>>,
    exemplars: Option<Box<ExemplarColumns>>,
}

impl<'c> Sink<'c> {
    pub(super) fn new(context: &Context<'c>) -> Self {
        Self {
            known: context.series,
            series_max: context.series_max,
            made: AHashSet::new(),
            made_on: AHashMap::new(),
            samples: SampleColumns::default(),
            series: None,
            histograms: None,
            exemplars: None,
        }
    }

    /// The id of a series, and whether it is known for the day: its row is made unless it is.
    pub(super) fn series(
        &mut self,
        labels: &mut PointLabels<'_>,
        about: &About<'_>,
        (name, extra): (&Name, &str),
        times: Times,
        tally: &mut Tally,
    ) -> Result<(i64, bool), Failure> {
        let id = labels.id(&name.text, extra);
        let labels = labels.iter(&name.text, extra);
        let is_known = self.ensure(id, labels, about, name, times, tally)?;
        Ok((id, is_known))
    }

    /// Makes the row of a series unless it is known for the day, which is told. `labels` are sorted
    /// by name.
    pub(super) fn ensure<'l>(
        &mut self,
        id: i64,
        labels: impl Iterator<Item = (&'l str, &'l str)> + Clone,
        about: &About<'_>,
        name: &Name,
        times: Times,
        tally: &mut Tally,
    ) -> Result<bool, Failure> {
        let day = day_of_ms(times.time_ms);
        if self.known.contains(id, day) {
            return Ok(true);
        }
        if self.made.contains(&(id, day)) {
            return Ok(false);
        }
        let made = self.made_on.get(&day).copied().unwrap_or_default();
        if self.series_max > 0 && self.known.seen_on(day) + made >= self.series_max {
            let message = format!(
                "per-user series limit of {} exceeded, please contact your administrator to raise \
                 it or reduce the cardinality of your metrics",
                self.series_max
            );
            return Err(Rejection::new(Reason::TooManySeries, message).into());
        }
        let bytes: usize = labels.clone().map(|(name, value)| name.len() + value.len()).sum();
        tally.make_entry(self.known, id)?;
        tally.make_rows(1, SERIES_ROW_BYTES)?;
        tally.make_labels(bytes + about.unit.len())?;
        self.series.get_or_insert_default().push(id, labels, about, name, times);
        *self.made_on.entry(day).or_default() += 1;
        self.made.insert((id, day));
        Ok(false)
    }

    pub(super) fn push_sample(&mut self, metric: i64, series: i64, times: Times, number: f64) {
        self.samples.metric_id.push(metric);
        self.samples.series_id.push(series);
        self.samples.time_ms.push(times.time_ms);
        self.samples.number.push(number);
        self.samples.push_start(times.start_ms);
    }

    pub(super) fn push_histogram(
        &mut self,
        name: &Name,
        series: i64,
        times: Times,
        point: &ExponentialPoint,
    ) {
        self.histograms.get_or_insert_default().push(name, series, times, point);
    }

    pub(super) fn push_exemplar(&mut self, series: i64, exemplar: Exemplar<'_>) {
        self.exemplars.get_or_insert_default().push(series, exemplar);
    }

    /// The batches, series before what uses them.
    pub(super) fn finish(self) -> Result<Vec<Option<TableBatch>>, Error> {
        Ok(vec![
            self.series.map(|columns| columns.finish()).transpose()?.flatten(),
            self.samples.finish()?,
            self.histograms.map(|columns| columns.finish()).transpose()?.flatten(),
            self.exemplars.map(|columns| columns.finish()).transpose()?.flatten(),
        ])
    }
}

#[derive(Default)]
struct SampleColumns {
    metric_id: Vec<i64>,
    series_id: Vec<i64>,
    time_ms: Vec<i64>,
    number: Vec<f64>,
    /// `None` until the first sample that has one.
    start_ms: Option<Int64Builder>,
}

impl SampleColumns {
    /// The start time of the sample that was pushed last.
    fn push_start(&mut self, start_ms: Option<i64>) {
        if self.start_ms.is_none() && start_ms.is_some() {
            let mut builder = Int64Builder::with_capacity(self.number.capacity());
            builder.append_nulls(self.number.len() - 1);
            self.start_ms = Some(builder);
        }
        if let Some(builder) = &mut self.start_ms {
            builder.append_option(start_ms);
        }
    }

    fn finish(self) -> Result<Option<TableBatch>, Error> {
        let rows = self.number.len();
        let start_ms: ArrayRef = match self.start_ms {
            Some(mut builder) => Arc::new(builder.finish()),
            None => absent(&DataType::Int64, rows),
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.metric_id)),
            Arc::new(Int64Array::from(self.series_id)),
            Arc::new(Int64Array::from(self.time_ms)),
            Arc::new(Float64Array::from(self.number)),
            // Mantissa and exponent are found when a segment is written.
            absent(&DataType::Int64, rows),
            absent(&DataType::Int32, rows),
            start_ms,
        ];
        batch::finish(Table::MetricSamples, columns)
    }
}

#[derive(Default)]
struct SeriesColumns {
    metric_id: Vec<i64>,
    series_id: Vec<i64>,
    time_ms: Vec<i64>,
    metric_name: DictColumn,
    labels: LabelsColumn,
    type_name: DictColumn,
    unit: DictColumn,
    help: DictColumn,
    temporality: DictColumn,
}

impl SeriesColumns {
    fn push<'l>(
        &mut self,
        id: i64,
        labels: impl Iterator<Item = (&'l str, &'l str)>,
        about: &About<'_>,
        name: &Name,
        times: Times,
    ) {
        self.metric_id.push(name.metric_id);
        self.series_id.push(id);
        self.time_ms.push(times.time_ms);
        self.metric_name.push(&name.text);
        self.labels.push(labels);
        self.type_name.push(about.type_name);
        self.unit.push_unless_empty(about.unit);
        self.help.push_unless_empty(about.help);
        self.temporality.push_unless_empty(about.temporality);
    }

    fn finish(self) -> Result<Option<TableBatch>, Error> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.metric_id)),
            Arc::new(Int64Array::from(self.series_id)),
            Arc::new(Int64Array::from(self.time_ms)),
            self.metric_name.finish(),
            self.labels.finish(),
            self.type_name.finish(),
            self.unit.finish(),
            self.help.finish(),
            self.temporality.finish(),
        ];
        batch::finish(Table::MetricSeries, columns)
    }
}

#[derive(Default)]
struct HistogramColumns {
    metric_id: Vec<i64>,
    series_id: Vec<i64>,
    time_ms: Vec<i64>,
    start_ms: Int64Builder,
    count: Vec<i64>,
    sum: Float64Builder,
    min: Float64Builder,
    max: Float64Builder,
    scale: Vec<i32>,
    zero_threshold: Vec<f64>,
    zero_count: Vec<i64>,
    positive_offset: Vec<i32>,
    positive_counts: ListBuilder<Int64Builder>,
    negative_offset: Vec<i32>,
    negative_counts: ListBuilder<Int64Builder>,
    flags: Vec<i32>,
    reset_hint: Int32Builder,
    custom_bounds: ListBuilder<Float64Builder>,
    fractions: ListBuilder<Float64Builder>,
}

impl HistogramColumns {
    fn push(&mut self, name: &Name, series: i64, times: Times, point: &ExponentialPoint) {
        self.metric_id.push(name.metric_id);
        self.series_id.push(series);
        self.time_ms.push(times.time_ms);
        self.start_ms.append_option(times.start_ms);
        self.count.push(point.count);
        self.sum.append_option(point.sum);
        self.min.append_option(point.min);
        self.max.append_option(point.max);
        self.scale.push(point.scale);
        self.zero_threshold.push(point.zero_threshold);
        self.zero_count.push(point.zero_count);
        self.positive_offset.push(point.positive.offset);
        self.positive_counts.values().append_slice(&point.positive.counts);
        self.positive_counts.append(true);
        self.negative_offset.push(point.negative.offset);
        self.negative_counts.values().append_slice(&point.negative.counts);
        self.negative_counts.append(true);
        self.flags.push(point.flags as i32);
        self.reset_hint.append_option(point.reset_hint);
        push_list(&mut self.custom_bounds, point.custom_bounds.as_deref());
        push_list(&mut self.fractions, point.fractions.as_deref());
    }

    fn finish(mut self) -> Result<Option<TableBatch>, Error> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.metric_id)),
            Arc::new(Int64Array::from(self.series_id)),
            Arc::new(Int64Array::from(self.time_ms)),
            Arc::new(self.start_ms.finish()),
            Arc::new(Int64Array::from(self.count)),
            Arc::new(self.sum.finish()),
            Arc::new(self.min.finish()),
            Arc::new(self.max.finish()),
            Arc::new(Int32Array::from(self.scale)),
            Arc::new(Float64Array::from(self.zero_threshold)),
            Arc::new(Int64Array::from(self.zero_count)),
            Arc::new(Int32Array::from(self.positive_offset)),
            Arc::new(self.positive_counts.finish()),
            Arc::new(Int32Array::from(self.negative_offset)),
            Arc::new(self.negative_counts.finish()),
            Arc::new(Int32Array::from(self.flags)),
            Arc::new(self.reset_hint.finish()),
            Arc::new(self.custom_bounds.finish()),
            Arc::new(self.fractions.finish()),
        ];
        batch::finish(Table::MetricHistograms, columns)
    }
}

fn push_list(column: &mut ListBuilder<Float64Builder>, items: Option<&[f64]>) {
    column.values().append_slice(items.unwrap_or_default());
    column.append(items.is_some());
}

struct ExemplarColumns {
    series_id: Vec<i64>,
    time_ms: Vec<i64>,
    number: Vec<f64>,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    attributes: StringBuilder,
}

impl Default for ExemplarColumns {
    fn default() -> Self {
        Self {
            series_id: Vec::new(),
            time_ms: Vec::new(),
            number: Vec::new(),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            attributes: StringBuilder::new(),
        }
    }
}

impl ExemplarColumns {
    fn push(&mut self, series: i64, exemplar: Exemplar<'_>) {
        self.series_id.push(series);
        self.time_ms.push(exemplar.time_ms);
        self.number.push(exemplar.number);
        push_id(&mut self.trace_id, exemplar.trace_id);
        push_id(&mut self.span_id, exemplar.span_id);
        push_text(&mut self.attributes, exemplar.attributes);
    }

    fn finish(mut self) -> Result<Option<TableBatch>, Error> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.series_id)),
            Arc::new(Int64Array::from(self.time_ms)),
            Arc::new(Float64Array::from(self.number)),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.attributes.finish()),
        ];
        batch::finish(Table::Exemplars, columns)
    }
}
