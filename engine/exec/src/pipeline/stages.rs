//! The stages of a pipeline, compiled.

use plan::Expr;
use plan::node::{
    LabelFormat, LabelPick, LabelSource, Parser, PathSegment, Template, TemplatePart,
};
use schemas::model::CompiledMatcher;

use super::format;
use super::labels::RowLabels;
use super::names::{NameId, Names};
use super::parse_json::{self, Path};
use super::parse_logfmt::{self, Logfmt};
use super::predicate::Test;
use super::usage::Needed;
use super::{line_pattern, parse_regexp};
use crate::{Error, ErrorKind};

/// A stage.
#[derive(Debug)]
pub(super) enum Stage {
    Filter(Test),
    Json,
    /// Labels and where their values lie.
    JsonPaths(Vec<(NameId, Path)>),
    Unpack,
    Logfmt(Logfmt),
    Regexp(parse_regexp::Regexp),
    /// The parts; names of captures have numbers already.
    Pattern(Vec<plan::node::PatternPart>, Vec<NameId>),
    LineFormat(Vec<Piece>),
    LabelFormat(Vec<(NameId, Source)>),
    Drop(Vec<Pick>),
    Keep(Vec<Pick>),
    Decolorize,
}

/// A piece of a template.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Label(NameId),
    Line,
    Timestamp,
}

/// Where a formatted label comes from.
#[derive(Debug)]
pub(super) enum Source {
    Rename(NameId),
    Template(Vec<Piece>),
}

/// A label to drop or to keep.
#[derive(Debug)]
pub(super) struct Pick {
    pub(super) name: NameId,
    /// Only where it matches.
    pub(super) matcher: Option<CompiledMatcher>,
}

/// The line of a row: as stored, or as a stage left it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) rewritten: bool,
    pub(super) text: String,
}

impl Line {
    /// The line, `stored` unless a stage rewrote it.
    pub(super) fn get<'a>(&'a self, stored: &'a str) -> &'a str {
        if self.rewritten { &self.text } else { stored }
    }
}

/// A row on its way through the stages.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) stored: &'a str,
    pub(super) time_ns: i64,
    pub(super) line: &'a mut Line,
    pub(super) labels: &'a mut RowLabels,
    pub(super) names: &'a mut Names,
    /// Labels that parsers must add.
    pub(super) parsed: &'a Needed,
    /// Reused for whatever text a stage puts together.
    pub(super) scratch: &'a mut String,
}

impl Row<'_> {
    /// Bytes that the stages have made of the row.
    pub(super) fn bytes(&self) -> usize {
        self.labels.bytes() + if self.line.rewritten { self.line.text.len() } else { 0 }
    }
}

impl Stage {
    /// Whether the row stays.
    pub(super) fn apply(&self, row: &mut Row<'_>) -> bool {
        match self {
            Self::Filter(test) => return test.holds(row.line.get(row.stored), row.labels),
            Self::Json => parse_json::flatten(row),
            Self::JsonPaths(paths) => parse_json::paths(paths, row),
            Self::Unpack => parse_json::unpack(row),
            Self::Logfmt(logfmt) => parse_logfmt::parse(logfmt, row),
            Self::Regexp(regexp) => regexp.parse(row),
            Self::Pattern(parts, captures) => {
                let line = row.line.get(row.stored);
                let (labels, names, parsed) = (&mut *row.labels, &mut *row.names, row.parsed);
                let mut captures = captures.iter();
                line_pattern::captures(parts, line, |_, text| {
                    if let Some(name) = captures.next().filter(|name| parsed.has(**name)) {
                        labels.add_parsed(*name, names, |value| value.push_str(text));
                    }
                });
            }
            Self::LineFormat(pieces) => format::line(pieces, row),
            Self::LabelFormat(formats) => format::labels(formats, row),
            Self::Drop(picks) => format::drop_labels(picks, row.labels),
            Self::Keep(picks) => format::keep_labels(picks, row.labels),
            Self::Decolorize => format::decolorize(row),
        }
        true
    }

    /// Calls `visit` with every label whose value the stage needs.
    pub(super) fn labels(&self, visit: &mut dyn FnMut(NameId)) {
        match self {
            Self::Filter(test) => test.labels(visit),
            Self::LineFormat(pieces) => piece_labels(pieces, visit),
            Self::LabelFormat(formats) => {
                for (_, source) in formats {
                    match source {
                        Source::Rename(name) => visit(*name),
                        Source::Template(pieces) => piece_labels(pieces, visit),
                    }
                }
            }
            Self::Drop(picks) | Self::Keep(picks) => {
                picks
                    .iter()
                    .filter(|pick| pick.matcher.is_some())
                    .for_each(|pick| visit(pick.name));
            }
            _ => {}
        }
    }

