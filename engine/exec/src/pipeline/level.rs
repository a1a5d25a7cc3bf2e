//! `detected_level`: how severe a record is, found out from whatever tells.

use super::json::{RawText, Reader, Value};

#[cfg(test)]
mod tests;

/// Names of labels and fields that tell the level, the first one found counts.
pub(super) const LEVEL_NAMES: [&str; 15] = [
    "level",
    "LEVEL",
    "Level",
    "log_level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
    "log.level",
];

/// Levels below the outermost object that a field may lie.
const JSON_DEPTH_MAX: usize = 1;

/// The level of a written one; `None` if it is not known.
fn known(text: &str) -> Option<&'static str> {
    const LEVELS: [(&str, &[&str]); 7] = [
        ("trace", &["trace", "trc"]),
        ("debug", &["debug", "dbg"]),
        ("info", &["info", "inf", "information"]),
        ("warn", &["warn", "wrn", "warning"]),
        ("error", &["error", "err"]),
        ("critical", &["critical"]),
        ("fatal", &["fatal"]),
    ];
    let is = |written: &&&str| text.eq_ignore_ascii_case(written);
    LEVELS.iter().find(|(_, written)| written.iter().any(|word| is(&word))).map(|(level, _)| *level)
}

/// The level that a label tells: an unknown one stays as it was written.
pub(super) fn of_label(text: &str) -> &str {
    known(text).unwrap_or(text)
}

/// The level of an OpenTelemetry severity number.
pub(super) fn of_severity(number: i64) -> &'static str {
    match number {
        1..=4 => "trace",
        5..=8 => "debug",
        9..=12 => "info",
        13..=16 => "warn",
        17..=20 => "error",
        21..=24 => "fatal",
        _ => "unknown",
    }
}

/// The level that a line tells by a field or a word.
pub(super) fn of_line(line: &str) -> &'static str {
    let trimmed = line.trim();
    let field = if trimmed.starts_with('{') && trimmed.ends_with('}') {
        json_field(trimmed)
    } else if memchr::memchr(b'=', line.as_bytes()).is_some() {
        logfmt_field(line)
    } else {
        None
    };
    field.and_then(known).or_else(|| word(line)).unwrap_or("unknown")
}

/// The first text of a JSON object whose key tells the level.
fn json_field(line: &str) -> Option<&str> {
    let mut reader = Reader::new(line);
    reader.take(b'{');
    let (mut depth, mut first) = (0, true);
    loop {
        let Some(key) = reader.key(first).ok()? else {
            if depth == 0 {
                return None;
            }
            (depth, first) = (depth - 1, false);
            continue;
        };
        first = false;
        match reader.value().ok()? {
            Value::Text(RawText { raw, .. }) if LEVEL_NAMES.contains(&key.raw) => {
                return Some(raw);
            }
            Value::Object if depth < JSON_DEPTH_MAX => {
                reader.take(b'{');
                (depth, first) = (depth + 1, true);
            }
            value => reader.leave(value).ok()?,
        }
    }
}

/// The value of the `key=value` pair whose key stands first in the list.
fn logfmt_field(line: &str) -> Option<&str> {
    let mut best: Option<(usize, &str)> = None;
    for at in memchr::memchr_iter(b'=', line.as_bytes()) {
        let key_start = line[..at].rfind([' ', '\t', '\n']).map_or(0, |blank| blank + 1);
        let key = &line[key_start..at];
        let Some(place) = LEVEL_NAMES.iter().position(|name| key.eq_ignore_ascii_case(name)) else {
            continue;
        };
        if best.is_none_or(|(earlier, _)| place < earlier) {
            let value = &line[at + 1..];
            let (value, end): (_, &[char]) = match value.strip_prefix('"') {
                Some(quoted) => (quoted, &['"']),
                None => (value, &[' ', '\t', '\n']),
            };
            best = Some((place, &value[..value.find(end).unwrap_or(value.len())]));
        }
    }
    best.map(|(_, value)| value)
}

/// The first word of the line that names a level.
fn word(line: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 9] = [
        ("trace", "trace"),
        ("debug", "debug"),
        ("fatal", "fatal"),
        ("critical", "critical"),
        ("error", "error"),
        ("err", "error"),
        ("warning", "warn"),
        ("warn", "warn"),
        ("info", "info"),
    ];
    let bytes = line.as_bytes();
    let opens = |byte: u8| b" \t\n[({\"'=|".contains(&byte);
    let closes = |byte: u8| b" \t\n[](){}:,!\"'=|".contains(&byte);
    for at in 0..bytes.len() {
        if at > 0 && !opens(bytes[at - 1]) {
            continue;
        }
        let rest = &bytes[at..];
        for (text, level) in WORDS {
            let named = rest.len() >= text.len()
                && rest[..text.len()].eq_ignore_ascii_case(text.as_bytes());
            if named && rest.get(text.len()).is_none_or(|byte| closes(*byte)) {
                return Some(level);
            }
        }
    }
    None
}
