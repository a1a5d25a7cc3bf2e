//! Stages.

use std::fmt::Display;

use plan::Node;
use plan::node::{
    Extract, Filter, Format, LabelExpression, LabelFormat, LabelPick, LabelSource, Parser,
    PathSegment, PatternPart,
};
use schemas::model::compile_search;

use super::{filter, path, template};
use crate::Error;
use crate::check::compiled;
use crate::syntax::ast::{Extraction, LabelValue, Pick, Stage};

/// Labels that a pipeline sets when it fails.
const ERROR_LABELS: [&str; 2] = ["__error__", "__error_details__"];

/// The stages on top of `input`, the first one at the bottom.
pub(super) fn lower(input: Node, stages: &[Stage]) -> Result<Node, Error> {
    stages.iter().try_fold(input, |input, stage| lower_stage(Box::new(input), stage))
}

fn lower_stage(input: Box<Node>, stage: &Stage) -> Result<Node, Error> {
    let extract = |input, parser| Node::Extract(Extract { input, parser });
    let format = |input, format| Node::Format(Format { input, format });
    Ok(match stage {
        Stage::LineFilter(line) => {
            Node::Filter(Filter { input, predicate: filter::lower_line(line)? })
        }
        Stage::LabelFilter(label) => {
            Node::Filter(Filter { input, predicate: filter::lower_label(label)? })
        }
        Stage::Json(extractions) => extract(input, Parser::Json(lower_json(extractions)?)),
        Stage::Logfmt { strict, keep_empty, extractions } => {
            let expressions = lower_keys(extractions);
            extract(input, Parser::Logfmt { expressions, strict: *strict, keep_empty: *keep_empty })
        }
        Stage::Regexp(pattern) => extract(input, lower_regexp(pattern)?),
        Stage::Pattern(pattern) => {
            let parts = pattern_parts(pattern)
                .map_err(|why| in_stage(format!("| pattern {pattern:?}"), why))?;
            extract(input, Parser::Pattern(parts))
        }
        Stage::Unpack => extract(input, Parser::Unpack),
        Stage::LineFormat(text) => format(input, LabelFormat::Line(template::parse(text, stage)?)),
        Stage::LabelFormat(formats) => {
            format(input, LabelFormat::Labels(lower_label_format(formats, stage)?))
        }
        Stage::Decolorize => format(input, LabelFormat::Decolorize),
        Stage::Drop(picks) => format(input, LabelFormat::Drop(lower_picks(picks)?)),
        Stage::Keep(picks) => format(input, LabelFormat::Keep(lower_picks(picks)?)),
    })
}

/// An error of a stage, with the stage's text.
pub(super) fn in_stage(stage: impl Display, why: impl Display) -> Error {
    Error::invalid(format!("stage '{stage}' : {why}"))
}

fn lower_json(extractions: &[Extraction]) -> Result<Vec<LabelExpression>, Error> {
    let lower = |extraction: &Extraction| {
        let text = extraction.expression.as_ref().unwrap_or(&extraction.label);
        let path = path::parse(text)
            .map_err(|why| Error::invalid(format!("cannot parse expression [{text}]: {why}")))?;
        Ok(LabelExpression { label: extraction.label.clone(), path })
    };
    extractions.iter().map(lower).collect()
}

fn lower_keys(extractions: &[Extraction]) -> Vec<LabelExpression> {
    let lower = |extraction: &Extraction| {
        let key = extraction.expression.as_ref().unwrap_or(&extraction.label);
        LabelExpression {
            label: extraction.label.clone(),
            path: vec![PathSegment::Key(key.clone())],
        }
    };
    extractions.iter().map(lower).collect()
}

fn lower_regexp(pattern: &str) -> Result<Parser, Error> {
    let stage = format!("| regexp {pattern:?}");
    if let Some(name) = duplicate_group(pattern) {
        return Err(in_stage(stage, format!("duplicate extracted label name '{name}'")));
    }
    let regex = compile_search(pattern).map_err(|error| in_stage(&stage, Error::pattern(error)))?;
    let mut named = regex.capture_names().flatten().peekable();
    if named.peek().is_none() {
        let why = "invalid regexp parser: at least one named capture must be supplied";
        return Err(in_stage(stage, why));
    }
    if let Some(name) = named.find(|name| !is_label_name(name)) {
        return Err(in_stage(stage, format!("invalid extracted label name '{name}'")));
    }
    Ok(Parser::Regexp(regex))
}

