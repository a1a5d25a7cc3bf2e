//! The Loki HTTP API.
//!
//! | path below `/loki/api/v1` | answer |
//! |---|---|
//! | `query`, `query_range` | LogQL: streams, or series |
//! | `labels`, `label/{name}/values`, `series` | names and label sets of streams |
//! | `index/stats`, `index/volume`, `index/volume_range` | how much there is |
//! | `detected_labels`, `detected_field…`, `patterns`, `drilldown-limits` | for Logs Drilldown |
//! | `format_query`, `status/buildinfo` | texts |
//! | `delete` | delete requests: made, listed, cancelled |
//! | `rules` | none |
//!
//! All of it answers `GET` and `POST`. `/ready` answers once the server listens.

mod deletes;
mod drilldown;
mod encode;
mod metadata;
mod params;
mod volume;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use crate::error::{Answered, Dialect, Error, ErrorKind, plain_text, status};
use crate::json::write_text;
use crate::params::Call;
use crate::respond::{Count, buildinfo, count, json, stream_json};
use crate::stats::Language;
use crate::{Api, time};
use encode::{Form, Lines, Samples};

/// The version whose API this is.
const VERSION: &str = "3.5.0";

/// The header by which a client asks to have labels told apart by where they come from.
const FLAGS_HEADER: &str = "x-loki-response-encoding-flags";

/// The state of no rules.
const NO_RULES: &str = r#"{"status":"success","data":{"groups":[]},"errorType":"","error":""}"#;

/// The state of no alerts.
const NO_ALERTS: &str = r#"{"status":"success","data":{"alerts":[]},"errorType":"","error":""}"#;

/// How Loki words its errors.
#[derive(Debug)]
pub(crate) struct Loki;

type Ask = Call<Loki>;
type Answer = Answered<Loki>;

impl Dialect for Loki {
    fn answer(error: &Error) -> Response {
        if error.kind() == ErrorKind::Timeout {
            let text = "request timed out, decrease the duration of the request or add more label \
                        matchers (prefer exact match over regex match) to reduce the amount of \
                        data processed";
            return (StatusCode::GATEWAY_TIMEOUT, text).into_response();
        }
        plain_text(status(error.kind()), error)
    }
}

pub(crate) fn router(api: Arc<Api>) -> Router {
    let state = Count { counters: Arc::clone(&api.counters), language: Language::LogQl };
    let counted = Router::new()
        .route("/query", get(query).post(query))
        .route("/query_range", get(query_range).post(query_range))
        .route("/labels", get(metadata::labels).post(metadata::labels))
        .route("/label", get(metadata::labels).post(metadata::labels))
        .route("/label/{name}/values", get(metadata::values).post(metadata::values))
        .route("/series", get(metadata::series).post(metadata::series))
        .route("/index/stats", get(volume::stats).post(volume::stats))
        .route("/index/volume", get(volume::volume).post(volume::volume))
        .route("/index/volume_range", get(volume::volume_range).post(volume::volume_range))
        .route("/detected_labels", get(drilldown::labels).post(drilldown::labels))
        .route("/detected_fields", get(drilldown::fields).post(drilldown::fields))
        .route(
            "/detected_field/{name}/values",
            get(drilldown::field_values).post(drilldown::field_values),
        )
        .route_layer(from_fn_with_state(state, count));
    let api_routes = counted
        .route(
            "/delete",
            get(deletes::list).post(deletes::create).put(deletes::create).delete(deletes::cancel),
        )
        .route("/cache/generation_numbers", get(deletes::generation))
        .route("/patterns", get(drilldown::patterns).post(drilldown::patterns))
        .route("/drilldown-limits", get(drilldown::limits))
        .route("/format_query", get(format_query).post(format_query))
        .route("/status/buildinfo", get(status_buildinfo))
        .route("/rules", get(async || (StatusCode::NOT_FOUND, "no rule groups found\n")));
    Router::new()
        .nest("/loki/api/v1", api_routes)
        .route("/prometheus/api/v1/rules", get(async || json(NO_RULES)))
        .route("/prometheus/api/v1/alerts", get(async || json(NO_ALERTS)))
        .route("/ready", any(async || "ready\n"))
        .layer(axum::extract::DefaultBodyLimit::max(api.options.body_bytes_max))
        .with_state(api)
}

async fn query(ask: Ask) -> Answer {
    let text = params::text(&ask.params)?;
    if logql::is_log_query(text)? {
        return Err(Error::invalid(
            "log queries are not supported as an instant query type, \
             please change your query to a range query type",
        )
        .into());
    }
    let params = params::instant(&ask.params, &ask.options, time::now_ns())?;
    let grid = params.grid;
    let output = ask.api.run(&ask.tenant, logql::query(text, &params)?, ask.deadline(None)).await?;
    let samples = Samples::new(&output.kind, Form::Instant, grid)?;
    Ok(stream_json(output, samples).await?)
}

async fn query_range(ask: Ask) -> Answer {
    let text = params::text(&ask.params)?;
    let is_log = logql::is_log_query(text)?;
    let params = params::range(&ask.params, &ask.options, is_log, time::now_ns())?;
    let grid = params.grid;
    let output = ask.api.run(&ask.tenant, logql::query(text, &params)?, ask.deadline(None)).await?;
    if is_log {
        return Ok(stream_json(output, Lines::new(categorize(&ask), params.limit)).await?);
    }
    let samples = Samples::new(&output.kind, Form::Range, grid)?;
    Ok(stream_json(output, samples).await?)
}

/// Whether labels are told apart by where they come from.
fn categorize(ask: &Ask) -> bool {
    let flags = ask.header(FLAGS_HEADER).unwrap_or_default();
    flags.split(',').any(|flag| flag.trim() == "categorize-labels")
}

async fn format_query(ask: Ask) -> Response {
    let text = ask.params.get("query").unwrap_or_default();
    let (code, status, key, text) = match logql::format(text) {
        Ok(formatted) => (StatusCode::OK, "success", "data", formatted),
        Err(error) => (StatusCode::BAD_REQUEST, "invalid-query", "error", error.to_string()),
    };
    let mut out = format!(r#"{{"status":"{status}","{key}":"#);
    write_text(&mut out, &text);
    out.push('}');
    let mut response = json(out);
    *response.status_mut() = code;
    response
}

async fn status_buildinfo() -> Response {
    json(buildinfo(VERSION))
}
