//! The engine in this process: a store in a temporary folder, and a session over it.
//!
//! Each `clear` goes on under a new tenant, which sees nothing of the others; that is the same as
//! an empty store, and much cheaper.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, MapBuilder, MapFieldNames, RecordBatch,
    StringArray, StringBuilder, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use exec::output::Histogram;
use exec::{Limits, OutputKind, RawSeries, Session};
use futures::TryStreamExt;
use plan::Node;
use plan::node::Query;
use promql::Options;
use schemas::model::{Label, Labels, METRIC_NAME, NANOS_PER_MILLI, Signal, StepGrid};
use schemas::tables::{Table, columns, day_of_ms};
use storage::{Decode, Durability, Frame, LabelIndex, Store, StoreOptions, TableBatch, Write};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

use super::histogram_rows::HistogramColumns;
use super::remote::Shown;
use super::series::{Item, STALE_NAN_BITS, Series};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where loaded samples are when they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the memtable.
    Memory,
    /// In segments, one for each load and day.
    Segments,
    /// On a server whose Prometheus API is at this URL; PromQL only.
    Server(String),
}

/// Where samples are loaded and queries are run.
#[derive(Debug)]
pub(super) struct Engine {
    place: Place,
    store: Arc<Store>,
    session: Session,
    tenants: u32,
    /// Whether functions keep the metric name until the end.
    delayed_name_removal: bool,
    _folder: TempDir,
}

/// A query's answer with what was remarked.
#[derive(Debug)]
pub(super) struct Answered {
    /// What was asked for.
    pub(super) answer: Answer,
    /// Texts of the warnings.
    pub(super) warnings: Vec<String>,
    /// Texts of the infos.
    pub(super) infos: Vec<String>,
}

/// A query's answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// A vector, or a matrix.
    Series(Vec<Row>),
    /// One value a step.
    Scalar(Vec<f64>),
    /// A text.
    Text(String),
}

/// A series of an answer.
#[derive(Debug)]
pub(super) struct Row {
    /// The metric name is among them.
    pub(super) labels: Labels,
    /// One a step.
    pub(super) values: Vec<Option<f64>>,
    /// Native histograms by step.
    pub(super) histograms: BTreeMap<usize, Histogram>,
    /// Native histograms of a server, as far as it shows them, by step.
    pub(super) shown: BTreeMap<usize, Shown>,
}

impl Row {
    /// Whether there is a value or a histogram at a step.
    pub(super) fn has(&self, step: usize) -> bool {
        self.values[step].is_some()
            || self.histograms.contains_key(&step)
            || self.shown.contains_key(&step)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The text is no query.
    Parse(String),
    /// We cannot do this yet.
    Unsupported(String),
    /// The query failed, as a query may.
    Failed(String),
}

impl Engine {
    /// An engine without samples.
    pub(super) async fn open(place: Place) -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let mut options = StoreOptions::new(folder.path());
        options.durability = Durability::None;
        let store = Store::open(options, Arc::new(NoReplay)).await?;
        let session = Session::new(Arc::clone(&store), Limits::default())?;
        Ok(Self { place, store, session, tenants: 0, delayed_name_removal: true, _folder: folder })
    }

    /// Forgets all samples.
    pub(super) fn clear(&mut self) {
        self.tenants += 1;
    }

    fn tenant(&self) -> String {
        format!("t{}", self.tenants)
    }

    /// Stores samples, the i-th of each series at `i * interval_ms`.
    pub(super) async fn load(&self, interval_ms: i64, series: &[Series]) -> Result<(), BoxError> {
        let batches = vec![
            series_rows(interval_ms, series)?,
            sample_rows(interval_ms, series)?,
            histogram_rows(interval_ms, series)?,
        ];
        self.append(Signal::Metrics, batches).await
    }

