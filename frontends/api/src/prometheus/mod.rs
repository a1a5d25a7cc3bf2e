//! The Prometheus HTTP API.
//!
//! | path below `/api/v1` | answer |
//! |---|---|
//! | `query`, `query_range` | PromQL |
//! | `labels`, `label/{name}/values`, `series` | names and label sets |
//! | `metadata` | type, unit and description of metrics |
//! | `format_query`, `status/buildinfo` | texts |
//! | `query_exemplars` | exemplars of the series that a query selects |
//! | `admin/tsdb/delete_series`, `admin/tsdb/clean_tombstones` | deleting, if switched on |
//! | `rules`, `alerts` | nothing yet, well-formed |
//!
//! `/-/healthy` and `/-/ready` answer as Prometheus does.

mod admin;
mod encode;
mod exemplars;
mod histograms;
mod metadata;
mod params;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use schemas::model::StepGrid;

use crate::error::{Answered, Dialect, Error, ErrorKind};
use crate::params::Call;
use crate::respond::{Count, buildinfo, count, json, stream_json};
use crate::run::limited;
use crate::stats::Language;
use crate::{Api, time};
use encode::{Envelope, Form, Results};
use params::QueryParams;

/// The version whose API this is; clients derive abilities from it.
const VERSION: &str = "3.5.0";

/// How Prometheus words its errors.
#[derive(Debug)]
pub(crate) struct Prometheus;

type Ask = Call<Prometheus>;
type Answer = Answered<Prometheus>;

impl Dialect for Prometheus {
    fn answer(error: &Error) -> Response {
        let (status, error_type) = match error.kind() {
            ErrorKind::NoTenant => {
                return crate::error::plain_text(StatusCode::UNAUTHORIZED, error);
            }
            ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "bad_data"),
            ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "bad_data"),
            ErrorKind::Execution | ErrorKind::Unsupported | ErrorKind::Limit => {
                (StatusCode::UNPROCESSABLE_ENTITY, "execution")
            }
            ErrorKind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "execution"),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            ErrorKind::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let mut response = json(encode::error(error_type, &error.to_string()));
        *response.status_mut() = status;
        response
    }
}

pub(crate) fn router(api: Arc<Api>) -> Router {
    let state = Count { counters: Arc::clone(&api.counters), language: Language::PromQl };
    Router::new()
        .route("/api/v1/query", get(query).post(query))
        .route("/api/v1/query_range", get(query_range).post(query_range))
        .route(
            "/api/v1/query_exemplars",
            get(exemplars::query_exemplars).post(exemplars::query_exemplars),
        )
        .route("/api/v1/labels", get(metadata::labels).post(metadata::labels))
        .route("/api/v1/label/{name}/values", get(metadata::values))
        .route("/api/v1/series", get(metadata::series).post(metadata::series))
        .route("/api/v1/metadata", get(metadata::metrics))
        .route_layer(from_fn_with_state(state, count))
        .route(
            "/api/v1/admin/tsdb/delete_series",
            post(admin::delete_series).put(admin::delete_series),
        )
        .route(
            "/api/v1/admin/tsdb/clean_tombstones",
            post(admin::clean_tombstones).put(admin::clean_tombstones),
        )
        .route("/api/v1/format_query", get(format_query).post(format_query))
        .route("/api/v1/rules", get(async || json(encode::success(r#"{"groups":[]}"#))))
        .route("/api/v1/alerts", get(async || json(encode::success(r#"{"alerts":[]}"#))))
        .route("/api/v1/status/buildinfo", get(status_buildinfo))
        .route("/-/healthy", get(async || "Siglake is Healthy.\n").head(async || ()))
        .route("/-/ready", get(async || "Siglake is Ready.\n").head(async || ()))
        .layer(axum::extract::DefaultBodyLimit::max(api.options.body_bytes_max))
        .with_state(api)
}

async fn query(ask: Ask) -> Answer {
    let params = QueryParams::read(&ask.params, &ask.api.options)?;
    let at_ns = params::instant(&ask.params, "time")?.unwrap_or_else(time::now_ns);
    answer(&ask, params, StepGrid::instant(at_ns), Form::Instant).await
}

async fn query_range(ask: Ask) -> Answer {
    let params = QueryParams::read(&ask.params, &ask.api.options)?;
    let grid = params::grid(&ask.params, ask.api.options.steps_max)?;
    answer(&ask, params, grid, Form::Range).await
}

async fn answer(ask: &Ask, params: QueryParams<'_>, grid: StepGrid, form: Form) -> Answer {
    let query = promql::query(params.text, grid, &params.options)
        .map_err(|error| params::query_error(error.into()))?;
    // One more than wanted shows whether something was left out.
    let query = limited(query, params.limit.map(|limit| limit.saturating_add(1)));
    let output = ask.api.run(&ask.tenant, query, ask.deadline(params.timeout)).await?;
    let envelope = Envelope { limit: params.limit, with_stats: params.stats };
    let results = Results::new(&output.kind, form, grid, envelope)?;
    Ok(stream_json(output, results).await?)
}

async fn format_query(ask: Ask) -> Answer {
    let text = ask.params.get("query").unwrap_or_default();
    let formatted = promql::format(text).map_err(|error| params::query_error(error.into()))?;
    let mut data = String::new();
    crate::json::write_text(&mut data, &formatted);
    Ok(json(encode::success(&data)))
}

async fn status_buildinfo() -> Response {
    // No `features`: clients would take a server that has them for Mimir, rules API and all.
    json(encode::success(&buildinfo(VERSION)))
}
