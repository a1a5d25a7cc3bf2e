//! Log records → `logs` and `log_streams`.
//!
//! A stream is a resource with a scope: its id is the hash of everything they say, so a record
//! needs nothing but the id. The `log_streams` row is made when the id is new on a day.

mod labels;

use std::sync::Arc;

use ahash::AHashSet;
use arrow::array::{ArrayRef, FixedSizeBinaryBuilder, Int32Builder, Int64Builder, StringBuilder};
use schemas::model::{Label, Labels, Scope as AttributeScope, TimestampNs};
use schemas::tables::{Table, day_of_ns};

use super::attributes::{self, AnyValue, KeyValue, utf8};
use super::envelope::{self, Records, Resource, Scope};
use super::wire::{Fields, Malformed};
use super::{Context, Decoded, Failure, Tally, optional_time, valid_id};
use crate::admit::{Reason, Rejection, TimeBounds};
use crate::batch::{self, DictColumn, LabelsColumn, PromotedColumns, push_id, push_text};
use crate::error::Error;
use crate::limits::{LOG_ROW_BYTES, Limits, SERIES_ROW_BYTES};

/// The rows of an `ExportLogsServiceRequest`.
pub(super) fn decode(request: &[u8], context: &Context<'_>) -> Result<Decoded, Error> {
    let mut decoder = LogsDecoder {
        context: *context,
        bounds: context.time_bounds(),
        logs: LogColumns::new(),
        streams: StreamColumns::new(),
        made: AHashSet::new(),
        made_on: ahash::AHashMap::new(),
        resource: Resource::default(),
        resource_identity: Vec::new(),
        stream: Stream::default(),
        attributes: Vec::new(),
    };
    let mut tally = Tally::new(context);
    envelope::walk(request, context.limits, &mut decoder, &mut tally)?;
    let batches = vec![decoder.streams.finish()?, decoder.logs.finish()?];
    Ok(tally.finish(batches))
}

struct LogsDecoder<'a, 'c> {
    context: Context<'c>,
    bounds: TimeBounds,
    logs: LogColumns<'a>,
    streams: StreamColumns<'a>,
    /// Streams and days that this request has made rows of.
    made: AHashSet<(i64, i32)>,
    /// How many of them on each day.
    made_on: ahash::AHashMap<i32, usize>,
    resource: Resource<'a>,
    resource_identity: Vec<Label>,
    stream: Stream<'a>,
    /// Reused for every record.
    attributes: Vec<KeyValue<'a>>,
}

/// The stream whose records are being read.
#[derive(Default)]
struct Stream<'a> {
    id: i64,
    scope: Scope<'a>,
    /// Made when first needed; a rejection holds for every record of the stream.
    labels: Option<Result<Labels, Rejection>>,
    /// The day that was last found to be known.
    known_day: Option<i32>,
}

/// The fields of a log record.
#[derive(Default)]
struct LogRecord<'a> {
    time_ns: u64,
    observed_ns: u64,
    severity_number: i32,
    severity_text: &'a [u8],
    body: AnyValue<'a>,
    body_bytes: usize,
    dropped: u32,
    flags: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    event_name: &'a [u8],
}

impl<'a> Records<'a> for LogsDecoder<'a, '_> {
    fn begin_resource(&mut self, resource: &Resource<'a>) -> Result<(), Failure> {
        self.resource_identity.clear();
        identify(&mut self.resource_identity, "resource", &resource.attributes)?;
        let url = Label::new("resource schema_url", resource.schema_url);
        self.resource_identity.push(url);
        self.resource = resource.clone();
        Ok(())
    }

    fn begin_scope(&mut self, scope: &Scope<'a>) -> Result<(), Failure> {
        let mut identity = self.resource_identity.clone();
        identify(&mut identity, "scope", &scope.attributes)?;
        identity.push(Label::new("scope name", scope.name));
        identity.push(Label::new("scope version", scope.version));
        identity.push(Label::new("scope schema_url", scope.schema_url));
        self.stream = Stream {
            id: Labels::new(identity).id(),
            scope: scope.clone(),
            labels: None,
            known_day: None,
        };
        Ok(())
    }

