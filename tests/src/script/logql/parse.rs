//! Files to commands: `load`, `clear` and `eval` with what is expected.

use regex::Regex;
use schemas::model::{Label, Labels, NANOS_PER_MILLI, parse_go_duration};

use super::super::parse::{Eval, Expected, Pattern, Remarks, When};
use super::super::series::{Series, parse_items};
use super::load::Entry;

/// The time that the files count from: the start of 2026.
const EPOCH_MS: i64 = 1_767_225_600_000;

/// Repetitions that a line may ask for.
const REPEATS_MAX: i64 = 1_000_000;

/// A relative difference of 1e-9, in relation to the sum of both numbers.
const TOLERANCE: f64 = 0.5e-9;

/// A command and the line it stands in, counted from 1.
#[derive(Debug)]
pub(super) struct Command {
    /// Of its first word.
    pub(super) line: usize,
    /// What is to be done.
    pub(super) action: Action,
}

/// What a command does.
#[derive(Debug)]
pub(super) enum Action {
    /// Forgets all lines.
    Clear,
    /// Stores lines.
    Load(Vec<Entry>),
    /// Asks a query.
    Eval(Box<Eval>),
    /// A line that could not be read.
    Broken(String),
}

/// The commands of a file. A line that cannot be read is a command of its own, so that the rest
/// of the file is run all the same.
pub(super) fn parse(text: &str) -> Vec<Command> {
    let lines: Vec<&str> = text.lines().collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while let Some(first) = lines.get(at) {
        at += 1;
        if is_empty(first) {
            continue;
        }
        let line = at;
        let indented = |line: &&&str| line.starts_with([' ', '\t']);
        let body: Vec<&str> = lines[at..].iter().take_while(indented).copied().collect();
        at += body.len();
        let body: Vec<&str> =
            body.into_iter().map(str::trim).filter(|line| !is_empty(line)).collect();
        let action = action(first.trim_end(), &body).unwrap_or_else(Action::Broken);
        commands.push(Command { line, action });
    }
    commands
}

