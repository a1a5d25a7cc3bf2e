//! Paths into JSON documents: `a.b["c d"][0]`.

use plan::node::PathSegment;

/// Segments a path may have.
const SEGMENTS_MAX: usize = 64;

/// The segments of a path, or why it is none.
pub(super) fn parse(text: &str) -> Result<Vec<PathSegment>, String> {
    let mut segments = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if segments.len() == SEGMENTS_MAX {
            return Err(format!("more than {SEGMENTS_MAX} segments"));
        }
        if let Some(inside) = rest.strip_prefix('[') {
            let (segment, behind) = bracket(inside)?;
            segments.push(segment);
            rest = behind;
            continue;
        }
        let field = match rest.strip_prefix('.') {
            Some(field) => field,
            None if segments.is_empty() => rest,
            None => return Err(format!("unexpected {rest:?}")),
        };
        let end = field.find(|c: char| !is_field_char(c)).unwrap_or(field.len());
        let starts_with_digit = field.starts_with(|c: char| c.is_ascii_digit());
        if end == 0 || starts_with_digit {
            return Err(format!("unexpected {field:?}"));
        }
        segments.push(PathSegment::Key(field[..end].to_owned()));
        rest = &field[end..];
    }
    if segments.is_empty() {
        return Err("empty path".to_owned());
    }
    Ok(segments)
}

fn is_field_char(c: char) -> bool {
    c == '_' || c == '-' || c.is_ascii_alphanumeric()
}

/// What stands behind `[`, and what follows the `]`.
fn bracket(inside: &str) -> Result<(PathSegment, &str), String> {
    if let Some(quoted) = inside.strip_prefix('"') {
        let mut key = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let rest = quoted[at + 1..].strip_prefix(']').ok_or("missing ]")?;
                    return Ok((PathSegment::Key(key), rest));
                }
                '\\' => key.extend(chars.next().map(|(_, escaped)| escaped)),
                _ => key.push(c),
            }
        }
        return Err("missing closing quote".to_owned());
    }
    let (index, rest) = inside.split_once(']').ok_or("missing ]")?;
    let index = index.parse().map_err(|_| format!("invalid index {index:?}"))?;
    Ok((PathSegment::Index(index), rest))
}
