//! From text to tokens, by the rules of Go's scanner that LogQL is read with.
//!
//! Some words are keywords only in front of a parenthesis, a number may run into a unit, and what
//! stands between brackets is a duration of another form: all that is decided here, so that the
//! parser sees plain tokens.

use std::ops::Range;

use schemas::model::{parse_float, parse_go_duration, parse_size};

use super::limits::TEXT_BYTES_MAX;
use crate::Error;

#[cfg(test)]
mod tests;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name that is no keyword here.
    Name(String),
    /// A keyword, in lower case.
    Keyword(&'static str),
    /// A keyword that calls something, in lower case; a parenthesis or a grouping follows.
    Function(&'static str),
    Text(String),
    Number(f64),
    /// Nanoseconds.
    Duration(i64),
    Bytes(u64),
    /// `[5m]`, in nanoseconds.
    Range(i64),
    /// `--strict` and the like, without the dashes.
    Flag(&'static str),
    Symbol(&'static str),
    End,
}

/// A token and the bytes it was read from.
#[derive(Clone, Debug)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) span: Range<usize>,
}

const KEYWORDS: &[&str] = &[
    "by",
    "without",
    "bool",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
    "and",
    "or",
    "unless",
    "json",
    "regexp",
    "logfmt",
    "unpack",
    "pattern",
    "label_format",
    "line_format",
    "unwrap",
    "decolorize",
    "drop",
    "keep",
];

const FUNCTIONS: &[&str] = &[
    "count_over_time",
    "rate",
    "rate_counter",
    "bytes_over_time",
    "bytes_rate",
    "avg_over_time",
    "sum_over_time",
    "min_over_time",
    "max_over_time",
    "stdvar_over_time",
    "stddev_over_time",
    "quantile_over_time",
    "first_over_time",
    "last_over_time",
    "absent_over_time",
    "sum",
    "avg",
    "count",
    "max",
    "min",
    "stddev",
    "stdvar",
    "bottomk",
    "topk",
    "sort",
    "sort_desc",
    "approx_topk",
    "vector",
    "label_replace",
    "bytes",
    "duration",
    "duration_seconds",
    "ip",
];

const FLAGS: &[&str] = &["strict", "keep-empty"];

/// Longer symbols stand before their beginnings.
const SYMBOLS: &[&str] = &[
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "{", "}", "(", ")", ",", "=", "|",
    ">", "<", "+", "-", "*", "/", "%", "^",
];

/// The tokens of `text`; the last one is `End`.
pub(super) fn lex(text: &str) -> Result<Vec<Spanned>, Error> {
    if text.len() >= TEXT_BYTES_MAX {
        return Err(Error::limit(format!(
            "input size too long ({} > {TEXT_BYTES_MAX})",
            text.len()
        )));
    }
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let start = lexer.at;
        let token = lexer.token()?;
        let ended = token == Token::End;
        tokens.push(Spanned { token, span: start..lexer.at });
        if ended {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, length: usize, message: impl Into<String>) -> Error {
        Error::parse(self.text, self.at..self.at + length, message)
    }

    /// Skips white space and comments.
    fn skip_blanks(&mut self) -> Result<(), Error> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            self.at += rest.len() - trimmed.len();
            let comment = if trimmed.starts_with('#') || trimmed.starts_with("//") {
                trimmed.find('\n').unwrap_or(trimmed.len())
            } else if let Some(inside) = trimmed.strip_prefix("/*") {
                match inside.find("*/") {
                    Some(end) => end + 4,
                    None => return Err(self.error(2, "comment not terminated")),
                }
            } else {
                return Ok(());
            };
            self.at += comment;
        }
    }

    fn token(&mut self) -> Result<Token, Error> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        if first == '_' || first.is_alphabetic() {
            return Ok(self.word());
        }
        if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(is_digit)) {
            return self.number(0);
        }
        match first {
            '"' => return self.quoted(),
            '`' => return self.raw(),
            '[' => return self.range(),
            '-' => {
                if let Some(token) = self.dash()? {
                    return Ok(token);
                }
            }
            _ => {}
        }
        let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) else {
            let message = format!("syntax error: unexpected character {first:?}");
            return Err(self.error(first.len_utf8(), message));
        };
        self.at += symbol.len();
        Ok(Token::Symbol(symbol))
    }

    fn word(&mut self) -> Token {
        let rest = self.rest();
        let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        self.at += length;
        let word = &rest[..length];
        let lower = word.to_lowercase();
        if let Some(keyword) = KEYWORDS.iter().find(|keyword| **keyword == lower) {
            return Token::Keyword(keyword);
        }
        match FUNCTIONS.iter().find(|function| **function == lower) {
            Some(function) if calls(&rest[length..]) => Token::Function(function),
            _ => Token::Name(word.to_owned()),
        }
    }

    /// A number, or what it becomes with the unit that follows; `sign` bytes stand before it.
    fn number(&mut self, sign: usize) -> Result<Token, Error> {
        let rest = self.rest();
        let unsigned = &rest[sign..];
        let length = number_length(unsigned);
        let is_duration = |c: char| c.is_ascii_digit() || ".nuµmshdwy".contains(c);
        let is_size = |c: char| c.is_ascii_digit() || ".BikKMGTP".contains(c);
        let with = |accept: &dyn Fn(char) -> bool| {
            let unit = &unsigned[length..];
            let end = unit.find(|c| !accept(c)).unwrap_or(unit.len());
            (end > 0).then(|| &rest[..sign + length + end])
        };
        if let Some(text) = with(&is_duration)
            && let Some(duration_ns) = parse_duration(text)
        {
            self.at += text.len();
            return Ok(Token::Duration(duration_ns));
        }
        if let Some(text) = with(&is_size)
            && let Some(bytes) = parse_size(text)
        {
            self.at += text.len();
            return Ok(Token::Bytes(bytes));
        }
        let text = &unsigned[..length];
        let Some(number) = parse_float(text) else {
            let message = format!("unable to parse literal as a float: {text:?}");
            return Err(self.error(sign + length, message));
        };
        self.at += sign + length;
        Ok(Token::Number(number))
    }

    /// A flag or a negative duration.
    fn dash(&mut self) -> Result<Option<Token>, Error> {
        let rest = self.rest();
        for flag in FLAGS {
            if rest.strip_prefix("--").is_some_and(|rest| rest.starts_with(flag)) {
                self.at += 2 + flag.len();
                return Ok(Some(Token::Flag(flag)));
            }
        }
        if !rest[1..].starts_with(is_digit) {
            return Ok(None);
        }
        let start = self.at;
        if let Ok(token @ Token::Duration(_)) = self.number(1) {
            return Ok(Some(token));
        }
        self.at = start;
        Ok(None)
    }

    fn range(&mut self) -> Result<Token, Error> {
        let rest = self.rest();
        let Some(end) = rest.find(']') else {
            return Err(self.error(rest.len(), "missing closing ']' in duration"));
        };
        let text = &rest[1..end];
        let Some(range_ns) = parse_prometheus_duration(text) else {
            return Err(self.error(end + 1, format!("not a valid duration string: {text:?}")));
        };
        if range_ns == 0 {
            return Err(self.error(end + 1, "the range must be greater than 0"));
        }
        self.at += end + 1;
        Ok(Token::Range(range_ns))
    }

    fn raw(&mut self) -> Result<Token, Error> {
        let rest = self.rest();
        let Some(length) = rest[1..].find('`') else {
            return Err(self.error(rest.len(), "raw string literal not terminated"));
        };
        self.at += length + 2;
        Ok(Token::Text(rest[1..=length].replace('\r', "")))
    }

    fn quoted(&mut self) -> Result<Token, Error> {
        let rest = self.rest();
        let mut bytes = Vec::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let Ok(text) = String::from_utf8(bytes) else {
                        return Err(self.error(at + 1, "invalid UTF-8 rune"));
                    };
                    self.at += at + 1;
                    return Ok(Token::Text(text));
                }
                '\n' => break,
                '\\' => {
                    let digits = unescape(&rest[at + 1..], &mut bytes)
                        .ok_or_else(|| self.error(at + 2, "invalid syntax"))?;
                    for _ in 0..digits {
                        chars.next();
                    }
                }
                _ => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        Err(self.error(rest.len(), "literal not terminated"))
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// Whether what follows makes a word a call: `(`, or `by (` and `without (`.
fn calls(rest: &str) -> bool {
    let rest = rest.trim_start();
    if rest.starts_with('(') {
        return true;
    }
    ["by", "without"].into_iter().any(|word| {
        rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && rest[word.len()..].trim_start().starts_with('(')
    })
}

