//! Files to commands: `load`, `clear` and `eval` with what is expected.

use std::sync::LazyLock;

use promql::Options;
use regex::Regex;
use schemas::model::StepGrid;

use super::engine::range_grid;
use super::series::{self, Line, Series};

/// That of Prometheus' runner.
const TOLERANCE: f64 = 1e-6;

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
    /// Forgets all samples.
    Clear,
    /// Stores samples, the i-th at `i * interval_ms`.
    Load {
        /// Distance of two samples.
        interval_ms: i64,
        /// Whether native histograms are to be made of the classic ones.
        converts: bool,
        /// One for each line.
        series: Vec<Series>,
    },
    /// Asks a query.
    Eval(Box<Eval>),
    /// A line that could not be read.
    Broken(String),
}

/// A query and its answer.
#[derive(Debug)]
pub(super) struct Eval {
    /// The expression.
    pub(super) query: String,
    /// At what times.
    pub(super) when: When,
    /// The answer.
    pub(super) expected: Expected,
    /// Difference of two numbers in relation to their sum up to which they count as equal.
    pub(super) tolerance: f64,
    /// Whether the order of an instant vector counts.
    pub(super) ordered: bool,
    /// The error, if the query must fail.
    pub(super) fails: Option<Pattern>,
    /// What is expected of the warnings.
    pub(super) warnings: Remarks,
    /// What is expected of the infos.
    pub(super) infos: Remarks,
}

/// What is expected of the texts of one kind.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// Each must match a text, and each text one of them; none: texts are ignored.
    pub(super) patterns: Vec<Pattern>,
    /// There must be no text.
    pub(super) forbidden: bool,
}

impl Remarks {
    /// Why the given texts are not as expected.
    pub(super) fn check(&self, kind: &str, given: &[String]) -> Result<(), String> {
        if self.forbidden && !given.is_empty() {
            return Err(format!("expected no {kind}, got {given:?}"));
        }
        let patterns = &self.patterns;
        if patterns.is_empty() {
            return Ok(());
        }
        let is_met = |pattern: &Pattern| given.iter().any(|text| pattern.matches(text));
        let is_meant = |text: &String| patterns.iter().any(|pattern| pattern.matches(text));
        if patterns.iter().all(is_met) && given.iter().all(is_meant) {
            return Ok(());
        }
        Err(format!("expected the {kind} {patterns:?}, got {given:?}"))
    }
}

/// At what times a query is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// At one time.
    Instant {
        /// In milliseconds.
        at_ms: i64,
    },
    /// At all steps, first and last included.
    Range {
        /// In milliseconds.
        start_ms: i64,
        /// In milliseconds.
        end_ms: i64,
        /// In milliseconds.
        step_ms: i64,
    },
}

/// The answer that is expected.
#[derive(Debug)]
pub(super) enum Expected {
    /// A vector or matrix.
    Series(Vec<Series>),
    /// A scalar.
    Scalar(f64),
    /// A text.
    Text(String),
    /// The samples of a range selector, each of which is at a step of the grid.
    RangeVector(StepGrid, Vec<Series>),
}

/// What a message must look like.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Anything.
    Any,
    /// Exactly this.
    Message(String),
    /// Somewhere this.
    Regex(Regex),
}

impl Pattern {
    /// Whether a message is as it should be.
    pub(super) fn matches(&self, message: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Message(text) => text == message,
            Self::Regex(regex) => regex.is_match(message),
        }
    }
}

macro_rules! regex {
    ($name:ident, $pattern:literal) => {
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($pattern).expect("the pattern is a literal"));
    };
}

regex!(LOAD, r"^load(?:_(with_nhcb))?\s+(.+?)$");
regex!(INSTANT, r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$");
regex!(
    RANGE,
    r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$"
);
regex!(EXPECT, r"^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$");
regex!(RANGE_VECTOR, r"^expect range vector from (.+) to (.+) step (.+)$");

/// The commands of a file. A line that cannot be read is a command of its own, so that the rest
/// of the file is run all the same.
pub(super) fn parse(text: &str) -> Vec<Command> {
    let trimmed = text.lines().map(|line| line.trim());
    let lines: Vec<&str> =
        trimmed.map(|line| if line.starts_with('#') { "" } else { line }).collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let first = at;
        at += 1;
        let word = lines[first].split_whitespace().next().unwrap_or("").to_lowercase();
        if word.is_empty() {
            continue;
        }
        let mut action = Ok(Action::Clear);
        if word != "clear" {
            while at < lines.len() && !lines[at].is_empty() {
                at += 1;
            }
            let body = &lines[first + 1..at];
            action = if word.starts_with("load") {
                load(lines[first], body)
            } else if word.starts_with("eval") {
                eval(lines[first], body).map(|eval| Action::Eval(Box::new(eval)))
            } else {
                Err(format!("{word} is no command"))
            };
        }
        let action = action.unwrap_or_else(Action::Broken);
        commands.push(Command { line: first + 1, action });
    }
    commands
}

