//! Columns under construction, where Arrow's own builders take a longer way.

use std::sync::Arc;

use ahash::AHashMap;
use arrow::array::{
    Array, ArrayRef, BooleanBuilder, DictionaryArray, FixedSizeBinaryBuilder, Float64Builder,
    Int32Builder, Int64Builder, MapArray, RecordBatch, StringBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Int32Type};
use schemas::tables::{PromotedType, Table, TableLayout, label_map};
use storage::TableBatch;

use crate::decode::attributes::AnyValue;
use crate::error::{Error, ErrorKind};

/// The columns of `table` as a batch; `None` if they have no rows.
pub(crate) fn finish(table: Table, columns: Vec<ArrayRef>) -> Result<Option<TableBatch>, Error> {
    if columns.first().is_none_or(|column| column.is_empty()) {
        return Ok(None);
    }
    let rows = RecordBatch::try_new(table.schema(), columns).map_err(|error| {
        let message = format!("rows of {} do not fit its schema: {error}", table.name());
        Error::with_source(ErrorKind::Internal, message, error)
    })?;
    Ok(Some(TableBatch { table, rows }))
}

/// A dictionary column that hands out its keys, so that a text which many rows share is looked
/// up once.
#[derive(Debug, Default)]
pub(crate) struct DictColumn {
    keys: Int32Builder,
    values: StringBuilder,
    known: AHashMap<Box<str>, i32>,
}

impl DictColumn {
    /// The key of a text, new or known.
    pub(crate) fn key(&mut self, text: &str) -> i32 {
        if let Some(key) = self.known.get(text) {
            return *key;
        }
        // A request is far smaller than the texts that it would take to run out of keys.
        let key = i32::try_from(self.known.len()).unwrap_or(i32::MAX);
        self.values.append_value(text);
        self.known.insert(text.into(), key);
        key
    }

    /// The key of a text, `None` of the empty text.
    pub(crate) fn key_unless_empty(&mut self, text: &str) -> Option<i32> {
        (!text.is_empty()).then(|| self.key(text))
    }

    /// Appends a row by its key; `None` is null.
    pub(crate) fn push_key(&mut self, key: Option<i32>) {
        self.keys.append_option(key);
    }

    /// Appends a row.
    pub(crate) fn push(&mut self, text: &str) {
        let key = self.key(text);
        self.keys.append_value(key);
    }

    /// Appends a row that is null if the text is empty.
    pub(crate) fn push_unless_empty(&mut self, text: &str) {
        let key = self.key_unless_empty(text);
        self.keys.append_option(key);
    }

    pub(crate) fn finish(mut self) -> ArrayRef {
        let values: ArrayRef = Arc::new(self.values.finish());
        let column = DictionaryArray::<Int32Type>::try_new(self.keys.finish(), values)
            .expect("each key was handed out for a value");
        Arc::new(column)
    }
}

/// Appends a text that is null if it is empty.
pub(crate) fn push_text(column: &mut StringBuilder, text: &str) {
    if text.is_empty() {
        column.append_null();
    } else {
        column.append_value(text);
    }
}

/// Appends an id that is null if it is `None`.
pub(crate) fn push_id<const N: usize>(column: &mut FixedSizeBinaryBuilder, id: Option<&[u8; N]>) {
    match id {
        Some(id) => column.append_value(id).expect("the column has the width of the id"),
        None => column.append_null(),
    }
}

/// A column of label sets.
#[derive(Debug)]
pub(crate) struct LabelsColumn {
    offsets: Vec<i32>,
    names: StringBuilder,
    values: StringBuilder,
}

impl Default for LabelsColumn {
    fn default() -> Self {
        Self { offsets: vec![0], names: StringBuilder::new(), values: StringBuilder::new() }
    }
}

impl LabelsColumn {
    /// Appends a set: names sorted and unique.
    pub(crate) fn push<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>) {
        for (name, value) in labels {
            self.names.append_value(name);
            self.values.append_value(value);
        }
        // Labels of a request are limited in bytes, far below what an i32 can count.
        self.offsets.push(i32::try_from(arrow::array::ArrayBuilder::len(&self.names)).unwrap_or(0));
    }

    pub(crate) fn finish(mut self) -> ArrayRef {
        let DataType::Map(entries, _) = label_map() else {
            unreachable!("labels are a map");
        };
        let DataType::Struct(fields) = entries.data_type() else {
            unreachable!("a map's entries are a struct");
        };
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.names.finish()), Arc::new(self.values.finish())];
        let pairs = StructArray::new(fields.clone(), columns, None);
        let offsets = OffsetBuffer::new(self.offsets.into());
        Arc::new(MapArray::new(Arc::clone(&entries), offsets, pairs, None, false))
    }
}

