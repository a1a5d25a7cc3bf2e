//! The columns of `spans` under construction.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryBuilder, Int32Builder, Int64Builder, ListArray, StringBuilder,
    StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use schemas::model::{Scope as AttributeScope, TimestampNs};
use schemas::tables::{Table, columns};

use super::super::Failure;
use super::super::attributes::{self, AnyValue, KeyValue, UNKNOWN_SERVICE};
use super::super::envelope::{Resource, Scope};
use crate::batch::{self, DictColumn, PromotedColumns, push_id, push_text};
use crate::error::Error;

/// The single values of a span's row, all valid.
pub(super) struct SpanRow<'a> {
    pub(super) trace_id: &'a [u8; 16],
    pub(super) span_id: &'a [u8; 8],
    pub(super) parent_span_id: Option<&'a [u8; 8]>,
    pub(super) start_ns: TimestampNs,
    pub(super) duration_ns: i64,
    pub(super) name: &'a str,
    pub(super) kind: i32,
    pub(super) status_code: i32,
    pub(super) status_message: &'a str,
    pub(super) trace_state: &'a str,
    pub(super) flags: i32,
    pub(super) dropped_attributes: i32,
    pub(super) dropped_events: i32,
    pub(super) dropped_links: i32,
}

/// An event but for its attributes.
#[derive(Default)]
pub(super) struct EventRow<'a> {
    pub(super) time_ns: TimestampNs,
    pub(super) name: &'a str,
    pub(super) dropped: i32,
}

/// A link but for its attributes.
#[derive(Default)]
pub(super) struct LinkRow<'a> {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) trace_state: &'a str,
    pub(super) dropped: i32,
    pub(super) flags: i32,
}

/// Keys of the dictionary columns that the spans of a scope share.
#[derive(Default)]
struct Shared {
    service: i32,
    resource_attributes: Option<i32>,
    resource_schema_url: Option<i32>,
    resource_dropped: i32,
    scope_name: Option<i32>,
    scope_version: Option<i32>,
    scope_attributes: Option<i32>,
    scope_schema_url: Option<i32>,
    scope_dropped: i32,
}

/// Lists of structs under construction: where each row's list ends, and which rows have one.
struct Lists {
    ends: Vec<i32>,
    present: Vec<bool>,
}

impl Lists {
    fn new() -> Self {
        Self { ends: vec![0], present: Vec::new() }
    }

    /// Ends a row's list after `items` items of all rows; an empty list is null.
    fn end_row(&mut self, items: usize) {
        // Events and links are limited by the rows of a request.
        let end = i32::try_from(items).unwrap_or(i32::MAX);
        self.present.push(self.ends.last() != Some(&end));
        self.ends.push(end);
    }

    fn finish(self, column: &str, items: Vec<ArrayRef>) -> ArrayRef {
        let schema = Table::Spans.schema();
        let field = schema.field_with_name(column).expect("the schema has the column");
        let DataType::List(item) = field.data_type() else {
            unreachable!("events and links are lists");
        };
        let DataType::Struct(fields) = item.data_type() else {
            unreachable!("events and links are lists of structs");
        };
        let structs: ArrayRef = Arc::new(StructArray::new(fields.clone(), items, None));
        let offsets = OffsetBuffer::new(self.ends.into());
        let nulls = NullBuffer::from(self.present);
        Arc::new(ListArray::new(Arc::clone(item), offsets, structs, Some(nulls)))
    }
}

#[derive(Default)]
struct EventColumns {
    time_ns: Vec<i64>,
    name: TextColumn,
    attributes: TextColumn,
    dropped: Vec<i32>,
}

#[derive(Default)]
struct LinkColumns {
    trace_id: Vec<[u8; 16]>,
    span_id: Vec<[u8; 8]>,
    trace_state: TextColumn,
    attributes: TextColumn,
    dropped: Vec<i32>,
    flags: Vec<i32>,
}

