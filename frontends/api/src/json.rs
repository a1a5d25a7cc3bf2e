//! JSON text, written directly: results never become a tree of values first.

mod number;

use std::fmt::Write;

pub(crate) use schemas::tables::object::write_text;

use self::number::WHOLE_MAX;
pub(crate) use self::number::{push_prometheus_float, push_whole};

/// Appends `"name":`, after a comma unless it opens an object.
pub(crate) fn write_key(out: &mut String, name: &str) {
    separate(out);
    write_text(out, name);
    out.push(':');
}

/// Appends a comma unless an object, an array or a key has just been opened.
pub(crate) fn separate(out: &mut String) {
    if !matches!(out.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
        out.push(',');
    }
}

/// Appends `["a","b"]`.
pub(crate) fn write_texts<T: AsRef<str>>(out: &mut String, texts: impl IntoIterator<Item = T>) {
    out.push('[');
    for text in texts {
        separate(out);
        write_text(out, text.as_ref());
    }
    out.push(']');
}

/// Appends formatted text.
pub(crate) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes all that is written");
}

/// Appends a number as Prometheus' JSON has it: the shortest digits, an exponent only if the
/// magnitude is under 1e-6 or from 1e21 on.
pub(crate) fn write_prometheus_float(out: &mut String, value: f64) {
    let magnitude = value.abs();
    if magnitude.is_finite() && magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        write_exponent(out, value);
    } else {
        write_float(out, value);
    }
}

/// Appends a number with the shortest digits and never an exponent, as Loki has it.
pub(crate) fn write_float(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        write_finite(out, value);
    }
}

fn write_finite(out: &mut String, value: f64) {
    let whole = value as i64;
    if whole as f64 == value && whole.unsigned_abs() < WHOLE_MAX {
        if value.is_sign_negative() {
            out.push('-');
        }
        return write_whole(out, whole.unsigned_abs());
    }
    let mut buffer = zmij::Buffer::new();
    let digits = buffer.format_finite(value);
    // Only far from one are there exponents.
    let magnitude = value.abs();
    if !(1e-4..1e15).contains(&magnitude) && digits.contains('e') {
        push(out, format_args!("{value}"));
    } else {
        out.push_str(digits.strip_suffix(".0").unwrap_or(digits));
    }
}

/// Appends a number in decimal digits.
fn write_whole(out: &mut String, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[at..]).expect("digits are ASCII"));
}

/// Appends what `write` writes.
pub(crate) fn push_text_of(out: &mut Vec<u8>, write: impl FnOnce(&mut String)) {
    let mut text = String::new();
    write(&mut text);
    out.extend_from_slice(text.as_bytes());
}

/// `1e+21`, `2.5e-07`: Go's exponents have a sign and at least two digits.
fn write_exponent(out: &mut String, value: f64) {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    push(out, format_args!("{digits}e{sign}{exponent:0>2}"));
}

#[cfg(test)]
mod tests;
