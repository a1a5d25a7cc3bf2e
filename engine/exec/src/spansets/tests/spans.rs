//! Spans written by hand, and the batch that storage would hold of them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use plan::Expr;
use schemas::model::{Attribute, Scope};
use schemas::tables::object::members;
use schemas::tables::{Promoted, PromotedType, Table, TableLayout, columns};

use super::super::json;
use super::super::value::Value;

/// An event: time, name, attributes.
pub(super) type Event = (i64, String, String);

/// A span; attributes are JSON objects, promoted ones still among them.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace: u8,
    pub(super) id: u8,
    pub(super) parent: Option<u8>,
    pub(super) start_ns: i64,
    pub(super) duration_ns: i64,
    pub(super) service: String,
    pub(super) name: String,
    pub(super) kind: i32,
    pub(super) status: i32,
    pub(super) message: Option<String>,
    pub(super) attributes: String,
    pub(super) resource: String,
    pub(super) scope: String,
    pub(super) events: Vec<Event>,
    pub(super) links: Vec<String>,
}

impl Span {
    /// `op<id>` of the service `shop`, 100 ns long, starting at `100 * id`.
    pub(super) fn new(trace: u8, id: u8) -> Self {
        Self {
            trace,
            id,
            parent: None,
            start_ns: i64::from(id) * 100,
            duration_ns: 100,
            service: "shop".to_owned(),
            name: format!("op{id}"),
            kind: 1,
            status: 0,
            message: None,
            attributes: "{}".to_owned(),
            resource: "{}".to_owned(),
            scope: "{}".to_owned(),
            events: Vec::new(),
            links: Vec::new(),
        }
    }

    pub(super) fn child_of(mut self, parent: u8) -> Self {
        self.parent = Some(parent);
        self
    }

    pub(super) fn at(mut self, start_ns: i64) -> Self {
        self.start_ns = start_ns;
        self
    }

    pub(super) fn attributes(mut self, object: &str) -> Self {
        object.clone_into(&mut self.attributes);
        self
    }

    pub(super) fn resource(mut self, object: &str) -> Self {
        object.clone_into(&mut self.resource);
        self
    }

    pub(super) fn event(mut self, since_start_ns: i64, name: &str, attributes: &str) -> Self {
        let time = self.start_ns + since_start_ns;
        self.events.push((time, name.to_owned(), attributes.to_owned()));
        self
    }
}

pub(super) fn attribute(scope: Option<Scope>, key: &str) -> Expr {
    Expr::Attribute(Attribute { scope, key: key.to_owned() })
}

/// The id whose last byte is `id`.
pub(super) fn span_id(id: u8) -> [u8; 8] {
    [0, 0, 0, 0, 0, 0, 0, id]
}

fn trace_id(id: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[15] = id;
    bytes
}

/// The spans with the columns of their table.
pub(super) fn batch(spans: &[Span]) -> RecordBatch {
    let schema = Table::Spans.schema();
    let columns = schema.fields().iter().map(|field| column(field, spans)).collect();
    RecordBatch::try_new(schema, columns).expect("the table's columns")
}

fn column(field: &FieldRef, spans: &[Span]) -> ArrayRef {
    let text = |of: fn(&Span) -> &str| -> ArrayRef {
        Arc::new(spans.iter().map(|span| Some(of(span))).collect::<StringArray>())
    };
    let int32 = |of: fn(&Span) -> i32| -> ArrayRef {
        Arc::new(spans.iter().map(of).collect::<Int32Array>())
    };
    let int64 = |of: fn(&Span) -> i64| -> ArrayRef {
        Arc::new(spans.iter().map(of).collect::<Int64Array>())
    };
    let array = match field.name().as_str() {
        columns::TRACE_ID => ids(spans.iter().map(|span| Some(trace_id(span.trace).to_vec())), 16),
        columns::SPAN_ID => ids(spans.iter().map(|span| Some(span_id(span.id).to_vec())), 8),
        columns::PARENT_SPAN_ID => {
            ids(spans.iter().map(|span| span.parent.map(|id| span_id(id).to_vec())), 8)
        }
        columns::START_NS => int64(|span| span.start_ns),
        columns::DURATION_NS => int64(|span| span.duration_ns),
        columns::SERVICE => text(|span| &span.service),
        columns::NAME => text(|span| &span.name),
        columns::KIND => int32(|span| span.kind),
        columns::STATUS_CODE => int32(|span| span.status),
        columns::STATUS_MESSAGE => {
            Arc::new(spans.iter().map(|span| span.message.as_deref()).collect::<StringArray>())
        }
        columns::ATTRIBUTES => overflow(spans, Scope::Span),
        columns::RESOURCE_ATTRIBUTES => overflow(spans, Scope::Resource),
        columns::SCOPE_ATTRIBUTES => overflow(spans, Scope::Instrumentation),
        columns::EVENTS => events(field, spans),
        columns::LINKS => links(field, spans),
        name => match promoted().iter().find(|it| it.column.as_ref() == name) {
            Some(known) => promoted_column(spans, known.scope, &known.key, known.value_type),
            None if field.is_nullable() => new_null_array(field.data_type(), spans.len()),
            None => int32(|_| 0),
        },
    };
    cast(&array, field.data_type()).expect("a cast to the column's type")
}