fn load(line: &str, body: &[&str]) -> Result<Action, String> {
    let found = LOAD.captures(line).ok_or("load without an interval")?;
    let mut series: Vec<Series> = Vec::new();
    let mut starts = Vec::new();
    for line in body {
        let mut described = match series::parse(line)? {
            Line::Series(described) => described,
            Line::Starts(found) => {
                starts = found;
                continue;
            }
        };
        described.starts = std::mem::take(&mut starts);
        if !described.starts.is_empty() && described.starts.len() != described.items.len() {
            return Err(format!("{line:?} has not as many samples as start times"));
        }
        series.retain(|earlier| earlier.labels != described.labels);
        series.push(described);
    }
    let converts = found.get(1).is_some();
    Ok(Action::Load { interval_ms: milliseconds(&found[2])?, converts, series })
}

fn eval(line: &str, body: &[&str]) -> Result<Eval, String> {
    let (kind, when, query) = if let Some(found) = RANGE.captures(line) {
        let when = When::Range {
            start_ms: milliseconds(&found[2])?,
            end_ms: milliseconds(&found[3])?,
            step_ms: milliseconds(&found[4])?,
        };
        (found.get(1).map_or("", |kind| kind.as_str()).to_owned(), when, found[5].to_owned())
    } else if let Some(found) = INSTANT.captures(line) {
        let at_ms = found.get(2).map_or(Ok(0), |at| milliseconds(at.as_str()))?;
        let kind = found.get(1).map_or("", |kind| kind.as_str()).to_owned();
        (kind, When::Instant { at_ms }, found[3].to_owned())
    } else {
        return Err(format!("{line:?} is no eval"));
    };
    let mut eval = Eval {
        query,
        when,
        expected: Expected::Series(Vec::new()),
        tolerance: TOLERANCE,
        ordered: kind == "ordered",
        fails: (kind == "fail").then_some(Pattern::Any),
        warnings: Remarks::default(),
        infos: Remarks::default(),
    };
    match kind.as_str() {
        "warn" => eval.warnings.patterns.push(Pattern::Any),
        "info" => eval.infos.patterns.push(Pattern::Any),
        _ => {}
    }
    for line in body {
        expectation(line, &mut eval)?;
    }
    Ok(eval)
}

fn expectation(line: &str, eval: &mut Eval) -> Result<(), String> {
    if let Some(message) = line.strip_prefix("expected_fail_message ") {
        eval.fails = Some(Pattern::Message(message.trim().to_owned()));
    } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
        eval.fails = Some(Pattern::Regex(compile(pattern)?));
    } else if let Some(found) = RANGE_VECTOR.captures(line) {
        let [start, end, step] = [1, 2, 3].map(|at| milliseconds(&found[at]));
        eval.expected = Expected::RangeVector(range_grid(start?, end?, step?), Vec::new());
    } else if let Some(literal) = line.strip_prefix("expect string ") {
        eval.expected = Expected::Text(text(literal)?);
    } else if line.split_whitespace().next() == Some("expect") {
        let found = EXPECT.captures(line).ok_or_else(|| format!("{line:?} is not understood"))?;
        let pattern = match (found.get(2).map(|kind| kind.as_str()), found.get(3)) {
            (Some("msg"), Some(message)) => Pattern::Message(message.as_str().trim().to_owned()),
            (Some(_), Some(pattern)) => Pattern::Regex(compile(pattern.as_str())?),
            _ => Pattern::Any,
        };
        match &found[1] {
            "ordered" => eval.ordered = true,
            "fail" => eval.fails = Some(pattern),
            "warn" => eval.warnings.patterns.push(pattern),
            "info" => eval.infos.patterns.push(pattern),
            "no_warn" => eval.warnings.forbidden = true,
            _ => eval.infos.forbidden = true,
        }
    } else if let (Expected::Series(_), Some(value)) = (&eval.expected, number(line)) {
        eval.expected = Expected::Scalar(value);
    } else if let Expected::Series(expected) | Expected::RangeVector(_, expected) =
        &mut eval.expected
        && let Line::Series(series) = series::parse(line)?
    {
        expected.push(series);
    }
    Ok(())
}

fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern.trim()).map_err(|error| error.to_string())
}

/// A duration in milliseconds.
pub(super) fn milliseconds(text: &str) -> Result<i64, String> {
    let seconds = number(text).ok_or_else(|| format!("{text:?} is no duration"))?;
    Ok((seconds * 1_000.0).round() as i64)
}

/// A number or a duration in seconds, as PromQL writes them.
fn number(text: &str) -> Option<f64> {
    match promql::query(text, StepGrid::instant(0), &Options::default()).ok()?.root {
        plan::Node::Number(value) => Some(value),
        _ => None,
    }
}

/// A quoted text.
fn text(literal: &str) -> Result<String, String> {
    let query = promql::query(literal, StepGrid::instant(0), &Options::default());
    match query.map_err(|error| error.to_string())?.root {
        plan::Node::Text(text) => Ok(text),
        _ => Err(format!("{literal} is no text")),
    }
}
