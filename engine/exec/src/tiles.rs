//! Tiles: the form in which series travel between operators.
//!
//! ```text
//!  series: UInt32            values: FixedSizeList<Float64, steps>
//!  ┌───┐                     ┌──────┬──────┬──────┐
//!  │ 7 │ ordinal in roster   │ 1.0  │ null │ 2.5  │   null: no value at this step
//!  │ 9 │                     │ NaN  │ 0.0  │ null │   NaN: a value
//!  └───┘                     └──────┴──────┴──────┘
//! ```

use std::sync::Arc;

use arrow::array::{Array, AsArray, FixedSizeListArray, Float64Array, RecordBatch, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, UInt32Type};

/// Cells (series × steps) of a batch, at most; a batch has at least one series.
const BATCH_CELLS_MAX: usize = 256 * 1024;

/// The schema of tiles of so many steps.
pub(crate) fn schema(steps: u32) -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Float64, true));
    Arc::new(Schema::new(vec![
        Field::new("series", DataType::UInt32, false),
        Field::new("values", DataType::FixedSizeList(item, list_size(steps)), false),
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
        }
    }

    /// Adds a series whose values are written by `fill` into slices of values and validity, both
    /// as long as there are steps and cleared; a series without any value is left out.
    pub(crate) fn push_with(&mut self, series: u32, fill: impl FnOnce(&mut [f64], &mut [bool])) {
        let start = self.values.len();
        self.values.resize(start + self.steps, 0.0);
        self.valid.resize(start + self.steps, false);
        fill(&mut self.values[start..], &mut self.valid[start..]);
        if self.valid[start..].contains(&true) {
            self.series.push(series);
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
        self.values.len() >= BATCH_CELLS_MAX
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The batch; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> RecordBatch {
        let series = UInt32Array::from(std::mem::take(&mut self.series));
        let valid = NullBuffer::from(std::mem::take(&mut self.valid));
        let values = Float64Array::new(std::mem::take(&mut self.values).into(), Some(valid));
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
        RecordBatch::try_new(Arc::clone(&self.schema), vec![Arc::new(series), Arc::new(values)])
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
    nulls: Option<&'a NullBuffer>,
    offset: usize,
}

impl Tile<'_> {
    /// Whether there is a value at `step`.
    pub(crate) fn is_valid(&self, step: usize) -> bool {
        self.nulls.is_none_or(|nulls| nulls.is_valid(self.offset + step))
    }

    /// The value at `step`, if there is one.
    pub(crate) fn get(&self, step: usize) -> Option<f64> {
        self.is_valid(step).then(|| self.values[step])
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
    for row in 0..series.len() {
        let offset = row * steps;
        each(Tile {
            series: series.value(row),
            values: &items.values()[offset..offset + steps],
            nulls: items.nulls(),
            offset,
        })?;
    }
    Ok(())
}
