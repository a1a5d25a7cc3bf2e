//! Literals: quoted texts and durations, from text to value.

use plan::expr::Intrinsic;
use schemas::model::NANOS_PER_SECOND;

use super::ast::Literal;

const NANOS_PER_MILLI: i64 = NANOS_PER_SECOND / 1_000;
const NANOS_PER_HOUR: i64 = 3_600 * NANOS_PER_SECOND;

/// Units of the whole-number form in the order they must stand; a year has 365 days.
const CALENDAR_UNITS: &[(&str, i64)] = &[
    ("y", 365 * 24 * NANOS_PER_HOUR),
    ("w", 7 * 24 * NANOS_PER_HOUR),
    ("d", 24 * NANOS_PER_HOUR),
    ("h", NANOS_PER_HOUR),
    ("m", 60 * NANOS_PER_SECOND),
    ("s", NANOS_PER_SECOND),
    ("ms", NANOS_PER_MILLI),
];

/// Units of Go's form, which takes fractions and any order.
const CLOCK_UNITS: &[(&str, i64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", NANOS_PER_MILLI),
    ("s", NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("h", NANOS_PER_HOUR),
];

/// A duration such as `1h30m`, `1w2d` or `1.5s` in nanoseconds; `None` if it is not one or does
/// not fit.
pub(super) fn duration_ns(text: &str) -> Option<i64> {
    calendar_duration_ns(text).or_else(|| clock_duration_ns(text))
}

fn calendar_duration_ns(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0_i64;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let (number, unit, after) = split_unit(rest)?;
        let at = CALENDAR_UNITS[next_unit..].iter().position(|(name, _)| *name == unit)?;
        let factor = CALENDAR_UNITS[next_unit + at].1;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(factor)?)?;
        next_unit += at + 1;
        rest = after;
    }
    Some(total)
}

fn clock_duration_ns(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (number, unit, after) = split_unit(rest)?;
        let factor = CLOCK_UNITS.iter().find(|(name, _)| *name == unit)?.1;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
        let part = whole.checked_mul(factor)?.checked_add((fraction * factor as f64) as i64)?;
        total = total.checked_add(part)?;
        rest = after;
    }
    Some(total)
}

/// `12ms3s` as `("12", "ms", "3s")`.
fn split_unit(text: &str) -> Option<(&str, &str, &str)> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let unit_at = text.find(|c| !is_number(c))?;
    let (number, rest) = text.split_at(unit_at);
    let (unit, after) = rest.split_at(rest.find(is_number).unwrap_or(rest.len()));
    (!number.is_empty()).then_some((number, unit, after))
}

/// The value of a double-quoted text without its quotes; the error is what is wrong with it.
pub(super) fn unescape(quoted: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = chars.next().ok_or("escape without a character")?;
        match escape {
            'a' => bytes.push(0x07),
            'b' => bytes.push(0x08),
            'f' => bytes.push(0x0C),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(0x0B),
            '\\' | '"' => bytes.push(escape as u8),
            'x' => {
                let code = digits(&mut chars, 2, 16, 0).ok_or("bad \\x escape")?;
                bytes.push(u8::try_from(code).map_err(|_| "bad \\x escape")?);
            }
            'u' | 'U' => {
                let length = if escape == 'u' { 4 } else { 8 };
                let code = digits(&mut chars, length, 16, 0).ok_or("bad unicode escape")?;
                let c = char::from_u32(code).ok_or("escape is not a character")?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            '0'..='7' => {
                let first = escape.to_digit(8).ok_or("bad octal escape")?;
                let code = digits(&mut chars, 2, 8, first).ok_or("bad octal escape")?;
                bytes.push(u8::try_from(code).map_err(|_| "octal escape over 255")?);
            }
            _ => return Err("unknown escape"),
        }
    }
    String::from_utf8(bytes).map_err(|_| "text is not UTF-8")
}

fn digits(chars: &mut std::str::Chars<'_>, count: usize, radix: u32, start: u32) -> Option<u32> {
    let mut code = start;
    for _ in 0..count {
        code = code.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(code)
}

/// Names of the values of a span's status, by code.
pub(crate) const STATUS_NAMES: [&str; 3] = ["unset", "ok", "error"];

/// Names of the kinds of spans, by code.
pub(crate) const KIND_NAMES: [&str; 6] =
    ["unspecified", "internal", "server", "client", "producer", "consumer"];

/// The constant that a bare word stands for.
pub(super) fn keyword(word: &str) -> Option<Literal> {
    let code_in = |names: &[&str]| {
        names.iter().position(|name| *name == word).and_then(|at| i32::try_from(at).ok())
    };
    match word {
        "nil" => Some(Literal::Nil),
        "true" => Some(Literal::Bool(true)),
        "false" => Some(Literal::Bool(false)),
        "minInt" => Some(Literal::Int(i64::MIN)),
        "maxInt" => Some(Literal::Int(i64::MAX)),
        _ => code_in(&STATUS_NAMES)
            .map(Literal::Status)
            .or_else(|| code_in(&KIND_NAMES).map(Literal::Kind)),
    }
}

/// Spellings of intrinsics: scope (empty for the bare form), name, meaning. The first of several
/// spellings is the one that is displayed.
pub(super) const INTRINSICS: &[(&str, &str, Intrinsic)] = &[
    ("", "duration", Intrinsic::Duration),
    ("", "name", Intrinsic::Name),
    ("", "kind", Intrinsic::Kind),
    ("", "status", Intrinsic::Status),
    ("", "statusMessage", Intrinsic::StatusMessage),
    ("", "traceDuration", Intrinsic::TraceDuration),
    ("", "rootName", Intrinsic::RootName),
    ("", "rootServiceName", Intrinsic::RootServiceName),
    ("", "nestedSetLeft", Intrinsic::NestedSetLeft),
    ("", "nestedSetRight", Intrinsic::NestedSetRight),
    ("", "nestedSetParent", Intrinsic::NestedSetParent),
    ("span", "duration", Intrinsic::Duration),
    ("span", "name", Intrinsic::Name),
    ("span", "kind", Intrinsic::Kind),
    ("span", "status", Intrinsic::Status),
    ("span", "statusMessage", Intrinsic::StatusMessage),
    ("span", "id", Intrinsic::SpanId),
    ("span", "parentID", Intrinsic::ParentId),
    ("span", "childCount", Intrinsic::ChildCount),
    ("trace", "duration", Intrinsic::TraceDuration),
    ("trace", "rootName", Intrinsic::RootName),
    ("trace", "rootService", Intrinsic::RootServiceName),
    ("trace", "id", Intrinsic::TraceId),
    ("event", "name", Intrinsic::EventName),
    ("event", "timeSinceStart", Intrinsic::EventTimeSinceStart),
    ("link", "traceID", Intrinsic::LinkTraceId),
    ("link", "spanID", Intrinsic::LinkSpanId),
    ("instrumentation", "name", Intrinsic::InstrumentationName),
    ("instrumentation", "version", Intrinsic::InstrumentationVersion),
];

/// The intrinsic of a spelling; an empty scope is the bare form.
pub(super) fn intrinsic(scope: &str, name: &str) -> Option<Intrinsic> {
    INTRINSICS.iter().find(|spelling| spelling.0 == scope && spelling.1 == name).map(|it| it.2)
}
