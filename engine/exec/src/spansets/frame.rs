//! Columns of spans, events or links, and single values out of them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, RecordBatchOptions, StructArray,
    UInt64Array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, take, take_record_batch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, Schema};
use plan::Expr;
use schemas::tables::columns;

use super::json;
use super::place::{Form, Items, Place, columns_read, places};
use super::value::Value;
use crate::{Error, ErrorKind};

/// Rows that a predicate is asked of: spans, or the items of one of their lists.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Spans; if there are items, the span of each item.
    spans: RecordBatch,
    /// Events, links, or every pair of both.
    items: Vec<(Items, StructArray)>,
    rows: usize,
}

/// The items of all lists of a column.
#[derive(Debug)]
pub(super) struct Unnested {
    /// One row an item.
    pub(super) items: Frame,
    /// For each item the row that it belongs to.
    pub(super) owners: UInt64Array,
    /// For each row whether its list is present; all are if there is none.
    pub(super) lists: Option<BooleanBuffer>,
}

impl Frame {
    /// Spans with at least the columns that will be asked for.
    pub(super) fn spans(rows: &RecordBatch) -> Self {
        Self { spans: rows.clone(), items: Vec::new(), rows: rows.num_rows() }
    }

    /// The items of the lists of `self`, one row each.
    ///
    /// Only the columns that `expr` reads can be asked for.
    pub(super) fn unnested(&self, items: Items, expr: &Expr) -> Result<Unnested, Error> {
        let name = items.list_column().unwrap_or_default();
        let list = self.column(Items::Spans, name)?;
        let Some(list) = list.as_list_opt::<i32>() else {
            return Err(internal(format!("column {name} is not a list")));
        };
        let owners = owners(list);
        let first = list.value_offsets().first().copied().unwrap_or_default();
        let last = list.value_offsets().last().copied().unwrap_or_default();
        let values = list.values().slice(first as usize, (last - first) as usize);
        let Some(values) = values.as_struct_opt() else {
            return Err(internal(format!("column {name} is not a list of structs")));
        };
        let wanted: Vec<usize> = columns_read(expr, self.schema())
            .into_iter()
            .filter(|column| column != name)
            .filter_map(|column| self.schema().index_of(&column).ok())
            .collect();
        let spans = take_rows(&self.spans.project(&wanted).map_err(arrow_error)?, &owners)?;
        let rows = owners.len();
        let lists = list.nulls().map(|nulls| nulls.inner().clone());
        let mut unnested = vec![(items, values.clone())];
        for (items, values) in &self.items {
            let values = take(values, &owners, None).map_err(arrow_error)?;
            unnested.push((*items, values.as_struct().clone()));
        }
        let items = Self { spans, items: unnested, rows };
        Ok(Unnested { items, owners, lists })
    }

    /// The columns of the spans, which tell what is promoted.
    pub(super) fn schema(&self) -> &Schema {
        self.spans.schema_ref()
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Whether the rows have a value at such a place: an item's are asked in its own frame.
    pub(super) fn has(&self, items: Items) -> bool {
        items == Items::Spans || self.items.iter().any(|(own, _)| *own == items)
    }

    /// The column of a place.
    pub(super) fn column(&self, items: Items, name: &str) -> Result<ArrayRef, Error> {
        let found = match self.items.iter().find(|(own, _)| *own == items) {
            Some((_, values)) => values.column_by_name(name),
            None => self.spans.column_by_name(name),
        };
        found.cloned().ok_or_else(|| internal(format!("column {name} was not read")))
    }

    /// Nanoseconds from the spans' starts to the times of the items.
    pub(super) fn since_start(&self, place: &Place) -> Result<Int64Array, Error> {
        let times = self.column(place.items, &place.column)?;
        let starts = self.column(Items::Spans, columns::START_NS)?;
        let (Some(times), Some(starts)) =
            (times.as_primitive_opt::<Int64Type>(), starts.as_primitive_opt::<Int64Type>())
        else {
            return Err(internal("times are not 64-bit integers".to_owned()));
        };
        arrow::compute::binary(times, starts, i64::wrapping_sub).map_err(arrow_error)
    }
}

/// The row that each item belongs to.
fn owners(list: &ListArray) -> UInt64Array {
    let mut owners = Vec::with_capacity(list.values().len());
    for (row, window) in list.value_offsets().windows(2).enumerate() {
        // A null list may still own items, which must keep their places.
        owners.extend(std::iter::repeat_n(row as u64, (window[1] - window[0]).max(0) as usize));
    }
    UInt64Array::from(owners)
}

fn take_rows(rows: &RecordBatch, at: &UInt64Array) -> Result<RecordBatch, Error> {
    if rows.num_columns() > 0 {
        return take_record_batch(rows, at).map_err(arrow_error);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(at.len()));
    RecordBatch::try_new_with_options(rows.schema(), Vec::new(), &options).map_err(arrow_error)
}

/// The columns of one attribute or intrinsic, ready to be read row by row.
#[derive(Debug)]
pub(super) struct Reader {
    key: String,
    /// With each place its column; of lists the first item with a value is read.
    columns: Vec<(Place, ArrayRef, Option<ListArray>)>,
    starts: Option<Int64Array>,
}

impl Reader {
    /// A reader of an attribute or intrinsic; `None` for other expressions.
    pub(super) fn new(frame: &Frame, expr: &Expr) -> Result<Option<Self>, Error> {
        let Some((key, places)) = places(expr, frame.schema()) else { return Ok(None) };
        Self::of(frame, key, &places).map(Some)
    }

