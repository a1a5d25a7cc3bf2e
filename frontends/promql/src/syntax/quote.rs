//! String literals: escapes read and written.

use std::fmt::Write;

/// The bytes that a literal with its quotes stands for.
///
/// Escapes are Go's. A backslash may stand before the literal's own quote, not before the other.
pub(super) fn unquote(literal: &str) -> Result<Vec<u8>, String> {
    let quote = literal.chars().next().unwrap_or('"');
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or("");
    if quote == '`' {
        return Ok(inner.as_bytes().to_vec());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = unescape(&rest[at + 1..], quote, &mut bytes)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Reads one escape after its backslash and returns what follows it.
fn unescape<'a>(text: &'a str, quote: char, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let Some(kind) = text.chars().next() else {
        return Err("escape sequence not terminated".to_owned());
    };
    let rest = &text[kind.len_utf8()..];
    let plain = match kind {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0C,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0B,
        '\\' => b'\\',
        _ if kind == quote => quote as u8,
        'x' => {
            let (value, rest) = digits(rest, 2, 16)?;
            bytes.push(value as u8);
            return Ok(rest);
        }
        '0'..='7' => {
            let (value, rest) = digits(text, 3, 8)?;
            bytes.push(u8::try_from(value).map_err(|_| invalid_code_point(value))?);
            return Ok(rest);
        }
        'u' => return code_point(rest, 4, bytes),
        'U' => return code_point(rest, 8, bytes),
        _ => return Err(format!("unknown escape sequence {kind:?}")),
    };
    bytes.push(plain);
    Ok(rest)
}

fn code_point<'a>(text: &'a str, count: usize, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let (value, rest) = digits(text, count, 16)?;
    let c = char::from_u32(value).ok_or_else(|| invalid_code_point(value))?;
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(rest)
}

/// The value of the first `count` digits, and what follows them.
fn digits(text: &str, count: usize, radix: u32) -> Result<(u32, &str), String> {
    let mut value: u32 = 0;
    let mut chars = text.chars();
    for _ in 0..count {
        let Some(c) = chars.next() else {
            return Err("escape sequence not terminated".to_owned());
        };
        let Some(digit) = c.to_digit(radix) else {
            return Err(format!("illegal character {c:?} in escape sequence"));
        };
        // At most eight hexadecimal digits: this cannot overflow.
        value = value * radix + digit;
    }
    Ok((value, chars.as_str()))
}

fn invalid_code_point(value: u32) -> String {
    format!("escape sequence is an invalid Unicode code point {value:#x}")
}

/// The literal, in double quotes, that stands for these bytes.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut text, c);
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

fn push_escaped(text: &mut String, c: char) {
    match c {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\u{07}' => text.push_str("\\a"),
        '\u{08}' => text.push_str("\\b"),
        '\u{0B}' => text.push_str("\\v"),
        '\u{0C}' => text.push_str("\\f"),
        _ if c.is_ascii_control() => {
            let _ = write!(text, "\\x{:02x}", u32::from(c));
        }
        _ if c.is_control() => {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        }
        _ => text.push(c),
    }
}