    /// Whether the stage reads the line, if only `parsed` must be added.
    pub(super) fn reads_line(&self, parsed: &Needed) -> bool {
        let shows_line = |pieces: &[Piece]| pieces.iter().any(|piece| matches!(piece, Piece::Line));
        match self {
            Self::Filter(test) => test.reads_line(),
            Self::Json
            | Self::JsonPaths(_)
            | Self::Logfmt(_)
            | Self::Regexp(_)
            | Self::Pattern(..) => !parsed.is_empty(),
            Self::Unpack | Self::LineFormat(_) | Self::Decolorize => true,
            Self::LabelFormat(formats) => formats.iter().any(|(_, source)| match source {
                Source::Template(pieces) => shows_line(pieces),
                Source::Rename(_) => false,
            }),
            Self::Drop(_) | Self::Keep(_) => false,
        }
    }

    /// Whether the stage adds parsed labels and does nothing else.
    pub(super) fn only_parses(&self) -> bool {
        matches!(
            self,
            Self::Json | Self::JsonPaths(_) | Self::Logfmt(_) | Self::Regexp(_) | Self::Pattern(..)
        )
    }

    /// Whether the stage may change the line.
    pub(super) fn rewrites_line(&self) -> bool {
        matches!(self, Self::Unpack | Self::LineFormat(_) | Self::Decolorize)
    }

    /// Whether the stage may change labels that a stream has.
    pub(super) fn rewrites_labels(&self) -> bool {
        matches!(self, Self::LabelFormat(_) | Self::Drop(_) | Self::Keep(_))
    }
}

fn piece_labels(pieces: &[Piece], visit: &mut dyn FnMut(NameId)) {
    for piece in pieces {
        if let Piece::Label(name) = piece {
            visit(*name);
        }
    }
}

/// The stage of a filter.
pub(super) fn filter(predicate: &Expr, names: &mut Names) -> Result<Stage, Error> {
    Ok(Stage::Filter(Test::compile(predicate, names)?))
}

/// The stage of a parser.
pub(super) fn extract(parser: Parser, names: &mut Names) -> Stage {
    match parser {
        Parser::Json(expressions) if expressions.is_empty() => Stage::Json,
        Parser::Json(expressions) => {
            let path = |path: Vec<PathSegment>| Path(path);
            let paths = expressions
                .into_iter()
                .map(|expression| (names.id(&expression.label), path(expression.path)));
            Stage::JsonPaths(paths.collect())
        }
        Parser::Logfmt { expressions, strict, keep_empty } => {
            let keys = expressions.into_iter().filter_map(|expression| {
                let label = names.id(&expression.label);
                match expression.path.into_iter().next() {
                    Some(PathSegment::Key(key)) => Some((key, label)),
                    _ => None,
                }
            });
            Stage::Logfmt(Logfmt { keys: keys.collect(), strict, keep_empty })
        }
        Parser::Regexp(regex) => Stage::Regexp(parse_regexp::Regexp::new(regex, names)),
        Parser::Pattern(parts) => {
            let captures = parts.iter().filter_map(|part| match part {
                plan::node::PatternPart::Capture(name) => name.as_ref(),
                plan::node::PatternPart::Literal(_) => None,
            });
            let captures = captures.map(|name| names.id(name)).collect();
            Stage::Pattern(parts, captures)
        }
        Parser::Unpack => Stage::Unpack,
    }
}

/// The stage of a format.
pub(super) fn format(format: LabelFormat, names: &mut Names) -> Result<Stage, Error> {
    Ok(match format {
        LabelFormat::Line(template) => Stage::LineFormat(pieces(template, names)),
        LabelFormat::Labels(formats) => {
            let formats = formats.into_iter().map(|(target, source)| {
                let source = match source {
                    LabelSource::Rename(name) => Source::Rename(names.id(&name)),
                    LabelSource::Template(template) => Source::Template(pieces(template, names)),
                };
                (names.id(&target), source)
            });
            Stage::LabelFormat(formats.collect())
        }
        LabelFormat::Drop(picked) => Stage::Drop(picks(picked, names)?),
        LabelFormat::Keep(picked) => Stage::Keep(picks(picked, names)?),
        LabelFormat::Decolorize => Stage::Decolorize,
    })
}

fn pieces(template: Template, names: &mut Names) -> Vec<Piece> {
    let piece = |part| match part {
        TemplatePart::Text(text) => Piece::Text(text),
        TemplatePart::Label(name) => Piece::Label(names.id(&name)),
        TemplatePart::Line => Piece::Line,
        TemplatePart::Timestamp => Piece::Timestamp,
    };
    template.parts.into_iter().map(piece).collect()
}

fn picks(picks: Vec<LabelPick>, names: &mut Names) -> Result<Vec<Pick>, Error> {
    let compile = |pick| match pick {
        LabelPick::Name(name) => Ok(Pick { name: names.id(&name), matcher: None }),
        LabelPick::Matching(matcher) => {
            let name = names.id(&matcher.label);
            let matcher = matcher.compile().map_err(|error| {
                Error::with_source(ErrorKind::Invalid, "a matcher was refused", error)
            })?;
            Ok(Pick { name, matcher: Some(matcher) })
        }
    };
    picks.into_iter().map(compile).collect()
}
