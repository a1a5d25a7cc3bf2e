//! The admin API: deleting series, and copies of the lake beside it. Off unless the operator
//! switches it on.

use std::hash::{BuildHasher, RandomState};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use exec::{DeleteSpec, RowSelector};
use schemas::model::{Signal, TimeRange, TimestampNs, rfc3339};

use super::encode::{self, success};
use super::metadata::selectors;
use super::{Answer, Ask, params};
use crate::error::Error;
use crate::json::{write_key, write_text};
use crate::respond::json;
use crate::time::now_ns;

/// What the admin API says while it is off.
const OFF: &str = "admin APIs disabled";

/// Hides what the selectors of `match[]` select between `start` and `end`, at once and for good.
pub(super) async fn delete_series(ask: Ask) -> Answer {
    if !ask.options.admin {
        return Ok(disabled(OFF));
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
        return Ok(disabled(OFF));
    }
    ask.api.session.work_deletes().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Copies the lake into a folder `snapshots` of the data folder: a backup, as `siglake backup`
/// makes it. What is in memory only is flushed before, unless `skip_head` says no.
pub(super) async fn snapshot(ask: Ask) -> Answer {
    if !ask.options.admin {
        return Ok(disabled(OFF));
    }
    let skip_head = match ask.params.get("skip_head").map(params::boolean) {
        None => false,
        Some(Ok(skip_head)) => skip_head,
        Some(Err(why)) => {
            let why = format_args!("unable to parse boolean: {why}");
            return Err(Error::invalid_parameter("skip_head", why).into());
        }
    };
    if !skip_head {
        ask.api.session.flush().await?;
    }
    let name = snapshot_name(now_ns(), RandomState::new().hash_one(0));
    ask.api.session.keep_snapshot(&name).await?;
    let mut data = "{".to_owned();
    write_key(&mut data, "name");
    write_text(&mut data, &name);
    data.push('}');
    Ok(json(success(&data)))
}

/// `20260102T030405Z-0123456789abcdef`
fn snapshot_name(now_ns: TimestampNs, random: u64) -> String {
    let time = rfc3339(now_ns).to_string();
    let seconds = time.split('.').next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z-{random:016x}")
}

/// What is switched off: Prometheus has no status of its own for that.
pub(super) fn disabled(why: &str) -> Response {
    let mut response = json(encode::error("unavailable", why));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

#[cfg(test)]
mod tests;
