//! Collecting the tiles of an input where an operator needs all of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;

use crate::histogram::Histogram;
use crate::roster::Roster;
use crate::tiles::{self, Tile, TileBuilder};
use crate::{Error, ErrorKind};

/// Tiles in order of arrival; their memory is reserved until they are dropped.
pub(super) struct Collected {
    pub(super) batches: Vec<RecordBatch>,
    _reserved: MemoryReservation,
}

/// Reads the only partition of `input` to its end.
pub(super) async fn collect(
    input: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> Result<Collected> {
    let reserved = MemoryConsumer::new(input.name()).register(context.memory_pool());
    let mut stream = input.execute(0, Arc::clone(context))?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        // Whoever collects tiles makes rows of them.
        reserved.try_grow(2 * batch.get_array_memory_size())?;
        batches.push(batch);
    }
    Ok(Collected { batches, _reserved: reserved })
}

impl Collected {
    /// Calls `each` for every tile, in order.
    pub(super) fn for_each<E>(
        &self,
        mut each: impl FnMut(Tile<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.batches.iter().try_for_each(|batch| tiles::for_each(batch, &mut each))
    }
}

/// A series with its values, gathered from one or several tiles.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Ordinal in the roster.
    pub(super) series: u32,
    /// One for each step.
    pub(super) values: Vec<f64>,
    /// Whether the value counts.
    pub(super) valid: Vec<bool>,
    /// Histograms by step, at steps without a value.
    pub(super) histograms: BTreeMap<u32, Histogram>,
}

impl Row {
    /// A series without any value.
    pub(super) fn empty(series: u32, steps: usize) -> Self {
        let (values, valid) = (vec![0.0; steps], vec![false; steps]);
        Self { series, values, valid, histograms: BTreeMap::new() }
    }

    /// Whether there is a number at every step, and thus no histogram.
    pub(super) fn is_full(&self) -> bool {
        !self.valid.contains(&false)
    }

    /// Whether there is nothing at any step.
    pub(super) fn is_empty(&self) -> bool {
        !self.valid.contains(&true) && self.histograms.is_empty()
    }

    /// Whether there is a number or a histogram at a step.
    pub(super) fn has(&self, step: usize) -> bool {
        self.valid[step] || self.histogram(step).is_some()
    }

    /// What there is at a step.
    pub(super) fn cell(&self, step: usize) -> Option<Cell<'_>> {
        if self.valid[step] {
            return Some(Cell::Number(self.values[step]));
        }
        self.histogram(step).map(Cell::Histogram)
    }

    /// Sets what there is at a step, if anything.
    pub(super) fn set(&mut self, step: usize, content: Option<Content>) {
        match content {
            Some(Content::Number(value)) => {
                self.values[step] = value;
                self.valid[step] = true;
            }
            Some(Content::Histogram(histogram)) => {
                self.histograms.insert(step as u32, *histogram);
            }
            None => {}
        }
    }

    /// Leaves only those steps for which `keep` holds.
    pub(super) fn keep(&mut self, keep: impl Fn(usize) -> bool) {
        for (step, valid) in self.valid.iter_mut().enumerate() {
            *valid &= keep(step);
        }
        self.histograms.retain(|step, _| keep(*step as usize));
    }

    fn histogram(&self, step: usize) -> Option<&Histogram> {
        if self.histograms.is_empty() {
            return None;
        }
        self.histograms.get(&u32::try_from(step).ok()?)
    }
}

/// What a series has at a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    /// A number.
    Number(f64),
    /// A native histogram.
    Histogram(&'a Histogram),
}

impl Cell<'_> {
    /// The same as something of its own.
    pub(super) fn to_content(self) -> Content {
        match self {
            Self::Number(value) => Content::Number(value),
            Self::Histogram(histogram) => Content::Histogram(Box::new(histogram.clone())),
        }
    }
}

/// What a computation gives a series at a step.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A number.
    Number(f64),
    /// A native histogram.
    Histogram(Box<Histogram>),
}

/// Gathers tiles of one series into one row; two values of a series at one step are an error.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    positions: HashMap<u32, usize, ahash::RandomState>,
}

impl Rows {
    /// Adds the values of `tile` to the row of `series`.
    pub(super) fn add(&mut self, series: u32, tile: &Tile<'_>) -> Result<(), Error> {
        let steps = tile.values.len();
        let at = *self.positions.entry(series).or_insert_with(|| {
            self.rows.push(Row::empty(series, steps));
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        for (step, histogram) in tile.histograms() {
            if row.has(step as usize) {
                return Err(duplicate());
            }
            row.histograms.insert(step, histogram);
        }
        for step in 0..steps {
            if tile.is_valid(step) {
                if row.has(step) {
                    return Err(duplicate());
                }
                row.valid[step] = true;
                row.values[step] = tile.values[step];
            }
        }
        Ok(())
    }

    /// All rows in the order first met.
    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// All rows in the order first met.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.rows.iter()
    }
}

/// The error of a vector that names a label set twice, in Prometheus' words.
pub(super) fn duplicate() -> Error {
    Error::new(ErrorKind::Invalid, "vector cannot contain metrics with the same labelset")
}

/// The values of a scalar input: one for each step, NaN where it has none.
pub(super) async fn scalar(
    input: &Arc<dyn ExecutionPlan>,
    steps: usize,
    context: &Arc<TaskContext>,
) -> Result<Vec<f64>> {
    let mut values = vec![f64::NAN; steps];
    collect(input, context).await?.for_each(|tile| {
        for (step, value) in values.iter_mut().enumerate() {
            if let Some(given) = tile.get(step) {
                *value = given;
            }
        }
        Ok::<(), Error>(())
    })?;
    Ok(values)
}

/// The ordinal of the empty label set.
pub(super) fn no_labels(roster: &Roster) -> Result<u32, Error> {
    roster.ordinal(&schemas::model::Labels::default())
}

/// Adds a row to tiles.
pub(super) fn push(output: &mut TileBuilder, row: Row) {
    output.push_mixed(row.series, |values, valid, histograms| {
        values.copy_from_slice(&row.values);
        valid.copy_from_slice(&row.valid);
        histograms.extend(row.histograms);
    });
}
