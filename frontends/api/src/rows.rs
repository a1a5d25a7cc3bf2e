//! Columns of batches by the names and types that `exec::output` promises.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, ListArray,
    MapArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Schema};
use arrow::record_batch::RecordBatch;

use crate::error::Error;

/// A column of texts; dictionaries and other forms of text are turned into plain text.
pub(crate) fn texts(rows: &RecordBatch, name: &str) -> Result<StringArray, Error> {
    plain_texts(column(rows, name)?, name)
}

/// A column of texts that older segments may not have.
pub(crate) fn optional_texts(rows: &RecordBatch, name: &str) -> Result<Option<StringArray>, Error> {
    rows.column_by_name(name).map(|array| plain_texts(array, name)).transpose()
}

fn plain_texts(array: &ArrayRef, name: &str) -> Result<StringArray, Error> {
    let plain = match array.data_type() {
        DataType::Utf8 => array,
        _ => &cast(array, &DataType::Utf8)?,
    };
    plain.as_string_opt::<i32>().cloned().ok_or_else(|| unexpected(name))
}

/// A column of numbers.
pub(crate) fn numbers<'a, T: ArrowPrimitiveType>(
    rows: &'a RecordBatch,
    name: &str,
) -> Result<&'a PrimitiveArray<T>, Error> {
    column(rows, name)?.as_primitive_opt::<T>().ok_or_else(|| unexpected(name))
}

/// A column of truths.
pub(crate) fn bools<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a BooleanArray, Error> {
    column(rows, name)?.as_boolean_opt().ok_or_else(|| unexpected(name))
}

/// A column of lists of one length.
pub(crate) fn tiles<'a>(
    rows: &'a RecordBatch,
    name: &str,
) -> Result<&'a FixedSizeListArray, Error> {
    column(rows, name)?.as_fixed_size_list_opt().ok_or_else(|| unexpected(name))
}

/// A column of lists.
pub(crate) fn lists<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ListArray, Error> {
    column(rows, name)?.as_list_opt::<i32>().ok_or_else(|| unexpected(name))
}

/// A column of ids.
pub(crate) fn ids<'a>(
    rows: &'a RecordBatch,
    name: &str,
) -> Result<&'a FixedSizeBinaryArray, Error> {
    column(rows, name)?.as_fixed_size_binary_opt().ok_or_else(|| unexpected(name))
}

/// A column of label sets.
pub(crate) fn label_sets(rows: &RecordBatch, name: &str) -> Result<LabelSets, Error> {
    let map = column(rows, name)?.as_map_opt().ok_or_else(|| unexpected(name))?;
    Ok(LabelSets {
        map: map.clone(),
        names: plain_texts(map.keys(), name)?,
        values: plain_texts(map.values(), name)?,
    })
}

/// The structs of a list's row, as a batch.
pub(crate) fn structs(list: &ListArray, row: usize, name: &str) -> Result<RecordBatch, Error> {
    let items = if list.is_null(row) { list.values().slice(0, 0) } else { list.value(row) };
    let structs: &StructArray = items.as_struct_opt().ok_or_else(|| unexpected(name))?;
    let schema = Arc::new(Schema::new(structs.fields().clone()));
    Ok(RecordBatch::try_new(schema, structs.columns().to_vec())?)
}

/// The text of a row; `None` if it is null.
pub(crate) fn text(texts: &StringArray, row: usize) -> Option<&str> {
    texts.is_valid(row).then(|| texts.value(row))
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Error> {
    rows.column_by_name(name).ok_or_else(|| Error::internal(format!("no column {name:?}")))
}

fn unexpected(name: &str) -> Error {
    Error::internal(format!("column {name:?} has an unexpected type"))
}

/// Label sets, one a row.
#[derive(Debug)]
pub(crate) struct LabelSets {
    map: MapArray,
    names: StringArray,
    values: StringArray,
}

impl LabelSets {
    /// The labels of a row in order of their names; a null value is the empty text.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (&str, &str)> {
        let offsets = self.map.value_offsets();
        let range = if self.map.is_null(row) { 0..0 } else { offsets[row]..offsets[row + 1] };
        range.map(|at| at as usize).map(|at| {
            let value = if self.values.is_null(at) { "" } else { self.values.value(at) };
            (self.names.value(at), value)
        })
    }
}