/// Length of the number that `text` begins with, as Go writes numbers.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |mut at: usize, accept: fn(&u8) -> bool| {
        while bytes.get(at).is_some_and(|byte| accept(byte) || *byte == b'_') {
            at += 1;
        }
        at
    };
    let prefixed = bytes[0] == b'0'
        && bytes.get(1).is_some_and(|byte| matches!(byte, b'x' | b'X' | b'b' | b'o' | b'O'));
    let (accept, marks): (fn(&u8) -> bool, &[u8]) =
        if prefixed { (u8::is_ascii_hexdigit, b"pP") } else { (u8::is_ascii_digit, b"eE") };
    let mut at = digits(if prefixed { 2 } else { 0 }, accept);
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1, accept);
    }
    if bytes.get(at).is_some_and(|byte| marks.contains(byte)) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let end = digits(at + 1 + sign, u8::is_ascii_digit);
        if end > at + 1 + sign {
            at = end;
        }
    }
    at
}

/// A literal duration in nanoseconds: Prometheus' form, else Go's; a sign may stand before it.
fn parse_duration(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let duration_ns =
        parse_prometheus_duration(unsigned).or_else(|| parse_go_duration(unsigned))?;
    Some(if unsigned.len() < text.len() { -duration_ns } else { duration_ns })
}

