//! Line patterns (`|> "<_> took <_> ms"`) and pattern parsers.

use memchr::memmem;
use plan::node::PatternPart;

/// Whether the whole line follows a line pattern.
///
/// Captures take at least one byte, up to the first place where the next literal stands.
pub(super) fn matches(parts: &[PatternPart], line: &str) -> bool {
    let Some(first) = parts.first() else { return line.is_empty() };
    let mut rest = line.as_bytes();
    let mut open = false;
    for part in parts {
        match part {
            PatternPart::Capture(_) => open = true,
            PatternPart::Literal(literal) if open => {
                // The capture takes one byte at least, so the search begins behind it.
                let Some(found) = rest.get(1..).and_then(|rest| find(rest, literal)) else {
                    return false;
                };
                rest = &rest[1 + found + literal.len()..];
                open = false;
            }
            PatternPart::Literal(literal) => {
                debug_assert!(std::ptr::eq(part, first), "literals do not stand side by side");
                let Some(behind) = rest.strip_prefix(literal.as_bytes()) else { return false };
                rest = behind;
            }
        }
    }
    if open { !rest.is_empty() } else { rest.is_empty() }
}

/// Calls `visit` with every named capture of a pattern parser and its text.
///
/// The first literal must begin the line. Where a later one is missing, the capture before it
/// takes the rest and the captures behind it are not set.
pub(super) fn captures<'a, 'p>(
    parts: &'p [PatternPart],
    line: &'a str,
    mut visit: impl FnMut(&'p str, &'a str),
) {
    let mut rest = line;
    let mut parts = parts.iter().peekable();
    if let Some(PatternPart::Literal(literal)) = parts.peek() {
        let Some(behind) = rest.strip_prefix(literal.as_str()) else { return };
        rest = behind;
        parts.next();
    }
    while let Some(part) = parts.next() {
        let PatternPart::Capture(name) = part else { continue };
        let found = match parts.next() {
            Some(PatternPart::Literal(literal)) => {
                find(rest.as_bytes(), literal).map(|at| (at, literal.len()))
            }
            _ => None,
        };
        let (length, literal) = found.unwrap_or((rest.len(), 0));
        if let Some(name) = name {
            visit(name, &rest[..length]);
        }
        if found.is_none() {
            return;
        }
        rest = &rest[length + literal..];
    }
}

fn find(text: &[u8], literal: &str) -> Option<usize> {
    memmem::find(text, literal.as_bytes())
}
