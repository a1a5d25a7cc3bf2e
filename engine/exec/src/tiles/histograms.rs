//! The column of histograms in tiles: of each series those steps that have one.
//!
//! ```text
//!  List<Struct<step UInt32, hint UInt8, schema Int32, zero_threshold, zero_count, count, sum
//!              Float64, positive, negative List<Struct<index Int32, count Float64>>,
//!              bounds List<Float64>>>
//! ```
//!
//! Steps ascend; a step has a value or a histogram, never both.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, ListArray, StructArray, UInt8Array,
    UInt32Array, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int32Type, UInt8Type, UInt32Type};

use crate::histogram::{Bucket, Histogram, ResetHint};

/// The type of the column.
pub(crate) fn data_type() -> DataType {
    DataType::List(Arc::clone(&ITEM))
}

/// What the lists hold; the same for all, so made once.
static ITEM: LazyLock<Arc<Field>> =
    LazyLock::new(|| Arc::new(Field::new("item", DataType::Struct(new_item_fields()), false)));

/// Most columns hold none.
static NO_ITEMS: LazyLock<ArrayRef> = LazyLock::new(|| new_empty_array(ITEM.data_type()));

fn item_fields() -> Fields {
    match ITEM.data_type() {
        DataType::Struct(fields) => fields.clone(),
        _ => unreachable!("the item is a struct"),
    }
}

fn new_item_fields() -> Fields {
    let float = |name: &str| Field::new(name, DataType::Float64, false);
    let list = |name: &str, item: DataType| {
        Field::new(name, DataType::List(Arc::new(Field::new("item", item, false))), false)
    };
    let buckets = DataType::Struct(bucket_fields());
    Fields::from(vec![
        Field::new("step", DataType::UInt32, false),
        Field::new("hint", DataType::UInt8, false),
        Field::new("schema", DataType::Int32, false),
        float("zero_threshold"),
        float("zero_count"),
        float("count"),
        float("sum"),
        list("positive", buckets.clone()),
        list("negative", buckets),
        list("bounds", DataType::Float64),
    ])
}

fn bucket_fields() -> Fields {
    Fields::from(vec![
        Field::new("index", DataType::Int32, false),
        Field::new("count", DataType::Float64, false),
    ])
}

/// The column under construction.
#[derive(Default)]
pub(crate) struct Builder {
    /// Where the histograms of each series end.
    ends: Vec<i32>,
    steps: Vec<u32>,
    histograms: Vec<Histogram>,
    buckets: usize,
}

impl Builder {
    /// Adds a series; its histograms are in order of their steps.
    pub(crate) fn push(&mut self, histograms: impl IntoIterator<Item = (u32, Histogram)>) {
        for (step, histogram) in histograms {
            self.buckets += histogram.positive.len() + histogram.negative.len();
            self.steps.push(step);
            self.histograms.push(histogram);
        }
        self.ends.push(offset(self.steps.len()));
    }

    /// Numbers held, to tell when a batch is large.
    pub(crate) fn cells(&self) -> usize {
        self.steps.len() * 8 + self.buckets * 2
    }

    /// The column; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        if self.histograms.is_empty() {
            let ends = std::mem::take(&mut self.ends);
            return Arc::new(of_items(Arc::clone(&ITEM), ends, Arc::clone(&NO_ITEMS)));
        }
        let histograms = std::mem::take(&mut self.histograms);
        self.buckets = 0;
        let floats = |of: fn(&Histogram) -> f64| -> ArrayRef {
            Arc::new(histograms.iter().map(of).collect::<Float64Array>())
        };
        let hints: UInt8Array = histograms.iter().map(|histogram| code(histogram.hint)).collect();
        let schemas: Int32Array = histograms.iter().map(|histogram| histogram.schema).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(std::mem::take(&mut self.steps))),
            Arc::new(hints),
            Arc::new(schemas),
            floats(|histogram| histogram.zero_threshold),
            floats(|histogram| histogram.zero_count),
            floats(|histogram| histogram.count),
            floats(|histogram| histogram.sum),
            buckets(&histograms, |histogram| &histogram.positive),
            buckets(&histograms, |histogram| &histogram.negative),
            bounds(&histograms),
        ];
        let items =
            StructArray::try_new_with_length(item_fields(), columns, None, histograms.len())
                .expect("columns are built for the fields");
        list(std::mem::take(&mut self.ends), Arc::new(items))
    }
}

