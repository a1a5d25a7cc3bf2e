//! Which attribute keys and which values occur among spans.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::AHashSet;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use plan::Expr;
use plan::expr::Intrinsic;
use plan::node::DistinctOf;
use schemas::model::Scope;
use schemas::tables::object::members;
use schemas::tables::{attribute_of, columns as stored};

use super::frame::{Frame, Reader, arrow_error, internal, plain, text_at};
use super::place::{Items, Place, attribute_places, intrinsic_place};
use super::probe::probe;
use super::value::{KIND_NAMES, STATUS_NAMES, Test, Value};
use crate::Error;
use crate::output::columns;

/// Names returned, whatever was asked for.
const NAMES_MAX: usize = 100_000;

/// Bytes of a value; longer ones are left out, nobody picks them from a list.
const VALUE_BYTES_MAX: usize = 4_096;

/// Columns of overflow objects, with the scope of their keys.
const OBJECTS: [(&str, Scope); 3] = [
    (stored::ATTRIBUTES, Scope::Span),
    (stored::RESOURCE_ATTRIBUTES, Scope::Resource),
    (stored::SCOPE_ATTRIBUTES, Scope::Instrumentation),
];

/// Lists whose items have overflow objects, with the scope of their keys.
const LISTS: [(&str, Scope); 2] = [(stored::EVENTS, Scope::Event), (stored::LINKS, Scope::Link)];

/// Collects the distinct names or values of spans: a sorted set with a limit.
#[derive(Debug)]
pub(crate) struct Names {
    of: DistinctOf,
    limit: usize,
    /// Scope or type, and name.
    found: BTreeSet<(&'static str, String)>,
}

impl Names {
    /// An empty set of at most `limit` names; `of` is about span attributes or intrinsics.
    pub(crate) fn new(of: DistinctOf, limit: usize) -> Self {
        let mut names = Self { of, limit: limit.min(NAMES_MAX), found: BTreeSet::new() };
        let keywords: &[&str] = match names.of {
            DistinctOf::IntrinsicValues(Intrinsic::Status) => &STATUS_NAMES,
            DistinctOf::IntrinsicValues(Intrinsic::Kind) => &KIND_NAMES,
            _ => &[],
        };
        keywords.iter().for_each(|keyword| names.add("keyword", keyword));
        names
    }

    /// Columns of `schema`, the layout of the spans table, that `push` reads.
    pub(crate) fn columns(&self, schema: &Schema) -> Vec<Cow<'static, str>> {
        match &self.of {
            DistinctOf::AttributeKeys => {
                let objects =
                    OBJECTS.iter().chain(&LISTS).map(|(column, _)| Cow::Borrowed(*column));
                let names = schema.fields().iter().map(|field| field.name());
                let promoted = names.filter(|name| attribute_of(name).is_some());
                objects.chain(promoted.map(|name| Cow::Owned(name.clone()))).collect()
            }
            DistinctOf::IntrinsicValues(Intrinsic::RootName) => {
                vec![stored::PARENT_SPAN_ID.into(), stored::NAME.into()]
            }
            DistinctOf::IntrinsicValues(Intrinsic::RootServiceName) => {
                vec![stored::PARENT_SPAN_ID.into(), stored::SERVICE.into()]
            }
            _ => {
                let column = |it: Place| it.items.list_column().map_or(it.column, Cow::Borrowed);
                self.places(schema).into_iter().map(column).collect()
            }
        }
    }

    /// The attributes that `push` looks up; `None` if it reads whole objects.
    pub(crate) fn lookups(&self) -> Option<Vec<(Scope, String)>> {
        match &self.of {
            DistinctOf::AttributeKeys => None,
            DistinctOf::AttributeValues(attribute) => {
                let scopes = match attribute.scope {
                    None => vec![Scope::Span, Scope::Resource],
                    Some(scope) => vec![scope],
                };
                Some(scopes.into_iter().map(|scope| (scope, attribute.key.clone())).collect())
            }
            _ => Some(Vec::new()),
        }
    }

    /// Adds the names or values of rows.
    pub(crate) fn push(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        match &self.of {
            DistinctOf::AttributeKeys => self.push_keys(rows),
            DistinctOf::IntrinsicValues(Intrinsic::RootName) => self.push_roots(rows, stored::NAME),
            DistinctOf::IntrinsicValues(Intrinsic::RootServiceName) => {
                self.push_roots(rows, stored::SERVICE)
            }
            _ => self.push_values(rows),
        }
    }