    fn record(&mut self, message: &'a [u8], tally: &mut Tally) -> Result<(), Error> {
        if !tally.receive() {
            return Ok(());
        }
        match self.push_record(message, tally) {
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

/// Adds attributes to a stream's identity, values with their types. The space in the label keeps
/// attributes apart from the other parts of the identity, and texts of empty strings have quotes,
/// so every attribute counts.
fn identify(
    identity: &mut Vec<Label>,
    place: &str,
    attributes: &[KeyValue<'_>],
) -> Result<(), Failure> {
    for attribute in attributes {
        let mut text = String::new();
        attributes::write_value(&mut text, &attribute.value()?, 1)?;
        identity.push(Label::new(format!("{place} attribute {}", attribute.key), text));
    }
    Ok(())
}

impl<'a> LogsDecoder<'a, '_> {
    fn push_record(&mut self, message: &'a [u8], tally: &mut Tally) -> Result<(), Failure> {
        tally.make_rows(1, LOG_ROW_BYTES)?;
        let limits = self.context.limits;
        let record = read_record(message, limits, &mut self.attributes)?;
        let time_ns = match (record.time_ns, record.observed_ns) {
            (0, 0) => {
                tally.set_untimed();
                self.context.received_ns
            }
            (0, observed_ns) => self.check_time(observed_ns)?,
            (time_ns, _) => self.check_time(time_ns)?,
        };
        let row = self.logs.read_row(&record, time_ns, &self.attributes)?;
        self.know_stream(time_ns, tally)?;
        self.logs.push(self.stream.id, &row);
        Ok(())
    }

    fn check_time(&self, time_ns: u64) -> Result<TimestampNs, Failure> {
        self.bounds.check(time_ns).map_err(|rejection| {
            let service = attributes::service_name(&self.resource);
            rejection.about("log record of service", &service.unwrap_or_default()).into()
        })
    }

    /// Rejects a stream that is one too many on its day.
    fn check_streams(&self, day: i32) -> Result<(), Failure> {
        let max = self.context.streams_max;
        let made = self.made_on.get(&day).copied().unwrap_or_default();
        if max == 0 || self.context.streams.seen_on(day) + made < max {
            return Ok(());
        }
        let service = attributes::service_name(&self.resource)?;
        let message = format!(
            "Maximum active stream limit exceeded when trying to create a stream of service \
             {service:.64} (limit: {max}), reduce the number of active streams (reduce labels or \
             reduce label values), or contact your Loki administrator to see if the limit can be \
             increased"
        );
        Err(Rejection::new(Reason::TooManySeries, message).into())
    }

    /// Makes the stream's row unless it is known for the day of `time_ns`.
    fn know_stream(&mut self, time_ns: TimestampNs, tally: &mut Tally) -> Result<(), Failure> {
        let day = day_of_ns(time_ns);
        if self.stream.known_day == Some(day) {
            return Ok(());
        }
        let id = self.stream.id;
        let is_known = self.made.contains(&(id, day)) || self.context.streams.contains(id, day);
        if !is_known {
            self.check_streams(day)?;
            let (resource, limits) = (&self.resource, self.context.limits);
            if self.stream.labels.is_none() {
                self.stream.labels = Some(match labels::of_resource(resource, limits) {
                    Ok(labels) => Ok(labels),
                    Err(Failure::Rejected(rejection)) => Err(*rejection),
                    Err(failure) => return Err(failure),
                });
            }
            let labels = match &self.stream.labels {
                Some(Ok(labels)) => labels,
                Some(Err(rejection)) => return Err(rejection.clone().into()),
                None => return Ok(()),
            };
            tally.make_entry(self.context.streams, id)?;
            tally.make_rows(1, SERIES_ROW_BYTES)?;
            tally.make_labels(labels.iter().map(|l| l.name.len() + l.value.len()).sum())?;
            self.streams.push(id, time_ns, labels, resource, &self.stream.scope)?;
            *self.made_on.entry(day).or_default() += 1;
            self.made.insert((id, day));
        }
        self.stream.known_day = Some(day);
        Ok(())
    }
}

fn read_record<'a>(
    message: &'a [u8],
    limits: &Limits,
    attributes: &mut Vec<KeyValue<'a>>,
) -> Result<LogRecord<'a>, Failure> {
    attributes.clear();
    let mut record = LogRecord::default();
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => record.time_ns = value.fixed64()?,
            2 => record.severity_number = value.int32()?,
            3 => record.severity_text = value.bytes()?,
            5 => {
                let body = value.bytes()?;
                record.body_bytes += body.len();
                record.body.merge(body)?;
            }
            6 => attributes::push(attributes, value.bytes()?, limits)?,
            7 => record.dropped = value.uint32()?,
            8 => record.flags = value.fixed32()?,
            9 => record.trace_id = value.bytes()?,
            10 => record.span_id = value.bytes()?,
            11 => record.observed_ns = value.fixed64()?,
            12 => record.event_name = value.bytes()?,
            _ => {}
        }
    }
    if record.body_bytes > limits.log_body_bytes_max {
        let (bytes, max) = (record.body_bytes, limits.log_body_bytes_max);
        let message = format!("the body of a log record has {bytes} bytes, limit {max}");
        return Err(Rejection::new(Reason::BodyTooLarge, message).into());
    }
    attributes::dedup(attributes);
    Ok(record)
}

