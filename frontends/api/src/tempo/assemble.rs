//! Rows of spans back to OTLP: grouped by resource and scope, promoted columns back among the
//! attributes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, ListArray,
    StringArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use arrow::record_batch::RecordBatch;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use schemas::model::Scope;
use schemas::tables::{Promoted, PromotedType, columns};

use super::attributes;
use crate::error::Error;
use crate::rows;

/// The key whose value has a column of its own.
const SERVICE_NAME: &str = "service.name";

/// What that column holds where the attribute is absent.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// A trace that is being gathered.
#[derive(Debug)]
pub(super) struct Assembler {
    resources: Vec<ResourceSpans>,
    /// Position of a resource by how it is stored.
    resource_at: HashMap<String, usize>,
    /// The same by what it says.
    told_at: HashMap<Vec<u8>, usize>,
    scope_at: HashMap<(usize, String), usize>,
    bytes: usize,
    bytes_max: usize,
}

impl Assembler {
    /// A trace of at most `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            resources: Vec::new(),
            resource_at: HashMap::new(),
            told_at: HashMap::new(),
            scope_at: HashMap::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Adds spans.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let spans = Spans::new(batch)?;
        for row in 0..batch.num_rows() {
            let resource = self.resource(&spans, row)?;
            let scope = self.scope(resource, &spans, row)?;
            let span = spans.span(row)?;
            self.bytes += span.encoded_len();
            if self.bytes > self.bytes_max {
                let max = self.bytes_max;
                return Err(Error::limit(format!("trace exceeds the limit of {max} bytes")));
            }
            self.resources[resource].scope_spans[scope].spans.push(span);
        }
        Ok(())
    }

    /// The trace, its spans in order of their starts; nothing if it has none.
    pub(super) fn finish(mut self) -> Vec<ResourceSpans> {
        for resource in &mut self.resources {
            for scope in &mut resource.scope_spans {
                scope.spans.sort_by_key(|span| span.start_time_unix_nano);
            }
        }
        self.resources
    }

    fn resource(&mut self, spans: &Spans, row: usize) -> Result<usize, Error> {
        let key = spans.resource_key(row);
        if let Some(at) = self.resource_at.get(&key) {
            return Ok(*at);
        }
        let found = ResourceSpans {
            resource: Some(spans.resource(row)?),
            scope_spans: Vec::new(),
            schema_url: owned(&spans.resource_schema_url, row),
        };
        // One resource is stored in several forms if an attribute got a column meanwhile.
        let next = self.resources.len();
        let at = *self.told_at.entry(told(&found)).or_insert(next);
        if at == next {
            self.resources.push(found);
        }
        self.resource_at.insert(key, at);
        Ok(at)
    }

    fn scope(&mut self, resource: usize, spans: &Spans, row: usize) -> Result<usize, Error> {
        let key = (resource, spans.scope_key(row));
        if let Some(at) = self.scope_at.get(&key) {
            return Ok(*at);
        }
        let scopes = &mut self.resources[resource].scope_spans;
        let at = scopes.len();
        scopes.push(ScopeSpans {
            scope: Some(spans.scope(row)?),
            spans: Vec::new(),
            schema_url: owned(&spans.scope_schema_url, row),
        });
        self.scope_at.insert(key, at);
        Ok(at)
    }
}

/// Equal exactly for resources that say the same, in whatever order.
fn told(resource: &ResourceSpans) -> Vec<u8> {
    let mut sorted = resource.clone();
    if let Some(resource) = &mut sorted.resource {
        resource.attributes.sort_by(|a, b| a.key.cmp(&b.key));
    }
    sorted.encode_to_vec()
}

