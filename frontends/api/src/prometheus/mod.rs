//! The Prometheus HTTP API.
//!
//! | path below `/api/v1` | answer |
//! |---|---|
//! | `query`, `query_range` | PromQL |
//! | `labels`, `label/{name}/values`, `series` | names and label sets |
//! | `metadata` | type, unit and description of metrics |
//! | `format_query`, `parse_query` | the query as text and as tree |
//! | `query_exemplars` | exemplars of the series that a query selects |
//! | `read` | remote read |
//! | `search/metric_names`, `…/label_names`, `…/label_values` | names as typed, if switched on |
//! | `admin/tsdb/delete_series`, `clean_tombstones`, `snapshot` | if switched on |
//! | `status/…`, `features`, `openapi.yaml` | what the server says of itself |
//! | `rules`, `alerts`, `targets`, `scrape_pools`, `alertmanagers`, `notifications` | nothing, well-formed |
//!
//! Beside them `/federate`, `/version`, and `/-/healthy` as of Prometheus; `/-/ready` is the
//! server's. Not there: statistics of samples by step (`stats=all` answers as `stats=true`).

mod admin;
mod cors;
mod encode;
mod exemplars;
mod federate;
mod histograms;
mod metadata;
mod params;
mod range_vector;
mod remote_read;
mod search;
mod status;
mod texts;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use plan::Node;
use schemas::model::StepGrid;

use crate::error::{Answered, Dialect, Error, ErrorKind};
use crate::params::Call;
use crate::respond::{Count, count, json, stream_json, whole};
use crate::run::limited;
use crate::stats::Language;
use crate::{Api, time};
use encode::{Envelope, Form, Results};
use params::QueryParams;

/// The version whose API this is; clients derive abilities from it.
const VERSION: &str = "3.5.0";

/// What can be asked here, for tools that make clients of it.
const OPENAPI: &str = include_str!("openapi.yaml");

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
        .route("/api/v1/read", post(remote_read::read))
        .route("/federate", get(federate::federate))
        .merge(search_routes())
        .route_layer(from_fn_with_state(state, count))
        .merge(admin_routes())
        .route("/api/v1/format_query", get(texts::format_query).post(texts::format_query))
        .route("/api/v1/parse_query", get(texts::parse_query).post(texts::parse_query))
        .merge(status_routes())
        .layer(axum::extract::DefaultBodyLimit::max(api.options.body_bytes_max))
        .layer(from_fn_with_state(api.options.cors_origin.clone(), cors::answer))
        .with_state(api)
}

fn search_routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/api/v1/search/metric_names", get(search::metric_names).post(search::metric_names))
        .route("/api/v1/search/label_names", get(search::label_names).post(search::label_names))
        .route("/api/v1/search/label_values", get(search::label_values).post(search::label_values))
}

fn admin_routes() -> Router<Arc<Api>> {
    let path = |name: &str| format!("/api/v1/admin/tsdb/{name}");
    Router::new()
        .route(&path("delete_series"), post(admin::delete_series).put(admin::delete_series))
        .route(
            &path("clean_tombstones"),
            post(admin::clean_tombstones).put(admin::clean_tombstones),
        )
        .route(&path("snapshot"), post(admin::snapshot).put(admin::snapshot))
}

/// What a server says of itself, and of what it does not do.
fn status_routes() -> Router<Arc<Api>> {
    let fixed = |data: &'static str| get(move || status::fixed(data));
    let targets = r#"{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"#;
    let alertmanagers = r#"{"activeAlertmanagers":[],"droppedAlertmanagers":[]}"#;
    Router::new()
        .route("/api/v1/rules", get(status::rules))
        .route("/api/v1/alerts", fixed(r#"{"alerts":[]}"#))
        .route("/api/v1/alertmanagers", fixed(alertmanagers))
        .route("/api/v1/targets", fixed(targets))
        .route("/api/v1/targets/metadata", get(status::targets_metadata))
        .route("/api/v1/targets/relabel_steps", get(status::relabel_steps))
        .route("/api/v1/scrape_pools", fixed(r#"{"scrapePools":[]}"#))
        .route("/api/v1/scrape_pools/config", get(status::scrape_pool))
        .route("/api/v1/notifications", fixed("[]"))
        // A client that is told so does not ask again.
        .route("/api/v1/notifications/live", get(async || StatusCode::NO_CONTENT))
        .route("/api/v1/features", get(status::features))
        .route("/api/v1/status/buildinfo", get(status::build_information))
        .route("/api/v1/status/config", fixed(r#"{"yaml":""}"#))
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/runtimeinfo", get(status::runtime))
        .route("/api/v1/status/tsdb", get(status::tsdb))
        .route("/api/v1/status/tsdb/blocks", fixed(r#"{"blocks":[]}"#))
        .route("/api/v1/status/walreplay", fixed(r#"{"min":0,"max":0,"current":0}"#))
        .route("/api/v1/openapi.yaml", get(async || whole("application/yaml", OPENAPI)))
        .route("/version", get(status::version))
        .route("/-/healthy", get(async || "Siglake is Healthy.\n"))
        .route("/-/reload", post(status::lifecycle).put(status::lifecycle))
        .route("/-/quit", post(status::lifecycle).put(status::lifecycle))
}

async fn query(ask: Ask) -> Answer {
    params::limit(&ask.params)?;
    let at_ns = params::instant(&ask.params, "time")?.unwrap_or_else(time::now_ns);
    let params = QueryParams::read(&ask.params, &ask.options)?;
    answer(&ask, params, StepGrid::instant(at_ns), Form::Instant).await
}

async fn query_range(ask: Ask) -> Answer {
    params::limit(&ask.params)?;
    let grid = params::grid(&ask.params, ask.options.steps_max)?;
    let params = QueryParams::read(&ask.params, &ask.options)?;
    answer(&ask, params, grid, Form::Range).await
}

async fn answer(ask: &Ask, params: QueryParams<'_>, grid: StepGrid, form: Form) -> Answer {
    let query = promql::query(params.text, grid, &params.options)
        .map_err(|error| params::query_error(error.into()))?;
    // What has another grid than was asked for is a range vector.
    let (grid, form) = match (&query.root, query.grid) {
        (Node::Scan(scan), None) => {
            let matchers = scan.selector.matchers.clone();
            return Ok(range_vector::answer(ask, &params, matchers, scan.selector.range).await?);
        }
        (_, Some(own)) if own != grid => (own, Form::Range),
        _ => (grid, form),
    };
    // One more than wanted shows whether something was left out.
    let query = limited(query, params.limit.map(|limit| limit.saturating_add(1)));
    let output = ask.api.run(&ask.tenant, query, ask.deadline(params.timeout)).await?;
    let envelope =
        Envelope { limit: params.limit, with_stats: params.stats, warning: params.warning() };
    let results = Results::new(&output.kind, form, grid, envelope)?;
    Ok(stream_json(output, results).await?)
}