    /// Stores rows; none if the first batch has none.
    pub(super) async fn append(
        &self,
        signal: Signal,
        batches: Vec<TableBatch>,
    ) -> Result<(), BoxError> {
        if batches.first().is_none_or(|batch| batch.rows.num_rows() == 0) {
            return Ok(());
        }
        let frame = Frame {
            tenant: self.tenant().into(),
            signal,
            encoding: 0,
            received_ns: 0,
            payload: bytes::Bytes::new(),
            notes: bytes::Bytes::new(),
            identity: None,
        };
        self.store.append(Write { frame, batches }).await?;
        if self.place == Place::Segments {
            self.store.flush().await?;
        }
        Ok(())
    }

    /// The answer to a PromQL query at the steps of a grid.
    pub(super) async fn query(&self, text: &str, grid: StepGrid) -> Result<Answered, Refusal> {
        self.answer(self.parse(text, grid)?).await
    }

    fn parse(&self, text: &str, grid: StepGrid) -> Result<Query, Refusal> {
        let options = Options {
            delayed_name_removal: self.delayed_name_removal,
            start_times: true,
            ..Options::default()
        };
        promql::query(text, grid, &options).map_err(|error| {
            let message = error.to_string();
            match error.kind() {
                promql::ErrorKind::Parse => Refusal::Parse(message),
                promql::ErrorKind::Unsupported => Refusal::Unsupported(message),
                promql::ErrorKind::Invalid | promql::ErrorKind::Limit => Refusal::Failed(message),
            }
        })
    }

    /// The samples that a range selector selects at a time, each at a step of the grid `shown`.
    pub(super) async fn samples(
        &self,
        text: &str,
        at: StepGrid,
        shown: StepGrid,
    ) -> Result<Answered, Refusal> {
        let failed = |error: &dyn std::fmt::Display| Refusal::Failed(error.to_string());
        let Node::Scan(scan) = self.parse(text, at)?.root else {
            return Err(failed(&"the query is no range selector"));
        };
        let selectors = [scan.selector.matchers];
        let output = self.session.raw(&self.tenant(), &selectors, scan.selector.range).await;
        let output = output.map_err(|error| failed(&error))?;
        let series: Vec<RawSeries> =
            output.stream.try_collect().await.map_err(|error| failed(&error))?;
        let rows: Option<Vec<Row>> =
            series.into_iter().map(|found| raw_row(found, shown)).collect();
        let rows = rows.ok_or_else(|| failed(&"a sample is at no step"))?;
        Ok(Answered { answer: Answer::Series(rows), warnings: Vec::new(), infos: Vec::new() })
    }

    /// The answer to a plan of any language.
    pub(super) async fn answer(&self, query: Query) -> Result<Answered, Refusal> {
        let failed = |error: exec::Error| Refusal::Failed(error.to_string());
        let output = self.session.run(&self.tenant(), query).await.map_err(failed)?;
        let (kind, annotations) = (output.kind, output.annotations);
        let batches: Vec<RecordBatch> = output.stream.try_collect().await.map_err(failed)?;
        let answer = match kind {
            OutputKind::Series { .. } => Answer::Series(batches.iter().flat_map(rows).collect()),
            OutputKind::Scalar { .. } => {
                let values = batches.iter().flat_map(|batch| lists(batch.column(0)));
                let values = values.flatten().map(|value| value.unwrap_or(f64::NAN));
                Answer::Scalar(values.collect())
            }
            OutputKind::Text => {
                let texts = batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>());
                Answer::Text(texts.flatten().collect())
            }
            other => return Err(Refusal::Failed(format!("an answer of kind {other:?}"))),
        };
        let (warnings, infos) = (annotations.warnings(), annotations.infos());
        Ok(Answered { answer, warnings, infos })
    }
}

/// The grid of a range query, in milliseconds.
pub(super) fn range_grid(start_ms: i64, end_ms: i64, step_ms: i64) -> StepGrid {
    let [start_ns, end_ns, step_ns] = [start_ms, end_ms, step_ms].map(|ms| ms * NANOS_PER_MILLI);
    StepGrid::new(start_ns, end_ns, step_ns.max(1))
}

