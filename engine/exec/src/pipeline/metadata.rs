//! Structured metadata: what a record, its resource and its scope say beside the line.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use arrow::record_batch::RecordBatch;
use schemas::model::{Labels, label_name};
use schemas::tables::{attribute_of, columns};
use storage::StreamInfo;

use super::attributes::{AttributeText, each, push_double};
use super::labels::{RowLabels, StreamState};
use super::level::{LEVEL_NAMES, of_label, of_line, of_severity};
use super::names::{DETECTED_LEVEL, NameId, Names};
use super::usage::{Needed, OWN_COLUMNS, Usage};
use crate::{Error, ErrorKind};

/// What the records of a stream share.
#[derive(Clone, Debug)]
pub(crate) struct StreamLabels {
    labels: Labels,
    info: Arc<StreamInfo>,
    /// Label and value of what resource and scope say, made when first needed.
    shared: Arc<OnceLock<Vec<(String, String)>>>,
}

impl StreamLabels {
    /// From the index labels and the stream's identity.
    pub(crate) fn new(labels: Labels, info: Arc<StreamInfo>) -> Self {
        Self { labels, info, shared: Arc::default() }
    }

    /// What resource and scope say and the index labels do not.
    fn shared(&self) -> &[(String, String)] {
        self.shared.get_or_init(|| {
            let info = self.info.as_ref();
            let mut shared: Vec<(String, String)> = Vec::new();
            let mut add = |key: &str, value: AttributeText<'_>| {
                let mut text = String::new();
                value.push_to(&mut text);
                shared.push((label_name(key), text));
            };
            if let Some(attributes) = &info.resource_attributes {
                each(attributes, &mut add);
            }
            for (key, value) in &info.promoted {
                shared.push((label_name(key), value.to_string()));
            }
            // An index label is made from a resource attribute: it is the same, not another one.
            shared.retain(|(name, _)| self.labels.get(name).is_none());
            let mut add = |key: &str, value: AttributeText<'_>| {
                let mut text = String::new();
                value.push_to(&mut text);
                shared.push((label_name(key), text));
            };
            if let Some(attributes) = &info.scope_attributes {
                each(attributes, &mut add);
            }
            for (name, value) in
                [("scope_name", &info.scope_name), ("scope_version", &info.scope_version)]
            {
                if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                    shared.push((name.to_owned(), value.to_string()));
                }
            }
            shared
        })
    }

    /// Whether all records of the stream have a label of this name.
    pub(crate) fn says(&self, name: &str) -> bool {
        self.labels.get(name).is_some() || self.shared().iter().any(|(own, _)| own == name)
    }

    /// The stream with its names numbered, and of what it shares only what is needed.
    pub(super) fn state(&self, needed: &Needed, names: &mut Names) -> StreamState {
        let ids = self.labels.iter().map(|label| names.id(&label.name)).collect();
        let mut shared = Vec::new();
        if !needed.is_empty() {
            for (name, value) in self.shared() {
                if let Some(id) = needed.find(name, names) {
                    shared.push((id, Arc::from(value.as_str())));
                }
            }
        }
        StreamState { labels: self.labels.clone(), names: ids, shared }
    }
}

/// Columns of a batch that are structured metadata.
#[derive(Debug)]
pub(super) struct MetadataColumns {
    attributes: Option<StringArray>,
    own: Vec<(NameId, Column)>,
    severity: Option<ArrayRef>,
    /// Numbers of attribute keys; `None` for keys that are not needed.
    keys: HashMap<Box<str>, Option<NameId>, ahash::RandomState>,
    /// Names that tell the level, in order.
    level_names: Vec<NameId>,
}

/// A column by how its values become text.
#[derive(Debug)]
enum Column {
    Text(StringArray),
    /// A promoted attribute: 0 is a value.
    Int64(ArrayRef),
    /// A promoted attribute.
    Double(ArrayRef),
    /// A promoted attribute.
    Bool(BooleanArray),
    /// Fields of the protocol: 0 stands for absent.
    NotZero(ArrayRef),
    Hex(FixedSizeBinaryArray),
}

impl MetadataColumns {
    /// The columns of a batch that `usage` needs.
    pub(super) fn new(rows: &RecordBatch, usage: &Usage, names: &mut Names) -> Result<Self, Error> {
        let mut own = Vec::new();
        let mut attributes = None;
        let mut severity = None;
        if !usage.metadata.is_empty() {
            attributes = rows.column_by_name(columns::ATTRIBUTES).map(text).transpose()?;
            for (field, array) in rows.schema_ref().fields().iter().zip(rows.columns()) {
                let label = attribute_of(field.name()).map(|(_, key)| label_name(key));
                if let Some(id) = label.and_then(|label| usage.metadata.find(&label, names)) {
                    own.push((id, promoted_column(array)?));
                }
            }
            for (column, label) in OWN_COLUMNS {
                if let (Some(array), Some(id)) =
                    (rows.column_by_name(column), usage.metadata.find(label, names))
                {
                    own.push((id, own_column(array)?));
                }
            }
            severity = rows.column_by_name(columns::SEVERITY_NUMBER).map(Arc::clone);
        }
        let level_names = LEVEL_NAMES.iter().map(|name| names.id(name)).collect();
        Ok(Self { attributes, own, severity, keys: HashMap::default(), level_names })
    }

