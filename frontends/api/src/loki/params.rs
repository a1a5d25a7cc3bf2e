//! Parameters of Loki's endpoints, and their defaults.

use logql::Params as QueryParams;
use schemas::model::{Direction, NANOS_PER_SECOND, StepGrid, TimeRange, TimestampNs};

use crate::ApiOptions;
use crate::error::Error;
use crate::params::Params;
use crate::time::{parse_duration, parse_loki_instant};

/// How far back a range query looks that does not say.
const DEFAULT_RANGE_NS: i64 = 3_600 * NANOS_PER_SECOND;

/// Steps that a range query has at least if it does not say, as long as they are a second apart.
const DEFAULT_STEPS: i64 = 250;

/// The query; required.
pub(super) fn text(params: &Params) -> Result<&str, Error> {
    params.get("query").ok_or_else(|| Error::invalid("query is required"))
}

/// What an instant query is asked with.
pub(super) fn instant(
    params: &Params,
    options: &ApiOptions,
    now_ns: TimestampNs,
) -> Result<QueryParams, Error> {
    let at_ns = time(params, "time")?.unwrap_or(now_ns);
    Ok(QueryParams {
        range: TimeRange { start_ns: at_ns, end_ns: at_ns },
        grid: StepGrid::instant(at_ns),
        limit: limit(params, options, false)?,
        direction: direction(params)?,
    })
}

/// What a range query is asked with; `is_log` tells whether it returns log records.
pub(super) fn range(
    params: &Params,
    options: &ApiOptions,
    is_log: bool,
    now_ns: TimestampNs,
) -> Result<QueryParams, Error> {
    let range = bounds(params, now_ns, DEFAULT_RANGE_NS)?;
    if range.end_ns <= range.start_ns {
        return Err(Error::invalid("end timestamp must not be before or equal to start time"));
    }
    let length_ns = range.end_ns.saturating_sub(range.start_ns);
    let step_ns = match duration(params, "step")? {
        Some(step_ns) => step_ns,
        None => {
            let seconds = length_ns / DEFAULT_STEPS / NANOS_PER_SECOND;
            seconds.max(1) * NANOS_PER_SECOND
        }
    };
    if step_ns <= 0 {
        return Err(Error::invalid(
            "zero or negative query resolution step widths are not accepted. \
             Try a positive integer",
        ));
    }
    if duration(params, "interval")?.is_some_and(|interval| interval != 0) {
        return Err(Error::unsupported("parameter interval is not supported yet"));
    }
    let steps = length_ns / step_ns;
    // A log query has no steps; a client may send one all the same.
    if !is_log && steps > i64::from(options.steps_max) {
        return Err(Error::invalid(
            "exceeded maximum resolution of 11,000 points per time series. \
             Try increasing the value of the step parameter",
        ));
    }
    let steps = u32::try_from(steps + 1).unwrap_or(u32::MAX);
    Ok(QueryParams {
        range,
        grid: StepGrid { start_ns: range.start_ns, step_ns, steps },
        limit: limit(params, options, is_log)?,
        direction: direction(params)?,
    })
}

/// The time range of a request: `start` and `end`, or `since` before the end.
pub(super) fn bounds(
    params: &Params,
    now_ns: TimestampNs,
    default_ns: i64,
) -> Result<TimeRange, Error> {
    let end_ns = time(params, "end")?.unwrap_or(now_ns);
    let since_ns = duration(params, "since")?.unwrap_or(default_ns);
    let start_ns = match time(params, "start")? {
        Some(start_ns) => start_ns,
        // Looking back from an end in the future would miss what there is.
        None => end_ns.min(now_ns).saturating_sub(since_ns),
    };
    Ok(TimeRange { start_ns, end_ns })
}

fn limit(params: &Params, options: &ApiOptions, is_log: bool) -> Result<usize, Error> {
    let Some(count) = params.integer("limit")? else { return Ok(options.log_records_default) };
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        return Err(Error::invalid("limit must be a positive value"));
    }
    let max = options.log_records_max;
    if is_log && count > max {
        return Err(Error::limit(format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query \
             ({count} > {max})"
        )));
    }
    Ok(count)
}

fn direction(params: &Params) -> Result<Direction, Error> {
    match params.get("direction") {
        None => Ok(Direction::Backward),
        Some(text) if text.eq_ignore_ascii_case("backward") => Ok(Direction::Backward),
        Some(text) if text.eq_ignore_ascii_case("forward") => Ok(Direction::Forward),
        Some(text) => Err(Error::invalid(format!("invalid direction '{text}'"))),
    }
}

fn time(params: &Params, name: &str) -> Result<Option<TimestampNs>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match parse_loki_instant(text) {
        Some(instant) => Ok(Some(instant)),
        None => Err(Error::invalid(format!("could not parse {name:?}: {text:?} is no timestamp"))),
    }
}

pub(super) fn duration(params: &Params, name: &str) -> Result<Option<i64>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match parse_duration(text).or_else(|| schemas::model::parse_go_duration(text)) {
        Some(duration) => Ok(Some(duration)),
        None => Err(Error::invalid(format!("cannot parse {text:?} to a valid duration"))),
    }
}

#[cfg(test)]
mod tests;
