//! Parameters of Prometheus' endpoints; times in seconds become nanoseconds here.

use std::fmt;
use std::time::Duration;

use schemas::model::{NANOS_PER_MILLI, StepGrid, TimeRange, TimestampNs};

use crate::ApiOptions;
use crate::error::{Error, ErrorKind};
use crate::params::Params;
use crate::time::{INSTANT_MAX_NS, parse_duration, parse_instant};

/// The bits of the NaN that marks the end of a series.
pub(super) const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// What both kinds of PromQL queries are asked with.
#[derive(Debug)]
pub(super) struct QueryParams<'a> {
    /// The query; an empty text is left to the parser to refuse.
    pub(super) text: &'a str,
    /// Series that are returned at most; `None` is all.
    pub(super) limit: Option<usize>,
    /// Shorter than the API's own timeout or without effect.
    pub(super) timeout: Option<Duration>,
    /// Whether the answer carries statistics.
    pub(super) stats: bool,
    /// Whether they were asked for by a word that Prometheus means to refuse one day.
    has_odd_stats: bool,
    pub(super) options: promql::Options,
}

impl<'a> QueryParams<'a> {
    pub(super) fn read(params: &'a Params, options: &ApiOptions) -> Result<Self, Error> {
        let timeout = duration(params, "timeout")?;
        let lookback = match params.get("lookback_delta").map(|text| (text, parse_duration(text))) {
            None => options.lookback,
            Some((_, Some(nanos))) if nanos > 0 => Duration::from_nanos(nanos.unsigned_abs()),
            Some((_, Some(_))) => options.lookback,
            Some((text, None)) => {
                return Err(Error::invalid(format!(
                    "error parsing lookback delta duration: \
                     cannot parse {text:?} to a valid duration"
                )));
            }
        };
        Ok(Self {
            text: params.get("query").unwrap_or_default(),
            limit: limit(params)?,
            timeout,
            stats: params.get("stats").is_some(),
            has_odd_stats: params.get("stats").is_some_and(|text| !matches!(text, "true" | "all")),
            options: promql::Options {
                lookback_ns: i64::try_from(lookback.as_nanos()).unwrap_or(i64::MAX),
                delayed_name_removal: options.delayed_name_removal,
                start_times: options.promql_start_times,
                ..promql::Options::default()
            },
        })
    }
}

impl QueryParams<'_> {
    /// What the answer should warn of.
    pub(super) fn warning(&self) -> Option<&'static str> {
        self.has_odd_stats.then_some(
            "values of the parameter \"stats\" other than \"true\" and \"all\" are deprecated",
        )
    }
}

/// How many results are wanted; absent and zero stand for all.
pub(super) fn limit(params: &Params) -> Result<Option<usize>, Error> {
    let Some(text) = params.get("limit") else { return Ok(None) };
    match text.parse::<i64>().map(usize::try_from) {
        Ok(Ok(0)) => Ok(None),
        Ok(Ok(count)) => Ok(Some(count)),
        Ok(Err(_)) => Err(Error::invalid_parameter("limit", "limit must be non-negative")),
        // In the words of Go's library, which Prometheus passes on.
        Err(_) => Err(Error::invalid_parameter(
            "limit",
            format_args!("strconv.Atoi: parsing {text:?}: invalid syntax"),
        )),
    }
}

/// A time; `None` if the parameter is absent.
pub(super) fn instant(params: &Params, name: &str) -> Result<Option<TimestampNs>, Error> {
    instant_or(params, name, format_args!("Invalid time value for '{name}': "))
}

/// The same; `before` opens the error.
fn instant_or(
    params: &Params,
    name: &str,
    before: fmt::Arguments<'_>,
) -> Result<Option<TimestampNs>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match parse_instant(text) {
        Some(instant) => Ok(Some(instant)),
        None => Err(Error::invalid_parameter(
            name,
            format_args!("{before}cannot parse {text:?} to a valid timestamp"),
        )),
    }
}