/// Whether a line says nothing.
fn is_empty(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

fn action(first: &str, body: &[&str]) -> Result<Action, String> {
    match first.split_whitespace().next() {
        Some("clear") => Ok(Action::Clear),
        Some("load") => {
            let mut entries = Vec::new();
            for line in body {
                load(line, &mut entries).ok_or_else(|| format!("{line:?} is no line to load"))?;
            }
            Ok(Action::Load(entries))
        }
        Some("eval") => eval(first, body).map(|eval| Action::Eval(Box::new(eval))),
        _ => Err(format!("{first:?} is no command")),
    }
}

/// Reads `{labels} "line" @ time`, its repetitions and its metadata.
fn load(text: &str, entries: &mut Vec<Entry>) -> Option<()> {
    let (labels, rest) = label_set(text)?;
    let (line, rest) = quoted(rest.trim_start())?;
    let rest = rest.trim_start().strip_prefix('@')?.trim_start();
    let (time, mut rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let start_ns = EPOCH_MS * NANOS_PER_MILLI + parse_go_duration(time)?;
    let (mut every_ns, mut times) = (0, 1);
    let mut metadata = serde_json::Map::new();
    loop {
        rest = rest.trim_start();
        if is_empty(rest) {
            break;
        } else if let Some(found) = rest.strip_prefix("[repeat every ") {
            let (repeat, after) = found.split_once(']')?;
            let (every, count) = repeat.split_once(" for ")?;
            every_ns = parse_go_duration(every.trim())?;
            times = count.trim().parse().ok().filter(|times| *times <= REPEATS_MAX)?;
            rest = after;
        } else {
            rest = pairs(rest.strip_prefix("[metadata ")?, ']', |name, value| {
                metadata.insert(name.to_owned(), value.into());
            })?;
        }
    }
    let metadata = (!metadata.is_empty()).then(|| serde_json::Value::from(metadata).to_string());
    entries.extend((0..times).map(|time| Entry {
        labels: labels.clone(),
        time_ns: start_ns + time * every_ns,
        line: line.replace("{{.i}}", &time.to_string()),
        metadata: metadata.clone(),
    }));
    Some(())
}

/// The labels in braces at the start of a text, and what follows them.
fn label_set(text: &str) -> Option<(Labels, &str)> {
    let mut labels = Vec::new();
    let rest = pairs(text.strip_prefix('{')?, '}', |name, value| {
        labels.push(Label::new(name, value));
    })?;
    Some((Labels::with_empty_values(labels), rest))
}

/// Reads pairs `name="value"`, with or without commas, until `end`; returns what follows it.
fn pairs<'a>(text: &'a str, end: char, mut each: impl FnMut(&'a str, &'a str)) -> Option<&'a str> {
    let mut rest = text.trim_start();
    loop {
        if let Some(rest) = rest.strip_prefix(end) {
            return Some(rest);
        }
        let (name, after) = match quoted(rest) {
            Some((name, after)) => (name, after.strip_prefix('=')?),
            None => rest.split_once('=')?,
        };
        let (value, after) = quoted(after)?;
        each(name.trim(), value);
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// The quoted text at the start of `text`, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '`'))?;
    text[1..].split_once(quote)
}

fn eval(first: &str, body: &[&str]) -> Result<Eval, String> {
    let (query, when) = head(first).ok_or_else(|| format!("{first:?} is no eval"))?;
    let mut eval = Eval {
        query: query.to_owned(),
        when,
        expected: Expected::Series(Vec::new()),
        tolerance: TOLERANCE,
        ordered: false,
        fails: None,
        warnings: Remarks::default(),
        infos: Remarks::default(),
    };
    let mut is_empty = false;
    for line in body {
        match line.strip_prefix("expect ") {
            Some("empty") => is_empty = true,
            Some("ordered") => eval.ordered = true,
            Some(fail) => eval.fails = Some(failure(fail)?),
            None if line.starts_with("skip ") => {}
            None => expectation(line, &mut eval.expected)?,
        }
    }
    let has_rows = !matches!(&eval.expected, Expected::Series(series) if series.is_empty());
    if [is_empty, eval.fails.is_some(), has_rows].iter().filter(|told| **told).count() != 1 {
        return Err(format!("{first:?} expects nothing, or several things"));
    }
    Ok(eval)
}

/// `eval instant at T QUERY` or `eval range from T to T step D QUERY`.
fn head(text: &str) -> Option<(&str, When)> {
    let (instant, range) = ("eval instant at ", "eval range from ");
    if let Some(rest) = text.strip_prefix(instant) {
        let (at, query) = rest.split_once(' ')?;
        return Some((query, When::Instant { at_ms: EPOCH_MS + milliseconds(at)? }));
    }
    let (start, rest) = text.strip_prefix(range)?.split_once(" to ")?;
    let (end, rest) = rest.split_once(" step ")?;
    let (step, query) = rest.split_once(' ')?;
    let when = When::Range {
        start_ms: EPOCH_MS + milliseconds(start)?,
        end_ms: EPOCH_MS + milliseconds(end)?,
        step_ms: milliseconds(step)?,
    };
    Some((query, when))
}

/// A duration of whole milliseconds.
fn milliseconds(text: &str) -> Option<i64> {
    let nanos = parse_go_duration(text)?;
    (nanos % NANOS_PER_MILLI == 0).then_some(nanos / NANOS_PER_MILLI)
}

/// What follows `expect`: `fail`, `fail msg: part` or `fail regex: pattern`.
fn failure(text: &str) -> Result<Pattern, String> {
    if text == "fail" {
        return Ok(Pattern::Any);
    }
    let pattern = if let Some(part) = text.strip_prefix("fail msg:") {
        regex::escape(part.trim())
    } else if let Some(pattern) = text.strip_prefix("fail regex:") {
        pattern.trim().to_owned()
    } else {
        return Err(format!("{text:?} cannot be expected"));
    };
    Regex::new(&pattern).map(Pattern::Regex).map_err(|error| error.to_string())
}

/// A series, or the number of a scalar.
fn expectation(line: &str, expected: &mut Expected) -> Result<(), String> {
    let unreadable = || format!("{line:?} is no series and no number");
    let sequence = |text: &str| parse_items(text.split('#').next().unwrap_or_default());
    if let Some((labels, rest)) = label_set(line) {
        let Expected::Series(series) = expected else { return Err(unreadable()) };
        series.push(Series { labels, items: sequence(rest)?, starts: Vec::new() });
    } else {
        let number = line.split('#').next().unwrap_or_default().trim();
        *expected = Expected::Scalar(number.parse().map_err(|_| unreadable())?);
    }
    Ok(())
}
