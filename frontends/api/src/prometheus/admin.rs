//! The admin API: deleting series. Off unless the operator switches it on.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use exec::{DeleteSpec, RowSelector};
use schemas::model::{Signal, TimeRange};

use super::metadata::selectors;
use super::{Answer, Ask, params};
use crate::error::{Error, ErrorKind};

/// Hides what the selectors of `match[]` select between `start` and `end`, at once and for good.
pub(super) async fn delete_series(ask: Ask) -> Answer {
    if !ask.options.admin {
        return Ok(disabled());
    }
    if ask.params.all("match[]").next().is_none() {
        return Err(Error::invalid("no match[] parameter provided").into());
    }
    let start_ns = params::instant(&ask.params, "start")?.unwrap_or(i64::MIN);
    // Both ends belong to the range here, to the millisecond.
    let end_ns = params::instant(&ask.params, "end")?;
    let end_ns = end_ns.map_or(i64::MAX, |end_ns| end_ns.saturating_add(1));
    let selectors = selectors(&ask)?;
    let texts: Vec<&str> = ask.params.all("match[]").collect();
    let to_rows = |matchers| RowSelector { matchers, conditions: Vec::new() };
    let spec = DeleteSpec {
        tenant: ask.tenant.as_str().into(),
        signal: Signal::Metrics,
        selectors: selectors.into_iter().map(to_rows).collect(),
        range: TimeRange { start_ns, end_ns },
        is_cancellable: false,
        query: texts.join(" or "),
    };
    ask.api.session.delete(spec).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes away from the disk what was deleted.
pub(super) async fn clean_tombstones(ask: Ask) -> Answer {
    if !ask.options.admin {
        return Ok(disabled());
    }
    ask.api.session.work_deletes().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn disabled() -> Response {
    <super::Prometheus as crate::error::Dialect>::answer(&Error::new(
        ErrorKind::Unavailable,
        "admin APIs disabled",
    ))
}
