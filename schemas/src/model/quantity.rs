//! Quantities written as text: numbers, durations and sizes as Go programs read them.
//!
//! LogQL reads the values of labels this way, and its literals follow the same forms.

#[cfg(test)]
mod tests;

/// A number as Go's `strconv.ParseFloat` reads it; `None` if it is none or out of range.
pub fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let value = parse_hex_float(digits)?;
        return Some(if text.starts_with('-') { -value } else { value });
    }
    let value: f64 = text.parse().ok()?;
    // A number that is too large is an error, but infinity can be written.
    let written_out = unsigned.starts_with(['i', 'I']);
    (value.is_finite() || value.is_nan() || written_out).then_some(value)
}

/// `1.8p3` behind `0x`; the exponent is required.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let places = i32::try_from(fraction.len()).ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    let value = value * 2f64.powi(exponent.checked_sub(places.checked_mul(4)?)?);
    value.is_finite().then_some(value)
}

/// A duration in nanoseconds as Go's `time.ParseDuration` reads it: `1h30m`, `1.5s`, `-3ms`, `0`.
pub fn parse_go_duration(text: &str) -> Option<i64> {
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(number_length(rest));
        let (unit, behind) = behind.split_at(unit_length(behind));
        total = total.checked_add(scaled(number, unit_ns(unit)?)?)?;
        rest = behind;
    }
    Some(if negative { -total } else { total })
}

fn number_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len())
}

fn unit_length(text: &str) -> usize {
    text.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(text.len())
}

fn unit_ns(unit: &str) -> Option<i64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    })
}

/// `number` units in nanoseconds, fractions cut off.
fn scaled(number: &str, unit_ns: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut place_ns = unit_ns as f64;
    let mut fraction_ns = 0.0;
    for digit in fraction.bytes() {
        place_ns /= 10.0;
        fraction_ns += f64::from(digit - b'0') * place_ns;
    }
    // Rounding to a thousandth first undoes what binary fractions lose, such as in `0.3s`.
    let fraction_ns = ((fraction_ns * 1e3).round() / 1e3) as i64;
    whole.checked_mul(unit_ns)?.checked_add(fraction_ns)
}

/// A size in bytes: `5MB`, `5 MiB`, `1,024`, `3k`; units in any case, powers of 1000 without `i`.
pub fn parse_size(text: &str) -> Option<u64> {
    let length =
        text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let (number, unit) = text.split_at(length);
    let number = if number.contains(',') {
        parse_float(&number.replace(',', ""))?
    } else {
        parse_float(number)?
    };
    let bytes = number * unit_bytes(unit.trim())?;
    // The greatest 64-bit integer is not a float; its neighbour above is the first to refuse.
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

fn unit_bytes(unit: &str) -> Option<f64> {
    let mut letters = unit.bytes().map(|byte| byte.to_ascii_lowercase());
    let power = match letters.next() {
        None => return Some(1.0),
        Some(b'b') => return letters.next().is_none().then_some(1.0),
        Some(b'k') => 1,
        Some(b'm') => 2,
        Some(b'g') => 3,
        Some(b't') => 4,
        Some(b'p') => 5,
        Some(b'e') => 6,
        Some(_) => return None,
    };
    let (base, ending) = match letters.next() {
        Some(b'i') => (1024.0_f64, letters.next()),
        ending => (1000.0_f64, ending),
    };
    (matches!(ending, None | Some(b'b')) && letters.next().is_none()).then(|| base.powi(power))
}