/// Which step of the grid a time in milliseconds is.
pub(super) fn step_at(time_ms: i64, grid: StepGrid) -> Option<usize> {
    let since = time_ms * NANOS_PER_MILLI - grid.start_ns;
    let is_step =
        since >= 0 && since % grid.step_ns == 0 && since / grid.step_ns < i64::from(grid.steps);
    is_step.then(|| usize::try_from(since / grid.step_ns).ok()).flatten()
}

/// The samples of a series at the steps of a grid, without stale markers.
fn raw_row(series: RawSeries, grid: StepGrid) -> Option<Row> {
    let mut values = vec![None; grid.steps as usize];
    for (time_ms, value) in series.samples {
        if value.to_bits() != STALE_NAN_BITS {
            values[step_at(time_ms, grid)?] = Some(value);
        }
    }
    let mut histograms = BTreeMap::new();
    for (time_ms, histogram) in series.histograms {
        if histogram.sum.to_bits() != STALE_NAN_BITS {
            histograms.insert(step_at(time_ms, grid)?, histogram);
        }
    }
    Some(Row { labels: series.labels, values, histograms, shown: BTreeMap::new() })
}

/// The grid of an instant query, in milliseconds.
pub(super) fn instant_grid(at_ms: i64) -> StepGrid {
    StepGrid::instant(at_ms * NANOS_PER_MILLI)
}

/// The log of a temporary store is never read again.
struct NoReplay;

impl Decode for NoReplay {
    fn decode(
        &self,
        _frame: &Frame,
        _series: &LabelIndex,
        _streams: &LabelIndex,
    ) -> Result<Vec<TableBatch>, BoxError> {
        Err("a temporary store is not opened twice".into())
    }
}

pub(super) fn metric_id(labels: &Labels) -> i64 {
    xxh3_64(labels.value(METRIC_NAME).as_bytes()) as i64
}

/// Times and items of the samples of a series.
fn samples(interval_ms: i64, series: &Series) -> impl Iterator<Item = (i64, &Item)> {
    let items = series.items.iter().zip(0_i64..).filter(|(item, _)| **item != Item::Omitted);
    items.map(move |(item, at)| (at * interval_ms, item))
}