/// A length of time; `None` if the parameter is absent.
fn duration(params: &Params, name: &str) -> Result<Option<Duration>, Error> {
    let nanos = duration_ns(params, name)?;
    let length = |nanos| u64::try_from(nanos).map(Duration::from_nanos);
    nanos.map(length).transpose().map_err(|_| Error::invalid_parameter(name, "it is negative"))
}

fn duration_ns(params: &Params, name: &str) -> Result<Option<i64>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match parse_duration(text) {
        Some(duration) => Ok(Some(duration)),
        None => Err(Error::invalid_parameter(
            name,
            format_args!("cannot parse {text:?} to a valid duration"),
        )),
    }
}

/// A truth, as Go's library reads it.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        // In the words of Go's library, which Prometheus passes on.
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// The steps of a range query.
pub(super) fn grid(params: &Params, steps_max: u32) -> Result<StepGrid, Error> {
    let required = |name: &str, value: Option<i64>| {
        let why = match name {
            "step" => "cannot parse \"\" to a valid duration",
            _ => "cannot parse \"\" to a valid timestamp",
        };
        value.ok_or_else(|| Error::invalid_parameter(name, why))
    };
    let start_ns = required("start", instant_or(params, "start", format_args!(""))?)?;
    let end_ns = required("end", instant_or(params, "end", format_args!(""))?)?;
    if end_ns < start_ns {
        let why = "end timestamp must not be before start time";
        return Err(Error::invalid_parameter("end", why));
    }
    let step_ns = required("step", duration_ns(params, "step")?)?;
    if step_ns <= 0 {
        let why = "zero or negative query resolution step widths are not accepted. \
                   Try a positive integer";
        return Err(Error::invalid_parameter("step", why));
    }
    // The ends of time lie further apart than 64 bits of nanoseconds can tell.
    let intervals = (i128::from(end_ns) - i128::from(start_ns)) / i128::from(step_ns);
    if intervals > i128::from(steps_max) {
        return Err(Error::invalid(format!(
            "exceeded maximum resolution of {} points per timeseries. \
             Try decreasing the query resolution (?step=XX)",
            thousands(steps_max)
        )));
    }
    let steps = u32::try_from(intervals + 1).unwrap_or(u32::MAX);
    Ok(StepGrid { start_ns, step_ns, steps })
}

/// `11,000`
fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The range of a metadata question; what is absent reaches to the end of time. An end before
/// the start makes it empty.
pub(super) fn range(params: &Params) -> Result<TimeRange, Error> {
    let start_ns = instant(params, "start")?.unwrap_or(-INSTANT_MAX_NS);
    let end_ns = instant(params, "end")?.unwrap_or(INSTANT_MAX_NS);
    if end_ns < start_ns {
        return Ok(TimeRange { start_ns, end_ns: start_ns });
    }
    // Both ends belong to Prometheus' ranges, and its times are whole milliseconds.
    Ok(TimeRange { start_ns, end_ns: end_ns + NANOS_PER_MILLI })
}

/// An error of a query's text, as Prometheus words it.
pub(super) fn query_error(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Invalid => error.context("invalid parameter \"query\": "),
        _ => error,
    }
}

/// The name of a label that stands in a path: `U__` opens one whose odd characters are escaped.
pub(super) fn label_name(text: &str) -> Result<String, Error> {
    let name = match text.strip_prefix("U__") {
        Some(escaped) => unescape(escaped).unwrap_or_else(|| text.to_owned()),
        None => text.to_owned(),
    };
    if name.is_empty() {
        return Err(Error::invalid(format!("invalid label name: {name:?}")));
    }
    Ok(name)
}

/// `__` is an underscore, `_2e_` the character of that number; `None` if neither.
fn unescape(escaped: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        name.push_str(&rest[..at]);
        let (code, behind) = rest[at + 1..].split_once('_')?;
        if code.is_empty() {
            name.push('_');
        } else {
            name.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        }
        rest = behind;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests;
