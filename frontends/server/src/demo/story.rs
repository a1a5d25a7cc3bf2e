//! What is recorded while a request runs through the shop: spans, logs and measurements.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use rand::Rng;
use rand::rngs::StdRng;

use super::meters::{Instrument, Measurement};
use super::otlp::{self, text};
use super::shop::{Place, Service};

/// W3C flags of spans and records: sampled.
const SAMPLED: u32 = 1;

/// Everything recorded in one second.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// Finished spans with where they ran.
    pub(super) spans: Vec<(Place, Span)>,
    /// Log records with where they were written.
    pub(super) logs: Vec<(Place, LogRecord)>,
    /// Measurements, in the order taken.
    pub(super) measurements: Vec<Measurement>,
}

/// A span that has begun.
#[derive(Debug)]
pub(super) struct Open {
    /// Where it runs.
    pub(super) place: Place,
    /// Its id.
    pub(super) id: [u8; 8],
    /// When it began.
    pub(super) start_ns: u64,
    /// Attributes known so far.
    pub(super) attributes: Vec<KeyValue>,
    /// Links to spans of other traces.
    pub(super) links: Vec<Link>,
    /// Why it failed, if it did.
    pub(super) error: Option<String>,
    parent: Option<[u8; 8]>,
    name: String,
    kind: SpanKind,
    events: Vec<Event>,
}

impl Open {
    /// Adds an exception as a span event and marks the span as failed.
    pub(super) fn fail(&mut self, time_ns: u64, kind: &str, message: &str, stack: &str) {
        self.events.push(Event {
            time_unix_nano: time_ns,
            name: "exception".to_owned(),
            attributes: vec![
                text("exception.type", kind),
                text("exception.message", message),
                text("exception.stacktrace", stack),
                otlp::switch("exception.escaped", false),
            ],
            dropped_attributes_count: 0,
        });
        self.attributes.push(text("error.type", kind));
        self.error = Some(message.to_owned());
    }

    /// Adds an event without attributes.
    pub(super) fn event(&mut self, time_ns: u64, name: &str) {
        let name = name.to_owned();
        self.events.push(Event { time_unix_nano: time_ns, name, ..Event::default() });
    }
}

/// One trace while it is being made.
#[derive(Debug)]
pub(super) struct Story<'a> {
    /// Decides everything that is left to chance.
    pub(super) rng: &'a mut StdRng,
    /// The trace.
    pub(super) trace_id: [u8; 16],
    recorded: &'a mut Recorded,
}

impl<'a> Story<'a> {
    /// A new trace with an id of its own.
    pub(super) fn new(rng: &'a mut StdRng, recorded: &'a mut Recorded) -> Self {
        let trace_id = rng.random();
        Self { rng, trace_id, recorded }
    }

    /// An instance of a service, by chance.
    pub(super) fn place(&mut self, service: Service) -> Place {
        Place { service, instance: self.rng.random_range(0..service.instances()) }
    }

    /// A duration around `middle_ms`, with the long tail of real ones.
    pub(super) fn took_ns(&mut self, middle_ms: f64) -> u64 {
        let factor = (0.45 * super::traffic::normal(self.rng)).exp();
        (middle_ms * factor * 1e6).max(20_000.0) as u64
    }

    /// Begins a span.
    pub(super) fn open(
        &mut self,
        place: Place,
        parent: Option<&Open>,
        kind: SpanKind,
        name: impl Into<String>,
        start_ns: u64,
    ) -> Open {
        Open {
            place,
            id: self.rng.random(),
            start_ns,
            attributes: Vec::new(),
            links: Vec::new(),
            error: None,
            parent: parent.map(|parent| parent.id),
            name: name.into(),
            kind,
            events: Vec::new(),
        }
    }

    /// Ends a span.
    pub(super) fn close(&mut self, span: Open, end_ns: u64) {
        let code = if span.error.is_some() { StatusCode::Error } else { StatusCode::Unset };
        let status = Status { code: code as i32, message: span.error.unwrap_or_default() };
        self.recorded.spans.push((
            span.place,
            Span {
                trace_id: self.trace_id.to_vec(),
                span_id: span.id.to_vec(),
                parent_span_id: span.parent.map(|id| id.to_vec()).unwrap_or_default(),
                flags: SAMPLED,
                name: span.name,
                kind: span.kind as i32,
                start_time_unix_nano: span.start_ns,
                end_time_unix_nano: end_ns.max(span.start_ns),
                attributes: span.attributes,
                events: span.events,
                links: span.links,
                status: Some(status),
                ..Span::default()
            },
        ));
    }

    /// Writes a log record that belongs to a span.
    pub(super) fn log(
        &mut self,
        span: &Open,
        time_ns: u64,
        severity: SeverityNumber,
        line: &str,
        attributes: Vec<KeyValue>,
    ) {
        self.recorded.logs.push((
            span.place,
            LogRecord {
                time_unix_nano: time_ns,
                observed_time_unix_nano: time_ns + 1_000_000,
                severity_number: severity as i32,
                severity_text: severity_text(severity).to_owned(),
                body: Some(otlp::body(line)),
                attributes,
                flags: SAMPLED,
                trace_id: self.trace_id.to_vec(),
                span_id: span.id.to_vec(),
                ..LogRecord::default()
            },
        ));
    }

    /// Takes a measurement that belongs to a span.
    pub(super) fn measure(
        &mut self,
        instrument: &'static Instrument,
        span: &Open,
        time_ns: u64,
        value: f64,
        attributes: Vec<KeyValue>,
    ) {
        self.recorded.measurements.push(Measurement {
            place: span.place,
            instrument,
            time_ns,
            value,
            attributes,
            span: Some((self.trace_id, span.id)),
        });
    }

    /// The trace's id as text, as it is written into log lines.
    pub(super) fn trace_hex(&self) -> String {
        hex::encode(self.trace_id)
    }
}

/// The usual word for a severity.
pub(super) fn severity_text(severity: SeverityNumber) -> &'static str {
    match severity {
        SeverityNumber::Debug => "DEBUG",
        SeverityNumber::Warn => "WARN",
        SeverityNumber::Error => "ERROR",
        _ => "INFO",
    }
}
