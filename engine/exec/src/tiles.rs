//! Tiles: the form in which series travel between operators.
//!
//! ```text
//!  series: UInt32            values: FixedSizeList<Float64, steps>
//!  ┌───┐                     ┌──────┬──────┬──────┐
//!  │ 7 │ ordinal in roster   │ 1.0  │ null │ 2.5  │   null: no value at this step
//!  │ 9 │                     │ NaN  │ 0.0  │ null │   NaN: a value
//!  └───┘                     └──────┴──────┴──────┘
//! ```
//!
//! A third column, `histograms`, lists the steps at which a series has a native histogram in
//! place of a number; it is empty for most series, see [`histograms`].

pub(crate) mod histograms;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float64Array, ListArray, RecordBatch, UInt32Array,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, UInt32Type};

use crate::histogram::Histogram;

/// Cells (series × steps) of a batch, about; a batch has at least one series. So few that a batch
/// is still in the processor's cache when its consumer reads it.
const BATCH_CELLS_MAX: usize = 32 * 1024;

/// The schema of tiles of so many steps.
pub(crate) fn schema(steps: u32) -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Float64, true));
    Arc::new(Schema::new(vec![
        Field::new("series", DataType::UInt32, false),
        Field::new("values", DataType::FixedSizeList(item, list_size(steps)), false),
        Field::new("histograms", histograms::data_type(), false),
    ]))
}

fn list_size(steps: u32) -> i32 {
    i32::try_from(steps).expect("steps_max is far below 2^31")
}

/// Collects tiles into batches.
pub(crate) struct TileBuilder {
    steps: usize,
    schema: SchemaRef,
    series: Vec<u32>,
    values: Vec<f64>,
    valid: Vec<bool>,
    histograms: histograms::Builder,
    /// Series that are still expected; a batch makes room for them at once.
    expected: usize,
}

impl TileBuilder {
    /// A builder of tiles of so many steps; `schema` is what [`schema`] gave for them.
    pub(crate) fn new(steps: u32) -> Self {
        Self {
            steps: steps as usize,
            schema: schema(steps),
            series: Vec::new(),
            values: Vec::new(),
            valid: Vec::new(),
            histograms: histograms::Builder::default(),
            expected: 0,
        }
    }

    /// The same for about so many series.
    pub(crate) fn expecting(mut self, series: usize) -> Self {
        self.expect(series);
        self
    }

    /// About so many series are still to come.
    pub(crate) fn expect(&mut self, series: usize) {
        self.expected = series;
    }

    /// Makes room for what a batch holds of the series expected.
    fn make_room(&mut self) {
        let cells = self.expected.saturating_mul(self.steps);
        let cells = cells.min(BATCH_CELLS_MAX + self.steps);
        self.values.reserve(cells);
        self.valid.reserve(cells);
    }

    /// Adds a series whose values are written by `fill` into slices of values and validity, both
    /// as long as there are steps and cleared; a series without any value is left out.
    pub(crate) fn push_with(&mut self, series: u32, fill: impl FnOnce(&mut [f64], &mut [bool])) {
        self.push_mixed(series, |values, valid, _| fill(values, valid));
    }

    /// The same for a series that may have histograms: `fill` adds them in order of their steps,
    /// at steps without a number.
    pub(crate) fn push_mixed(
        &mut self,
        series: u32,
        fill: impl FnOnce(&mut [f64], &mut [bool], &mut Vec<(u32, Histogram)>),
    ) {
        if self.values.capacity() == 0 {
            self.make_room();
        }
        let start = self.values.len();
        self.values.resize(start + self.steps, 0.0);
        self.valid.resize(start + self.steps, false);
        let mut histograms = Vec::new();
        fill(&mut self.values[start..], &mut self.valid[start..], &mut histograms);
        if self.valid[start..].contains(&true) || !histograms.is_empty() {
            self.series.push(series);
            self.histograms.push(histograms);
        } else {
            self.values.truncate(start);
            self.valid.truncate(start);
        }
    }

    /// Adds a series with given values.
    pub(crate) fn push(&mut self, series: u32, values: &[f64], valid: &[bool]) {
        self.push_with(series, |to, to_valid| {
            to.copy_from_slice(values);
            to_valid.copy_from_slice(valid);
        });
    }