/// `1y2w3d4h5m6s7ms`, units in this order, whole numbers.
fn parse_prometheus_duration(text: &str) -> Option<i64> {
    const MS: i64 = 1_000_000;
    const UNITS: [(&str, i64); 7] = [
        ("y", 365 * 86_400_000 * MS),
        ("w", 7 * 86_400_000 * MS),
        ("d", 86_400_000 * MS),
        ("h", 3_600_000 * MS),
        ("m", 60_000 * MS),
        ("s", 1_000 * MS),
        ("ms", MS),
    ];
    if text == "0" {
        return Some(0);
    }
    let (mut rest, mut units, mut total) = (text, &UNITS[..], 0_i64);
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c: char| !is_digit(c))?);
        let (unit, behind) = behind.split_at(behind.find(is_digit).unwrap_or(behind.len()));
        let at = units.iter().position(|(name, _)| *name == unit)?;
        let part = number.parse::<i64>().ok()?.checked_mul(units[at].1)?;
        total = total.checked_add(part)?;
        (rest, units) = (behind, &units[at + 1..]);
    }
    (!text.is_empty()).then_some(total)
}

/// Reads the escape behind a backslash; the number of characters it has there.
fn unescape(text: &str, bytes: &mut Vec<u8>) -> Option<usize> {
    let first = text.chars().next()?;
    let number = |from: usize, length: usize, radix: u32| {
        let digits = text.get(from..from + length)?;
        digits.chars().all(|c| c.is_digit(radix)).then_some(())?;
        u32::from_str_radix(digits, radix).ok()
    };
    let simple = match first {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '"' => first as u8,
        'x' => {
            bytes.push(u8::try_from(number(1, 2, 16)?).ok()?);
            return Some(3);
        }
        '0'..='7' => {
            bytes.push(u8::try_from(number(0, 3, 8)?).ok()?);
            return Some(3);
        }
        'u' | 'U' => {
            let length = if first == 'u' { 4 } else { 8 };
            let c = char::from_u32(number(1, length, 16)?)?;
            bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
            return Some(1 + length);
        }
        _ => return None,
    };
    bytes.push(simple);
    Some(1)
}
