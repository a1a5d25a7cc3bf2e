//! From text to tokens.
//!
//! Attributes are read here as one token each, because their names may hold almost any
//! character: `.a+1` is an attribute called `a+1`, `.a + 1` is a sum.

use std::ops::Range;

use plan::expr::Intrinsic;
use schemas::model::{Attribute, Scope};

use super::literal::{self, duration_ns, unescape};
use crate::Error;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// Punctuation or operator, as written.
    Sign(&'static str),
    /// A bare word.
    Word(String),
    /// An intrinsic in its scoped form, such as `span:name`.
    Intrinsic(Intrinsic),
    /// An attribute in any of its forms.
    Attribute(Attribute),
    /// An attribute of the parent span.
    ParentAttribute(Attribute),
    Text(String),
    Int(i64),
    Float(f64),
    /// Nanoseconds.
    Duration(i64),
    /// The end of the text.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

/// Signs, longer ones before their prefixes.
const SIGNS: &[&str] = &[
    "!>>", "!<<", "&>>", "&<<", "&&", "||", "!=", "!~", "!>", "!<", "=~", "<=", ">=", ">>", "<<",
    "&>", "&<", "&~", "{", "}", "(", ")", ",", "=", "<", ">", "+", "-", "*", "/", "%", "^", "!",
    "|", "~",
];

/// Words that start an attribute when a dot follows at once.
const ATTRIBUTE_SCOPES: &[(&str, Scope)] = &[
    ("span", Scope::Span),
    ("resource", Scope::Resource),
    ("event", Scope::Event),
    ("link", Scope::Link),
    ("instrumentation", Scope::Instrumentation),
];

/// Words that start a scoped intrinsic when a colon follows at once.
const INTRINSIC_SCOPES: &[&str] = &["trace", "span", "event", "link", "instrumentation"];

/// The tokens of a text; the last one is [`TokenKind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at = skip_blank(text, at)?;
        if at == text.len() {
            tokens.push(Token { kind: TokenKind::End, span: at..at });
            return Ok(tokens);
        }
        let (kind, end) = token(text, at)?;
        tokens.push(Token { kind, span: at..end });
        at = end;
    }
}

/// The intrinsic that `text` names, in its bare or its scoped form.
pub(crate) fn intrinsic_of(text: &str) -> Option<Intrinsic> {
    let (scope, name) = text.split_once(':').unwrap_or(("", text));
    literal::intrinsic(scope, name)
}

fn skip_blank(text: &str, mut at: usize) -> Result<usize, Error> {
    loop {
        let rest = &text[at..];
        at = text.len() - rest.trim_start().len();
        let rest = &text[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let end = comment.find("*/");
            at += 4 + end.ok_or_else(|| Error::parse(at..at + 2, "comment not closed"))?;
        } else {
            return Ok(at);
        }
    }
}

fn token(text: &str, at: usize) -> Result<(TokenKind, usize), Error> {
    let rest = &text[at..];
    let mut chars = rest.chars();
    let first = chars.next().unwrap_or_default();
    let second = chars.next().unwrap_or_default();
    if first.is_ascii_digit() || (first == '.' && second.is_ascii_digit()) {
        return number(text, at);
    }
    match first {
        '"' => return quoted(text, at),
        '`' => {
            let end = rest[1..].find('`').ok_or_else(|| not_closed(text, at))? + 1;
            return Ok((TokenKind::Text(rest[1..end].to_owned()), at + end + 1));
        }
        '.' => {
            let (key, end) = attribute_key(text, at + 1)?;
            return Ok((TokenKind::Attribute(Attribute { scope: None, key }), end));
        }
        _ if is_word_start(first) => return word(text, at),
        _ => {}
    }
    match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        Some(sign) => Ok((TokenKind::Sign(sign), at + sign.len())),
        None => Err(Error::parse(at..at + first.len_utf8(), format!("unexpected {first:?}"))),
    }
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn word_end(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    at + rest.find(|c| !is_word_start(c) && !char::is_numeric(c)).unwrap_or(rest.len())
}

