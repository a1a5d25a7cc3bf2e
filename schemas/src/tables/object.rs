//! Objects of attributes as text: their members one by one, without building a tree.
//!
//! The form is the contract at [`super::columns::ATTRIBUTES`]. Text that is not of that form has
//! no members, or fewer; it never makes anything fail.

use std::borrow::Cow;
use std::fmt::Write;

/// A member as it stands in its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key.
    pub key: Cow<'a, str>,
    /// The key with its quotes and escapes.
    pub quoted: &'a str,
    /// The JSON text of the value.
    pub value: &'a str,
}

/// The members of an object in their order.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
    is_whole: bool,
}

/// A value that a column can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number.
    Int(i64),
    /// A double, also one that JSON has no number for.
    Double(f64),
    /// A truth.
    Bool(bool),
}

/// The members of the object that `text` is.
pub fn members(text: &str) -> Members<'_> {
    let at = blank(text, 0);
    let is_object = text.as_bytes().get(at) == Some(&b'{');
    Members { text, at: if is_object { at + 1 } else { text.len() }, is_whole: false }
}

impl Members<'_> {
    /// Whether the object was read to its end, once there are no more members: otherwise
    /// something follows that is not of the form.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let mut at = blank(self.text, self.at);
        if bytes.get(at) == Some(&b',') {
            at = blank(self.text, at + 1);
        } else if bytes.get(at) == Some(&b'}') && blank(self.text, at + 1) == bytes.len() {
            self.is_whole = true;
        }
        // Whatever is not a member ends the object.
        self.at = self.text.len();
        let key_end = string_end(bytes, at)?;
        let colon = blank(self.text, key_end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let start = blank(self.text, colon + 1);
        let end = value_end(bytes, start)?;
        let quoted = self.text.get(at..key_end)?;
        let key = unquoted(quoted)?;
        let value = self.text.get(start..end)?;
        self.at = end;
        Some(Member { key, quoted, value })
    }
}

/// The value that a JSON text stands for, if a column could hold it: an empty value, bytes,
/// arrays and maps are none of these, nor is what is malformed.
pub fn scalar(value: &str) -> Option<Scalar<'_>> {
    match value.as_bytes().first()? {
        b'"' => unquoted(value).map(Scalar::Text),
        b't' => (value == "true").then_some(Scalar::Bool(true)),
        b'f' => (value == "false").then_some(Scalar::Bool(false)),
        b'{' => special_double(value).map(Scalar::Double),
        b'-' | b'0'..=b'9' => {
            if value.contains(['.', 'e', 'E']) {
                value.parse().ok().map(Scalar::Double)
            } else {
                value.parse().ok().map(Scalar::Int)
            }
        }
        _ => None,
    }
}

/// The doubles that JSON has no number for.
pub fn special_double(text: &str) -> Option<f64> {
    let member = members(text).next()?;
    if member.key != "$double" {
        return None;
    }
    match member.value {
        "\"NaN\"" => Some(f64::NAN),
        "\"Infinity\"" => Some(f64::INFINITY),
        "\"-Infinity\"" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Appends a member to the object that `out` is being filled with; `out` is empty before the
/// first. Whoever fills it appends the last brace.
pub fn write_member(out: &mut String, key: &str, value: &Scalar<'_>) {
    out.push(if out.is_empty() { '{' } else { ',' });
    write_text(out, key);
    out.push(':');
    // Writing to a string cannot fail.
    let _ = match value {
        Scalar::Text(text) => {
            write_text(out, text);
            Ok(())
        }
        Scalar::Int(value) => write!(out, "{value}"),
        Scalar::Double(value) if value.is_nan() => write!(out, r#"{{"$double":"NaN"}}"#),
        Scalar::Double(f64::INFINITY) => write!(out, r#"{{"$double":"Infinity"}}"#),
        Scalar::Double(f64::NEG_INFINITY) => write!(out, r#"{{"$double":"-Infinity"}}"#),
        // Debug always writes a point or an exponent.
        Scalar::Double(value) => write!(out, "{value:?}"),
        Scalar::Bool(value) => write!(out, "{value}"),
    };
}

/// Appends a JSON string.
pub fn write_text(out: &mut String, text: &str) {
    out.push('"');
    write_escaped(out, text);
    out.push('"');
}

/// Appends what stands between the quotes of a JSON string.
pub fn write_escaped(out: &mut String, text: &str) {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_plain(byte)) {
        out.push_str(&rest[..at]);
        // Whatever is escaped is ASCII, so the next character starts one byte on.
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// The text of a JSON string with its quotes; `None` if it is none.
pub fn unquoted(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let Some(first) = memchr::memchr(b'\\', inner.as_bytes()) else {
        return Some(Cow::Borrowed(inner));
    };
    let mut text = inner[..first].to_owned();
    let mut rest = &inner[first..];
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (c, length) = escaped(&rest[at + 1..])?;
        text.push(c);
        rest = &rest[at + 1 + length..];
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// The character of an escape sequence and the length of the sequence without its backslash.
fn escaped(rest: &str) -> Option<(char, usize)> {
    let c = match rest.as_bytes().first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let high = unit(rest.get(1..5)?)?;
            if let Some(c) = char::from_u32(high) {
                return Some((c, 5));
            }
            let low = unit(rest.get(5..)?.strip_prefix("\\u")?.get(..4)?)?;
            let is_pair = (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low);
            let code = 0x10000 + ((high.wrapping_sub(0xD800)) << 10) + low.wrapping_sub(0xDC00);
            return is_pair.then(|| char::from_u32(code)).flatten().map(|c| (c, 11));
        }
        _ => return None,
    };
    Some((c, 1))
}

fn unit(digits: &str) -> Option<u32> {
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// The first byte from `at` on that is no blank.
pub fn blank(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The end of the string that starts at `at`, behind its closing quote.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The end of the value that starts at `at`.
pub fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => return string_end(bytes, at),
        b'{' | b'[' => {}
        b',' | b'}' | b']' | b':' => return None,
        _ => {
            let end = bytes[at..]
                .iter()
                .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']'));
            return Some(end.map_or(bytes.len(), |end| at + end));
        }
    }
    let mut depth = 0_usize;
    let mut at = at;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests;