/// One row for each series and day.
fn series_rows(interval_ms: i64, series: &[Series]) -> Result<TableBatch, BoxError> {
    let (mut metrics, mut ids, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let mut names = StringBuilder::new();
    let mut labels = Vec::new();
    for described in series {
        let mut days = BTreeSet::new();
        for (time_ms, _) in samples(interval_ms, described) {
            if !days.insert(day_of_ms(time_ms)) {
                continue;
            }
            metrics.push(metric_id(&described.labels));
            ids.push(described.labels.id());
            times.push(time_ms);
            names.append_value(described.labels.value(METRIC_NAME));
            labels.push(&described.labels);
        }
    }
    let kinds = StringArray::from(vec!["unknown"; ids.len()]);
    batch(
        Table::MetricSeries,
        &[
            (columns::METRIC_ID, Arc::new(Int64Array::from(metrics))),
            (columns::SERIES_ID, Arc::new(Int64Array::from(ids))),
            (columns::TIME_MS, Arc::new(Int64Array::from(times))),
            (columns::METRIC_NAME, Arc::new(names.finish())),
            (columns::LABELS, label_maps(labels)?),
            (columns::TYPE, Arc::new(kinds)),
        ],
    )
}

fn sample_rows(interval_ms: i64, series: &[Series]) -> Result<TableBatch, BoxError> {
    let (mut metrics, mut ids) = (Vec::new(), Vec::new());
    let (mut times, mut values, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for described in series {
        let (metric, id) = (metric_id(&described.labels), described.labels.id());
        for (time_ms, item) in samples(interval_ms, described) {
            let Item::Value(value) = item else { continue };
            metrics.push(metric);
            ids.push(id);
            times.push(time_ms);
            values.push(*value);
            starts.push(described.start_ms(time_ms / interval_ms.max(1), time_ms));
        }
    }
    batch(
        Table::MetricSamples,
        &[
            (columns::METRIC_ID, Arc::new(Int64Array::from(metrics))),
            (columns::SERIES_ID, Arc::new(Int64Array::from(ids))),
            (columns::TIME_MS, Arc::new(Int64Array::from(times))),
            (columns::VALUE, Arc::new(Float64Array::from(values))),
            (columns::START_TIME_MS, Arc::new(Int64Array::from(starts))),
        ],
    )
}

fn histogram_rows(interval_ms: i64, series: &[Series]) -> Result<TableBatch, BoxError> {
    let mut columns = HistogramColumns::default();
    for described in series {
        for (time_ms, item) in samples(interval_ms, described) {
            if let Item::Histogram(histogram, _) = item {
                let start_ms = described.start_ms(time_ms / interval_ms.max(1), time_ms);
                columns.push(&described.labels, time_ms, start_ms, histogram);
            }
        }
    }
    columns.finish()
}

/// A column of labels.
pub(super) fn label_maps<'a>(
    rows: impl IntoIterator<Item = &'a Labels>,
) -> Result<ArrayRef, BoxError> {
    let fields = MapFieldNames {
        entry: "entries".to_owned(),
        key: "keys".to_owned(),
        value: "values".to_owned(),
    };
    let mut maps = MapBuilder::new(Some(fields), StringBuilder::new(), StringBuilder::new());
    for labels in rows {
        for Label { name, value } in labels {
            maps.keys().append_value(name);
            maps.values().append_value(value);
        }
        maps.append(true)?;
    }
    Ok(Arc::new(maps.finish()))
}

/// Rows of a table; columns that are not given are null.
pub(super) fn batch(table: Table, given: &[(&str, ArrayRef)]) -> Result<TableBatch, BoxError> {
    let schema = table.schema();
    let rows = given.first().map_or(0, |(_, column)| column.len());
    let mut columns = Vec::new();
    for field in schema.fields() {
        columns.push(match given.iter().find(|(name, _)| name == field.name()) {
            Some((_, column)) if matches!(field.data_type(), DataType::Map(..)) => {
                Arc::clone(column)
            }
            Some((_, column)) => cast(column, field.data_type())?,
            None => new_null_array(field.data_type(), rows),
        });
    }
    Ok(TableBatch { table, rows: RecordBatch::try_new(schema, columns)? })
}

/// The series of a batch of labels and values.
fn rows(batch: &RecordBatch) -> Vec<Row> {
    let maps = batch.column(0).as_map();
    let labels = maps.iter().map(|entries| {
        let entries = entries.expect("labels are not null");
        let names = entries.column(0).as_string::<i32>();
        let values = entries.column(1).as_string::<i32>();
        let pairs = names.iter().flatten().zip(values.iter().flatten());
        Labels::with_empty_values(pairs.map(|(name, value)| Label::new(name, value)).collect())
    });
    let histograms = (0..batch.num_rows()).map(|row| {
        let found = exec::output::histograms(batch, row);
        found.into_iter().map(|(step, histogram)| (step as usize, histogram)).collect()
    });
    let rows = labels.zip(lists(batch.column(1))).zip(histograms);
    let row =
        |((labels, values), histograms)| Row { labels, values, histograms, shown: BTreeMap::new() };
    rows.map(row).collect()
}

/// The items of a column of lists.
fn lists(column: &ArrayRef) -> Vec<Vec<Option<f64>>> {
    let lists = column.as_fixed_size_list();
    let items = |at: usize| lists.value(at).as_primitive::<Float64Type>().iter().collect();
    (0..lists.len()).map(items).collect()
}
