//! `| json` and `| unpack`.

use plan::node::PathSegment;

use super::json::{DEPTH_MAX, Malformed, RawText, Reader, Value, push_text};
use super::names::NameId;
use super::stages::Row;
use super::usage::Needed;

#[cfg(test)]
mod tests;

/// The member whose text `unpack` makes the line.
const ENTRY: &str = "_entry";

/// Where a value lies within a document.
#[derive(Debug)]
pub(super) struct Path(pub(super) Vec<PathSegment>);

/// Adds every text, number and boolean of the object that the line is.
pub(super) fn flatten(row: &mut Row<'_>) {
    if row.parsed.is_empty() {
        return;
    }
    if let Err(Malformed(why)) = try_flatten(row) {
        fail(row, why);
    }
}

fn fail(row: &mut Row<'_>, why: &str) {
    row.labels.fail("JSONParserErr", || why.to_owned());
}

fn try_flatten(row: &mut Row<'_>) -> Result<(), Malformed> {
    let mut reader = Reader::new(row.line.get(row.stored));
    if !reader.take(b'{') {
        return Err(Malformed("expected a JSON object"));
    }
    let mut left = match row.parsed {
        Needed::All => usize::MAX,
        Needed::Only(_, count) => *count,
    };
    // The name so far, and how long it was at each level that is open.
    let name = &mut *row.scratch;
    name.clear();
    let mut open: Vec<usize> = Vec::new();
    let mut first = true;
    loop {
        let Some(key) = reader.key(first)? else {
            let Some(length) = open.pop() else { return Ok(()) };
            name.truncate(length);
            first = false;
            continue;
        };
        first = false;
        let length = name.len();
        let named = push_key(key, name);
        let value = reader.value()?;
        match value {
            Value::Object if named && row.parsed.has_prefix(name, row.names) => {
                if open.len() >= DEPTH_MAX {
                    return Err(Malformed("nested too deep"));
                }
                reader.take(b'{');
                open.push(length);
                first = true;
                continue;
            }
            Value::Text(_) | Value::Plain(_) if named => {
                if let Some(id) = row.parsed.find(name, row.names) {
                    let added =
                        row.labels.add_parsed(id, row.names, |output| push_value(value, output));
                    left -= usize::from(added && left != usize::MAX);
                }
            }
            value => reader.leave(value)?,
        }
        name.truncate(length);
        if left == 0 {
            // What was asked for is complete: the rest of the line is nobody's concern.
            return Ok(());
        }
    }
}

fn push_value(value: Value<'_>, output: &mut String) {
    match value {
        Value::Text(text) => push_text(text, output),
        Value::Plain(text) => output.push_str(text),
        Value::Null | Value::Object | Value::Array => {}
    }
}

/// Appends a key to the name of its object; `false` if nothing of it can be a name.
fn push_key(key: RawText<'_>, name: &mut String) -> bool {
    if key.escaped {
        let mut text = String::new();
        push_text(key, &mut text);
        push_sanitized(&text, name)
    } else {
        push_sanitized(key.raw, name)
    }
}

/// Appends a key as a part of a label's name: blanks around it go, what cannot stand in a name
/// becomes an underscore, a digit cannot begin one. `false` if the key is empty.
pub(super) fn push_sanitized(key: &str, name: &mut String) -> bool {
    let key = key.trim();
    if key.is_empty() {
        return false;
    }
    if !name.is_empty() || key.starts_with(|c: char| c.is_ascii_digit()) {
        name.push('_');
    }
    if key.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
        name.push_str(key);
        return true;
    }
    name.extend(key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    true
}

