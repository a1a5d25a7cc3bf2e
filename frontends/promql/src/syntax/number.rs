//! Numbers and durations: read from text, and written as Prometheus writes them.

use std::fmt::Write;

/// Duration units, longest first, each with its milliseconds.
///
/// A duration names them in this order, each at most once.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration, in milliseconds: what fits an `i64` of nanoseconds.
const DURATION_MS_MAX: i64 = i64::MAX / 1_000_000;

/// How many bytes at the start of `text` look like a duration: digits and a unit, repeated.
pub(super) fn duration_end(text: &str) -> Option<usize> {
    let mut end = 0;
    while let Some((_, _, length)) = duration_part(&text[end..]) {
        end += length;
    }
    (end > 0).then_some(end)
}

/// The first digits, unit and their length.
fn duration_part(text: &str) -> Option<(&str, &str, usize)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let unit_length = match text.as_bytes().get(digits..)? {
        [b'm', b's', ..] => 2,
        [b'y' | b'w' | b'd' | b'h' | b'm' | b's', ..] => 1,
        _ => return None,
    };
    let end = digits + unit_length;
    (digits > 0).then(|| (&text[..digits], &text[digits..end], end))
}

/// The seconds of a duration such as `1h30m`.
pub(super) fn parse_duration(text: &str) -> Result<f64, String> {
    let invalid = || format!("not a valid duration string: {text:?}");
    let mut total_ms: i64 = 0;
    let mut units_left = &UNITS[..];
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, unit, length) = duration_part(rest).ok_or_else(invalid)?;
        let at = units_left.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let unit_ms = units_left[at].1;
        units_left = &units_left[at + 1..];
        total_ms = digits
            .parse::<i64>()
            .ok()
            .and_then(|count| count.checked_mul(unit_ms))
            .and_then(|ms| ms.checked_add(total_ms))
            .filter(|total| *total <= DURATION_MS_MAX)
            .ok_or("duration out of range")?;
        rest = &rest[length..];
    }
    Ok(total_ms as f64 / 1000.0)
}

/// The value of a number token.
pub(super) fn parse_number(text: &str) -> Result<f64, String> {
    let digits = text.replace('_', "");
    let lower = digits.to_ascii_lowercase();
    match lower.as_str() {
        "inf" => return Ok(f64::INFINITY),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    let invalid = || format!("error parsing number: invalid syntax in {text:?}");
    let out_of_range = || format!("error parsing number: value out of range in {text:?}");
    if let Some(hex) = lower.strip_prefix("0x") {
        return match i64::from_str_radix(hex, 16) {
            Ok(value) => Ok(value as f64),
            Err(_) if hex.is_empty() => Err(invalid()),
            Err(_) => Err(out_of_range()),
        };
    }
    let is_octal = lower.len() > 1
        && lower.starts_with('0')
        && lower.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    if is_octal && let Ok(value) = i64::from_str_radix(&lower, 8) {
        return Ok(value as f64);
    }
    let value: f64 = lower.parse().map_err(|_| invalid())?;
    if value.is_finite() { Ok(value) } else { Err(out_of_range()) }
}

/// A number in the fewest digits that mean it, never with an exponent.
pub(super) fn write_number(text: &mut String, value: f64) {
    if value == f64::INFINITY {
        // With a sign, `Inf ^ 2` would be read back as the sign of a power.
        text.push_str("Inf");
    } else if value == f64::NEG_INFINITY {
        text.push_str("-Inf");
    } else {
        let _ = write!(text, "{value}");
    }
}

/// Seconds as a duration, or as a number if they are no whole milliseconds.
pub(super) fn write_duration(text: &mut String, seconds: f64) {
    let milliseconds = (seconds * 1000.0).round();
    let is_exact = milliseconds / 1000.0 == seconds && milliseconds.abs() < DURATION_MS_MAX as f64;
    if !is_exact {
        return write_number(text, seconds);
    }
    if milliseconds.is_sign_negative() {
        text.push('-');
    }
    if milliseconds == 0.0 {
        return text.push_str("0s");
    }
    let mut left = milliseconds.abs() as i64;
    for (unit, unit_ms) in UNITS {
        // 90d reads better than 12w6d: years and weeks only where nothing is left.
        let is_coarse = matches!(unit, "y" | "w");
        let count = left / unit_ms;
        if count > 0 && (!is_coarse || left % unit_ms == 0) {
            let _ = write!(text, "{count}{unit}");
            left -= count * unit_ms;
        }
    }
}