/// Texts that can be taken back.
#[derive(Default)]
struct TextColumn {
    text: String,
    ends: Vec<usize>,
}

impl TextColumn {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// The column; empty texts are null if they may be.
    fn finish(self, nullable: bool) -> ArrayRef {
        let mut column = StringBuilder::with_capacity(self.ends.len(), self.text.len());
        let mut start = 0;
        for end in self.ends {
            match &self.text[start..end] {
                "" if nullable => column.append_null(),
                text => column.append_value(text),
            }
            start = end;
        }
        Arc::new(column.finish())
    }
}

/// The columns of `spans`.
pub(super) struct SpanColumns<'a> {
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    parent_span_id: FixedSizeBinaryBuilder,
    start_ns: Int64Builder,
    duration_ns: Int64Builder,
    service: DictColumn,
    name: DictColumn,
    kind: Int32Builder,
    status_code: Int32Builder,
    status_message: StringBuilder,
    trace_state: DictColumn,
    flags: Int32Builder,
    attributes: StringBuilder,
    dropped_attributes: Int32Builder,
    events: EventColumns,
    event_lists: Lists,
    dropped_events: Int32Builder,
    links: LinkColumns,
    link_lists: Lists,
    dropped_links: Int32Builder,
    resource_attributes: DictColumn,
    resource_schema_url: DictColumn,
    resource_dropped: Int32Builder,
    scope_name: DictColumn,
    scope_version: DictColumn,
    scope_attributes: DictColumn,
    scope_schema_url: DictColumn,
    scope_dropped: Int32Builder,
    promoted: PromotedColumns<'a>,
    shared: Shared,
    /// The JSON text of the span's attributes, or of what is being read.
    attributes_json: String,
    nested_json: String,
}

impl<'a> SpanColumns<'a> {
    pub(super) fn new() -> Self {
        Self {
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            parent_span_id: FixedSizeBinaryBuilder::new(8),
            start_ns: Int64Builder::new(),
            duration_ns: Int64Builder::new(),
            service: DictColumn::default(),
            name: DictColumn::default(),
            kind: Int32Builder::new(),
            status_code: Int32Builder::new(),
            status_message: StringBuilder::new(),
            trace_state: DictColumn::default(),
            flags: Int32Builder::new(),
            attributes: StringBuilder::new(),
            dropped_attributes: Int32Builder::new(),
            events: EventColumns::default(),
            event_lists: Lists::new(),
            dropped_events: Int32Builder::new(),
            links: LinkColumns::default(),
            link_lists: Lists::new(),
            dropped_links: Int32Builder::new(),
            resource_attributes: DictColumn::default(),
            resource_schema_url: DictColumn::default(),
            resource_dropped: Int32Builder::new(),
            scope_name: DictColumn::default(),
            scope_version: DictColumn::default(),
            scope_attributes: DictColumn::default(),
            scope_schema_url: DictColumn::default(),
            scope_dropped: Int32Builder::new(),
            promoted: PromotedColumns::new(Table::Spans),
            shared: Shared::default(),
            attributes_json: String::new(),
            nested_json: String::new(),
        }
    }

    /// What follows belongs to `resource`.
    pub(super) fn begin_resource(&mut self, resource: &Resource<'a>) -> Result<(), Failure> {
        self.promoted.clear(AttributeScope::Resource);
        self.nested_json.clear();
        for attribute in &resource.attributes {
            let value = attribute.value()?;
            let is_promoted = self.promoted.take(AttributeScope::Resource, attribute.key, &value);
            if !is_promoted && !is_service_column(attribute.key, &value) {
                attributes::write_member(&mut self.nested_json, attribute.key, &value)?;
            }
        }
        attributes::close_object(&mut self.nested_json);
        self.shared.service = self.service.key(&attributes::service_name(resource)?);
        self.shared.resource_attributes =
            self.resource_attributes.key_unless_empty(&self.nested_json);
        self.shared.resource_schema_url =
            self.resource_schema_url.key_unless_empty(resource.schema_url);
        self.shared.resource_dropped = resource.dropped as i32;
        Ok(())
    }