fn word(text: &str, at: usize) -> Result<(TokenKind, usize), Error> {
    let end = word_end(text, at);
    let word = &text[at..end];
    match text.as_bytes().get(end) {
        Some(b':') if INTRINSIC_SCOPES.contains(&word) => {
            let name_end = word_end(text, end + 1);
            let name = &text[end + 1..name_end];
            let known = literal::intrinsic(word, name)
                .ok_or_else(|| Error::parse(at..name_end, format!("no intrinsic {word}:{name}")))?;
            Ok((TokenKind::Intrinsic(known), name_end))
        }
        Some(b'.') if word == "parent" => {
            let rest = &text[end + 1..];
            let scoped = ATTRIBUTE_SCOPES[..2].iter().find(|(name, _)| {
                rest.strip_prefix(name).is_some_and(|after| after.starts_with('.'))
            });
            let skip = scoped.map_or(0, |(name, _)| name.len() + 1);
            let (key, end) = attribute_key(text, end + 1 + skip)?;
            let scope = scoped.map(|(_, scope)| *scope);
            Ok((TokenKind::ParentAttribute(Attribute { scope, key }), end))
        }
        Some(b'.') => match ATTRIBUTE_SCOPES.iter().find(|(name, _)| *name == word) {
            Some((_, scope)) => {
                let (key, end) = attribute_key(text, end + 1)?;
                Ok((TokenKind::Attribute(Attribute { scope: Some(*scope), key }), end))
            }
            None => Ok((TokenKind::Word(word.to_owned()), end)),
        },
        _ => Ok((TokenKind::Word(word.to_owned()), end)),
    }
}

/// Whether a character can stand in an attribute's name without quotes.
pub(super) fn is_attribute_char(c: char) -> bool {
    !c.is_whitespace() && !"{}()=~!<>&|^,\"".contains(c)
}

/// The key that starts at `at`: bare and quoted segments, joined.
fn attribute_key(text: &str, at: usize) -> Result<(String, usize), Error> {
    let mut key = String::new();
    let mut end = at;
    while let Some(c) = text[end..].chars().next() {
        if c == '"' {
            end = quoted_segment(text, end, &mut key)?;
        } else if is_attribute_char(c) {
            key.push(c);
            end += c.len_utf8();
        } else {
            break;
        }
    }
    if key.is_empty() {
        return Err(Error::parse(at..end, "expected the name of an attribute"));
    }
    Ok((key, end))
}

fn quoted_segment(text: &str, at: usize, key: &mut String) -> Result<usize, Error> {
    let mut chars = text[at + 1..].char_indices();
    while let Some((offset, c)) = chars.next() {
        match c {
            '"' => return Ok(at + 1 + offset + 1),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => key.push(c),
                _ => return Err(Error::parse(at..at + 1 + offset, "unknown escape in a name")),
            },
            _ => key.push(c),
        }
    }
    Err(not_closed(text, at))
}

fn quoted(text: &str, at: usize) -> Result<(TokenKind, usize), Error> {
    let mut escaped = false;
    for (offset, c) in text[at + 1..].char_indices() {
        let end = at + 1 + offset;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => break,
            '"' => {
                let value = unescape(&text[at + 1..end])
                    .map_err(|reason| Error::parse(at..end + 1, reason))?;
                return Ok((TokenKind::Text(value), end + 1));
            }
            _ => {}
        }
    }
    Err(not_closed(text, at))
}

fn not_closed(text: &str, at: usize) -> Error {
    Error::parse(at..text.len(), "text not closed")
}

fn number(text: &str, at: usize) -> Result<(TokenKind, usize), Error> {
    let bytes = text.as_bytes();
    let digits = |mut end: usize| {
        while bytes.get(end).is_some_and(u8::is_ascii_digit) {
            end += 1;
        }
        end
    };
    let mut end = digits(at);
    let mut is_float = false;
    if bytes.get(end) == Some(&b'.') {
        is_float = true;
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent_end = digits(end + 1 + sign);
        if exponent_end > end + 1 + sign {
            is_float = true;
            end = exponent_end;
        }
    }
    let is_unit = |c: char| "nsuµμmhdwy".contains(c);
    if text[end..].starts_with(is_unit) {
        let rest = &text[end..];
        let in_duration = |c: char| is_unit(c) || c.is_ascii_digit() || c == '.';
        let end = end + rest.find(|c| !in_duration(c)).unwrap_or(rest.len());
        let value = duration_ns(&text[at..end]).filter(|_| !text[end..].starts_with(is_word_start));
        return value
            .map(|value| (TokenKind::Duration(value), end))
            .ok_or_else(|| Error::parse(at..end, format!("bad duration {:?}", &text[at..end])));
    }
    let bad = |end| Error::parse(at..end, format!("bad number {:?}", &text[at..end]));
    if text[end..].starts_with(is_word_start) {
        return Err(bad(word_end(text, end)));
    }
    let written = &text[at..end];
    if is_float {
        let value = written.parse::<f64>().ok().filter(|value| value.is_finite());
        return value.map(|value| (TokenKind::Float(value), end)).ok_or_else(|| bad(end));
    }
    written.parse().map(|value| (TokenKind::Int(value), end)).map_err(|_| bad(end))
}
