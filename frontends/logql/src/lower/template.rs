//! Templates: the part of Go's that joins texts, labels, the line and its time.

use plan::node::{Template, TemplatePart};

use super::pipeline::in_stage;
use crate::Error;
use crate::syntax::ast::Stage;

/// Functions and words that Loki's templates know and we do not render.
const KNOWN: &[&str] = &[
    "and",
    "or",
    "not",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "call",
    "if",
    "else",
    "end",
    "with",
    "range",
    "break",
    "continue",
    "define",
    "template",
    "block",
    "ToLower",
    "ToUpper",
    "Replace",
    "Trim",
    "TrimLeft",
    "TrimRight",
    "TrimPrefix",
    "TrimSuffix",
    "TrimSpace",
    "regexReplaceAll",
    "regexReplaceAllLiteral",
    "count",
    "urldecode",
    "urlencode",
    "bytes",
    "duration",
    "duration_seconds",
    "unixEpochMillis",
    "unixEpochNanos",
    "toDateInZone",
    "unixToTime",
    "alignLeft",
    "alignRight",
    "b64dec",
    "b64enc",
    "lower",
    "upper",
    "title",
    "trunc",
    "substr",
    "contains",
    "hasPrefix",
    "hasSuffix",
    "indent",
    "nindent",
    "replace",
    "repeat",
    "trim",
    "trimAll",
    "trimSuffix",
    "trimPrefix",
    "int",
    "float64",
    "add",
    "sub",
    "mul",
    "div",
    "mod",
    "addf",
    "subf",
    "mulf",
    "divf",
    "max",
    "min",
    "maxf",
    "minf",
    "ceil",
    "floor",
    "round",
    "fromJson",
    "date",
    "toDate",
    "now",
    "unixEpoch",
    "default",
    "__line__",
    "__timestamp__",
];

/// The parts of a template that stands in `stage`.
pub(super) fn parse(text: &str, stage: &Stage) -> Result<Template, Error> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    loop {
        let (before, action) = match rest.split_once("{{") {
            Some((before, action)) => (before, Some(action)),
            None => (rest, None),
        };
        let before = if trim_next { before.trim_start() } else { before };
        let (trims_before, action) = match action {
            Some(action) if trim_marker(action, '-', 0) => (true, Some(&action[1..])),
            action => (false, action),
        };
        let before = if trims_before { before.trim_end() } else { before };
        if !before.is_empty() {
            parts.push(TemplatePart::Text(before.to_owned()));
        }
        let Some(action) = action else { return Ok(Template { parts }) };
        let (inside, behind) = split_action(action)
            .ok_or_else(|| in_stage(stage, "template: line:1: unclosed action"))?;
        trim_next = inside.ends_with(" -") || inside.ends_with("\n-") || inside.ends_with("\t-");
        let inside = if trim_next { &inside[..inside.len() - 1] } else { inside };
        parts.extend(lower_action(inside.trim(), stage)?);
        rest = behind;
    }
}

/// Whether a `-` with white space behind it stands at `at`.
fn trim_marker(action: &str, marker: char, at: usize) -> bool {
    action[at..].strip_prefix(marker).is_some_and(|rest| rest.starts_with([' ', '\t', '\n', '\r']))
}

/// The inside of an action and what follows its `}}`; quotes may hold braces.
fn split_action(action: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in action.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '`' => quote = Some(c),
            None if action[at..].starts_with("}}") => {
                return Some((&action[..at], &action[at + 2..]));
            }
            None => {}
        }
    }
    None
}

fn lower_action(action: &str, stage: &Stage) -> Result<Option<TemplatePart>, Error> {
    if action.starts_with("/*") && action.ends_with("*/") {
        return Ok(None);
    }
    if let Some(name) = action.strip_prefix('.')
        && !name.is_empty()
        && name.chars().all(|c| c == '_' || c.is_alphanumeric())
    {
        return Ok(Some(TemplatePart::Label(name.to_owned())));
    }
    let words: Vec<&str> = action.split_whitespace().collect();
    match words.as_slice() {
        ["__line__"] => return Ok(Some(TemplatePart::Line)),
        ["unixEpochNanos", "__timestamp__"] | ["__timestamp__", "|", "unixEpochNanos"] => {
            return Ok(Some(TemplatePart::Timestamp));
        }
        [] => return Err(in_stage(stage, "template: line:1: missing value for command")),
        _ => {}
    }
    if let Some(text) = literal(action) {
        return Ok(Some(TemplatePart::Text(text.to_owned())));
    }
    let mut names = action
        .split(|c: char| c != '.' && c != '$' && c != '_' && !c.is_alphanumeric())
        .filter(|word| word.starts_with(|c: char| c == '_' || c.is_alphabetic()))
        .filter(|word| !["true", "false", "nil"].contains(word));
    match names.next() {
        Some(name) if KNOWN.contains(&name) => {
            Err(Error::unsupported(format!("template function {name:?} is not supported")))
        }
        Some(name) => {
            Err(in_stage(stage, format!("template: line:1: function {name:?} not defined")))
        }
        None => Err(Error::unsupported(format!("template action {action:?} is not supported"))),
    }
}

/// The text of a quoted constant without escapes.
fn literal(action: &str) -> Option<&str> {
    ['"', '`'].into_iter().find_map(|quote| {
        let inside = action.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inside.contains([quote, '\\'])).then_some(inside)
    })
}