    /// What follows belongs to `scope`.
    pub(super) fn begin_scope(&mut self, scope: &Scope<'a>) -> Result<(), Failure> {
        self.nested_json.clear();
        attributes::write_object(&mut self.nested_json, &scope.attributes)?;
        self.shared.scope_name = self.scope_name.key_unless_empty(scope.name);
        self.shared.scope_version = self.scope_version.key_unless_empty(scope.version);
        self.shared.scope_attributes = self.scope_attributes.key_unless_empty(&self.nested_json);
        self.shared.scope_schema_url = self.scope_schema_url.key_unless_empty(scope.schema_url);
        self.shared.scope_dropped = scope.dropped as i32;
        Ok(())
    }

    /// Reads a span's attributes for the next [`Self::push`].
    pub(super) fn read_attributes(
        &mut self,
        scope: AttributeScope,
        list: &[KeyValue<'a>],
    ) -> Result<(), Failure> {
        self.promoted.clear(scope);
        self.attributes_json.clear();
        for attribute in list {
            let value = attribute.value()?;
            if !self.promoted.take(scope, attribute.key, &value) {
                attributes::write_member(&mut self.attributes_json, attribute.key, &value)?;
            }
        }
        attributes::close_object(&mut self.attributes_json);
        Ok(())
    }

    /// How many events and links there are, for [`Self::truncate_nested`].
    pub(super) fn nested_mark(&self) -> (usize, usize) {
        (self.events.time_ns.len(), self.links.trace_id.len())
    }

    /// Takes back the events and links that were added after the mark.
    pub(super) fn truncate_nested(&mut self, (events, links): (usize, usize)) {
        self.events.time_ns.truncate(events);
        self.events.name.truncate(events);
        self.events.attributes.truncate(events);
        self.events.dropped.truncate(events);
        self.links.trace_id.truncate(links);
        self.links.span_id.truncate(links);
        self.links.trace_state.truncate(links);
        self.links.attributes.truncate(links);
        self.links.dropped.truncate(links);
        self.links.flags.truncate(links);
    }

    /// Adds an event to the next span.
    pub(super) fn push_event(
        &mut self,
        row: &EventRow<'a>,
        list: &[KeyValue<'a>],
    ) -> Result<(), Failure> {
        self.nested_json.clear();
        attributes::write_object(&mut self.nested_json, list)?;
        self.events.time_ns.push(row.time_ns);
        self.events.name.push(row.name);
        self.events.attributes.push(&self.nested_json);
        self.events.dropped.push(row.dropped);
        Ok(())
    }

    /// Adds a link to the next span.
    pub(super) fn push_link(
        &mut self,
        row: &LinkRow<'a>,
        list: &[KeyValue<'a>],
    ) -> Result<(), Failure> {
        self.nested_json.clear();
        attributes::write_object(&mut self.nested_json, list)?;
        self.links.trace_id.push(row.trace_id);
        self.links.span_id.push(row.span_id);
        self.links.trace_state.push(row.trace_state);
        self.links.attributes.push(&self.nested_json);
        self.links.dropped.push(row.dropped);
        self.links.flags.push(row.flags);
        Ok(())
    }

    /// Adds the span to which the attributes read, the events and the links belong.
    pub(super) fn push(&mut self, row: &SpanRow<'a>) {
        push_id(&mut self.trace_id, Some(row.trace_id));
        push_id(&mut self.span_id, Some(row.span_id));
        push_id(&mut self.parent_span_id, row.parent_span_id);
        self.start_ns.append_value(row.start_ns);
        self.duration_ns.append_value(row.duration_ns);
        self.name.push(row.name);
        self.kind.append_value(row.kind);
        self.status_code.append_value(row.status_code);
        push_text(&mut self.status_message, row.status_message);
        self.trace_state.push_unless_empty(row.trace_state);
        self.flags.append_value(row.flags);
        push_text(&mut self.attributes, &self.attributes_json);
        self.dropped_attributes.append_value(row.dropped_attributes);
        self.event_lists.end_row(self.events.time_ns.len());
        self.dropped_events.append_value(row.dropped_events);
        self.link_lists.end_row(self.links.trace_id.len());
        self.dropped_links.append_value(row.dropped_links);
        self.service.push_key(Some(self.shared.service));
        self.resource_attributes.push_key(self.shared.resource_attributes);
        self.resource_schema_url.push_key(self.shared.resource_schema_url);
        self.resource_dropped.append_value(self.shared.resource_dropped);
        self.scope_name.push_key(self.shared.scope_name);
        self.scope_version.push_key(self.shared.scope_version);
        self.scope_attributes.push_key(self.shared.scope_attributes);
        self.scope_schema_url.push_key(self.shared.scope_schema_url);
        self.scope_dropped.append_value(self.shared.scope_dropped);
        self.promoted.push();
    }

    pub(super) fn finish(mut self) -> Result<Option<storage::TableBatch>, Error> {
        let events = self.event_lists.finish(columns::EVENTS, self.events.finish());
        let links = self.link_lists.finish(columns::LINKS, self.links.finish());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.parent_span_id.finish()),
            Arc::new(self.start_ns.finish()),
            Arc::new(self.duration_ns.finish()),
            self.service.finish(),
            self.name.finish(),
            Arc::new(self.kind.finish()),
            Arc::new(self.status_code.finish()),
            Arc::new(self.status_message.finish()),
            self.trace_state.finish(),
            Arc::new(self.flags.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.dropped_attributes.finish()),
            events,
            Arc::new(self.dropped_events.finish()),
            links,
            Arc::new(self.dropped_links.finish()),
            self.resource_attributes.finish(),
            self.resource_schema_url.finish(),
            Arc::new(self.resource_dropped.finish()),
            self.scope_name.finish(),
            self.scope_version.finish(),
            self.scope_attributes.finish(),
            self.scope_schema_url.finish(),
            Arc::new(self.scope_dropped.finish()),
        ];
        columns.extend(self.promoted.finish());
        batch::finish(Table::Spans, columns)
    }
}

/// Whether the service column says all that the attribute does. A service that calls itself
/// unknown keeps its attribute, so that it differs from one without a name.
fn is_service_column(key: &str, value: &AnyValue<'_>) -> bool {
    let AnyValue::Text(text) = value else {
        return false;
    };
    key == "service.name" && !text.is_empty() && *text != UNKNOWN_SERVICE
}

impl EventColumns {
    fn finish(self) -> Vec<ArrayRef> {
        vec![
            Arc::new(arrow::array::Int64Array::from(self.time_ns)),
            self.name.finish(false),
            self.attributes.finish(true),
            Arc::new(arrow::array::Int32Array::from(self.dropped)),
        ]
    }
}

impl LinkColumns {
    fn finish(self) -> Vec<ArrayRef> {
        let mut trace_id = FixedSizeBinaryBuilder::with_capacity(self.trace_id.len(), 16);
        self.trace_id.iter().for_each(|id| push_id(&mut trace_id, Some(id)));
        let mut span_id = FixedSizeBinaryBuilder::with_capacity(self.span_id.len(), 8);
        self.span_id.iter().for_each(|id| push_id(&mut span_id, Some(id)));
        vec![
            Arc::new(trace_id.finish()),
            Arc::new(span_id.finish()),
            self.trace_state.finish(true),
            self.attributes.finish(true),
            Arc::new(arrow::array::Int32Array::from(self.dropped)),
            Arc::new(arrow::array::Int32Array::from(self.flags)),
        ]
    }
}
