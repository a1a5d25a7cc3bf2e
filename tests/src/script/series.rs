//! Series descriptions: labels and a sequence of samples, `metric{l="v"} 1 2 _ 3+2x4 stale`.

use exec::output::{Histogram, ResetHint};
use schemas::model::{Label, Labels, MatchOp};

use super::histogram;

/// The bits of the NaN that marks the end of a series.
pub(super) const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Samples that one item of a sequence may stand for.
const REPEATS_MAX: usize = 1_000_000;

/// One place of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// No sample.
    Omitted,
    /// A number or the stale marker.
    Value(f64),
    /// A native histogram, and its hint if it is written.
    Histogram(Box<Histogram>, Option<ResetHint>),
}

/// Labels and samples.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// The metric name is among them.
    pub(crate) labels: Labels,
    /// In order.
    pub(crate) items: Vec<Item>,
    /// Start times of the samples in milliseconds after them (mostly negative), `None` where not
    /// known; empty if there are none.
    pub(crate) starts: Vec<Option<i64>>,
}

impl Series {
    /// The start time of the sample at a place and a time, if it has one.
    pub(crate) fn start_ms(&self, at: i64, time_ms: i64) -> Option<i64> {
        let after = *self.starts.get(usize::try_from(at).ok()?)?;
        after.map(|after| time_ms + after)
    }
}

/// A line of a load.
#[derive(Debug)]
pub(crate) enum Line {
    /// Samples.
    Series(Series),
    /// Start times of the samples that stand in the next line, as [`Series::starts`] has them.
    Starts(Vec<Option<i64>>),
}

/// Reads a line of samples, or of their start times (`metric@st …`).
pub(crate) fn parse(line: &str) -> Result<Line, String> {
    let end = labels_end(line);
    let (labels, rest) = line.split_at(end);
    if let Some(starts) = rest.strip_prefix("@st") {
        return Ok(Line::Starts(parse_starts(starts)?));
    }
    let (labels, items) = (parse_labels(labels)?, parse_items(rest)?);
    Ok(Line::Series(Series { labels, items, starts: Vec::new() }))
}

/// Reads durations: `_`, `_xN`, `<d>`, `<d>xN` and `<d>±<d>xN`, which stands for N + 1 of them.
fn parse_starts(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut starts = Vec::new();
    for item in text.split_whitespace() {
        push_starts(item, &mut starts).ok_or_else(|| format!("{item:?} is no start time"))?;
    }
    Ok(starts)
}

fn push_starts(item: &str, starts: &mut Vec<Option<i64>>) -> Option<()> {
    let (item, times) = match item.split_once('x') {
        Some((item, times)) => (item, Some(times.parse().ok().filter(|n| *n <= REPEATS_MAX)?)),
        None => (item, None),
    };
    if item == "_" {
        starts.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
        return Some(());
    }
    let second = item.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-'));
    let (first, step) = item.split_at(second.map_or(item.len(), |(at, _)| at));
    let mut start = offset_ms(first)?;
    let step = if step.is_empty() { 0 } else { offset_ms(step)? };
    for _ in 0..=times.unwrap_or(0) {
        starts.push(Some(start));
        start += step;
    }
    Some(())
}

/// A duration with an optional sign, in milliseconds.
fn offset_ms(text: &str) -> Option<i64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let ms = super::parse::milliseconds(unsigned).ok()?;
    Some(if text.starts_with('-') { -ms } else { ms })
}

/// Where the labels end: after the braces, or at the first blank or `@` outside of them.
fn labels_end(line: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let mut inside = false;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{') => inside = true,
            (None, '}') => return at + 1,
            (None, c) if !inside && (c.is_whitespace() || c == '@') => return at,
            (None, _) => {}
        }
    }
    line.len()
}

fn parse_labels(text: &str) -> Result<Labels, String> {
    if text.split_whitespace().collect::<String>() == "{}" {
        return Ok(Labels::default());
    }
    // A selector needs one matcher that is not empty, a description does not.
    let (matchers, named) = match promql::selector(text) {
        Ok(matchers) => (matchers, true),
        Err(error) => match promql::selector(&format!("x{text}")) {
            Ok(matchers) => (matchers, false),
            Err(_) => return Err(format!("{text}: {error}")),
        },
    };
    let mut labels = Vec::new();
    for matcher in matchers.into_iter().skip(usize::from(!named)) {
        if matcher.op != MatchOp::Equal {
            return Err(format!("{text}: a series has no matchers"));
        }
        labels.push(Label::new(matcher.label, matcher.value));
    }
    Ok(Labels::new(labels))
}