/// The columns of a batch of spans.
struct Spans {
    trace_id: FixedSizeBinaryArray,
    span_id: FixedSizeBinaryArray,
    parent_span_id: FixedSizeBinaryArray,
    start: Int64Array,
    duration: Int64Array,
    service: StringArray,
    name: StringArray,
    kind: Int32Array,
    status_code: Int32Array,
    status_message: StringArray,
    trace_state: StringArray,
    flags: Int32Array,
    attributes: StringArray,
    dropped_attributes: Int32Array,
    events: ListArray,
    dropped_events: Int32Array,
    links: ListArray,
    dropped_links: Int32Array,
    resource_attributes: StringArray,
    resource_schema_url: StringArray,
    resource_dropped: Int32Array,
    scope_name: StringArray,
    scope_version: StringArray,
    scope_attributes: StringArray,
    scope_schema_url: StringArray,
    scope_dropped: Int32Array,
    promoted: Vec<PromotedColumn>,
}

/// A promoted attribute and its column.
struct PromotedColumn {
    scope: Scope,
    key: Arc<str>,
    values: PromotedValues,
}

enum PromotedValues {
    Texts(StringArray),
    Integers(Int64Array),
    Doubles(Float64Array),
    Bools(BooleanArray),
}

impl Spans {
    fn new(batch: &RecordBatch) -> Result<Self, Error> {
        let texts = |name| rows::texts(batch, name);
        let ids = |name| rows::ids(batch, name).cloned();
        let counts = |name| rows::numbers::<Int32Type>(batch, name).cloned();
        let longs = |name| rows::numbers::<Int64Type>(batch, name).cloned();
        Ok(Self {
            trace_id: ids(columns::TRACE_ID)?,
            span_id: ids(columns::SPAN_ID)?,
            parent_span_id: ids(columns::PARENT_SPAN_ID)?,
            start: longs(columns::START_NS)?,
            duration: longs(columns::DURATION_NS)?,
            service: texts(columns::SERVICE)?,
            name: texts(columns::NAME)?,
            kind: counts(columns::KIND)?,
            status_code: counts(columns::STATUS_CODE)?,
            status_message: texts(columns::STATUS_MESSAGE)?,
            trace_state: texts(columns::TRACE_STATE)?,
            flags: counts(columns::FLAGS)?,
            attributes: texts(columns::ATTRIBUTES)?,
            dropped_attributes: counts(columns::DROPPED_ATTRIBUTES_COUNT)?,
            events: rows::lists(batch, columns::EVENTS)?.clone(),
            dropped_events: counts(columns::DROPPED_EVENTS_COUNT)?,
            links: rows::lists(batch, columns::LINKS)?.clone(),
            dropped_links: counts(columns::DROPPED_LINKS_COUNT)?,
            resource_attributes: texts(columns::RESOURCE_ATTRIBUTES)?,
            resource_schema_url: texts(columns::RESOURCE_SCHEMA_URL)?,
            resource_dropped: counts(columns::RESOURCE_DROPPED_ATTRIBUTES_COUNT)?,
            scope_name: texts(columns::SCOPE_NAME)?,
            scope_version: texts(columns::SCOPE_VERSION)?,
            scope_attributes: texts(columns::SCOPE_ATTRIBUTES)?,
            scope_schema_url: texts(columns::SCOPE_SCHEMA_URL)?,
            scope_dropped: counts(columns::SCOPE_DROPPED_ATTRIBUTES_COUNT)?,
            promoted: promoted_columns(batch)?,
        })
    }

    /// Equal exactly for rows with the same resource.
    fn resource_key(&self, row: usize) -> String {
        let mut key = String::new();
        for texts in [&self.service, &self.resource_attributes, &self.resource_schema_url] {
            push_part(&mut key, rows::text(texts, row));
        }
        push_part(&mut key, Some(&self.resource_dropped.value(row).to_string()));
        for column in self.promoted.iter().filter(|column| column.scope == Scope::Resource) {
            push_part(&mut key, column.text(row).as_deref());
        }
        key
    }

