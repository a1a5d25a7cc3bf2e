//! Sizes and durations as people write them: `128MiB`, `1h30m`; bare numbers are bytes, seconds.

use std::time::Duration;

/// Units of sizes, greatest first, so that printing takes the first that divides.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Units of durations in nanoseconds, greatest first.
const DURATION_UNITS: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads a size in bytes: `4096`, `128MiB`, `1.5 GB`. Case does not matter.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let (number, unit) = split_number(text);
    let factor = match unit {
        "" => 1,
        _ => SIZE_UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, factor)| *factor)
            .ok_or_else(|| not_a_size(text))?,
    };
    scaled(number, factor).ok_or_else(|| not_a_size(text))
}

/// Writes a size with the greatest unit that divides it.
pub(crate) fn format_size(bytes: u64) -> String {
    for (name, factor) in SIZE_UNITS {
        if bytes >= *factor && bytes.is_multiple_of(*factor) {
            return format!("{}{name}", bytes / factor);
        }
    }
    "0B".to_owned()
}

/// Reads a part of the whole, `30%`, as whole per cent from 1 to 100.
pub(crate) fn parse_percent(text: &str) -> Result<u8, String> {
    let number = text.trim().strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
    number
        .filter(|percent| (1..=100).contains(percent))
        .ok_or_else(|| format!("`{text}` is not a part such as 30%, from 1% to 100%"))
}

/// Reads a duration: `90`, `1.5s`, `5m`, `1h30m`, `250ms`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let (number, unit) = split_number(text);
    if unit.is_empty() {
        let nanos = scaled(number, 1_000_000_000).ok_or_else(|| not_a_duration(text))?;
        return Ok(Duration::from_nanos(nanos));
    }
    let mut rest = text;
    let mut nanos = 0u64;
    while !rest.is_empty() {
        let (number, tail) = split_number(rest);
        let letters = tail.chars().take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
        let (unit, tail) = tail.split_at(letters);
        let factor = DURATION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, f)| *f);
        let part = factor.and_then(|factor| scaled(number, factor));
        nanos =
            part.and_then(|part| nanos.checked_add(part)).ok_or_else(|| not_a_duration(text))?;
        rest = tail.trim_start();
    }
    Ok(Duration::from_nanos(nanos))
}

/// Writes a duration as a sum of whole units: `1h30m`, `250ms`.
pub(crate) fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, factor) in DURATION_UNITS {
        if rest >= *factor {
            text.push_str(&format!("{}{name}", rest / factor));
            rest %= factor;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `number × factor`; whole numbers stay exact. `None` if it is no number or too large.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let value = number.parse::<f64>().ok()? * factor as f64;
    (value.is_finite() && value < u64::MAX as f64).then_some(value.round() as u64)
}

fn not_a_size(text: &str) -> String {
    format!("`{text}` is not a size such as 4096, 128MiB or 1.5GB")
}

fn not_a_duration(text: &str) -> String {
    format!("`{text}` is not a duration such as 30, 250ms, 5m or 1h30m")
}

#[cfg(test)]
mod tests;