fn ids(ids: impl Iterator<Item = Option<Vec<u8>>>, width: i32) -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, width).expect("ids"))
}

fn object(span: &Span, scope: Scope) -> &str {
    match scope {
        Scope::Span => &span.attributes,
        Scope::Resource => &span.resource,
        _ => &span.scope,
    }
}

fn promoted() -> &'static [Promoted] {
    TableLayout::starting(Table::Spans).promoted()
}

fn is_promoted(scope: Scope, key: &str, value: &Value<'_>) -> bool {
    let known = promoted().iter().find(|it| it.scope == scope && it.key.as_ref() == key);
    known.is_some_and(|known| match known.value_type {
        PromotedType::Text | PromotedType::UniqueText => matches!(value, Value::Text(_)),
        PromotedType::Int => matches!(value, Value::Int(_)),
        PromotedType::Double => matches!(value, Value::Float(_)),
        PromotedType::Bool => matches!(value, Value::Bool(_)),
    })
}

fn promoted_column(spans: &[Span], scope: Scope, key: &str, value_type: PromotedType) -> ArrayRef {
    let value = |span| -> Value<'_> {
        let value = json::member(object(span, scope), key);
        if is_promoted(scope, key, &value) { value } else { Value::Absent }
    };
    match value_type {
        PromotedType::Int => Arc::new(
            spans
                .iter()
                .map(|span| match value(span) {
                    Value::Int(value) => Some(value),
                    _ => None,
                })
                .collect::<Int64Array>(),
        ),
        _ => Arc::new(
            spans
                .iter()
                .map(|span| match value(span) {
                    Value::Text(text) => Some(text.into_owned()),
                    _ => None,
                })
                .collect::<StringArray>(),
        ),
    }
}

/// The members without a column; `service.name` of a resource always has one.
fn overflow(spans: &[Span], scope: Scope) -> ArrayRef {
    let left = |span| {
        let mut text = String::new();
        for member in members(object(span, scope)) {
            let (key, raw) = (member.key, member.value);
            let is_service = scope == Scope::Resource && key == "service.name";
            if !is_service && !is_promoted(scope, &key, &json::parsed(raw)) {
                let comma = if text.is_empty() { "" } else { "," };
                let key = serde_json::to_string(&key).expect("a text");
                text.push_str(&format!("{comma}{key}:{raw}"));
            }
        }
        (!text.is_empty()).then(|| format!("{{{text}}}"))
    };
    Arc::new(spans.iter().map(left).collect::<StringArray>())
}

/// A list column of structs; fields that `of` does not know are zero or null.
fn lists(field: &FieldRef, lengths: Vec<usize>, of: impl Fn(&str) -> Option<ArrayRef>) -> ArrayRef {
    let DataType::List(item) = field.data_type() else { panic!("{field} is not a list") };
    let DataType::Struct(fields) = item.data_type() else { panic!("{field} has no structs") };
    let total = lengths.iter().sum();
    let arrays = fields.iter().map(|field| match of(field.name()) {
        Some(array) => array,
        None if field.is_nullable() => new_null_array(field.data_type(), total),
        None => Arc::new(Int32Array::from(vec![0; total])),
    });
    let items = StructArray::try_new(fields.clone(), arrays.collect(), None).expect("items");
    let nulls = lengths.iter().map(|length| *length > 0).collect::<Vec<bool>>().into();
    let offsets = OffsetBuffer::from_lengths(lengths);
    Arc::new(
        ListArray::try_new(Arc::clone(item), offsets, Arc::new(items), Some(nulls)).expect("lists"),
    )
}

fn events(field: &FieldRef, spans: &[Span]) -> ArrayRef {
    let all = || spans.iter().flat_map(|span| &span.events);
    lists(field, spans.iter().map(|span| span.events.len()).collect(), |name| match name {
        columns::TIME_NS => Some(Arc::new(all().map(|it| it.0).collect::<Int64Array>())),
        columns::NAME => Some(Arc::new(all().map(|it| Some(&*it.1)).collect::<StringArray>())),
        columns::ATTRIBUTES => {
            Some(Arc::new(all().map(|it| Some(&*it.2)).collect::<StringArray>()))
        }
        _ => None,
    })
}

fn links(field: &FieldRef, spans: &[Span]) -> ArrayRef {
    let all = || spans.iter().flat_map(|span| &span.links);
    let count = all().count();
    lists(field, spans.iter().map(|span| span.links.len()).collect(), |name| match name {
        columns::TRACE_ID => Some(ids((0..count).map(|_| Some(trace_id(7).to_vec())), 16)),
        columns::SPAN_ID => Some(ids((0..count).map(|_| Some(span_id(7).to_vec())), 8)),
        columns::ATTRIBUTES => {
            Some(Arc::new(all().map(|it| Some(it.as_str())).collect::<StringArray>()))
        }
        _ => None,
    })
}
