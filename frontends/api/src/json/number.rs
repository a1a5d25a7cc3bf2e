//! Numbers as bytes of JSON: answers are mostly numbers, so these are written without calls and
//! loops over digits.

use super::{push_text_of, write_prometheus_float};

/// Whole numbers below this are written digit by digit: most counters.
pub(super) const WHOLE_MAX: u64 = 1_000_000_000_000_000;

/// Magnitudes from here to [`WHOLE_MAX`] are written without an exponent by everybody.
const PLAIN_MIN: f64 = 1e-4;

/// The digits that are written at once.
const EIGHT_DIGITS: u64 = 100_000_000;

/// Appends a number as [`write_prometheus_float`] does.
#[inline]
pub(crate) fn push_prometheus_float(out: &mut Vec<u8>, value: f64) {
    // Saturates, and NaN becomes zero: neither is equal then.
    let whole = value as i64;
    if whole as f64 == value && whole.unsigned_abs() < WHOLE_MAX {
        if value.is_sign_negative() {
            out.push(b'-');
        }
        push_whole(out, whole.unsigned_abs());
    } else if (PLAIN_MIN..WHOLE_MAX as f64).contains(&value.abs()) {
        push_short(out, zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        push_text_of(out, |text| write_prometheus_float(text, value));
    }
}

/// Appends a number below 10^16 in decimal digits.
#[inline]
pub(crate) fn push_whole(out: &mut Vec<u8>, number: u64) {
    if number < EIGHT_DIGITS {
        return push_leading(out, number);
    }
    push_leading(out, number / EIGHT_DIGITS);
    out.extend_from_slice(&(eight_digits(number % EIGHT_DIGITS) | ZEROS).to_le_bytes());
}

/// Eight times the digit `0`.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Appends a number below 10^8 without leading zeros.
#[inline]
fn push_leading(out: &mut Vec<u8>, number: u64) {
    let digits = eight_digits(number);
    let leading = (digits.trailing_zeros() / 8).min(7);
    out.extend_from_slice(&((digits | ZEROS) >> (8 * leading)).to_le_bytes());
    out.truncate(out.len() - leading as usize);
}

/// The eight digits of a number below 10^8, one a byte, the first in the lowest: halved three
/// times, all parts at once.
#[inline]
fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    // Division by 100 of numbers below 10,000, and by 10 of those below 100.
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((pairs - 10 * tens) << 8)
}

/// Appends a text of some bytes: in two pieces of a known length that overlap.
#[inline]
fn push_short(out: &mut Vec<u8>, text: &[u8]) {
    let end = out.len() + text.len();
    match (text.first_chunk::<8>(), text.first_chunk::<16>(), text.last_chunk::<8>()) {
        (Some(_), Some(start), Some(rest)) if text.len() <= 24 => {
            out.extend_from_slice(start);
            out.truncate(end - rest.len());
            out.extend_from_slice(rest);
        }
        (Some(start), None, Some(rest)) => {
            out.extend_from_slice(start);
            out.truncate(end - rest.len());
            out.extend_from_slice(rest);
        }
        _ => out.extend_from_slice(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_text() {
        let mut numbers = vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        for exponent in -330..=308 {
            for mantissa in [1.0, 1.5, 9.0, 3.3, 1.234_567_890_123_456_7, 9.999_999_999_999_998] {
                let number: f64 = format!("{mantissa}e{exponent}").parse().expect("a number");
                numbers.extend([number, -number, number + 1.0, (number - 1.0).trunc()]);
            }
        }
        // Every length of whole numbers, and their fractions of several lengths.
        for shift in 0..62 {
            let number = ((1_u64 << shift) | (shift * 7919)) as f64;
            numbers.extend([number, number - 1.0, number / 10.0, number / 128.0, number / 3.0]);
        }
        for number in numbers {
            let (mut text, mut bytes) = (String::new(), b"x".to_vec());
            write_prometheus_float(&mut text, number);
            push_prometheus_float(&mut bytes, number);
            assert_eq!(String::from_utf8(bytes).expect("it is text"), format!("x{text}"));
            if number.is_finite() {
                assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(number.to_bits()));
            }
        }
    }
}