/// A row whose parts are known to be valid; body, attributes and promoted values wait in
/// [`LogColumns`].
struct LogRow<'r, 'a> {
    record: &'r LogRecord<'a>,
    time_ns: TimestampNs,
    observed_ns: Option<TimestampNs>,
    severity_text: &'a str,
    event_name: &'a str,
    body: Option<&'a str>,
}

struct LogColumns<'a> {
    stream_id: Int64Builder,
    time_ns: Int64Builder,
    observed_ns: Int64Builder,
    severity_number: Int32Builder,
    severity_text: DictColumn,
    body: StringBuilder,
    body_type: DictColumn,
    event_name: DictColumn,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    flags: Int32Builder,
    dropped: Int32Builder,
    attributes: StringBuilder,
    promoted: PromotedColumns<'a>,
    /// The JSON text of a body that is no string.
    body_json: String,
    /// The JSON text of the attributes.
    attributes_json: String,
}

impl<'a> LogColumns<'a> {
    fn new() -> Self {
        Self {
            stream_id: Int64Builder::new(),
            time_ns: Int64Builder::new(),
            observed_ns: Int64Builder::new(),
            severity_number: Int32Builder::new(),
            severity_text: DictColumn::default(),
            body: StringBuilder::new(),
            body_type: DictColumn::default(),
            event_name: DictColumn::default(),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            flags: Int32Builder::new(),
            dropped: Int32Builder::new(),
            attributes: StringBuilder::new(),
            promoted: PromotedColumns::new(Table::Logs),
            body_json: String::new(),
            attributes_json: String::new(),
        }
    }

    /// Reads everything that may be invalid, so that [`Self::push`] cannot stop halfway.
    fn read_row<'r>(
        &mut self,
        record: &'r LogRecord<'a>,
        time_ns: TimestampNs,
        attributes: &[KeyValue<'a>],
    ) -> Result<LogRow<'r, 'a>, Failure> {
        self.promoted.clear(AttributeScope::Log);
        self.attributes_json.clear();
        for attribute in attributes {
            let value = attribute.value()?;
            if !self.promoted.take(AttributeScope::Log, attribute.key, &value) {
                attributes::write_member(&mut self.attributes_json, attribute.key, &value)?;
            }
        }
        attributes::close_object(&mut self.attributes_json);
        let body = match &record.body {
            AnyValue::Text(text) => Some(*text),
            AnyValue::Empty => Some(""),
            other => {
                self.body_json.clear();
                attributes::write_value(&mut self.body_json, other, 1)?;
                None
            }
        };
        Ok(LogRow {
            record,
            time_ns,
            observed_ns: optional_time(record.observed_ns, "observed time")?,
            severity_text: utf8(record.severity_text, "a severity text")?,
            event_name: utf8(record.event_name, "an event name")?,
            body,
        })
    }