    /// Equal exactly for rows with the same scope.
    fn scope_key(&self, row: usize) -> String {
        let mut key = String::new();
        let texts =
            [&self.scope_name, &self.scope_version, &self.scope_attributes, &self.scope_schema_url];
        for texts in texts {
            push_part(&mut key, rows::text(texts, row));
        }
        push_part(&mut key, Some(&self.scope_dropped.value(row).to_string()));
        key
    }

    fn resource(&self, row: usize) -> Result<Resource, Error> {
        let stored = attributes::parse(rows::text(&self.resource_attributes, row))?;
        let service = self.service.value(row);
        let has_service = stored.iter().any(|attribute| attribute.key == SERVICE_NAME);
        let mut all = Vec::new();
        if !has_service && service != UNKNOWN_SERVICE {
            all.push(attributes::text(SERVICE_NAME, service));
        }
        self.push_promoted(&mut all, Scope::Resource, row);
        all.extend(stored);
        if all.is_empty() {
            // Grafana drops the spans of a resource without attributes.
            all.push(attributes::text(SERVICE_NAME, UNKNOWN_SERVICE));
        }
        Ok(Resource {
            attributes: all,
            dropped_attributes_count: count(&self.resource_dropped, row),
            ..Resource::default()
        })
    }

    fn scope(&self, row: usize) -> Result<InstrumentationScope, Error> {
        Ok(InstrumentationScope {
            name: owned(&self.scope_name, row),
            version: owned(&self.scope_version, row),
            attributes: attributes::parse(rows::text(&self.scope_attributes, row))?,
            dropped_attributes_count: count(&self.scope_dropped, row),
        })
    }

    fn span(&self, row: usize) -> Result<Span, Error> {
        let start_ns = self.start.value(row);
        let mut attributes = Vec::new();
        self.push_promoted(&mut attributes, Scope::Span, row);
        attributes.extend(attributes::parse(rows::text(&self.attributes, row))?);
        Ok(Span {
            trace_id: self.trace_id.value(row).to_vec(),
            span_id: self.span_id.value(row).to_vec(),
            trace_state: owned(&self.trace_state, row),
            parent_span_id: optional_id(&self.parent_span_id, row),
            flags: self.flags.value(row) as u32,
            name: owned(&self.name, row),
            kind: self.kind.value(row),
            start_time_unix_nano: start_ns as u64,
            end_time_unix_nano: start_ns.saturating_add(self.duration.value(row)) as u64,
            attributes,
            dropped_attributes_count: count(&self.dropped_attributes, row),
            events: events(&rows::structs(&self.events, row, columns::EVENTS)?)?,
            dropped_events_count: count(&self.dropped_events, row),
            links: links(&rows::structs(&self.links, row, columns::LINKS)?)?,
            dropped_links_count: count(&self.dropped_links, row),
            status: Some(Status {
                message: owned(&self.status_message, row),
                code: self.status_code.value(row),
            }),
        })
    }

    fn push_promoted(&self, attributes: &mut Vec<KeyValue>, scope: Scope, row: usize) {
        for column in self.promoted.iter().filter(|column| column.scope == scope) {
            attributes.extend(column.attribute(row));
        }
    }
}

fn promoted_columns(batch: &RecordBatch) -> Result<Vec<PromotedColumn>, Error> {
    let mut all = Vec::new();
    for field in batch.schema_ref().fields() {
        let Some(promoted) = Promoted::of_field(field) else { continue };
        let name = field.name();
        let values = match promoted.value_type {
            PromotedType::Text | PromotedType::UniqueText => {
                PromotedValues::Texts(rows::texts(batch, name)?)
            }
            PromotedType::Int => {
                PromotedValues::Integers(rows::numbers::<Int64Type>(batch, name)?.clone())
            }
            PromotedType::Double => {
                PromotedValues::Doubles(rows::numbers::<Float64Type>(batch, name)?.clone())
            }
            PromotedType::Bool => PromotedValues::Bools(rows::bools(batch, name)?.clone()),
        };
        all.push(PromotedColumn { scope: promoted.scope, key: promoted.key, values });
    }
    Ok(all)
}