/// Items of a batch are bounded by the cells of a batch, far below what an i32 can count.
fn offset(items: usize) -> i32 {
    i32::try_from(items).expect("a batch has fewer items than 2^31")
}

fn list(ends: Vec<i32>, items: ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new("item", items.data_type().clone(), false));
    Arc::new(of_items(item, ends, items))
}

fn of_items(item: Arc<Field>, ends: Vec<i32>, items: ArrayRef) -> ListArray {
    let offsets: Vec<i32> = std::iter::once(0).chain(ends).collect();
    let offsets = OffsetBuffer::new(offsets.into());
    ListArray::try_new(item, offsets, items, None).expect("items end where lists do")
}

fn buckets(histograms: &[Histogram], side: impl Fn(&Histogram) -> &[Bucket]) -> ArrayRef {
    let (mut ends, mut indexes, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for histogram in histograms {
        for (index, count) in side(histogram) {
            indexes.push(*index);
            counts.push(*count);
        }
        ends.push(offset(indexes.len()));
    }
    let length = indexes.len();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(indexes)), Arc::new(Float64Array::from(counts))];
    let items = StructArray::try_new_with_length(bucket_fields(), columns, None, length)
        .expect("columns are built for the fields");
    list(ends, Arc::new(items))
}

fn bounds(histograms: &[Histogram]) -> ArrayRef {
    let (mut ends, mut items) = (Vec::new(), Vec::new());
    for histogram in histograms {
        items.extend_from_slice(&histogram.bounds);
        ends.push(offset(items.len()));
    }
    list(ends, Arc::new(Float64Array::from(items)))
}

fn code(hint: ResetHint) -> u8 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    }
}

/// The hint of a code; unknown codes are unknown hints.
pub(crate) fn hint(code: u8) -> ResetHint {
    match code {
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        3 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    }
}

/// The histograms of one row of the column, with their steps.
pub(crate) fn read(column: &ListArray, row: usize) -> Vec<(u32, Histogram)> {
    let items = column.values().as_struct();
    let (start, end) = (column.value_offsets()[row], column.value_offsets()[row + 1]);
    let at = |offset: i32| usize::try_from(offset).unwrap_or_default();
    let steps = items.column(0).as_primitive::<UInt32Type>();
    (at(start)..at(end)).map(|item| (steps.value(item), read_item(items, item))).collect()
}

fn read_item(items: &StructArray, item: usize) -> Histogram {
    let float = |column: usize| items.column(column).as_primitive::<Float64Type>().value(item);
    let bounds = items.column(9).as_list::<i32>().value(item);
    Histogram {
        hint: hint(items.column(1).as_primitive::<UInt8Type>().value(item)),
        schema: items.column(2).as_primitive::<Int32Type>().value(item),
        zero_threshold: float(3),
        zero_count: float(4),
        count: float(5),
        sum: float(6),
        positive: read_buckets(items.column(7), item),
        negative: read_buckets(items.column(8), item),
        bounds: bounds.as_primitive::<Float64Type>().values().as_ref().into(),
    }
}

fn read_buckets(column: &ArrayRef, item: usize) -> Vec<Bucket> {
    let buckets = column.as_list::<i32>().value(item);
    let buckets = buckets.as_struct();
    let indexes = buckets.column(0).as_primitive::<Int32Type>().values();
    let counts = buckets.column(1).as_primitive::<Float64Type>().values();
    indexes.iter().copied().zip(counts.iter().copied()).collect()
}