/// Adds what lies at the paths; empty where nothing does.
pub(super) fn paths(paths: &[(NameId, Path)], row: &mut Row<'_>) {
    if !paths.iter().any(|(name, _)| row.parsed.has(*name)) {
        return;
    }
    let line = row.line.get(row.stored);
    let mut found = Vec::with_capacity(paths.len());
    for (name, path) in paths.iter().filter(|(name, _)| row.parsed.has(*name)) {
        match lookup(line, &path.0) {
            Ok(value) => found.push((*name, value)),
            Err(Malformed(why)) => {
                fail(row, why);
                return;
            }
        }
    }
    for (name, value) in found {
        row.labels.add_parsed(name, row.names, |output| match value {
            Some(Found::Value(value)) => push_value(value, output),
            Some(Found::Block(text)) => output.push_str(text),
            None => {}
        });
    }
}

enum Found<'a> {
    Value(Value<'a>),
    /// An object or array, as it stands.
    Block(&'a str),
}

fn lookup<'a>(line: &'a str, path: &[PathSegment]) -> Result<Option<Found<'a>>, Malformed> {
    let mut reader = Reader::new(line);
    if !matches!(reader.peek(), Some(b'{' | b'[' | b'"')) {
        return Err(Malformed("expected a JSON value"));
    }
    for segment in path {
        let value = reader.value()?;
        let present = match (segment, value) {
            (PathSegment::Key(key), Value::Object) => seek_key(&mut reader, key)?,
            (PathSegment::Index(index), Value::Array) => seek_index(&mut reader, *index)?,
            _ => false,
        };
        if !present {
            return Ok(None);
        }
    }
    Ok(match reader.value()? {
        Value::Object | Value::Array => Some(Found::Block(reader.skip_block()?)),
        Value::Null => None,
        value => Some(Found::Value(value)),
    })
}

/// Moves to the value of a key of the object that comes next; whether there is one.
fn seek_key(reader: &mut Reader<'_>, wanted: &str) -> Result<bool, Malformed> {
    reader.take(b'{');
    let mut first = true;
    while let Some(key) = reader.key(first)? {
        first = false;
        let is_wanted = if key.escaped {
            let mut text = String::new();
            push_text(key, &mut text);
            text == wanted
        } else {
            key.raw == wanted
        };
        if is_wanted {
            return Ok(true);
        }
        let value = reader.value()?;
        reader.leave(value)?;
    }
    Ok(false)
}

/// Moves to an item of the array that comes next; whether there is one.
fn seek_index(reader: &mut Reader<'_>, index: usize) -> Result<bool, Malformed> {
    reader.take(b'[');
    if reader.peek() == Some(b']') {
        return Ok(false);
    }
    for _ in 0..index {
        let value = reader.value()?;
        reader.leave(value)?;
        if !reader.take(b',') {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes the packed text the line and the texts beside it labels.
pub(super) fn unpack(row: &mut Row<'_>) {
    let line = row.line.get(row.stored);
    match members(line) {
        Err(Malformed(why)) => fail(row, why),
        Ok(members) => {
            let Some((_, entry)) = members.iter().find(|(key, _)| key.raw == ENTRY) else {
                return;
            };
            let mut text = String::new();
            push_text(*entry, &mut text);
            for (key, value) in members.iter().filter(|(key, _)| key.raw != ENTRY) {
                row.scratch.clear();
                if push_key(*key, row.scratch)
                    && let Some(id) = row.parsed.find(row.scratch, row.names)
                {
                    row.labels.add_parsed(id, row.names, |output| push_text(*value, output));
                }
            }
            row.line.text = text;
            row.line.rewritten = true;
        }
    }
}

/// The members of an object that are texts.
fn members(line: &str) -> Result<Vec<(RawText<'_>, RawText<'_>)>, Malformed> {
    let mut reader = Reader::new(line);
    if !reader.take(b'{') {
        return Err(Malformed("expected a JSON object"));
    }
    let mut members = Vec::new();
    let mut first = true;
    while let Some(key) = reader.key(first)? {
        first = false;
        match reader.value()? {
            Value::Text(text) => members.push((key, text)),
            value => reader.leave(value)?,
        }
    }
    Ok(members)
}