    /// Whether the batch is as large as it should get.
    pub(crate) fn is_full(&self) -> bool {
        self.values.len() + self.histograms.cells() >= BATCH_CELLS_MAX
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The batch; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> RecordBatch {
        self.expected = self.expected.saturating_sub(self.series.len());
        let series = UInt32Array::from(std::mem::take(&mut self.series));
        let valid = std::mem::take(&mut self.valid);
        // Most tiles have a value at each step; then consumers need not ask.
        let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
        let values = Float64Array::new(std::mem::take(&mut self.values).into(), nulls);
        let DataType::FixedSizeList(item, size) = self.schema.field(1).data_type() else {
            unreachable!("the schema of tiles has a list")
        };
        let values = FixedSizeListArray::try_new_with_length(
            Arc::clone(item),
            *size,
            Arc::new(values),
            None,
            series.len(),
        )
        .expect("values hold series times steps items");
        let columns: [ArrayRef; 3] = [Arc::new(series), Arc::new(values), self.histograms.finish()];
        RecordBatch::try_new(Arc::clone(&self.schema), columns.to_vec())
            .expect("columns are built for the schema")
    }
}

/// One series of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a> {
    /// Ordinal in the roster.
    pub(crate) series: u32,
    /// The value of each step; meaningless where there is none.
    pub(crate) values: &'a [f64],
    all: &'a ScalarBuffer<f64>,
    nulls: Option<&'a NullBuffer>,
    offset: usize,
    histograms: &'a ListArray,
    row: usize,
}

impl Tile<'_> {
    /// Whether there is a value at `step`.
    pub(crate) fn is_valid(&self, step: usize) -> bool {
        self.nulls.is_none_or(|nulls| nulls.is_valid(self.offset + step))
    }

    /// Whether there is known to be a value at every step.
    pub(crate) fn is_full(&self) -> bool {
        self.nulls.is_none()
    }

    /// How many steps have a value.
    pub(crate) fn count(&self) -> usize {
        let valid = self.nulls.map(|nulls| nulls.inner().slice(self.offset, self.values.len()));
        valid.map_or(self.values.len(), |valid| valid.count_set_bits())
    }

    /// The values and their steps, ascending.
    pub(crate) fn cells(&self) -> Box<[(u32, f64)]> {
        let cell = |step: usize| (step as u32, self.values[step]);
        match self.nulls {
            None => (0..self.values.len()).map(cell).collect(),
            Some(nulls) => {
                let valid = nulls.inner().slice(self.offset, self.values.len());
                valid.set_indices().map(cell).collect()
            }
        }
    }

    /// The value at `step`, if there is one.
    pub(crate) fn get(&self, step: usize) -> Option<f64> {
        self.is_valid(step).then(|| self.values[step])
    }

    /// The value of each step without a copy: as long as it is kept, so is its batch.
    pub(crate) fn shared_values(&self) -> ScalarBuffer<f64> {
        self.all.slice(self.offset, self.values.len())
    }

    /// Whether any step has a histogram.
    pub(crate) fn has_histograms(&self) -> bool {
        self.histograms.value_length(self.row) > 0
    }

    /// The steps that have a histogram, ascending.
    pub(crate) fn histograms(&self) -> Vec<(u32, Histogram)> {
        if self.has_histograms() { histograms::read(self.histograms, self.row) } else { Vec::new() }
    }
}

/// Calls `each` for every series of a batch, in order.
pub(crate) fn for_each<E>(
    batch: &RecordBatch,
    mut each: impl FnMut(Tile<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let series = batch.column(0).as_primitive::<UInt32Type>();
    let lists = batch.column(1).as_fixed_size_list();
    let steps = usize::try_from(lists.value_length()).expect("lengths are not negative");
    let items = lists.values().as_primitive::<Float64Type>();
    let histograms = batch.column(2).as_list::<i32>();
    for row in 0..series.len() {
        let offset = row * steps;
        each(Tile {
            series: series.value(row),
            values: &items.values()[offset..offset + steps],
            all: items.values(),
            nulls: items.nulls(),
            offset,
            histograms,
            row,
        })?;
    }
    Ok(())
}
