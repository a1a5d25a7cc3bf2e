//! Times as people write them, and as they are shown.

use crate::config::parse_duration;

/// Reads `now`, `-1h`, `now-1h`, RFC 3339 (`2026-01-31T12:00:00Z`), a date, or Unix seconds.
pub(super) fn parse(text: &str, now_ns: i64) -> Result<i64, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(now_ns);
    }
    let relative = text.strip_prefix("now").unwrap_or(text);
    if let Some(ago) = relative.strip_prefix('-')
        && let Ok(ago) = parse_duration(ago)
    {
        let ago_ns = i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX);
        return Ok(now_ns.saturating_sub(ago_ns));
    }
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        return Ok((seconds * 1e9) as i64);
    }
    parse_rfc3339(text).ok_or_else(|| {
        format!("`{text}` is not a time such as now, -1h, 2026-01-31T12:00:00Z or Unix seconds")
    })
}

/// Writes a time as RFC 3339 in UTC, to the millisecond.
pub(super) fn format(time_ns: i64) -> String {
    schemas::model::rfc3339(time_ns).to_string()
}

/// RFC 3339 whose zone, or whose clock too, may be left out; then it is UTC.
fn parse_rfc3339(text: &str) -> Option<i64> {
    const DATE_BYTES: usize = "2026-01-31".len();
    let read = schemas::model::parse_rfc3339;
    match text.len() {
        DATE_BYTES => read(&format!("{text}T00:00:00Z")),
        _ => read(text).or_else(|| read(&format!("{text}Z"))),
    }
}

#[cfg(test)]
mod tests;