/// The value of a promoted attribute in the record that is being read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slot<'a> {
    Absent,
    Text(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
}

#[derive(Debug)]
enum PromotedColumn {
    Text(DictColumn),
    UniqueText(StringBuilder),
    Int(Int64Builder),
    Double(Float64Builder),
    Bool(BooleanBuilder),
}

/// The promoted columns of a table: all those of one kind of attribute or several.
#[derive(Debug)]
pub(crate) struct PromotedColumns<'a> {
    keys: Vec<(schemas::model::Scope, &'static str, PromotedType)>,
    slots: Vec<Slot<'a>>,
    columns: Vec<PromotedColumn>,
}

impl<'a> PromotedColumns<'a> {
    pub(crate) fn new(table: Table) -> Self {
        let promoted = TableLayout::starting(table).promoted();
        let columns = promoted.iter().map(|promoted| match promoted.value_type {
            PromotedType::Text => PromotedColumn::Text(DictColumn::default()),
            PromotedType::UniqueText => PromotedColumn::UniqueText(StringBuilder::new()),
            PromotedType::Int => PromotedColumn::Int(Int64Builder::new()),
            PromotedType::Double => PromotedColumn::Double(Float64Builder::new()),
            PromotedType::Bool => PromotedColumn::Bool(BooleanBuilder::new()),
        });
        Self {
            keys: promoted.iter().map(|p| (p.scope, p.key.as_ref(), p.value_type)).collect(),
            slots: vec![Slot::Absent; promoted.len()],
            columns: columns.collect(),
        }
    }

    /// Keeps the attribute for the row being read if it has a column that takes its type; says
    /// whether it did.
    pub(crate) fn take(
        &mut self,
        scope: schemas::model::Scope,
        key: &str,
        value: &AnyValue<'a>,
    ) -> bool {
        let is_it = |promoted: &(schemas::model::Scope, &'static str, PromotedType)| {
            promoted.1.len() == key.len() && promoted.0 == scope && promoted.1 == key
        };
        let Some(at) = self.keys.iter().position(is_it) else {
            return false;
        };
        self.slots[at] = match (self.keys[at].2, value) {
            (PromotedType::Text | PromotedType::UniqueText, AnyValue::Text(text)) => {
                Slot::Text(text)
            }
            (PromotedType::Int, AnyValue::Int(int)) => Slot::Int(*int),
            (PromotedType::Double, AnyValue::Double(double)) => Slot::Double(*double),
            (PromotedType::Bool, AnyValue::Bool(bool)) => Slot::Bool(*bool),
            _ => return false,
        };
        true
    }

    /// Forgets what was taken from attributes of `scope`.
    pub(crate) fn clear(&mut self, scope: schemas::model::Scope) {
        for (slot, key) in self.slots.iter_mut().zip(&self.keys) {
            if key.0 == scope {
                *slot = Slot::Absent;
            }
        }
    }

    /// Appends the row being read.
    pub(crate) fn push(&mut self) {
        for (column, slot) in self.columns.iter_mut().zip(&self.slots) {
            match (column, *slot) {
                (PromotedColumn::Text(column), Slot::Text(text)) => column.push(text),
                (PromotedColumn::Text(column), _) => column.push_key(None),
                (PromotedColumn::UniqueText(column), Slot::Text(text)) => column.append_value(text),
                (PromotedColumn::UniqueText(column), _) => column.append_null(),
                (PromotedColumn::Int(column), Slot::Int(int)) => column.append_value(int),
                (PromotedColumn::Int(column), _) => column.append_null(),
                (PromotedColumn::Double(column), Slot::Double(value)) => column.append_value(value),
                (PromotedColumn::Double(column), _) => column.append_null(),
                (PromotedColumn::Bool(column), Slot::Bool(value)) => column.append_value(value),
                (PromotedColumn::Bool(column), _) => column.append_null(),
            }
        }
    }

    pub(crate) fn finish(self) -> impl Iterator<Item = ArrayRef> {
        self.columns.into_iter().map(|column| match column {
            PromotedColumn::Text(column) => column.finish(),
            PromotedColumn::UniqueText(mut column) => Arc::new(column.finish()) as ArrayRef,
            PromotedColumn::Int(mut column) => Arc::new(column.finish()),
            PromotedColumn::Double(mut column) => Arc::new(column.finish()),
            PromotedColumn::Bool(mut column) => Arc::new(column.finish()),
        })
    }
}
