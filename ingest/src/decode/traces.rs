//! Spans → `spans`: one row is a span, with its resource and scope, its events and its links.

mod columns;

use schemas::model::Scope as AttributeScope;

use self::columns::{EventRow, LinkRow, SpanColumns, SpanRow};
use super::attributes::{self, KeyValue, utf8};
use super::envelope::{self, Records, Resource, Scope};
use super::wire::{Fields, Malformed};
use super::{Context, Decoded, Failure, Tally, optional_time, valid_id};
use crate::admit::{Reason, Rejection, TimeBounds};
use crate::error::Error;
use crate::limits::{Limits, NESTED_ROW_BYTES, SPAN_ROW_BYTES};

/// The rows of an `ExportTraceServiceRequest`.
pub(super) fn decode(request: &[u8], context: &Context<'_>) -> Result<Decoded, Error> {
    let mut decoder = TracesDecoder {
        limits: context.limits,
        bounds: context.time_bounds(),
        spans: SpanColumns::new(),
        span: Parts::default(),
    };
    let mut tally = Tally::new(context);
    envelope::walk(request, context.limits, &mut decoder, &mut tally)?;
    Ok(tally.finish(vec![decoder.spans.finish()?]))
}

struct TracesDecoder<'a, 'c> {
    limits: &'c Limits,
    bounds: TimeBounds,
    spans: SpanColumns<'a>,
    /// Reused for every span.
    span: Parts<'a>,
}

/// The repeated parts of a span.
#[derive(Default)]
struct Parts<'a> {
    attributes: Vec<KeyValue<'a>>,
    events: Vec<&'a [u8]>,
    links: Vec<&'a [u8]>,
    /// Attributes of the event or link that is being read.
    inner: Vec<KeyValue<'a>>,
}

/// The single fields of a span.
#[derive(Default)]
struct Span<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    trace_state: &'a [u8],
    parent_span_id: &'a [u8],
    flags: u32,
    name: &'a [u8],
    kind: i32,
    start_ns: u64,
    end_ns: u64,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
    status_code: i32,
    status_message: &'a [u8],
}

impl<'a> Records<'a> for TracesDecoder<'a, '_> {
    fn begin_resource(&mut self, resource: &Resource<'a>) -> Result<(), Failure> {
        self.spans.begin_resource(resource)
    }

    fn begin_scope(&mut self, scope: &Scope<'a>) -> Result<(), Failure> {
        self.spans.begin_scope(scope)
    }

    fn record(&mut self, message: &'a [u8], tally: &mut Tally) -> Result<(), Error> {
        if !tally.receive() {
            return Ok(());
        }
        match self.push_span(message, tally) {
            Ok(()) => Ok(()),
            Err(failure) => tally.fail(failure, 1),
        }
    }

    fn end_resource(&mut self, _tally: &mut Tally) -> Result<(), Error> {
        Ok(())
    }

    fn count(_message: &'a [u8]) -> Result<u64, Malformed> {
        Ok(1)
    }
}

impl<'a> TracesDecoder<'a, '_> {
    fn push_span(&mut self, message: &'a [u8], tally: &mut Tally) -> Result<(), Failure> {
        let span = read_span(message, self.limits, &mut self.span)?;
        tally.make_rows(1, SPAN_ROW_BYTES)?;
        tally.make_rows(self.span.events.len() + self.span.links.len(), NESTED_ROW_BYTES)?;
        let row = self.row_of(&span)?;
        self.spans.read_attributes(AttributeScope::Span, &self.span.attributes)?;
        // From here on a failure must take back the events and links already written.
        let mark = self.spans.nested_mark();
        let nested = self.push_nested();
        match nested {
            Ok(()) => {
                self.spans.push(&row);
                Ok(())
            }
            Err(failure) => {
                self.spans.truncate_nested(mark);
                Err(failure)
            }
        }
    }

    fn row_of(&self, span: &Span<'a>) -> Result<SpanRow<'a>, Failure> {
        let start_ns = self
            .bounds
            .check(span.start_ns)
            .map_err(|rejection| rejection.about("span", &String::from_utf8_lossy(span.name)))?;
        let end_ns = optional_time(span.end_ns, "end time of a span")?.unwrap_or(0);
        Ok(SpanRow {
            trace_id: span_id(span.trace_id, "trace id")?,
            span_id: span_id(span.span_id, "span id")?,
            parent_span_id: parent_id(span.parent_span_id)?,
            start_ns,
            duration_ns: end_ns.saturating_sub(start_ns).max(0),
            name: utf8(span.name, "a span's name")?,
            kind: span.kind,
            status_code: span.status_code,
            status_message: utf8(span.status_message, "a status message")?,
            trace_state: utf8(span.trace_state, "a trace state")?,
            flags: span.flags as i32,
            dropped_attributes: span.dropped_attributes as i32,
            dropped_events: span.dropped_events as i32,
            dropped_links: span.dropped_links as i32,
        })
    }

    fn push_nested(&mut self) -> Result<(), Failure> {
        for event in &self.span.events {
            let row = read_event(event, self.limits, &mut self.span.inner)?;
            self.spans.push_event(&row, &self.span.inner)?;
        }
        for link in &self.span.links {
            let row = read_link(link, self.limits, &mut self.span.inner)?;
            self.spans.push_link(&row, &self.span.inner)?;
        }
        Ok(())
    }
}