impl PromotedColumn {
    fn attribute(&self, row: usize) -> Option<KeyValue> {
        match &self.values {
            PromotedValues::Texts(texts) => {
                rows::text(texts, row).map(|text| attributes::text(&self.key, text))
            }
            PromotedValues::Integers(integers) => {
                integers.is_valid(row).then(|| attributes::integer(&self.key, integers.value(row)))
            }
            PromotedValues::Doubles(doubles) => {
                doubles.is_valid(row).then(|| attributes::double(&self.key, doubles.value(row)))
            }
            PromotedValues::Bools(bools) => {
                bools.is_valid(row).then(|| attributes::bool(&self.key, bools.value(row)))
            }
        }
    }

    fn text(&self, row: usize) -> Option<String> {
        match &self.values {
            PromotedValues::Texts(texts) => rows::text(texts, row).map(str::to_owned),
            PromotedValues::Integers(integers) => {
                integers.is_valid(row).then(|| integers.value(row).to_string())
            }
            PromotedValues::Doubles(doubles) => {
                doubles.is_valid(row).then(|| doubles.value(row).to_bits().to_string())
            }
            PromotedValues::Bools(bools) => {
                bools.is_valid(row).then(|| bools.value(row).to_string())
            }
        }
    }
}

fn events(batch: &RecordBatch) -> Result<Vec<Event>, Error> {
    let times = rows::numbers::<Int64Type>(batch, columns::TIME_NS)?;
    let names = rows::texts(batch, columns::NAME)?;
    let stored = rows::texts(batch, columns::ATTRIBUTES)?;
    let dropped = rows::numbers::<Int32Type>(batch, columns::DROPPED_ATTRIBUTES_COUNT)?;
    let event = |row| {
        Ok(Event {
            time_unix_nano: times.value(row) as u64,
            name: owned(&names, row),
            attributes: attributes::parse(rows::text(&stored, row))?,
            dropped_attributes_count: count(dropped, row),
        })
    };
    (0..batch.num_rows()).map(event).collect()
}

fn links(batch: &RecordBatch) -> Result<Vec<Link>, Error> {
    let trace_ids = rows::ids(batch, columns::TRACE_ID)?;
    let span_ids = rows::ids(batch, columns::SPAN_ID)?;
    let trace_states = rows::texts(batch, columns::TRACE_STATE)?;
    let stored = rows::texts(batch, columns::ATTRIBUTES)?;
    let dropped = rows::numbers::<Int32Type>(batch, columns::DROPPED_ATTRIBUTES_COUNT)?;
    let flags = rows::numbers::<Int32Type>(batch, columns::FLAGS)?;
    let link = |row| {
        Ok(Link {
            trace_id: trace_ids.value(row).to_vec(),
            span_id: span_ids.value(row).to_vec(),
            trace_state: owned(&trace_states, row),
            attributes: attributes::parse(rows::text(&stored, row))?,
            dropped_attributes_count: count(dropped, row),
            flags: flags.value(row) as u32,
        })
    };
    (0..batch.num_rows()).map(link).collect()
}

fn owned(texts: &StringArray, row: usize) -> String {
    rows::text(texts, row).unwrap_or_default().to_owned()
}

fn optional_id(ids: &FixedSizeBinaryArray, row: usize) -> Vec<u8> {
    if ids.is_valid(row) { ids.value(row).to_vec() } else { Vec::new() }
}

fn count(counts: &Int32Array, row: usize) -> u32 {
    u32::try_from(counts.value(row)).unwrap_or(0)
}

/// Appends a text with its length, so that no two lists of texts make the same key.
fn push_part(key: &mut String, part: Option<&str>) {
    match part {
        Some(text) => crate::json::push(key, format_args!("{}:{text}", text.len())),
        None => key.push('-'),
    }
}

#[cfg(test)]
mod tests;
