//! Texts: fields of rows as conditions see them.
//!
//! Attributes are looked for as readers look for them: in the column of their own, and where that
//! is null or not there, in the overflow object.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use schemas::model::Scope;
use schemas::tables::{attribute_of, column_of, columns};
use serde_json::Value;

use super::RowField;
use super::select::failed;
use crate::{Error, LabelIndex};

/// Where a field is found in a batch: each place is asked until one has a value.
#[derive(Debug)]
pub(super) struct Texts {
    places: Vec<Place>,
}

#[derive(Debug)]
enum Place {
    /// A column of texts.
    Column(StringArray),
    /// A column of ids, told in hex.
    Id(ArrayRef),
    /// The attribute of this key in a column of objects.
    Object(StringArray, String),
    /// The attribute whose name as a label is this, in a column of objects.
    Labelled(StringArray, String),
    /// The label of this name of the stream that a column names, or of its resource.
    Stream(ArrayRef, Arc<LabelIndex>, String),
}

impl Texts {
    /// The places of a field. Columns that the batch does not have hold nothing.
    pub(super) fn of(
        field: &RowField,
        rows: &RecordBatch,
        streams: &Arc<LabelIndex>,
    ) -> Result<Self, Error> {
        let mut places = Vec::new();
        match field {
            RowField::Line => texts(rows, columns::BODY, &mut places)?,
            RowField::Name => texts(rows, columns::NAME, &mut places)?,
            RowField::TraceId => ids(rows, columns::TRACE_ID, &mut places),
            RowField::SpanId => ids(rows, columns::SPAN_ID, &mut places),
            RowField::Label(name) => label(rows, name, streams, &mut places)?,
            RowField::SpanAttribute(key) => attribute(rows, Scope::Span, key, &mut places)?,
            RowField::ResourceAttribute(key) => {
                attribute(rows, Scope::Resource, key, &mut places)?;
            }
            RowField::AnyAttribute(key) => {
                attribute(rows, Scope::Span, key, &mut places)?;
                attribute(rows, Scope::Resource, key, &mut places)?;
            }
        }
        Ok(Self { places })
    }

    /// The text of a row; empty if no place has one.
    pub(super) fn get(&self, row: usize) -> Cow<'_, str> {
        let found = self.places.iter().find_map(|place| place.get(row));
        found.unwrap_or(Cow::Borrowed(""))
    }
}

impl Place {
    fn get(&self, row: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Column(texts) => text_at(texts, row).map(Cow::Borrowed),
            Self::Id(ids) => {
                let ids = ids.as_fixed_size_binary_opt()?;
                ids.is_valid(row).then(|| Cow::Owned(hex(ids.value(row))))
            }
            Self::Object(objects, key) => {
                let object = text_at(objects, row)?;
                // Most rows do not have the key: no need to parse those.
                if !object.contains(key.as_str()) && !object.contains('\\') {
                    return None;
                }
                let object: Value = serde_json::from_str(object).ok()?;
                object.get(key).and_then(text_of).map(Cow::Owned)
            }
            Self::Labelled(objects, name) => labelled(text_at(objects, row)?, name).map(Cow::Owned),
            Self::Stream(ids, streams, name) => {
                let ids = ids.as_primitive_opt::<arrow::datatypes::Int64Type>()?;
                stream_label(streams, ids.value(row), name).map(Cow::Owned)
            }
        }
    }
}

fn text_at(texts: &StringArray, row: usize) -> Option<&str> {
    texts.is_valid(row).then(|| texts.value(row))
}

fn as_texts(rows: &RecordBatch, name: &str) -> Result<Option<StringArray>, Error> {
    let Some(column) = rows.column_by_name(name) else { return Ok(None) };
    let column = cast(column, &DataType::Utf8).map_err(failed)?;
    Ok(column.as_string_opt::<i32>().cloned())
}

fn texts(rows: &RecordBatch, name: &str, places: &mut Vec<Place>) -> Result<(), Error> {
    places.extend(as_texts(rows, name)?.map(Place::Column));
    Ok(())
}

fn ids(rows: &RecordBatch, name: &str, places: &mut Vec<Place>) {
    places.extend(rows.column_by_name(name).map(|ids| Place::Id(Arc::clone(ids))));
}

fn attribute(
    rows: &RecordBatch,
    scope: Scope,
    key: &str,
    places: &mut Vec<Place>,
) -> Result<(), Error> {
    texts(rows, &column_of(scope, key), places)?;
    let objects = match scope {
        Scope::Resource => columns::RESOURCE_ATTRIBUTES,
        _ => columns::ATTRIBUTES,
    };
    if let Some(objects) = as_texts(rows, objects)? {
        places.push(Place::Object(objects, key.to_owned()));
    }
    if scope == Scope::Resource && key == "service.name" {
        // A span's service has a fixed column.
        texts(rows, columns::SERVICE, places)?;
    }
    Ok(())
}

fn label(
    rows: &RecordBatch,
    name: &str,
    streams: &Arc<LabelIndex>,
    places: &mut Vec<Place>,
) -> Result<(), Error> {
    let stream = |ids: &ArrayRef| Place::Stream(Arc::clone(ids), Arc::clone(streams), name.into());
    places.extend(rows.column_by_name(columns::STREAM_ID).map(stream));
    for field in rows.schema_ref().fields() {
        let promoted = attribute_of(field.name());
        if promoted.is_some_and(|(scope, key)| scope == Scope::Log && label_name(key) == name) {
            texts(rows, field.name(), places)?;
        }
    }
    if let Some(objects) = as_texts(rows, columns::ATTRIBUTES)? {
        places.push(Place::Labelled(objects, name.to_owned()));
    }
    match name {
        columns::TRACE_ID | columns::SPAN_ID => ids(rows, name, places),
        columns::SEVERITY_TEXT => texts(rows, name, places)?,
        _ => {}
    }
    Ok(())
}

/// The label `name` of a stream: an index label, or an attribute of its resource.
fn stream_label(streams: &LabelIndex, id: i64, name: &str) -> Option<String> {
    let entry = streams.entry_ever(id)?;
    if let Some(value) = entry.labels.get(name) {
        return Some(value.to_owned());
    }
    let stream = streams.stream(id)?;
    let promoted = stream.promoted.iter().find(|(key, _)| label_name(key) == name);
    match promoted {
        Some((_, value)) => Some(value.to_string()),
        None => labelled(stream.resource_attributes.as_deref()?, name),
    }
}

fn labelled(object: &str, name: &str) -> Option<String> {
    let Ok(Value::Object(object)) = serde_json::from_str(object) else { return None };
    let mut found = object.iter().filter(|(key, _)| label_name(key) == name);
    found.find_map(|(_, value)| text_of(value))
}

/// An attribute's key as a label's name: what labels cannot have is `_`.
fn label_name(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 1);
    if key.starts_with(|first: char| first.is_ascii_digit()) {
        name.push('_');
    }
    name.extend(key.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }));
    name
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