/// An id that must be there.
fn span_id<'a, const N: usize>(id: &'a [u8], what: &str) -> Result<&'a [u8; N], Failure> {
    valid_id(id).ok_or_else(|| {
        let message = match id.len() {
            length if length == N => format!("{what} has only zeros"),
            length => format!("{what} has {length} bytes instead of {N}"),
        };
        Rejection::new(Reason::InvalidId, message).into()
    })
}

/// The id of the parent; a root has none, or one of zeros.
fn parent_id(id: &[u8]) -> Result<Option<&[u8; 8]>, Failure> {
    if id.is_empty() || id == [0; 8] {
        return Ok(None);
    }
    Ok(Some(span_id(id, "parent span id")?))
}

fn read_span<'a>(
    message: &'a [u8],
    limits: &Limits,
    parts: &mut Parts<'a>,
) -> Result<Span<'a>, Failure> {
    parts.attributes.clear();
    parts.events.clear();
    parts.links.clear();
    let mut span = Span::default();
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => span.trace_id = value.bytes()?,
            2 => span.span_id = value.bytes()?,
            3 => span.trace_state = value.bytes()?,
            4 => span.parent_span_id = value.bytes()?,
            5 => span.name = value.bytes()?,
            6 => span.kind = value.int32()?,
            7 => span.start_ns = value.fixed64()?,
            8 => span.end_ns = value.fixed64()?,
            9 => attributes::push(&mut parts.attributes, value.bytes()?, limits)?,
            10 => span.dropped_attributes = value.uint32()?,
            11 => parts.events.push(value.bytes()?),
            12 => span.dropped_events = value.uint32()?,
            13 => parts.links.push(value.bytes()?),
            14 => span.dropped_links = value.uint32()?,
            15 => read_status(value.bytes()?, &mut span)?,
            16 => span.flags = value.fixed32()?,
            _ => {}
        }
    }
    attributes::dedup(&mut parts.attributes);
    Ok(span)
}

fn read_status<'a>(message: &'a [u8], span: &mut Span<'a>) -> Result<(), Failure> {
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match field {
            2 => span.status_message = value.bytes()?,
            3 => span.status_code = value.int32()?,
            _ => {}
        }
    }
    Ok(())
}

fn read_event<'a>(
    message: &'a [u8],
    limits: &Limits,
    attributes: &mut Vec<KeyValue<'a>>,
) -> Result<EventRow<'a>, Failure> {
    attributes.clear();
    let mut row = EventRow::default();
    let mut time_ns = 0;
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => time_ns = value.fixed64()?,
            2 => row.name = utf8(value.bytes()?, "an event's name")?,
            3 => attributes::push(attributes, value.bytes()?, limits)?,
            4 => row.dropped = value.uint32()? as i32,
            _ => {}
        }
    }
    row.time_ns = optional_time(time_ns, "time of an event")?.unwrap_or(0);
    attributes::dedup(attributes);
    Ok(row)
}

fn read_link<'a>(
    message: &'a [u8],
    limits: &Limits,
    attributes: &mut Vec<KeyValue<'a>>,
) -> Result<LinkRow<'a>, Failure> {
    attributes.clear();
    let (mut trace_id, mut linked_span_id): (&[u8], &[u8]) = (&[], &[]);
    let mut row = LinkRow::default();
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => trace_id = value.bytes()?,
            2 => linked_span_id = value.bytes()?,
            3 => row.trace_state = utf8(value.bytes()?, "the trace state of a link")?,
            4 => attributes::push(attributes, value.bytes()?, limits)?,
            5 => row.dropped = value.uint32()? as i32,
            6 => row.flags = value.fixed32()? as i32,
            _ => {}
        }
    }
    row.trace_id = *span_id(trace_id, "trace id of a link")?;
    row.span_id = *span_id(linked_span_id, "span id of a link")?;
    attributes::dedup(attributes);
    Ok(row)
}

#[cfg(test)]
pub(super) mod tests;
