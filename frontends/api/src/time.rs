//! Times and durations as requests write them, and as answers do.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use schemas::model::{NANOS_PER_DAY, NANOS_PER_MILLI, NANOS_PER_SECOND, StepGrid, TimestampNs};

use crate::json::{push_text_of, push_whole};

/// The last instant that is told apart, in 2255; later ones are read as this one, and those
/// before its negative as that. Offsets and windows of seven years still fit behind it.
pub(crate) const INSTANT_MAX_NS: i64 = 9_000_000_000_000_000_000;

/// The clock, read once a request.
pub(crate) fn now_ns() -> TimestampNs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(INSTANT_MAX_NS)
}

/// Unix seconds with a fraction, rounded to milliseconds, or RFC 3339.
pub(crate) fn parse_instant(text: &str) -> Option<TimestampNs> {
    if let Ok(seconds) = text.parse::<f64>() {
        return from_seconds(seconds);
    }
    // What clients of Go's Prometheus library send for the ends of time.
    match text {
        "-292273086-05-16T16:47:06Z" => Some(-INSTANT_MAX_NS),
        "292277025-08-18T07:12:54.999999999Z" => Some(INSTANT_MAX_NS),
        _ => parse_rfc3339(text),
    }
}

/// Loki's times: seconds with a point, up to ten digits of seconds, more digits of nanoseconds,
/// or RFC 3339.
pub(crate) fn parse_loki_instant(text: &str) -> Option<TimestampNs> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        return from_seconds(seconds);
    }
    match text.parse::<i64>() {
        Ok(seconds) if text.len() <= 10 => {
            Some(seconds.saturating_mul(NANOS_PER_SECOND).clamp(-INSTANT_MAX_NS, INSTANT_MAX_NS))
        }
        Ok(nanos) => Some(nanos.clamp(-INSTANT_MAX_NS, INSTANT_MAX_NS)),
        Err(_) => parse_rfc3339(text),
    }
}

fn from_seconds(seconds: f64) -> Option<TimestampNs> {
    if seconds.is_nan() {
        return None;
    }
    let millis = (seconds * 1e3).round() as i64;
    let nanos = millis.saturating_mul(NANOS_PER_MILLI);
    Some(nanos.clamp(-INSTANT_MAX_NS, INSTANT_MAX_NS))
}

/// Within the instants that are told apart.
fn parse_rfc3339(text: &str) -> Option<TimestampNs> {
    let time_ns = schemas::model::parse_rfc3339(text)?;
    Some(time_ns.clamp(-INSTANT_MAX_NS, INSTANT_MAX_NS))
}

/// A duration in nanoseconds: seconds with a fraction, or Prometheus' form such as `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let Ok(seconds) = text.parse::<f64>() else { return parse_units(text) };
    let nanos = seconds * 1e9;
    (nanos.is_finite() && nanos.abs() < i64::MAX as f64).then_some(nanos.round() as i64)
}

/// Units of Prometheus' durations, which must stand in this order, in nanoseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * NANOS_PER_DAY),
    ("w", 7 * NANOS_PER_DAY),
    ("d", NANOS_PER_DAY),
    ("h", 3600 * NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("s", NANOS_PER_SECOND),
    ("ms", NANOS_PER_MILLI),
];

fn parse_units(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let (_, unit_ns) = units.find(|(name, _)| *name == unit)?;
        let number: i64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(*unit_ns)?)?;
        rest = behind;
    }
    Some(total)
}

/// Appends a time as Prometheus' JSON has it: seconds, with milliseconds if there are any.
pub(crate) fn write_seconds(out: &mut String, time_ns: TimestampNs) {
    let millis = time_ns.div_euclid(NANOS_PER_MILLI);
    let sign = if millis < 0 { "-" } else { "" };
    let (seconds, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    // A String takes all that is written.
    let _ = match rest {
        0 => write!(out, "{sign}{seconds}"),
        _ => write!(out, "{sign}{seconds}.{rest:03}"),
    };
}

/// The times of a grid's steps as [`write_seconds`] has them: every series repeats them.
#[derive(Debug)]
pub(crate) struct StepTexts(Vec<Between>);

/// Bytes of the text between two values, at most: its times are seconds of eleven digits or less.
pub(crate) const BETWEEN_BYTES: usize = 24;

/// `"],[1.5,"`: what stands in JSON between the value of the step before and that of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Between {
    /// The text, and zeros: what has a known length is copied by a few instructions.
    pub(crate) padded: [u8; BETWEEN_BYTES],
    /// Bytes of the text.
    pub(crate) bytes: usize,
}

/// What a value of a step before leaves open.
pub(crate) const BEFORE_TIME: &str = "\"],[";
const AFTER_TIME: &str = ",\"";

impl StepTexts {
    pub(crate) fn new(grid: &StepGrid) -> Self {
        let mut text = Vec::with_capacity(BETWEEN_BYTES);
        let between = |time_ns: TimestampNs| {
            text.clear();
            text.extend_from_slice(BEFORE_TIME.as_bytes());
            match u64::try_from(time_ns.div_euclid(NANOS_PER_MILLI)) {
                // Most steps are at whole seconds.
                Ok(millis) if millis % 1000 == 0 => push_whole(&mut text, millis / 1000),
                _ => push_text_of(&mut text, |text| write_seconds(text, time_ns)),
            }
            text.extend_from_slice(AFTER_TIME.as_bytes());
            let mut padded = [0; BETWEEN_BYTES];
            padded[..text.len()].copy_from_slice(&text);
            Between { padded, bytes: text.len() }
        };
        Self(grid.iter().map(between).collect())
    }

    /// The time of a step; empty if the grid has fewer.
    pub(crate) fn get(&self, step: usize) -> &str {
        let Some(Between { padded, bytes }) = self.0.get(step) else { return "" };
        let time = &padded[BEFORE_TIME.len()..bytes - AFTER_TIME.len()];
        std::str::from_utf8(time).expect("digits are ASCII")
    }

    /// What stands before the value of each step.
    pub(crate) fn all(&self) -> &[Between] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
