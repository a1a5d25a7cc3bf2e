//! Parameters of Tempo's endpoints; times in seconds become nanoseconds here.

use schemas::model::{NANOS_PER_SECOND, TimeRange, TimestampNs, parse_go_duration};

use crate::ApiOptions;
use crate::error::Error;
use crate::params::Params;
use crate::time::{INSTANT_MAX_NS, parse_instant};

/// What a search is asked with.
#[derive(Debug)]
pub(super) struct SearchParams {
    pub(super) what: What,
    /// When spans must have started, and how many traces are wanted.
    pub(super) traceql: traceql::Params,
    /// Spans of each trace that are returned at most.
    pub(super) spans_per_spanset: usize,
}

/// What is searched for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A TraceQL query.
    Query(String),
    /// A search by tags.
    Tags(Tags),
}

/// Tags with texts that their values contain, and bounds of the duration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) tags: Vec<(String, String)>,
    pub(super) min_duration_ns: Option<i64>,
    pub(super) max_duration_ns: Option<i64>,
}

/// Parameters that are not tags, if tags stand for themselves.
const RESERVED: [&str; 8] =
    ["q", "tags", "minDuration", "maxDuration", "limit", "start", "end", "spss"];

impl SearchParams {
    pub(super) fn read(
        params: &Params,
        options: &ApiOptions,
        now_ns: TimestampNs,
    ) -> Result<Self, Error> {
        let what = what(params)?;
        let limit = count(params, "limit")?.unwrap_or(options.traces_default);
        if limit == 0 {
            return Err(Error::invalid("invalid limit: must be a positive number"));
        }
        if limit > options.traces_max {
            let max = options.traces_max;
            return Err(Error::invalid(format!("limit {limit} exceeds the limit of {max} traces")));
        }
        let spans_per_spanset = match count(params, "spss")? {
            None | Some(0) => options.spans_per_spanset_default,
            Some(count) => count,
        };
        let range = range(params, options, now_ns)?;
        Ok(Self { what, traceql: traceql::Params { range, limit }, spans_per_spanset })
    }
}

fn what(params: &Params) -> Result<What, Error> {
    if let Some(text) = params.get("q") {
        if params.get("tags").is_some() {
            return Err(Error::invalid(
                "invalid request: can't specify tags and q in the same query",
            ));
        }
        return Ok(What::Query(text.to_owned()));
    }
    let tags = match params.get("tags") {
        Some(text) => parse_tags(text)?,
        None => {
            let others = params.iter().filter(|(name, _)| !RESERVED.contains(name));
            others.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        }
    };
    let min_duration_ns = duration(params, "minDuration")?;
    let max_duration_ns = duration(params, "maxDuration")?;
    if let (Some(min), Some(max)) = (min_duration_ns, max_duration_ns)
        && max <= min
    {
        return Err(Error::invalid("invalid maxDuration: must be greater than minDuration"));
    }
    if tags.is_empty() && min_duration_ns.is_none() && max_duration_ns.is_none() {
        return Ok(What::Query("{}".to_owned()));
    }
    Ok(What::Tags(Tags { tags, min_duration_ns, max_duration_ns }))
}

/// Tags in logfmt: `a=b c="d e"`.
fn parse_tags(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut tags = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, behind) = rest.split_at(end);
        let refused = || Error::invalid(format!("invalid tags {text:?}: expected key=value"));
        let behind = behind.strip_prefix('=').ok_or_else(refused)?;
        if key.is_empty() {
            return Err(refused());
        }
        let (value, behind) = if behind.starts_with('"') {
            quoted(behind).ok_or_else(refused)?
        } else {
            let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
            (behind[..end].to_owned(), &behind[end..])
        };
        tags.push((key.to_owned(), value));
        rest = behind.trim_start();
    }
    Ok(tags)
}

/// A quoted text with `\"` and `\\`, and what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                c => value.push(c),
            },
            c => value.push(c),
        }
    }
    None
}

/// The time range of a request; without bounds it reaches back from now by a default.
pub(super) fn range(
    params: &Params,
    options: &ApiOptions,
    now_ns: TimestampNs,
) -> Result<TimeRange, Error> {
    let default_ns = i64::try_from(options.metadata_range.as_nanos()).unwrap_or(i64::MAX);
    let end = seconds(params, "end")?;
    // Ends are whole seconds; all of the last one belongs to the range.
    let end_ns = end.map_or(now_ns, |end_ns| end_ns.saturating_add(NANOS_PER_SECOND));
    let start_ns = match seconds(params, "start")? {
        Some(start_ns) => start_ns,
        None => end_ns.saturating_sub(default_ns),
    };
    if start_ns >= end_ns {
        return Err(Error::invalid("invalid start: must be before end"));
    }
    Ok(TimeRange { start_ns, end_ns })
}

/// The time range in which a trace is looked for; without bounds, all time.
pub(super) fn trace_range(params: &Params) -> Result<TimeRange, Error> {
    let start_ns = seconds(params, "start")?.unwrap_or(-INSTANT_MAX_NS);
    let end_ns = seconds(params, "end")?.unwrap_or(INSTANT_MAX_NS);
    Ok(TimeRange { start_ns, end_ns: end_ns.saturating_add(NANOS_PER_SECOND) })
}

/// A time; zero counts as absent.
fn seconds(params: &Params, name: &str) -> Result<Option<TimestampNs>, Error> {
    match params.get(name) {
        None | Some("0") => Ok(None),
        Some(text) => match parse_instant(text) {
            Some(instant) => Ok(Some(instant)),
            None => Err(Error::invalid(format!("invalid {name}: {text:?} is no time"))),
        },
    }
}

fn duration(params: &Params, name: &str) -> Result<Option<i64>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match parse_go_duration(text) {
        Some(duration) => Ok(Some(duration)),
        None => Err(Error::invalid(format!("invalid {name}: {text:?} is no duration"))),
    }
}

/// A count; `None` if the parameter is absent.
pub(super) fn count(params: &Params, name: &str) -> Result<Option<usize>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match text.parse() {
        Ok(count) => Ok(Some(count)),
        Err(_) => Err(Error::invalid(format!("invalid {name}: {text:?} is no count"))),
    }
}

/// A trace id of at most 32 hex digits, padded with zeros on the left.
pub(super) fn trace_id(text: &str) -> Result<[u8; 16], Error> {
    let refused = |why| Error::invalid(format!("trace IDs {why}: {text:?}"));
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refused("can only contain hex characters"));
    }
    let digits = text.trim_start_matches('0');
    if digits.len() > 32 {
        return Err(refused("can't be larger than 128 bits"));
    }
    let mut id = [0; 16];
    hex::decode_to_slice(format!("{digits:0>32}"), &mut id)
        .map_err(|_| refused("can only contain hex characters"))?;
    Ok(id)
}

#[cfg(test)]
mod tests;
