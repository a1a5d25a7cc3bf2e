//! `| logfmt`.

use super::names::NameId;
use super::parse_json::push_sanitized;
use super::stages::Row;

#[cfg(test)]
mod tests;

/// How `key=value` pairs are read.
#[derive(Debug)]
pub(super) struct Logfmt {
    /// Only these keys, with their labels; none means all.
    pub(super) keys: Vec<(String, NameId)>,
    /// A malformed pair is an error instead of being skipped.
    pub(super) strict: bool,
    /// Keys without a value become empty labels.
    pub(super) keep_empty: bool,
}

/// A pair as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    pub(super) key: &'a str,
    /// Between the quotes if there were any; empty if there was no value.
    pub(super) value: &'a str,
    /// Whether the value has escapes.
    pub(super) escaped: bool,
}

/// The pairs of a line; `Err` is a malformed one, behind which reading goes on.
#[derive(Clone, Debug)]
pub(super) struct Pairs<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.line.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Skips to the next blank and says that the pair was malformed.
    fn malformed(&mut self, why: &'static str) -> Option<Result<Pair<'a>, &'static str>> {
        let rest = self.rest();
        self.at += rest.iter().position(|byte| *byte <= b' ').unwrap_or(rest.len());
        Some(Err(why))
    }

    fn quoted(&mut self, key: &'a str) -> Option<Result<Pair<'a>, &'static str>> {
        let start = self.at + 1;
        let bytes = self.line.as_bytes();
        let mut at = start;
        let mut escaped = false;
        loop {
            match memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
                None => {
                    self.at = bytes.len();
                    return Some(Err("a quoted value has no end"));
                }
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
        let value = &self.line[start..at];
        if escaped && unquote(value, &mut String::new()).is_none() {
            return Some(Err("a quoted value has a wrong escape"));
        }
        Some(Ok(Pair { key, value, escaped }))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<Pair<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest();
        self.at += rest.iter().position(|byte| *byte > b' ')?;
        let start = self.at;
        let rest = self.rest();
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b'"' | 0..=b' '));
        let end = end.unwrap_or(rest.len());
        self.at += end;
        let key = &self.line[start..self.at];
        match rest.get(end) {
            Some(b'"') => return self.malformed("a key has a quote"),
            Some(b'=') if key.is_empty() => return self.malformed("a pair has no key"),
            Some(b'=') => self.at += 1,
            _ => return Some(Ok(Pair { key, value: "", escaped: false })),
        }
        if self.rest().first() == Some(&b'"') {
            return self.quoted(key);
        }
        let start = self.at;
        let rest = self.rest();
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b'"' | 0..=b' '));
        let end = end.unwrap_or(rest.len());
        self.at += end;
        if matches!(rest.get(end), Some(b'=' | b'"')) {
            return self.malformed("a value has an equals sign or a quote");
        }
        Some(Ok(Pair { key, value: &self.line[start..self.at], escaped: false }))
    }
}

/// Appends a quoted text without its escapes; `None` if one of them is wrong.
fn unquote(mut rest: &str, output: &mut String) -> Option<()> {
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
                let digits = rest.get(at + 2..at + 6)?;
                digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
                length = 6;
                let code = u32::from_str_radix(digits, 16).ok()?;
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        });
        rest = rest.get(at + length..)?;
    }
    output.push_str(rest);
    Some(())
}

fn push_value(pair: Pair<'_>, output: &mut String) {
    if pair.escaped {
        // The pair was checked when it was read.
        let _ = unquote(pair.value, output);
    } else {
        output.push_str(pair.value);
    }
}

/// Adds the pairs of the line.
pub(super) fn parse(logfmt: &Logfmt, row: &mut Row<'_>) {
    if row.parsed.is_empty() {
        return;
    }
    if !logfmt.keys.is_empty() {
        return parse_keys(logfmt, row);
    }
    let line = row.line.get(row.stored);
    let mut left = match row.parsed {
        super::usage::Needed::All => usize::MAX,
        super::usage::Needed::Only(_, count) => *count,
    };
    for pair in Pairs::new(line) {
        let pair = match pair {
            Ok(pair) => pair,
            Err(why) if logfmt.strict => {
                row.labels.fail("LogfmtParserErr", || why.to_owned());
                return;
            }
            Err(_) => continue,
        };
        if pair.value.is_empty() && !logfmt.keep_empty {
            continue;
        }
        row.scratch.clear();
        if !push_sanitized(pair.key, row.scratch) {
            continue;
        }
        if let Some(name) = row.parsed.find(row.scratch, row.names)
            && row.labels.add_parsed(name, row.names, |value| push_value(pair, value))
            && left != usize::MAX
        {
            left -= 1;
            if left == 0 {
                return;
            }
        }
    }
}

/// Adds the values of certain keys; empty where a key is missing.
fn parse_keys(logfmt: &Logfmt, row: &mut Row<'_>) {
    let line = row.line.get(row.stored);
    let mut found: Vec<Option<Pair<'_>>> = vec![None; logfmt.keys.len()];
    for pair in Pairs::new(line) {
        let pair = match pair {
            Ok(pair) => pair,
            Err(why) if logfmt.strict => {
                row.labels.fail("LogfmtParserErr", || why.to_owned());
                return;
            }
            Err(_) => continue,
        };
        for ((key, _), slot) in logfmt.keys.iter().zip(&mut found) {
            if key == pair.key && slot.is_none() {
                *slot = Some(pair);
            }
        }
    }
    for ((_, name), pair) in logfmt.keys.iter().zip(found) {
        if row.parsed.has(*name) {
            row.labels.add_parsed(*name, row.names, |value| {
                if let Some(pair) = pair {
                    push_value(pair, value);
                }
            });
        }
    }
}
