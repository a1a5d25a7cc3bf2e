//! What a search is asked with; the names and errors of parameters are Prometheus'.

use schemas::model::{NANOS_PER_MILLI, TimeRange};

use super::likeness::{Algorithm, Terms};
use crate::error::Error;
use crate::params::Params;
use crate::prometheus::params;
use crate::time;

/// Terms of a request: each is compared with every name.
const TERMS_MAX: usize = 32;

/// Characters of a term.
const TERM_CHARS_MAX: usize = 1_024;

/// Results if a request does not say, and results of a line.
const RESULTS_DEFAULT: usize = 100;

/// Results of a line that a request may ask for.
const BATCH_MAX: usize = 10_000;

/// How far back names are looked for if a request does not say.
const RANGE_DEFAULT_NS: i64 = 3_600 * 1_000 * NANOS_PER_MILLI;

/// The order of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
    /// The best score first, then by name.
    Best,
}

/// Parameters of a search.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) range: TimeRange,
    pub(super) terms: Terms,
    pub(super) order: Order,
    /// Results at most; positive.
    pub(super) limit: usize,
    /// Results of a line; positive.
    pub(super) batch: usize,
    pub(super) with_scores: bool,
}

impl Asked {
    /// Reads them; `endpoint` is named in errors, and nobody gets over `limit_max` results.
    pub(super) fn read(params: &Params, endpoint: &str, limit_max: usize) -> Result<Self, Error> {
        let range = range(params)?;
        let terms = terms(params)?;
        let with_scores = boolean(params, "include_score", false)?;
        let order = order(params, endpoint)?;
        let limit = match count(params, "limit")? {
            Some(limit) if limit > limit_max => {
                return Err(Error::invalid(format!(
                    "limit {limit} exceeds the configured maximum ({limit_max}, see \
                     promql.search_results_max)"
                )));
            }
            Some(limit) => limit,
            None => RESULTS_DEFAULT.min(limit_max),
        };
        let batch = count(params, "batch_size")?.unwrap_or(RESULTS_DEFAULT);
        if batch > BATCH_MAX {
            return Err(Error::invalid(format!("batch_size {batch} exceeds maximum {BATCH_MAX}")));
        }
        Ok(Self { range, terms, order, limit, batch, with_scores })
    }
}

fn range(params: &Params) -> Result<TimeRange, Error> {
    let now_ns = time::now_ns();
    let start_ns = params::instant(params, "start")?.unwrap_or(now_ns - RANGE_DEFAULT_NS);
    let end_ns = params::instant(params, "end")?.unwrap_or(now_ns);
    if end_ns < start_ns {
        return Err(Error::invalid("end timestamp must not be before start timestamp"));
    }
    Ok(TimeRange { start_ns, end_ns: end_ns.saturating_add(NANOS_PER_MILLI) })
}

fn terms(params: &Params) -> Result<Terms, Error> {
    let given = params.all("search[]").count();
    if given > TERMS_MAX {
        return Err(Error::invalid(format!(
            "too many search[] terms: got {given}, maximum is {TERMS_MAX}"
        )));
    }
    let is_case_sensitive = boolean(params, "case_sensitive", true)?;
    let mut terms = Vec::new();
    for text in params.all("search[]").filter(|text| !text.is_empty()) {
        let term: Vec<char> = match is_case_sensitive {
            true => text.chars().collect(),
            false => text.to_lowercase().chars().collect(),
        };
        if term.len() > TERM_CHARS_MAX {
            let message = format!("a search[] term has over {TERM_CHARS_MAX} characters");
            return Err(Error::invalid(message));
        }
        terms.push(term);
    }
    let threshold = match params.get("fuzz_threshold").map(|text| (text, text.parse::<u8>())) {
        None => 0.0,
        Some((_, Ok(percent))) if percent <= 100 => f64::from(percent) / 100.0,
        Some((text, _)) => {
            return Err(Error::invalid(format!("invalid fuzz_threshold {text:?}: must be 0-100")));
        }
    };
    let algorithm = match params.get("fuzz_alg") {
        None | Some("subsequence") => Algorithm::Subsequence,
        Some("jarowinkler") => Algorithm::JaroWinkler,
        Some(other) => {
            return Err(Error::invalid(format!(
                "unsupported fuzz_alg {other:?}: must be one of [subsequence jarowinkler]"
            )));
        }
    };
    Ok(Terms { terms, algorithm, threshold, is_case_sensitive })
}

fn order(params: &Params, endpoint: &str) -> Result<Order, Error> {
    let by = params.get("sort_by");
    let is_descending = match (params.get("sort_dir"), by) {
        (None, _) => false,
        (Some(_), None) => {
            return Err(Error::invalid("sort_dir is only valid when sort_by is set"));
        }
        (Some(_), Some("score")) => {
            return Err(Error::invalid("sort_dir is not supported for sort_by=score"));
        }
        (Some("asc"), _) => false,
        (Some("dsc"), _) => true,
        (Some(other), _) => {
            let why = format!("invalid sort_dir {other:?}: must be \"asc\" or \"dsc\"");
            return Err(Error::invalid(why));
        }
    };
    match by {
        None => Ok(Order::Ascending),
        Some("alpha") if is_descending => Ok(Order::Descending),
        Some("alpha") => Ok(Order::Ascending),
        Some("score") if params.all("search[]").next().is_none() => {
            Err(Error::invalid("sort_by=score requires search[] to be set"))
        }
        Some("score") => Ok(Order::Best),
        Some(other) => Err(Error::invalid(format!(
            "invalid sort_by {other:?} for {endpoint}: must be \"alpha\" or \"score\""
        ))),
    }
}

/// A number of results; absent and zero leave it to the server.
fn count(params: &Params, name: &str) -> Result<Option<usize>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match text.parse::<usize>() {
        Ok(count) => Ok((count > 0).then_some(count)),
        Err(_) => {
            let why = format!("invalid {name} {text:?}: must be non-negative integer");
            Err(Error::invalid(why))
        }
    }
}

/// A truth.
pub(super) fn boolean(params: &Params, name: &str, default: bool) -> Result<bool, Error> {
    let Some(text) = params.get(name) else { return Ok(default) };
    let why = |_| Error::invalid(format!("invalid {name} {text:?}: must be boolean"));
    params::boolean(text).map_err(why)
}

#[cfg(test)]
mod tests;