    /// The names, sorted: `scope` and `name`, or `type` and `name`.
    pub(crate) fn finish(self) -> Result<RecordBatch, Error> {
        let first = match self.of {
            DistinctOf::AttributeKeys => columns::SCOPE,
            _ => columns::TYPE,
        };
        let firsts: StringArray = self.found.iter().map(|(first, _)| Some(*first)).collect();
        let names: StringArray = self.found.iter().map(|(_, name)| Some(name)).collect();
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let schema = Schema::new(vec![text(first), text(columns::NAME)]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(firsts), Arc::new(names)])
            .map_err(arrow_error)
    }

    fn add(&mut self, first: &'static str, name: &str) {
        if name.len() > VALUE_BYTES_MAX {
            return;
        }
        self.found.insert((first, name.to_owned()));
        if self.found.len() > self.limit {
            self.found.pop_last();
        }
    }

    fn push_keys(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        if rows.num_rows() > 0 {
            self.add(Scope::Resource.name(), "service.name");
        }
        for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            if let Some((scope, key)) = attribute_of(field.name())
                && column.logical_null_count() < column.len()
            {
                self.add(scope.name(), key);
            }
        }
        for (name, scope) in OBJECTS {
            self.push_object_keys(&column(rows, name)?, scope)?;
        }
        for (name, scope) in LISTS {
            let lists = column(rows, name)?;
            let Some(items) = lists.as_list_opt::<i32>().and_then(|it| it.values().as_struct_opt())
            else {
                return Err(internal(format!("column {name} is not a list of structs")));
            };
            if let Some(objects) = items.column_by_name(stored::ATTRIBUTES) {
                self.push_object_keys(objects, scope)?;
            }
        }
        Ok(())
    }

    fn push_object_keys(&mut self, objects: &ArrayRef, scope: Scope) -> Result<(), Error> {
        let objects = plain(Arc::clone(objects))?;
        // Of a dictionary each entry that occurs is read once.
        let mut seen_entries = AHashSet::new();
        let mut seen_keys = AHashSet::new();
        let dictionary = objects.as_dictionary_opt::<Int32Type>();
        for row in 0..objects.len() {
            if let Some(entry) = dictionary.and_then(|it| it.key(row))
                && !seen_entries.insert(entry)
            {
                continue;
            }
            let Some(object) = text_at(&objects, row) else { continue };
            for member in members(object) {
                if !seen_keys.contains(&member.key) {
                    self.add(scope.name(), &member.key);
                    seen_keys.insert(member.key);
                }
            }
        }
        Ok(())
    }

    fn places(&self, schema: &Schema) -> Vec<Place> {
        match &self.of {
            DistinctOf::AttributeValues(attribute) => attribute_places(attribute, schema),
            // Durations and ids are not listed: nobody picks one from a list.
            DistinctOf::IntrinsicValues(
                Intrinsic::Name
                | Intrinsic::StatusMessage
                | Intrinsic::EventName
                | Intrinsic::InstrumentationName
                | Intrinsic::InstrumentationVersion
                | Intrinsic::TraceState,
            ) => match &self.of {
                DistinctOf::IntrinsicValues(known) => intrinsic_place(*known).into_iter().collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn reference(&self) -> Option<Expr> {
        match &self.of {
            DistinctOf::AttributeValues(attribute) => Some(Expr::Attribute(attribute.clone())),
            DistinctOf::IntrinsicValues(intrinsic) => Some(Expr::Intrinsic(*intrinsic)),
            _ => None,
        }
    }

    fn push_values(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let Some(expr) = self.reference() else { return Ok(()) };
        let key = match &expr {
            Expr::Attribute(attribute) => attribute.key.as_str(),
            _ => "",
        };
        let spans = Frame::spans(rows);
        for place in self.places(rows.schema_ref()) {
            let frame = match place.items {
                Items::Spans => spans.clone(),
                items => spans.unnested(items, &expr)?.items,
            };
            let present = probe(&frame, key, &place, &Test::Exists, true)?;
            let reader = Reader::of(&frame, key, std::slice::from_ref(&place))?;
            let mut seen_entries = AHashSet::new();
            let column = frame.column(place.items, &place.column)?;
            let dictionary = column.as_dictionary_opt::<Int32Type>();
            for row in 0..frame.len() {
                let is_seen = |entry| !seen_entries.insert(entry);
                if present.is_null(row)
                    || dictionary.and_then(|it| it.key(row)).is_some_and(is_seen)
                {
                    continue;
                }
                self.push_value(&reader.value(row));
            }
        }
        Ok(())
    }

    fn push_value(&mut self, value: &Value<'_>) {
        match value {
            Value::Text(text) if !text.is_empty() => self.add("string", text),
            Value::Int(value) => self.add("int", &value.to_string()),
            Value::Float(value) => self.add("float", &value.to_string()),
            Value::Bool(value) => self.add("bool", &value.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.push_value(item)),
            _ => {}
        }
    }

    fn push_roots(&mut self, rows: &RecordBatch, name: &str) -> Result<(), Error> {
        let parents = column(rows, stored::PARENT_SPAN_ID)?;
        let texts = plain(column(rows, name)?)?;
        for row in (0..rows.num_rows()).filter(|row| parents.is_null(*row)) {
            if let Some(text) = text_at(&texts, row)
                && !self.found.contains(&("string", text.to_owned()))
            {
                self.add("string", text);
            }
        }
        Ok(())
    }
}

fn column(rows: &RecordBatch, name: &str) -> Result<ArrayRef, Error> {
    let found = rows.column_by_name(name);
    found.cloned().ok_or_else(|| internal(format!("column {name} was not read")))
}
