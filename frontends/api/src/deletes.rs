//! Deleting, whatever the signal: our own API.
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/v1/deletes` `signal, query, start, end` | 201 and the request |
//! | `GET /api/v1/deletes` | all requests of the tenant |
//! | `GET /api/v1/deletes/{number}` | one with its report |
//! | `DELETE /api/v1/deletes/{number}` | 204; 404, or 409 once rows may be gone |
//! | `GET /api/v1/retention` | what retention would take away now |
//! | `POST /api/v1/flush` | 204 when everything in memory is in segments |
//!
//! `query` is a selector of PromQL, a log query of LogQL with line and label filters, or a spanset
//! filter of TraceQL, by `signal` (`metrics`, `logs`, `traces`). `start` and `end` are instants as
//! in the Prometheus API; without them all times are meant. `now=true` makes the request final:
//! it cannot be cancelled and work begins at once. Times in answers are milliseconds since 1970,
//! ranges nanoseconds. Changing anything needs the switch `api.admin`.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use exec::{Cancelling, DeletePhase, DeleteReport, DeleteSpec, DeleteState, RowSelector};
use plan::node::Query;
use schemas::model::{Signal, StepGrid, TimeRange};

use crate::Api;
use crate::error::{Answered, Error, ErrorKind};
use crate::json::{write_key, write_text};
use crate::params::{Call, Params};
use crate::respond::json;
use crate::sql::Sql;
use crate::time::{now_ns, parse_instant};

type Ask = Call<Sql>;
type Answer = Answered<Sql>;

pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/api/v1/deletes", get(list).post(create))
        .route("/api/v1/deletes/{number}", get(show).delete(cancel))
        .route("/api/v1/retention", get(retention))
        .route("/api/v1/flush", post(flush))
        .layer(axum::extract::DefaultBodyLimit::max(api.options.body_bytes_max))
        .with_state(api)
}

/// Refuses what only an operator may do.
fn check_admin(ask: &Ask) -> Result<(), Error> {
    if ask.options.admin {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unavailable, "admin APIs disabled (api.admin)"))
}

async fn create(ask: Ask) -> Answer {
    check_admin(&ask)?;
    let spec = spec(&ask)?;
    let request = ask.api.session.delete(spec).await?;
    if !request.spec.is_cancellable {
        ask.api.session.work_deletes().await?;
    }
    let state = DeleteState { request, phase: DeletePhase::Masked };
    Ok((StatusCode::CREATED, json(one(&state, None))).into_response())
}

fn spec(ask: &Ask) -> Result<DeleteSpec, Error> {
    let signal = ask.params.get("signal").unwrap_or_default();
    let signal = Signal::ALL
        .into_iter()
        .find(|it| it.name() == signal)
        .ok_or_else(|| Error::invalid_parameter("signal", "must be metrics, logs or traces"))?;
    let text = ask.params.get("query").ok_or_else(|| Error::invalid("query is required"))?;
    Ok(DeleteSpec {
        tenant: ask.tenant.as_str().into(),
        signal,
        selectors: selectors(signal, text)?,
        range: TimeRange {
            start_ns: instant(&ask.params, "start")?.unwrap_or(i64::MIN),
            end_ns: instant(&ask.params, "end")?.unwrap_or(i64::MAX),
        },
        is_cancellable: ask.params.get("now") != Some("true"),
        query: text.to_owned(),
    })
}

fn instant(params: &Params, name: &str) -> Result<Option<i64>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let refused = || Error::invalid_parameter(name, format_args!("{text:?} is no timestamp"));
    parse_instant(text).map(Some).ok_or_else(refused)
}

/// The selectors of a query in the language of a signal.
pub(crate) fn selectors(signal: Signal, text: &str) -> Result<Vec<RowSelector>, Error> {
    let query: Query = match signal {
        Signal::Metrics => {
            let matchers = promql::selector(text)?;
            return Ok(vec![RowSelector { matchers, conditions: Vec::new() }]);
        }
        Signal::Logs => {
            if !logql::is_log_query(text)? {
                return Err(Error::invalid("a query of series deletes nothing"));
            }
            let params = logql::Params {
                range: TimeRange::ALL,
                grid: StepGrid::instant(0),
                limit: 1,
                direction: schemas::model::Direction::Backward,
            };
            logql::query(text, &params)?
        }
        Signal::Traces => {
            traceql::search(text, &traceql::Params { range: TimeRange::ALL, limit: 1 })?
        }
    };
    let (_, selectors) = exec::covers(&query.root).map_err(|error| {
        let kind = match error.kind() {
            exec::ErrorKind::Limit => ErrorKind::Limit,
            _ => ErrorKind::Invalid,
        };
        Error::new(kind, error.to_string())
    })?;
    Ok(selectors)
}

async fn list(ask: Ask) -> Answer {
    let mut out = "[".to_owned();
    for (at, state) in ask.api.session.delete_requests(&ask.tenant).iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&one(state, None));
    }
    out.push(']');
    Ok(json(out))
}

async fn show(Path(number): Path<String>, ask: Ask) -> Answer {
    let found = match number.parse() {
        Ok(number) => ask.api.session.delete_report(&ask.tenant, number).await?,
        Err(_) => None,
    };
    let report = found.ok_or_else(|| Error::not_found(unknown(&number)))?;
    Ok(json(one(&report.state, Some(&report))))
}

async fn cancel(Path(number): Path<String>, ask: Ask) -> Answer {
    check_admin(&ask)?;
    let cancelling = match number.parse() {
        Ok(number) => ask.api.session.cancel_delete(&ask.tenant, number).await?,
        Err(_) => Cancelling::Unknown,
    };
    match cancelling {
        Cancelling::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        Cancelling::Unknown => Err(Error::not_found(unknown(&number)).into()),
        Cancelling::TooLate => {
            let message = "the request cannot be cancelled any more: rows may be gone\n";
            Ok((StatusCode::CONFLICT, message).into_response())
        }
    }
}

fn unknown(number: &str) -> String {
    format!("no delete request has the number {number:?}")
}

async fn retention(ask: Ask) -> Answer {
    let plan = ask.api.session.retention_plan();
    let mut out = "{".to_owned();
    for (name, segments) in [("dropped", &plan.dropped), ("rewritten", &plan.rewritten)] {
        if out.len() > 1 {
            out.push(',');
        }
        write_key(&mut out, name);
        out.push('[');
        let of_tenant = segments.iter().filter(|(_, it)| it.tenant.as_ref() == ask.tenant);
        for (at, (table, segment)) in of_tenant.enumerate() {
            out.push_str(if at > 0 { ",{" } else { "{" });
            write_key(&mut out, "table");
            write_text(&mut out, table.name());
            out.push_str(",\"path\":");
            write_text(&mut out, &segment.path);
            out.push_str(&format!(",\"rows\":{},\"bytes\":{}}}", segment.rows, segment.bytes));
        }
        out.push(']');
    }
    out.push('}');
    Ok(json(out))
}

async fn flush(ask: Ask) -> Answer {
    check_admin(&ask)?;
    ask.api.session.flush().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A request as JSON, with its report if there is one.
fn one(state: &DeleteState, report: Option<&DeleteReport>) -> String {
    let request = &state.request;
    let spec = &request.spec;
    let mut out = format!("{{\"number\":{},\"tenant\":", request.number);
    write_text(&mut out, &spec.tenant);
    out.push_str(&format!(",\"signal\":\"{}\",\"query\":", spec.signal));
    write_text(&mut out, &spec.query);
    let is_late = matches!(state.phase, DeletePhase::Masked | DeletePhase::Rewritten)
        && now_ns() / 1_000_000 > request.deadline_ms;
    out.push_str(&format!(
        ",\"start_ns\":{},\"end_ns\":{},\"state\":\"{}\",\"created_ms\":{},\
         \"cancel_until_ms\":{},\"deadline_ms\":{},\"is_late\":{is_late}",
        spec.range.start_ns,
        spec.range.end_ns,
        state.phase.name(),
        request.created_ms,
        request.cancel_until_ms,
        request.deadline_ms,
    ));
    if let Some(report) = report {
        write_report(&mut out, report);
    }
    out.push('}');
    out
}

fn write_report(out: &mut String, report: &DeleteReport) {
    let sum = |of: fn(&exec::Replaced) -> u64| report.replaced.iter().map(of).sum::<u64>();
    let time = |time: Option<i64>| time.map_or("null".to_owned(), |time| time.to_string());
    out.push_str(&format!(
        ",\"segments\":{},\"rows\":{},\"bytes\":{},\"waiting_segments\":{},\
         \"rewritten_ms\":{},\"gone_ms\":{},\"objects\":[",
        report.replaced.len(),
        sum(|it| it.rows),
        sum(|it| it.bytes),
        report.waiting,
        time(report.rewritten_ms),
        time(report.gone_ms),
    ));
    for (at, object) in report.replaced.iter().enumerate() {
        out.push_str(if at > 0 { ",{" } else { "{" });
        write_key(out, "path");
        write_text(out, &object.path);
        let (rows, bytes, is_there) = (object.rows, object.bytes, object.is_there);
        out.push_str(&format!(",\"rows\":{rows},\"bytes\":{bytes},\"is_there\":{is_there}}}"));
    }
    out.push(']');
}
