//! A lenient reader of JSON text: values are handed out as they stand, nothing is built.
//!
//! It accepts what the parser that Loki uses accepts: text behind the outermost value is never
//! read, so a line is malformed only if the reader meets the fault.

use memchr::{memchr2, memchr3_iter};

/// Levels that objects may be nested.
pub(super) const DEPTH_MAX: usize = 128;

/// Where and why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// A string as it stands between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawText<'a> {
    pub(super) raw: &'a str,
    /// Whether escapes are among it.
    pub(super) escaped: bool,
}

/// A value; those that hold others are not left yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(RawText<'a>),
    /// A number or a boolean, as written.
    Plain(&'a str),
    Null,
    /// The reader stands on its `{`.
    Object,
    /// The reader stands on its `[`.
    Array,
}

/// A place in a JSON text.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is no white space; it is not left.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Leaves `byte` if it comes next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The next key of an object whose `{` or last member was left; `None` leaves its `}`.
    pub(super) fn key(&mut self, first: bool) -> Result<Option<RawText<'a>>, Malformed> {
        if self.take(b'}') {
            return Ok(None);
        }
        if !first && !self.take(b',') {
            return Err(Malformed("expected a comma or the end of the object"));
        }
        if self.peek() != Some(b'"') {
            return Err(Malformed("expected a key"));
        }
        let key = self.string()?;
        if !self.take(b':') {
            return Err(Malformed("expected a colon"));
        }
        Ok(Some(key))
    }

    /// The next value.
    pub(super) fn value(&mut self) -> Result<Value<'a>, Malformed> {
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'{') => Ok(Value::Object),
            Some(b'[') => Ok(Value::Array),
            Some(_) => self.plain(),
            None => Err(Malformed("expected a value")),
        }
    }

    fn plain(&mut self) -> Result<Value<'a>, Malformed> {
        let rest = &self.text[self.at..];
        let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b'}' | b']');
        let Some(length) = rest.as_bytes().iter().position(ends) else {
            return Err(Malformed("a value has no end"));
        };
        let text = &rest[..length];
        self.at += length;
        match text {
            "null" => Ok(Value::Null),
            "true" | "false" => Ok(Value::Plain(text)),
            _ if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                Ok(Value::Plain(text))
            }
            _ => Err(Malformed("unknown value type")),
        }
    }

    /// The string whose opening quote comes next.
    fn string(&mut self) -> Result<RawText<'a>, Malformed> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        let mut escaped = false;
        loop {
            match memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
                None => return Err(Malformed("a string has no end")),
                Some(found) if bytes[at + found] == b'"' => {
                    at += found;
                    break;
                }
                Some(found) => {
                    escaped = true;
                    at += found + 2;
                }
            }
        }
        self.at = at + 1;
        Ok(RawText { raw: &self.text[start..at], escaped })
    }

    /// Leaves the object or array that comes next; its text.
    pub(super) fn skip_block(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let (open, close) = match bytes.get(start) {
            Some(b'{') => (b'{', b'}'),
            _ => (b'[', b']'),
        };
        // Only brackets of this kind can close the block; those of the other kind are inside.
        let mut depth = 0_usize;
        while let Some(found) =
            memchr3_iter(open, close, b'"', bytes.get(self.at..).unwrap_or_default()).next()
        {
            self.at += found;
            let byte = bytes[self.at];
            if byte == b'"' {
                self.string()?;
                continue;
            }
            self.at += 1;
            if byte == open {
                depth += 1;
            } else {
                depth -= 1;
                if depth == 0 {
                    return Ok(&self.text[start..self.at]);
                }
            }
        }
        Err(Malformed("an object or array has no end"))
    }

    /// Leaves a value that `value` returned.
    pub(super) fn leave(&mut self, value: Value<'a>) -> Result<(), Malformed> {
        if matches!(value, Value::Object | Value::Array) {
            self.skip_block()?;
        }
        Ok(())
    }
}

/// Appends a string without its escapes; nothing is appended if one of them is wrong.
pub(super) fn push_text(text: RawText<'_>, output: &mut String) {
    if !text.escaped {
        output.push_str(text.raw);
        return;
    }
    let start = output.len();
    if unescape(text.raw, output).is_none() {
        output.truncate(start);
    }
}

fn unescape(mut rest: &str, output: &mut String) -> Option<()> {
    while let Some(at) = rest.find('\\') {
        output.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        let mut length = 2;
        output.push(match escape {
            b'"' | b'\\' | b'/' | b'\'' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (c, taken) = unicode(&rest[at..])?;
                length = taken;
                c
            }
            _ => return None,
        });
        rest = rest.get(at + length..)?;
    }
    output.push_str(rest);
    Some(())
}

/// The character of `\uXXXX`, two of them for a surrogate pair, and how many bytes it took; a
/// lone surrogate becomes a blank.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(0)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    match unit(6) {
        Some(second) if first < 0xDC00 && (0xDC00..0xE000).contains(&second) => {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            Some((char::from_u32(code)?, 12))
        }
        _ => Some((' ', 6)),
    }
}
