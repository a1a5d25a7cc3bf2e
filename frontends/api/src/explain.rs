//! `GET` and `POST /explain?language=…&query=…`: how a query would be run, as text.
//!
//! | parameter | meaning |
//! |---|---|
//! | `language` | `promql`, `logql` or `traceql`; for SQL there is `EXPLAIN` at `/sql` |
//! | `query` | the query |
//! | `start`, `end` | unix seconds or RFC 3339; by default the last hour |
//! | `step` | seconds or a duration; by default a minute |
//!
//! The answer is our plan, one node a line, then DataFusion's where the query is for series.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use plan::node::Query;
use schemas::model::{Direction, NANOS_PER_SECOND, StepGrid, TimeRange};

use crate::Api;
use crate::error::{Answered, Error};
use crate::params::{Call, Params};
use crate::respond::whole;
use crate::sql::Sql;
use crate::time;

/// The range and the step of a query that names none.
const RANGE_DEFAULT_NS: i64 = 3_600 * NANOS_PER_SECOND;
const STEP_DEFAULT_NS: i64 = 60 * NANOS_PER_SECOND;

/// Records and traces of a query that returns rows; the plan does not depend on it.
const ROWS: usize = 100;

pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new().route("/explain", get(explain).post(explain)).with_state(api)
}

async fn explain(ask: Call<Sql>) -> Answered<Sql> {
    let query = query(&ask.params)?;
    let text = ask.api.session.explain(&ask.tenant, query).await.map_err(Error::from)?;
    Ok(whole("text/plain; charset=utf-8", text))
}

fn query(params: &Params) -> Result<Query, Error> {
    let text = params.get("query").ok_or_else(|| Error::invalid("there is no query"))?;
    let end_ns = instant(params, "end")?.unwrap_or_else(time::now_ns);
    let start_ns =
        instant(params, "start")?.unwrap_or_else(|| end_ns.saturating_sub(RANGE_DEFAULT_NS));
    let step_ns = match params.get("step") {
        None => STEP_DEFAULT_NS,
        Some(text) => time::parse_duration(text)
            .filter(|step_ns| *step_ns > 0)
            .ok_or_else(|| Error::invalid(format!("step {text:?} is no positive duration")))?,
    };
    let grid = StepGrid::new(start_ns, end_ns.max(start_ns), step_ns);
    let range = TimeRange { start_ns, end_ns };
    match params.get("language").unwrap_or_default() {
        "promql" => Ok(promql::query(text, grid, &promql::Options::default())?),
        "logql" => {
            let direction = Direction::Backward;
            Ok(logql::query(text, &logql::Params { range, grid, limit: ROWS, direction })?)
        }
        "traceql" => Ok(traceql::search(text, &traceql::Params { range, limit: ROWS })?),
        other => Err(Error::invalid(format!(
            "language {other:?} is none of promql, logql, traceql; SQL has EXPLAIN at /sql"
        ))),
    }
}

fn instant(params: &Params, name: &str) -> Result<Option<i64>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let at_ns = time::parse_instant(text);
    at_ns.map(Some).ok_or_else(|| Error::invalid(format!("{name} {text:?} is no time")))
}

#[cfg(test)]
mod tests;
