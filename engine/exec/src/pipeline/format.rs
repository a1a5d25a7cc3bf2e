//! Stages that rewrite lines and labels.

use std::fmt::Write;

use memchr::memchr;

use super::ROW_BYTES_MAX;
use super::labels::RowLabels;
use super::names::{ERROR, ERROR_DETAILS, NameId};
use super::stages::{Pick, Piece, Row, Source};

/// Begins a terminal control sequence.
const ESCAPE: u8 = 0x1b;

/// The line becomes the rendered template.
pub(super) fn line(pieces: &[Piece], row: &mut Row<'_>) {
    row.scratch.clear();
    render(pieces, row);
    std::mem::swap(&mut row.line.text, row.scratch);
    row.line.rewritten = true;
}

/// Appends the rendered template to the scratch text, until that is longer than a row may be.
fn render(pieces: &[Piece], row: &mut Row<'_>) {
    for piece in pieces {
        if row.scratch.len() > ROW_BYTES_MAX {
            return;
        }
        match piece {
            Piece::Text(text) => row.scratch.push_str(text),
            Piece::Label(name) => row.scratch.push_str(row.labels.get(*name).unwrap_or_default()),
            Piece::Line => row.scratch.push_str(row.line.get(row.stored)),
            Piece::Timestamp => {
                // Writing to a string cannot fail.
                let _ = write!(row.scratch, "{}", row.time_ns);
            }
        }
    }
}

/// Sets labels in order; all templates see the labels as the first of them does.
pub(super) fn labels(formats: &[(NameId, Source)], row: &mut Row<'_>) {
    let mut rendered: Vec<String> = Vec::new();
    let mut taken = 0;
    for (target, source) in formats {
        // What is renamed is copied.
        if row.labels.bytes() > ROW_BYTES_MAX {
            return;
        }
        match source {
            Source::Rename(name) => {
                if let Some(value) = row.labels.get(*name).map(str::to_owned) {
                    row.labels.remove(*name);
                    row.labels.set(*target, &value);
                }
            }
            Source::Template(_) => {
                if rendered.is_empty() {
                    rendered = render_all(formats, row);
                }
                row.labels.set(*target, &rendered[taken]);
                taken += 1;
            }
        }
    }
}

/// The templates, of which those are empty that a row has no room for: it is refused anyway.
fn render_all(formats: &[(NameId, Source)], row: &mut Row<'_>) -> Vec<String> {
    let (mut rendered, mut bytes) = (Vec::new(), 0);
    for (_, source) in formats {
        if let Source::Template(pieces) = source {
            row.scratch.clear();
            if bytes <= ROW_BYTES_MAX {
                render(pieces, row);
            }
            bytes += row.scratch.len();
            rendered.push(row.scratch.clone());
        }
    }
    rendered
}

/// Removes labels, those with a matcher where it holds.
pub(super) fn drop_labels(picks: &[Pick], labels: &mut RowLabels) {
    for pick in picks {
        let drops = match &pick.matcher {
            None => true,
            Some(matcher) => matcher.matches(labels.get(pick.name).unwrap_or_default()),
        };
        if drops {
            labels.remove(pick.name);
        }
    }
}

/// Removes all labels but the picked ones and the row's error.
pub(super) fn keep_labels(picks: &[Pick], labels: &mut RowLabels) {
    let kept = |name: NameId, value: &str| {
        matches!(name, ERROR | ERROR_DETAILS)
            || picks.iter().any(|pick| {
                pick.name == name
                    && pick.matcher.as_ref().is_none_or(|matcher| matcher.matches(value))
            })
    };
    let stream = labels.visible_stream().map(|(name, value)| (name, value.as_ref()));
    let added = labels.added().map(|(name, _, value)| (name, value));
    let removed: Vec<NameId> = stream
        .chain(added)
        .filter(|(name, value)| !kept(*name, value))
        .map(|(name, _)| name)
        .collect();
    removed.into_iter().for_each(|name| labels.remove(name));
}

/// Removes terminal control sequences from the line.
pub(super) fn decolorize(row: &mut Row<'_>) {
    let line = row.line.get(row.stored);
    if memchr(ESCAPE, line.as_bytes()).is_none() {
        return;
    }
    row.scratch.clear();
    let mut rest = line;
    while let Some(at) = memchr(ESCAPE, rest.as_bytes()) {
        row.scratch.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = control_sequence(rest.as_bytes());
        if length == 0 {
            row.scratch.push_str(&rest[..1]);
        }
        rest = &rest[length.max(1)..];
    }
    row.scratch.push_str(rest);
    std::mem::swap(&mut row.line.text, row.scratch);
    row.line.rewritten = true;
}

/// Length of the control sequence that `text` begins with, an escape; 0 if it is none.
fn control_sequence(text: &[u8]) -> usize {
    match text.get(1) {
        // CSI: parameters and intermediates, then one final byte.
        Some(b'[') => {
            let parameters = text[2..].iter().take_while(|byte| (0x20..0x40).contains(*byte));
            let end = 2 + parameters.count();
            match text.get(end) {
                Some(0x40..=0x7e) => end + 1,
                _ => 0,
            }
        }
        // OSC: anything up to a bell or a string terminator.
        Some(b']') => {
            let body = &text[2..];
            let bell = memchr(0x07, body).map(|at| at + 1);
            let terminator = memchr::memmem::find(body, b"\x1b\\").map(|at| at + 2);
            let end = [bell, terminator].into_iter().flatten().min();
            end.map_or(0, |end| 2 + end)
        }
        _ => 0,
    }
}