    /// Adds the metadata of a row.
    pub(super) fn load(
        &mut self,
        row: usize,
        needed: &Needed,
        labels: &mut RowLabels,
        names: &mut Names,
    ) {
        if let Some(object) = self
            .attributes
            .as_ref()
            .filter(|array| array.is_valid(row))
            .map(|array| array.value(row))
        {
            let keys = &mut self.keys;
            each(object, &mut |key, value| {
                let id = match keys.get(key) {
                    Some(id) => *id,
                    None => {
                        let id = needed.find(&label_name(key), names);
                        keys.insert(key.into(), id);
                        id
                    }
                };
                if let Some(id) = id {
                    labels.add_metadata(id, names, |output| value.push_to(output));
                }
            });
        }
        for (name, column) in &self.own {
            column.add(row, *name, labels, names);
        }
        let stream = Arc::clone(labels.stream());
        for (name, value) in &stream.shared {
            labels.add_metadata(*name, names, |output| output.push_str(value));
        }
    }

    /// Adds `detected_level`, found out from labels, the severity or the line as stored.
    pub(super) fn add_level(
        &self,
        row: usize,
        line: &str,
        labels: &mut RowLabels,
        names: &mut Names,
    ) {
        if let Some(level) = labels.get(DETECTED_LEVEL) {
            let level = of_label(level).to_owned();
            labels.replace(DETECTED_LEVEL, &level);
            return;
        }
        let told = self.level_names.iter().find_map(|name| labels.stream_value(*name));
        let told = told.or_else(|| self.level_names.iter().find_map(|name| labels.get(*name)));
        let level = match told {
            Some(level) => of_label(level).to_owned(),
            None => match self.severity_number(row) {
                Some(number) => of_severity(number).to_owned(),
                None => of_line(line).to_owned(),
            },
        };
        labels.add_metadata(DETECTED_LEVEL, names, |output| output.push_str(&level));
    }

    fn severity_number(&self, row: usize) -> Option<i64> {
        let array = self.severity.as_ref()?.as_primitive_opt::<Int32Type>()?;
        let known = array.is_valid(row) && array.value(row) != 0;
        known.then(|| i64::from(array.value(row)))
    }
}

/// A column as plain texts, whatever its encoding.
pub(super) fn text(array: &ArrayRef) -> Result<StringArray, Error> {
    if let Some(array) = array.as_string_opt::<i32>() {
        return Ok(array.clone());
    }
    let array = cast(array, &DataType::Utf8).map_err(|error| {
        Error::with_source(ErrorKind::Internal, "a text column has another type", error)
    })?;
    Ok(array.as_string::<i32>().clone())
}

fn own_column(array: &ArrayRef) -> Result<Column, Error> {
    Ok(match array.data_type() {
        DataType::Int32 | DataType::Int64 => Column::NotZero(Arc::clone(array)),
        DataType::FixedSizeBinary(_) => Column::Hex(array.as_fixed_size_binary().clone()),
        _ => Column::Text(text(array)?),
    })
}

fn promoted_column(array: &ArrayRef) -> Result<Column, Error> {
    Ok(match array.data_type() {
        DataType::Int64 => Column::Int64(Arc::clone(array)),
        DataType::Float64 => Column::Double(Arc::clone(array)),
        DataType::Boolean => Column::Bool(array.as_boolean().clone()),
        _ => Column::Text(text(array)?),
    })
}

impl Column {
    fn add(&self, row: usize, name: NameId, labels: &mut RowLabels, names: &mut Names) {
        match self {
            Self::Text(array) if array.is_valid(row) => {
                labels.add_metadata(name, names, |output| output.push_str(array.value(row)));
            }
            Self::Hex(array) if array.is_valid(row) => {
                labels.add_metadata(name, names, |output| push_hex(array.value(row), output));
            }
            Self::Int64(array) => {
                if let Some(number) = integer(array, row) {
                    labels.add_metadata(name, names, |output| push_integer(number, output));
                }
            }
            Self::NotZero(array) => {
                if let Some(number) = integer(array, row).filter(|number| *number != 0) {
                    labels.add_metadata(name, names, |output| push_integer(number, output));
                }
            }
            Self::Double(array) => {
                let doubles = array.as_primitive_opt::<Float64Type>();
                if let Some(doubles) = doubles.filter(|doubles| doubles.is_valid(row)) {
                    labels.add_metadata(name, names, |output| {
                        push_double(doubles.value(row), output);
                    });
                }
            }
            Self::Bool(array) if array.is_valid(row) => {
                let text = if array.value(row) { "true" } else { "false" };
                labels.add_metadata(name, names, |output| output.push_str(text));
            }
            Self::Text(_) | Self::Hex(_) | Self::Bool(_) => {}
        }
    }
}

fn integer(array: &ArrayRef, row: usize) -> Option<i64> {
    if !array.is_valid(row) {
        return None;
    }
    match array.as_primitive_opt::<Int32Type>() {
        Some(array) => Some(i64::from(array.value(row))),
        None => array.as_primitive_opt::<Int64Type>().map(|array| array.value(row)),
    }
}

fn push_integer(number: i64, output: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(output, "{number}");
}

fn push_hex(bytes: &[u8], output: &mut String) {
    for byte in bytes {
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
        output.extend([digit(byte >> 4), digit(byte & 0xF)]);
    }
}
