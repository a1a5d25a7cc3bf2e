//! Loki's delete API: requests by log query and time range.
//!
//! The id of a request is its number. What Loki calls `received` is hidden from queries, and
//! `processed` is gone from the live segments.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use exec::{Cancelling, DeletePhase, DeleteSpec};
use schemas::model::{NANOS_PER_SECOND, Signal, TimeRange};

use super::{Answer, Ask};
use crate::deletes::selectors;
use crate::error::Error;
use crate::json::write_text;
use crate::respond::json;
use crate::time::{now_ns, parse_loki_instant};

/// The header that tells the id of a new request.
const ID_HEADER: &str = "x-delete-request-id";

pub(super) async fn create(ask: Ask) -> Answer {
    let Some(query) = ask.params.get("query") else {
        return Err(Error::invalid("query not set").into());
    };
    let now_ns = now_ns();
    let start_ns = match ask.params.get("start") {
        None => return Err(Error::invalid("start time not set").into()),
        Some(text) => instant("start", text)?,
    };
    let end_ns = match ask.params.get("end") {
        None => now_ns,
        Some(text) => instant("end", text)?,
    };
    // A second of grace: times come in seconds, rounded up by some.
    if start_ns > now_ns || end_ns > now_ns.saturating_add(NANOS_PER_SECOND) {
        return Err(Error::invalid("deletes in the future are not allowed").into());
    }
    if start_ns >= end_ns {
        let message = "start time can't be greater than or equal to end time";
        return Err(Error::invalid(message).into());
    }
    let spec = DeleteSpec {
        tenant: ask.tenant.as_str().into(),
        signal: Signal::Logs,
        selectors: selectors(Signal::Logs, query)?,
        range: TimeRange { start_ns, end_ns },
        is_cancellable: true,
        query: query.to_owned(),
    };
    let request = ask.api.session.delete(spec).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(ID_HEADER, HeaderValue::from(request.number));
    Ok(response)
}

fn instant(name: &str, text: &str) -> Result<i64, Error> {
    parse_loki_instant(text).ok_or_else(|| {
        Error::invalid(format!("invalid {name} time: require unix seconds or RFC3339 format"))
    })
}

pub(super) async fn list(ask: Ask) -> Answer {
    let mut out = "[".to_owned();
    let all = ask.api.session.delete_requests(&ask.tenant);
    let of_logs = all.iter().filter(|it| it.request.spec.signal == Signal::Logs);
    for state in of_logs.filter(|it| it.phase != DeletePhase::Cancelled) {
        let request = &state.request;
        let status = match state.phase {
            DeletePhase::Masked | DeletePhase::Cancelled => "received",
            DeletePhase::Rewritten | DeletePhase::Gone => "processed",
        };
        let seconds = |time_ns: i64| time_ns.div_euclid(NANOS_PER_SECOND);
        // A range without an end was asked for up to the moment of the request.
        let end_s = match request.spec.range.end_ns {
            i64::MAX => request.created_ms / 1_000,
            end_ns => seconds(end_ns),
        };
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&format!(
            "{{\"request_id\":\"{}\",\"start_time\":{},\"end_time\":{end_s},\"query\":",
            request.number,
            seconds(request.spec.range.start_ns)
        ));
        write_text(&mut out, &request.spec.query);
        let (whole, rest) = (request.created_ms / 1_000, request.created_ms % 1_000);
        out.push_str(&format!(
            ",\"status\":\"{status}\",\"created_at\":{whole}.{rest:03},\"user_id\":"
        ));
        write_text(&mut out, &ask.tenant);
        out.push('}');
    }
    out.push(']');
    Ok(json(out))
}

pub(super) async fn cancel(ask: Ask) -> Answer {
    let Some(id) = ask.params.get("request_id") else {
        return Err(Error::invalid("request_id not set").into());
    };
    let cancelling = match id.parse() {
        Ok(number) => ask.api.session.cancel_delete(&ask.tenant, number).await?,
        Err(_) => Cancelling::Unknown,
    };
    match cancelling {
        Cancelling::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        Cancelling::Unknown => {
            Err(Error::not_found("could not find delete request with given id").into())
        }
        Cancelling::TooLate => Err(Error::invalid(
            "deletion of request past the deadline of its cancellation is not allowed",
        )
        .into()),
    }
}

/// Clients ask it to tell whether cached results are stale; deletes are seen at once here.
pub(super) async fn generation() -> Response {
    json("{\"results_cache\":\"\",\"store\":\"\"}".to_owned())
}
