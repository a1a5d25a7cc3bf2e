//! Metrics: functions that make series of spans, and the stages over finished series.

use super::super::ast::{
    AggregateFunction, Field, MetricFunction, MetricSource, Metrics, Number, SecondStage, Span,
    Stage,
};
use super::super::lexer::TokenKind;
use super::Parser;
use super::expression::{compare_op, number};
use super::field::{attribute, braces};
use crate::Error;

const FUNCTIONS: &[&str] = &[
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
];

/// Numbers that `compare()` takes after its filter.
const COMPARE_NUMBERS_MAX: usize = 3;

/// Whether a metrics function stands here.
pub(super) fn starts_function(parser: &Parser) -> bool {
    parser.peek_word().is_some_and(|word| FUNCTIONS.contains(&word))
}

/// A metrics function over what the stages select, with its grouping.
pub(super) fn function(parser: &mut Parser, stages: Vec<Stage>) -> Result<Metrics, Error> {
    let start = parser.span().start;
    let name = parser.peek_word().unwrap_or_default().to_owned();
    parser.next();
    parser.expect("(")?;
    let over_time = |function, field| MetricFunction::OverTime(function, field);
    let function = match name.as_str() {
        "rate" => MetricFunction::Rate,
        "count_over_time" => MetricFunction::CountOverTime,
        "min_over_time" => over_time(AggregateFunction::Min, attribute(parser)?),
        "max_over_time" => over_time(AggregateFunction::Max, attribute(parser)?),
        "avg_over_time" => over_time(AggregateFunction::Avg, attribute(parser)?),
        "sum_over_time" => over_time(AggregateFunction::Sum, attribute(parser)?),
        "histogram_over_time" => MetricFunction::HistogramOverTime(attribute(parser)?),
        "quantile_over_time" => quantile(parser)?,
        _ => compare(parser)?,
    };
    parser.expect(")")?;
    let by: Vec<Field> =
        if !matches!(function, MetricFunction::Compare(..)) && parser.accept_word("by") {
            parser.list(attribute)?
        } else {
            Vec::new()
        };
    let span = Span(parser.span_from(start));
    let source = MetricSource::Pipeline { stages, function, by, span };
    Ok(Metrics { source, second: Vec::new() })
}

fn quantile(parser: &mut Parser) -> Result<MetricFunction, Error> {
    let field = attribute(parser)?;
    let mut quantiles = Vec::new();
    while parser.accept(",") {
        let span = parser.span();
        match parser.next() {
            TokenKind::Int(value) => quantiles.push(Number::Int(value)),
            TokenKind::Float(value) => quantiles.push(Number::Float(value)),
            _ => return Err(Error::parse(span, "expected a quantile between 0 and 1")),
        }
    }
    if quantiles.is_empty() {
        return Err(parser.unexpected("`,` and a quantile"));
    }
    Ok(MetricFunction::QuantileOverTime(field, quantiles))
}

fn compare(parser: &mut Parser) -> Result<MetricFunction, Error> {
    let filter = braces(parser)?;
    let mut numbers = Vec::new();
    while numbers.len() < COMPARE_NUMBERS_MAX && parser.accept(",") {
        numbers.push(whole_number(parser)?);
    }
    Ok(MetricFunction::Compare(filter, numbers))
}

fn whole_number(parser: &mut Parser) -> Result<i64, Error> {
    match *parser.peek() {
        TokenKind::Int(value) => {
            parser.next();
            Ok(value)
        }
        _ => Err(parser.unexpected("a whole number")),
    }
}

/// Comparisons with constants, `| topk(n)` and `| bottomk(n)`, in any number and order.
pub(super) fn second_stages(parser: &mut Parser, mut metrics: Metrics) -> Result<Metrics, Error> {
    loop {
        let start = parser.span().start;
        if let Some(op) = parser.peek_sign().and_then(compare_op) {
            parser.next();
            let (value, scaled) = number(parser)?;
            let span = parser.span_from(start);
            if scaled {
                return Err(Error::parse(span, "series cannot be computed with durations"));
            }
            metrics.second.push(SecondStage::Filter(op, value, Span(span)));
        } else if parser.accept("|") {
            let name = parser.peek_word().unwrap_or_default().to_owned();
            if name != "topk" && name != "bottomk" {
                return Err(parser.unexpected("topk or bottomk"));
            }
            parser.next();
            parser.expect("(")?;
            let count = whole_number(parser)?;
            parser.expect(")")?;
            let span = Span(parser.span_from(start));
            metrics.second.push(match name.as_str() {
                "topk" => SecondStage::TopK(count, span),
                _ => SecondStage::BottomK(count, span),
            });
        } else {
            return Ok(metrics);
        }
    }
}
