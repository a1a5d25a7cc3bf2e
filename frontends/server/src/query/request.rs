//! What is asked of the server: path and parameters of the API that knows the language.

use std::time::Duration;

use super::times;
use crate::cli::{Language, QueryArgs};
use crate::config::parse_duration;

/// Points that a range query has if no step is given.
const POINTS_DEFAULT: i64 = 60;

/// How far back logs and traces are searched if no start is given.
const RANGE_DEFAULT_NS: i64 = 3600 * 1_000_000_000;

/// Functions that make a TraceQL query one of metrics.
const TRACE_METRICS: [&str; 9] = [
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
];

/// The shape of the answer's JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Of Prometheus and Loki: `data.resultType`, `data.result`.
    Results,
    /// Of a trace search: `traces`.
    Traces,
    /// Of TraceQL metrics: `series`.
    TraceSeries,
    /// Of SQL: rows.
    Rows,
}

/// A request to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Path below the server's URL.
    pub(super) path: &'static str,
    /// Parameters, sent as a form.
    pub(super) parameters: Vec<(&'static str, String)>,
    /// Whether parameters go into the body of a `POST` or into the URL of a `GET`.
    pub(super) post: bool,
    /// The shape of the answer.
    pub(super) form: Form,
}

/// The request for the arguments of the command.
pub(super) fn build(args: &QueryArgs, now_ns: i64) -> Result<Request, String> {
    let end_ns = times::parse(&args.end, now_ns)?;
    let start_ns = args.start.as_ref().map(|text| times::parse(text, now_ns)).transpose()?;
    if start_ns.is_some_and(|start_ns| start_ns > end_ns) {
        return Err("the start is after the end".to_owned());
    }
    let step = args.step.as_ref().map(|text| parse_duration(text)).transpose()?;
    if step.is_some_and(|step| step.is_zero()) {
        return Err("the step must be positive".to_owned());
    }
    match args.language {
        Language::Promql => Ok(promql(args, start_ns, end_ns, step)),
        Language::Logql => Ok(logql(args, start_ns, end_ns, step)),
        Language::Traceql => Ok(traceql(args, start_ns, end_ns, step)),
        Language::Sql => Ok(sql(args)),
    }
}

fn promql(args: &QueryArgs, start_ns: Option<i64>, end_ns: i64, step: Option<Duration>) -> Request {
    let query = ("query", args.query.clone());
    let Some(start_ns) = start_ns else {
        let parameters = vec![query, ("time", seconds(end_ns))];
        let path = "/prometheus/api/v1/query";
        return Request { path, parameters, post: true, form: Form::Results };
    };
    let step = step.unwrap_or_else(|| default_step(start_ns, end_ns));
    let parameters = vec![
        query,
        ("start", seconds(start_ns)),
        ("end", seconds(end_ns)),
        ("step", step.as_secs_f64().to_string()),
    ];
    Request { path: "/prometheus/api/v1/query_range", parameters, post: true, form: Form::Results }
}

fn logql(args: &QueryArgs, start_ns: Option<i64>, end_ns: i64, step: Option<Duration>) -> Request {
    let start_ns = start_ns.unwrap_or(end_ns - RANGE_DEFAULT_NS);
    let step = step.unwrap_or_else(|| default_step(start_ns, end_ns));
    let parameters = vec![
        ("query", args.query.clone()),
        ("start", start_ns.to_string()),
        ("end", end_ns.to_string()),
        ("limit", args.limit.to_string()),
        ("step", format!("{}ms", step.as_millis().max(1))),
        ("direction", "backward".to_owned()),
    ];
    let path = "/loki/loki/api/v1/query_range";
    Request { path, parameters, post: false, form: Form::Results }
}

fn traceql(
    args: &QueryArgs,
    start_ns: Option<i64>,
    end_ns: i64,
    step: Option<Duration>,
) -> Request {
    let start_ns = start_ns.unwrap_or(end_ns - RANGE_DEFAULT_NS);
    let whole_s = |time_ns: i64| time_ns.div_euclid(1_000_000_000);
    let mut parameters = vec![
        ("q", args.query.clone()),
        ("start", whole_s(start_ns).to_string()),
        // Rounded up, so that what has just arrived is found.
        ("end", (whole_s(end_ns) + 1).to_string()),
    ];
    if is_trace_metrics(&args.query) {
        let step = step.unwrap_or_else(|| default_step(start_ns, end_ns));
        parameters.push(("step", format!("{}s", step.as_secs().max(1))));
        let path = "/tempo/api/metrics/query_range";
        return Request { path, parameters, post: false, form: Form::TraceSeries };
    }
    parameters.push(("limit", args.limit.to_string()));
    Request { path: "/tempo/api/search", parameters, post: false, form: Form::Traces }
}

fn sql(args: &QueryArgs) -> Request {
    let parameters = vec![("query", args.query.clone()), ("format", "json".to_owned())];
    Request { path: "/sql", parameters, post: false, form: Form::Rows }
}

/// Whether a stage of the pipeline is a metrics function.
fn is_trace_metrics(query: &str) -> bool {
    query.split('|').skip(1).any(|stage| {
        let stage = stage.trim_start();
        TRACE_METRICS.iter().any(|name| {
            stage.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('('))
        })
    })
}

/// A step of whole seconds that makes about [`POINTS_DEFAULT`] points.
fn default_step(start_ns: i64, end_ns: i64) -> Duration {
    let seconds = (end_ns - start_ns) / 1_000_000_000 / POINTS_DEFAULT;
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0).max(1))
}

/// Unix seconds with milliseconds, exact as text.
fn seconds(time_ns: i64) -> String {
    let millis = time_ns.div_euclid(1_000_000);
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}

#[cfg(test)]
mod tests;