/// The first name that two groups of a pattern have.
fn duplicate_group(pattern: &str) -> Option<&str> {
    let mut names = Vec::new();
    for behind in pattern.split("(?").skip(1) {
        let behind = behind.strip_prefix('P').unwrap_or(behind);
        let Some((name, _)) = behind.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
            continue;
        };
        if names.contains(&name) {
            return Some(name);
        }
        names.push(name);
    }
    None
}

pub(super) fn is_label_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// The parts of a pattern parser: captures have names, no two stand side by side.
fn pattern_parts(pattern: &str) -> Result<Vec<PatternPart>, String> {
    let parts = split_pattern(pattern);
    let names: Vec<&String> = parts
        .iter()
        .filter_map(|part| match part {
            PatternPart::Capture(name) => name.as_ref(),
            PatternPart::Literal(_) => None,
        })
        .collect();
    if names.is_empty() {
        return Err("invalid pattern parser: at least one capture is required".to_owned());
    }
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return Err(format!("invalid pattern parser: duplicate capture name ({name})"));
        }
    }
    refuse_adjacent(&parts).map_err(|why| format!("invalid pattern parser: {why}"))?;
    Ok(parts)
}

/// The parts of a line pattern (`|>`): captures have no names, no two stand side by side.
pub(super) fn line_pattern_parts(pattern: &str) -> Result<Vec<PatternPart>, String> {
    let parts = split_pattern(pattern);
    for part in &parts {
        if let PatternPart::Capture(Some(name)) = part {
            return Err(format!("named captures are not allowed: <{name}>"));
        }
    }
    refuse_adjacent(&parts)?;
    Ok(parts)
}

fn refuse_adjacent(parts: &[PatternPart]) -> Result<(), String> {
    let adjacent =
        |pair: &[PatternPart]| matches!(pair, [PatternPart::Capture(_), PatternPart::Capture(_)]);
    if parts.windows(2).any(adjacent) {
        return Err("found consecutive capture".to_owned());
    }
    Ok(())
}

/// Literals and captures in turn; what is not `<name>` is literal.
fn split_pattern(pattern: &str) -> Vec<PatternPart> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let name = rest
            .strip_prefix('<')
            .and_then(|inside| inside.split_once('>'))
            .map(|(name, _)| name)
            .filter(|name| is_label_name(name));
        let Some(name) = name else {
            literal.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        if !literal.is_empty() {
            parts.push(PatternPart::Literal(std::mem::take(&mut literal)));
        }
        parts.push(PatternPart::Capture((name != "_").then(|| name.to_owned())));
        rest = &rest[name.len() + 2..];
    }
    if !literal.is_empty() {
        parts.push(PatternPart::Literal(literal));
    }
    parts
}

fn lower_label_format(
    formats: &[(String, LabelValue)],
    stage: &Stage,
) -> Result<Vec<(String, LabelSource)>, Error> {
    let mut lowered: Vec<(String, LabelSource)> = Vec::new();
    for (target, source) in formats {
        if ERROR_LABELS[0] == target {
            return Err(in_stage(stage, format!("{target} cannot be formatted")));
        }
        if lowered.iter().any(|(earlier, _)| earlier == target) {
            let why = format!("multiple label name '{target}' not allowed in a single format");
            return Err(in_stage(stage, why));
        }
        let source = match source {
            LabelValue::Rename(source) => LabelSource::Rename(source.clone()),
            LabelValue::Template(text) => LabelSource::Template(template::parse(text, stage)?),
        };
        lowered.push((target.clone(), source));
    }
    Ok(lowered)
}

fn lower_picks(picks: &[Pick]) -> Result<Vec<LabelPick>, Error> {
    let lower = |pick: &Pick| match pick {
        Pick::Name(name) => Ok(LabelPick::Name(name.clone())),
        Pick::Matching(matcher) => {
            compiled(matcher)?;
            Ok(LabelPick::Matching(matcher.clone()))
        }
    };
    picks.iter().map(lower).collect()
}
