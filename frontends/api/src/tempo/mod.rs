//! The Tempo HTTP API.
//!
//! | path | answer |
//! |---|---|
//! | `/api/search` | TraceQL, or tags: traces |
//! | `/api/traces/{id}`, `/api/v2/traces/{id}` | a trace, as JSON or Protobuf |
//! | `/api/search/tags`, `/api/v2/search/tags` | keys of attributes |
//! | `/api/search/tag/{tag}/values`, `/api/v2/search/tag/{tag}/values` | values |
//! | `/api/echo`, `/ready`, `/api/status/buildinfo` | texts |
//!
//! TraceQL metrics are refused by name.

mod assemble;
mod attributes;
mod jsonpb;
mod params;
mod search;
mod tags;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use exec::OutputKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, TracesData};
use prost::Message;

use crate::error::{Answered, Dialect, Error, ErrorKind, plain_text, status};
use crate::params::Call;
use crate::respond::{Count, ReadStats, buildinfo, count, json, stream_json, whole};
use crate::stats::Language;
use crate::{Api, time};
use assemble::Assembler;
use params::{SearchParams, What};

/// The version whose API this is; Grafana derives abilities from it.
const VERSION: &str = "2.8.0";

/// How Tempo words its errors.
#[derive(Debug)]
pub(crate) struct Tempo;

type Ask = Call<Tempo>;
type Answer = Answered<Tempo>;

impl Dialect for Tempo {
    fn answer(error: &Error) -> Response {
        match error.kind() {
            ErrorKind::Limit => plain_text(StatusCode::UNPROCESSABLE_ENTITY, error),
            kind => plain_text(status(kind), error),
        }
    }
}

pub(crate) fn router(api: Arc<Api>) -> Router {
    let state = Count { counters: Arc::clone(&api.counters), language: Language::TraceQl };
    Router::new()
        .route("/api/search", get(search))
        .route("/api/traces/{id}", get(trace))
        .route("/api/v2/traces/{id}", get(trace_v2))
        .route("/api/search/tags", get(tags::names))
        .route("/api/v2/search/tags", get(tags::scoped_names))
        .route("/api/search/tag/{tag}/values", get(tags::values))
        .route("/api/v2/search/tag/{tag}/values", get(tags::typed_values))
        .route("/api/metrics/query", get(metrics))
        .route("/api/metrics/query_range", get(metrics))
        .route_layer(from_fn_with_state(state, count))
        .route("/api/echo", get(async || "echo"))
        .route("/ready", get(async || "ready\n"))
        .route("/api/status/buildinfo", get(status_buildinfo))
        .layer(axum::extract::DefaultBodyLimit::max(api.options.body_bytes_max))
        .with_state(api)
}

async fn search(ask: Ask) -> Answer {
    let params = SearchParams::read(&ask.params, &ask.options, time::now_ns())?;
    let query = match &params.what {
        What::Query(text) => traceql::search(text, &params.traceql)?,
        What::Tags(asked) => traceql::search_tags(
            &asked.tags,
            asked.min_duration_ns,
            asked.max_duration_ns,
            &params.traceql,
        ),
    };
    let output = ask.api.run(&ask.tenant, query, ask.deadline(None)).await?;
    if !matches!(output.kind, OutputKind::Traces) {
        return Err(Error::internal("a search did not return traces").into());
    }
    Ok(stream_json(output, search::Traces::new(params.spans_per_spanset)).await?)
}

/// `{"batches":[…]}`, or `Trace` as Protobuf.
async fn trace(Path(id): Path<String>, ask: Ask) -> Answer {
    let (spans, read) = spans_of(&ask, &id).await?;
    let response = if wants_protobuf(&ask) {
        // `Trace` has the same field and number as OTLP's `TracesData`.
        whole(PROTOBUF, TracesData { resource_spans: spans }.encode_to_vec())
    } else {
        let mut out = r#"{"batches":"#.to_owned();
        jsonpb::write_resource_spans(&mut out, &spans);
        out.push('}');
        json(out)
    };
    Ok(with_stats(response, read))
}

/// `{"trace":{"resourceSpans":[…]},"metrics":{}}`, or `TraceByIDResponse` as Protobuf.
async fn trace_v2(Path(id): Path<String>, ask: Ask) -> Answer {
    let (spans, read) = spans_of(&ask, &id).await?;
    let response = if wants_protobuf(&ask) {
        let trace = Some(TracesData { resource_spans: spans });
        whole(PROTOBUF, TraceByIdResponse { trace, metrics: Some(Empty {}) }.encode_to_vec())
    } else {
        let mut out = r#"{"trace":{"resourceSpans":"#.to_owned();
        jsonpb::write_resource_spans(&mut out, &spans);
        out.push_str(r#"},"metrics":{}}"#);
        json(out)
    };
    Ok(with_stats(response, read))
}

const PROTOBUF: &str = "application/protobuf";

/// `tempopb.TraceByIDResponse` as far as it has something to say: status 0 is complete.
#[derive(Clone, PartialEq, Message)]
struct TraceByIdResponse {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
    #[prost(message, optional, tag = "2")]
    metrics: Option<Empty>,
}

#[derive(Clone, PartialEq, Message)]
struct Empty {}

async fn spans_of(ask: &Ask, id: &str) -> Result<(Vec<ResourceSpans>, ReadStats), Error> {
    let id = params::trace_id(id)?;
    let query = traceql::trace_by_id(id, params::trace_range(&ask.params)?);
    let mut output = ask.api.run(&ask.tenant, query, ask.deadline(None)).await?;
    let mut trace = Assembler::new(ask.options.trace_bytes_max);
    let held = output.memory.hold("trace");
    while let Some(batch) = output.batches.next().await? {
        // Its spans are held as messages, then as the bytes of the answer.
        held.grow(3 * batch.get_array_memory_size())?;
        trace.add(&batch)?;
    }
    let spans = trace.finish();
    if spans.is_empty() {
        // Grafana asks the older path next, and shows that there is no trace.
        return Err(Error::not_found(format!("trace not found: {}", hex::encode(id))));
    }
    Ok((spans, ReadStats(output.stats)))
}

fn wants_protobuf(ask: &Ask) -> bool {
    ask.header(header::ACCEPT.as_str()).unwrap_or_default().contains(PROTOBUF)
}

fn with_stats(mut response: Response, read: ReadStats) -> Response {
    response.extensions_mut().insert(read);
    response
}

async fn metrics(ask: Ask) -> Answer {
    if ask.params.get("q").or(ask.params.get("query")).is_none() {
        return Err(Error::invalid("query is required").into());
    }
    Err(Error::unsupported("TraceQL metrics are not supported yet").into())
}

async fn status_buildinfo() -> Response {
    json(buildinfo(VERSION))
}

#[cfg(test)]
mod tests;
