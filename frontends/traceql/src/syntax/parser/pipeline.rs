//! Pipelines: stages separated by `|`, and what a pair of parentheses may hold.

use super::super::ast::{AggregateFunction, Metrics, Number, Scalar, Span, Stage};
use super::expression::{Parsed, expression};
use super::field::{attribute, field};
use super::{Parser, metrics};
use crate::Error;

/// What stands at the root or between parentheses.
pub(super) enum Top {
    Pipeline(Vec<Stage>),
    Metrics(Metrics),
    /// A pipeline that ends in a number, which must be compared outside.
    Scalar(Vec<Stage>, Scalar),
    /// A constant, and whether durations were computed with.
    Number(Number, bool),
}

/// Stages up to the first token that cannot belong to one.
pub(super) fn top(parser: &mut Parser) -> Result<Top, Error> {
    let mut stages = Vec::new();
    loop {
        if let Some(stage) = word_stage(parser, stages.is_empty())? {
            stages.push(stage);
        } else if !stages.is_empty() && metrics::starts_function(parser) {
            let metrics = metrics::function(parser, stages)?;
            return Ok(Top::Metrics(metrics::second_stages(parser, metrics)?));
        } else {
            let start = parser.span().start;
            match expression(parser)? {
                Parsed::Spansets(spansets) => stages.push(Stage::Spansets(spansets)),
                Parsed::Filter(filter) => stages.push(Stage::ScalarFilter(filter)),
                Parsed::Scalar(scalar) => return Ok(Top::Scalar(stages, scalar)),
                Parsed::Metrics(metrics) if stages.is_empty() => {
                    return Ok(Top::Metrics(metrics::second_stages(parser, metrics)?));
                }
                Parsed::Number(number, scaled) if stages.is_empty() => {
                    return Ok(Top::Number(number, scaled));
                }
                Parsed::Metrics(_) | Parsed::Number(..) => {
                    let message = "expected a stage that selects spans";
                    return Err(Error::parse(parser.span_from(start), message));
                }
            }
        }
        if !parser.accept("|") {
            return Ok(Top::Pipeline(stages));
        }
    }
}

/// `by(…)`, `coalesce()` and `select(…)`.
fn word_stage(parser: &mut Parser, is_head: bool) -> Result<Option<Stage>, Error> {
    let start = parser.span().start;
    if parser.accept_word("by") {
        parser.expect("(")?;
        let by = field(parser)?;
        parser.expect(")")?;
        return Ok(Some(Stage::By(by)));
    }
    if parser.accept_word("select") {
        let fields = parser.list(attribute)?;
        return Ok(Some(Stage::Select(fields, Span(parser.span_from(start)))));
    }
    if parser.peek_word() == Some("coalesce") {
        if is_head {
            return Err(parser.unexpected("a first stage; coalesce() needs one before it"));
        }
        parser.next();
        parser.expect("(")?;
        parser.expect(")")?;
        return Ok(Some(Stage::Coalesce(Span(parser.span_from(start)))));
    }
    Ok(None)
}

/// `count()`, `avg(field)` and their kin, if one stands here.
pub(super) fn aggregate(parser: &mut Parser) -> Result<Option<Scalar>, Error> {
    let start = parser.span().start;
    let function = match parser.peek_word() {
        Some("count") => AggregateFunction::Count,
        Some("avg") => AggregateFunction::Avg,
        Some("min") => AggregateFunction::Min,
        Some("max") => AggregateFunction::Max,
        Some("sum") => AggregateFunction::Sum,
        _ => return Ok(None),
    };
    parser.next();
    parser.expect("(")?;
    let argument = if function == AggregateFunction::Count { None } else { Some(field(parser)?) };
    parser.expect(")")?;
    Ok(Some(Scalar::Aggregate(function, argument, Span(parser.span_from(start)))))
}