/// Reads a sequence of samples.
pub(super) fn parse_items(text: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with("{{") {
            histogram_end(rest).ok_or_else(|| format!("{rest}: the histogram has no end"))?
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        push_items(&rest[..end], &mut items)
            .ok_or_else(|| format!("{:?} is no sample", &rest[..end]))?;
        rest = rest[end..].trim_start();
    }
    Ok(items)
}

/// The end of `{{…}}`, `{{…}}xN` or `{{…}}+{{…}}xN`.
fn histogram_end(text: &str) -> Option<usize> {
    let mut end = text.find("}}")? + 2;
    if text[end..].starts_with(['+', '-']) && text[end + 1..].starts_with("{{") {
        end += text[end..].find("}}")? + 2;
    }
    Some(text[end..].find(char::is_whitespace).map_or(text.len(), |blank| end + blank))
}

fn push_items(item: &str, items: &mut Vec<Item>) -> Option<()> {
    if let Some(times) = item.strip_prefix('_') {
        let times = if times.is_empty() { 1 } else { repeats(times)? };
        items.extend(std::iter::repeat_n(Item::Omitted, times));
        return Some(());
    }
    if let Some(rest) = item.strip_prefix("{{") {
        return push_histograms(rest, items);
    }
    if item == "stale" {
        items.push(Item::Value(f64::from_bits(STALE_NAN_BITS)));
        return Some(());
    }
    let (start, rest) = number(item)?;
    if rest.is_empty() {
        items.push(Item::Value(start));
        return Some(());
    }
    let (step, rest) = if rest.starts_with(['+', '-']) { number(rest)? } else { (0.0, rest) };
    let mut value = start;
    for _ in 0..=repeats(rest)? {
        items.push(Item::Value(value));
        value += step;
    }
    Some(())
}

/// `…}}`, `…}}xN` and `…}}+{{…}}xN`, the opening braces cut off.
fn push_histograms(text: &str, items: &mut Vec<Item>) -> Option<()> {
    let (first, rest) = text.split_once("}}")?;
    let (mut histogram, hint) = histogram::parse(first)?;
    let mut push = |histogram: &Histogram| {
        items.push(Item::Histogram(Box::new(histogram.clone()), hint));
    };
    if rest.is_empty() {
        push(&histogram);
        return Some(());
    }
    let sign = rest.chars().next().filter(|sign| matches!(sign, '+' | '-'));
    let (step, rest) = match sign {
        Some(_) => {
            let (step, rest) = rest.get(1..)?.strip_prefix("{{")?.split_once("}}")?;
            (Some(histogram::parse(step)?.0), rest)
        }
        None => (None, rest),
    };
    for _ in 0..=repeats(rest)? {
        push(&histogram);
        let own = histogram.hint;
        histogram = match &step {
            None => histogram,
            Some(step) if sign == Some('-') => histogram.minus(step)?.0,
            Some(step) => histogram.plus(step)?.0,
        };
        histogram.hint = own;
    }
    Some(())
}

/// `xN`.
fn repeats(text: &str) -> Option<usize> {
    text.strip_prefix('x')?.parse().ok().filter(|times| *times <= REPEATS_MAX)
}

/// The number at the start of `text`, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let signs = &text[..text.len() - unsigned.len()];
    let mut end = unsigned.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    if let Some(at) = end
        && at > 0
        && unsigned[at..].starts_with(['e', 'E'])
    {
        let exponent = unsigned[at + 1..].trim_start_matches(['+', '-']);
        let digits = exponent.find(|c: char| !c.is_ascii_digit()).unwrap_or(exponent.len());
        end = Some(unsigned.len() - exponent.len() + digits);
    } else if end == Some(0) {
        // `Inf` and `NaN`.
        end = Some(3);
    }
    let end = end.unwrap_or(unsigned.len());
    let value: f64 = unsigned.get(..end)?.parse().ok()?;
    let negative = signs.bytes().filter(|sign| *sign == b'-').count() % 2 == 1;
    Some((if negative { -value } else { value }, &unsigned[end..]))
}