    /// A reader of some places of a key.
    pub(super) fn of(frame: &Frame, key: &str, places: &[Place]) -> Result<Self, Error> {
        let mut columns = Vec::new();
        let mut starts = None;
        for place in places.iter().cloned() {
            if place.form == Form::SinceStart {
                let column = frame.column(Items::Spans, columns::START_NS)?;
                starts = column.as_primitive_opt::<Int64Type>().cloned();
            }
            let (column, list) = match place.items.list_column() {
                Some(name) if !frame.has(place.items) => {
                    let list = frame.column(Items::Spans, name)?;
                    let Some(list) = list.as_list_opt::<i32>() else {
                        return Err(internal(format!("column {name} is not a list")));
                    };
                    let inner = list.values().as_struct_opt();
                    let Some(inner) = inner.and_then(|it| it.column_by_name(&place.column)) else {
                        return Err(internal(format!("{name} lacks {}", place.column)));
                    };
                    (Arc::clone(inner), Some(list.clone()))
                }
                _ => (frame.column(place.items, &place.column)?, None),
            };
            columns.push((place, plain(column)?, list));
        }
        Ok(Self { key: key.to_owned(), columns, starts })
    }

    /// The value in a row: of the first place that has one.
    pub(super) fn value(&self, row: usize) -> Value<'_> {
        for (place, column, list) in &self.columns {
            let value = match list {
                None => self.cell(place, column, row, row),
                Some(list) if list.is_null(row) => Value::Absent,
                Some(list) => {
                    let offsets = list.value_offsets();
                    (offsets[row]..offsets[row + 1])
                        .map(|at| self.cell(place, column, at as usize, row))
                        .find(|value| *value != Value::Absent)
                        .unwrap_or(Value::Absent)
                }
            };
            if value != Value::Absent {
                return value;
            }
        }
        Value::Absent
    }

    fn cell<'a>(&'a self, place: &Place, column: &'a ArrayRef, at: usize, row: usize) -> Value<'a> {
        let text = || text_at(column, at);
        match place.form {
            Form::Text => text().map_or(Value::Absent, Value::text),
            Form::TextOrEmpty => Value::text(text().unwrap_or_default()),
            Form::Int => int_at(column, at).map_or(Value::Absent, Value::Int),
            Form::Float => float_at(column, at).map_or(Value::Absent, Value::Float),
            Form::Bool => bool_at(column, at).map_or(Value::Absent, Value::Bool),
            Form::Duration => int_at(column, at).map_or(Value::Absent, Value::Duration),
            Form::Status => code_at(column, at).map_or(Value::Absent, Value::Status),
            Form::Kind => code_at(column, at).map_or(Value::Absent, Value::Kind),
            Form::Id => Value::Text(id_at(column, at).into()),
            Form::ParentEdge => Value::Int(if column.is_null(at) { -1 } else { 0 }),
            Form::SinceStart => {
                let start = self.starts.as_ref().map_or(0, |starts| starts.value(row));
                int_at(column, at).map_or(Value::Absent, |at| Value::Duration(at - start))
            }
            Form::Json => text().map_or(Value::Absent, |object| json::member(object, &self.key)),
        }
    }
}

/// Texts of any encoding as the two that are read here: plain and dictionary of plain.
pub(super) fn plain(column: ArrayRef) -> Result<ArrayRef, Error> {
    let is_known = match column.data_type() {
        DataType::LargeUtf8 | DataType::Utf8View => false,
        DataType::Dictionary(key, value) => {
            key.as_ref() == &DataType::Int32 && value.as_ref() == &DataType::Utf8
        }
        _ => true,
    };
    if is_known {
        return Ok(column);
    }
    cast(&column, &DataType::Utf8).map_err(arrow_error)
}

/// The text in a row of a plain or dictionary column.
pub(super) fn text_at(column: &ArrayRef, row: usize) -> Option<&str> {
    if column.is_null(row) {
        return None;
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Some(texts.value(row));
    }
    let dictionary = column.as_dictionary_opt::<Int32Type>()?;
    let texts = dictionary.values().as_string_opt::<i32>()?;
    let key = dictionary.key(row)?;
    (key < texts.len() && !texts.is_null(key)).then(|| texts.value(key))
}

/// The integer in a row.
pub(super) fn int_at(column: &ArrayRef, row: usize) -> Option<i64> {
    let ints = column.as_primitive_opt::<Int64Type>()?;
    (!ints.is_null(row)).then(|| ints.value(row))
}

/// The double in a row.
fn float_at(column: &ArrayRef, row: usize) -> Option<f64> {
    let floats = column.as_primitive_opt::<Float64Type>()?;
    (!floats.is_null(row)).then(|| floats.value(row))
}

/// The truth in a row.
fn bool_at(column: &ArrayRef, row: usize) -> Option<bool> {
    let bools = column.as_boolean_opt()?;
    (!bools.is_null(row)).then(|| bools.value(row))
}

/// The code in a row.
pub(super) fn code_at(column: &ArrayRef, row: usize) -> Option<i32> {
    let codes = column.as_primitive_opt::<Int32Type>()?;
    (!codes.is_null(row)).then(|| codes.value(row))
}

/// The bytes in a row; none for null.
pub(super) fn bytes_at(column: &ArrayRef, row: usize) -> Option<&[u8]> {
    let bytes = column.as_fixed_size_binary_opt()?;
    (!bytes.is_null(row)).then(|| bytes.value(row))
}

fn id_at(column: &ArrayRef, row: usize) -> String {
    hex(bytes_at(column, row).unwrap_or_default())
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xF] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}

/// An error of Arrow's, which only wrong types can cause.
pub(super) fn arrow_error(error: arrow::error::ArrowError) -> Error {
    Error::with_source(ErrorKind::Internal, "spans could not be read", error)
}

/// A bug of ours.
pub(super) fn internal(message: String) -> Error {
    Error::new(ErrorKind::Internal, message)
}
