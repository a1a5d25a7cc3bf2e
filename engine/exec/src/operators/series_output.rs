//! `SeriesOutputExec`: labels attached at last, series in order.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, Float64Array, MapBuilder, MapFieldNames, RecordBatch,
    StringBuilder,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use futures::StreamExt;
use plan::node::{Naming, SortBy};
use schemas::model::{Direction, Labels};
use schemas::tables::{columns, label_map};

use super::kept::{KeptRow, KeptRows};
use super::node::{execution_plan, place, single_partition, stream};
use crate::Error;
use crate::output;
use crate::roster::{OrdinalMap, Roster, shown};
use crate::tiles;

/// Cells of a batch that leaves the engine: few, so that they are in the processor's cache when
/// they are written as text.
const BATCH_CELLS_MAX: usize = 16 * 1024;

/// Turns tiles into rows of labels and values: the last operator of a query for series.
///
/// Two values of one label set at one step are an error.
pub(crate) struct SeriesOutputExec {
    input: Arc<dyn ExecutionPlan>,
    steps: u32,
    order: Option<SortBy>,
    limit: Option<usize>,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl SeriesOutputExec {
    /// Without an order, series are sorted by their labels.
    pub(crate) fn new(
        input: Arc<dyn ExecutionPlan>,
        steps: u32,
        order: Option<SortBy>,
        limit: Option<usize>,
        roster: Arc<Roster>,
    ) -> Self {
        let properties = single_partition(series_schema(steps));
        Self { input, steps, order, limit, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_inputs(&self, mut inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let (order, roster) = (self.order.clone(), Arc::clone(&self.roster));
        Self::new(inputs.swap_remove(0), self.steps, order, self.limit, roster)
    }

    fn describe(&self) -> String {
        format!("order {:?}, limit {:?}", self.order, self.limit)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, context) = (Arc::clone(&self.input), Arc::clone(context));
        let (order, limit, steps) = (self.order.clone(), self.limit, self.steps);
        let roster = Arc::clone(&self.roster);
        Ok(stream(self.schema(), place(&self.inputs()), |sender| async move {
            let reserved = MemoryConsumer::new("SeriesOutputExec").register(context.memory_pool());
            let mut rows = KeptRows::default();
            let mut names = OrdinalMap::new(Arc::clone(&roster), shown);
            let mut stream = input.execute(0, Arc::clone(&context))?;
            while let Some(batch) = stream.next().await {
                let mut grown = 0;
                tiles::for_each(&batch?, |tile| {
                    let series = match roster.naming() {
                        Naming::AtOnce => tile.series,
                        Naming::Delayed => names.get(tile.series)?,
                    };
                    grown += rows.add(series, &tile)?;
                    Ok::<(), Error>(())
                })?;
                reserved.try_grow(grown)?;
            }
            let mut rows: Vec<(Labels, KeptRow)> = rows
                .into_rows()
                .into_iter()
                .filter(KeptRow::has_any)
                .map(|row| (roster.labels(row.series), row))
                .collect();
            if order != Some(SortBy::Arrival) {
                rows.sort_by(|a, b| compare(order.as_ref(), a, b));
            }
            rows.truncate(limit.unwrap_or(usize::MAX));
            let rows_in_batch = (BATCH_CELLS_MAX / (steps as usize).max(1)).max(1);
            let mut rows = rows.into_iter();
            while rows.len() > 0 {
                let rows = rows.by_ref().take(rows_in_batch).collect();
                if sender.send(encode(rows, steps)).await.is_err() {
                    return Ok(());
                }
            }
            Ok(())
        }))
    }
}

/// The columns of `OutputKind::Series`.
pub(crate) fn series_schema(steps: u32) -> SchemaRef {
    let values = tiles::schema(steps).field(1).data_type().clone();
    Arc::new(Schema::new(vec![
        Field::new(columns::LABELS, label_map(), false),
        Field::new(output::columns::VALUES, values, false),
        Field::new(output::columns::HISTOGRAMS, tiles::histograms::data_type(), false),
    ]))
}

fn compare(order: Option<&SortBy>, a: &(Labels, KeptRow), b: &(Labels, KeptRow)) -> Ordering {
    match order {
        Some(SortBy::Value) => by_value(&a.1, &b.1, false),
        Some(SortBy::ValueDescending) => by_value(&a.1, &b.1, true),
        Some(SortBy::Labels(names, direction)) => {
            let by_name = |name: &String| natural(a.0.value(name), b.0.value(name));
            let by_names = names.iter().map(by_name).find(|ordering| ordering.is_ne());
            let ordering = by_names.unwrap_or_else(|| a.0.cmp(&b.0));
            match direction {
                Direction::Forward => ordering,
                Direction::Backward => ordering.reverse(),
            }
        }
        Some(SortBy::Time(_) | SortBy::Arrival) | None => a.0.cmp(&b.0),
    }
}

/// Texts in natural order: runs of digits by the number they spell, all else by bytes.
fn natural(mut a: &str, mut b: &str) -> Ordering {
    while !(a.is_empty() || b.is_empty()) {
        let (run_a, rest_a) = split_run(a);
        let (run_b, rest_b) = split_run(b);
        let ordering = match (run_a.parse::<u64>(), run_b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => run_a.cmp(run_b),
        };
        if ordering.is_ne() {
            return ordering;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.len().cmp(&b.len())
}

/// The longest start of a text that is all digits or no digits, and the rest.
fn split_run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

/// By the value of the first step; NaN last in either direction.
fn by_value(a: &KeptRow, b: &KeptRow, descending: bool) -> Ordering {
    let (a, b) = (a.first_number(), b.first_number());
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if descending => b.total_cmp(&a),
        (false, false) => a.total_cmp(&b),
    }
}

fn encode(rows: Vec<(Labels, KeptRow)>, steps: u32) -> Result<RecordBatch> {
    let schema = series_schema(steps);
    let mut values = Vec::with_capacity(rows.len() * steps as usize);
    let is_full = rows.iter().all(|row| row.1.is_full());
    let mut valid = Vec::new();
    let mut histograms = tiles::histograms::Builder::default();
    let mut labels = Vec::with_capacity(rows.len());
    for (set, row) in rows {
        match is_full {
            true => row.copy_to(&mut values),
            false => row.write(steps as usize, &mut values, &mut valid),
        }
        histograms.push(row.histograms);
        labels.push(set);
    }
    let items = Float64Array::new(values.into(), (!is_full).then(|| NullBuffer::from(valid)));
    let DataType::FixedSizeList(item, size) = schema.field(1).data_type() else {
        unreachable!("the schema of tiles has a list")
    };
    let values = FixedSizeListArray::try_new(Arc::clone(item), *size, Arc::new(items), None)?;
    let labels = label_maps(labels.iter());
    Ok(RecordBatch::try_new(schema, vec![labels, Arc::new(values), histograms.finish()])?)
}

/// Label sets as a column of maps.
pub(crate) fn label_maps<'a>(sets: impl Iterator<Item = &'a Labels>) -> ArrayRef {
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "keys".to_owned(),
        value: "values".to_owned(),
    };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for labels in sets {
        for label in labels {
            maps.keys().append_value(&label.name);
            maps.values().append_value(&label.value);
        }
        maps.append(true).expect("as many values as keys were appended");
    }
    Arc::new(maps.finish())
}

execution_plan!(SeriesOutputExec);
