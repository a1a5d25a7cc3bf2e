//! Sends telemetry over OTLP gRPC, in bounded requests, and tries again when told to wait.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client as metrics_client;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tracing::warn;

use super::otlp::scope;
use super::shop::Place;
use crate::error::Error;

/// Spans or log records of one request; keeps it well below the usual 4 MiB of gRPC.
const RECORDS_MAX: usize = 2000;

/// Times a request is sent before it is given up.
const ATTEMPTS_MAX: u32 = 6;

/// Wait before the second attempt; doubled with each further one.
const BACKOFF: Duration = Duration::from_millis(100);

/// Time that one request may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A client of the three OTLP services on one connection.
#[derive(Debug)]
pub(super) struct Emitter {
    logs: LogsServiceClient<Channel>,
    metrics: metrics_client::MetricsServiceClient<Channel>,
    traces: TraceServiceClient<Channel>,
    /// Records refused by the server so far.
    pub(super) rejected: u64,
}

impl Emitter {
    /// A client of the server at `url`; the connection is made with the first request.
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|source| Error::Send(Box::new(source)))?
            .timeout(TIMEOUT);
        let channel = endpoint.connect_lazy();
        Ok(Self {
            logs: LogsServiceClient::new(channel.clone()),
            metrics: metrics_client::MetricsServiceClient::new(channel.clone()),
            traces: TraceServiceClient::new(channel),
            rejected: 0,
        })
    }

    /// Sends spans, in as many requests as their number needs.
    pub(super) async fn spans(&mut self, spans: Vec<(Place, Span)>) -> Result<(), Error> {
        for chunk in chunks(spans) {
            let resource_spans = by_place(chunk).into_iter().map(spans_of).collect();
            let request = ExportTraceServiceRequest { resource_spans };
            let client = &self.traces;
            let answer = retry(|| {
                let (mut client, request) = (client.clone(), request.clone());
                async move { client.export(request).await }
            })
            .await?;
            if let Some(partial) = answer.into_inner().partial_success {
                self.refused("spans", partial.rejected_spans, &partial.error_message);
            }
        }
        Ok(())
    }

    /// Sends log records, in as many requests as their number needs.
    pub(super) async fn logs(&mut self, logs: Vec<(Place, LogRecord)>) -> Result<(), Error> {
        for chunk in chunks(logs) {
            let resource_logs = by_place(chunk).into_iter().map(logs_of).collect();
            let request = ExportLogsServiceRequest { resource_logs };
            let client = &self.logs;
            let answer = retry(|| {
                let (mut client, request) = (client.clone(), request.clone());
                async move { client.export(request).await }
            })
            .await?;
            if let Some(partial) = answer.into_inner().partial_success {
                self.refused("log records", partial.rejected_log_records, &partial.error_message);
            }
        }
        Ok(())
    }

    /// Sends one export of metrics, or several.
    pub(super) async fn metrics(&mut self, metrics: Vec<ResourceMetrics>) -> Result<(), Error> {
        if metrics.is_empty() {
            return Ok(());
        }
        let request = ExportMetricsServiceRequest { resource_metrics: metrics };
        let client = &self.metrics;
        let answer = retry(|| {
            let (mut client, request) = (client.clone(), request.clone());
            async move { client.export(request).await }
        })
        .await?;
        if let Some(partial) = answer.into_inner().partial_success {
            self.refused("data points", partial.rejected_data_points, &partial.error_message);
        }
        Ok(())
    }

    fn refused(&mut self, what: &str, count: i64, message: &str) {
        let count = u64::try_from(count).unwrap_or(0);
        if count == 0 {
            return;
        }
        // Once is enough: what is refused once is refused every second.
        if self.rejected == 0 {
            warn!(what, count, message, "the server refused telemetry of the demo");
        }
        self.rejected += count;
    }
}

async fn retry<T, F>(send: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut backoff = BACKOFF;
    for attempt in 1.. {
        match send().await {
            Ok(answer) => return Ok(answer),
            Err(status) if attempt < ATTEMPTS_MAX && may_retry(status.code()) => {
                tokio::time::sleep(backoff).await;
                backoff *= 2;
            }
            Err(status) => return Err(Error::Send(Box::new(status))),
        }
    }
    unreachable!("the last attempt returns")
}

fn may_retry(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded)
}

fn chunks<T>(records: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut records = records.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<T> = records.by_ref().take(RECORDS_MAX).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn by_place<T>(records: Vec<(Place, T)>) -> BTreeMap<Place, Vec<T>> {
    let mut places: BTreeMap<Place, Vec<T>> = BTreeMap::new();
    for (place, record) in records {
        places.entry(place).or_default().push(record);
    }
    places
}

fn spans_of((place, spans): (Place, Vec<Span>)) -> ResourceSpans {
    ResourceSpans {
        resource: Some(place.resource()),
        scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

fn logs_of((place, log_records): (Place, Vec<LogRecord>)) -> ResourceLogs {
    ResourceLogs {
        resource: Some(place.resource()),
        scope_logs: vec![ScopeLogs { scope: Some(scope()), log_records, ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    }
}