    fn push(&mut self, stream_id: i64, row: &LogRow<'_, 'a>) {
        let record = row.record;
        self.stream_id.append_value(stream_id);
        self.time_ns.append_value(row.time_ns);
        self.observed_ns.append_option(row.observed_ns);
        let severity_number = Some(record.severity_number).filter(|number| *number != 0);
        self.severity_number.append_option(severity_number);
        self.severity_text.push_unless_empty(row.severity_text);
        self.body.append_value(row.body.unwrap_or(&self.body_json));
        self.body_type.push_unless_empty(if row.body.is_some() { "" } else { "json" });
        self.event_name.push_unless_empty(row.event_name);
        // An invalid id means that the record belongs to no trace, says the protocol.
        push_id::<16>(&mut self.trace_id, valid_id(record.trace_id));
        push_id::<8>(&mut self.span_id, valid_id(record.span_id));
        self.flags.append_value(record.flags as i32);
        self.dropped.append_value(record.dropped as i32);
        push_text(&mut self.attributes, &self.attributes_json);
        self.promoted.push();
    }

    fn finish(mut self) -> Result<Option<storage::TableBatch>, Error> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.stream_id.finish()),
            Arc::new(self.time_ns.finish()),
            Arc::new(self.observed_ns.finish()),
            Arc::new(self.severity_number.finish()),
            self.severity_text.finish(),
            Arc::new(self.body.finish()),
            self.body_type.finish(),
            self.event_name.finish(),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.flags.finish()),
            Arc::new(self.dropped.finish()),
            Arc::new(self.attributes.finish()),
        ];
        columns.extend(self.promoted.finish());
        batch::finish(Table::Logs, columns)
    }
}

struct StreamColumns<'a> {
    stream_id: Int64Builder,
    time_ns: Int64Builder,
    labels: LabelsColumn,
    service: DictColumn,
    resource_attributes: DictColumn,
    resource_schema_url: DictColumn,
    resource_dropped: Int32Builder,
    scope_name: DictColumn,
    scope_version: DictColumn,
    scope_attributes: DictColumn,
    scope_schema_url: DictColumn,
    scope_dropped: Int32Builder,
    promoted: PromotedColumns<'a>,
}

impl<'a> StreamColumns<'a> {
    fn new() -> Self {
        Self {
            stream_id: Int64Builder::new(),
            time_ns: Int64Builder::new(),
            labels: LabelsColumn::default(),
            service: DictColumn::default(),
            resource_attributes: DictColumn::default(),
            resource_schema_url: DictColumn::default(),
            resource_dropped: Int32Builder::new(),
            scope_name: DictColumn::default(),
            scope_version: DictColumn::default(),
            scope_attributes: DictColumn::default(),
            scope_schema_url: DictColumn::default(),
            scope_dropped: Int32Builder::new(),
            promoted: PromotedColumns::new(Table::LogStreams),
        }
    }

    fn push(
        &mut self,
        stream_id: i64,
        time_ns: TimestampNs,
        labels: &Labels,
        resource: &Resource<'a>,
        scope: &Scope<'a>,
    ) -> Result<(), Failure> {
        self.promoted.clear(AttributeScope::Resource);
        let mut resource_json = String::new();
        for attribute in &resource.attributes {
            let value = attribute.value()?;
            if !self.promoted.take(AttributeScope::Resource, attribute.key, &value) {
                attributes::write_member(&mut resource_json, attribute.key, &value)?;
            }
        }
        attributes::close_object(&mut resource_json);
        let mut scope_json = String::new();
        attributes::write_object(&mut scope_json, &scope.attributes)?;
        let service = attributes::service_name(resource)?;

        self.stream_id.append_value(stream_id);
        self.time_ns.append_value(time_ns);
        self.labels.push(labels.iter().map(|label| (label.name.as_ref(), label.value.as_ref())));
        self.service.push(&service);
        self.resource_attributes.push_unless_empty(&resource_json);
        self.resource_schema_url.push_unless_empty(resource.schema_url);
        self.resource_dropped.append_value(resource.dropped as i32);
        self.scope_name.push_unless_empty(scope.name);
        self.scope_version.push_unless_empty(scope.version);
        self.scope_attributes.push_unless_empty(&scope_json);
        self.scope_schema_url.push_unless_empty(scope.schema_url);
        self.scope_dropped.append_value(scope.dropped as i32);
        self.promoted.push();
        Ok(())
    }

    fn finish(mut self) -> Result<Option<storage::TableBatch>, Error> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.stream_id.finish()),
            Arc::new(self.time_ns.finish()),
            self.labels.finish(),
            self.service.finish(),
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
        batch::finish(Table::LogStreams, columns)
    }
}

#[cfg(test)]
pub(super) mod tests;
