//! Expressions outside braces: spansets, numbers computed over them, series.
//!
//! The three share signs and precedence, so all are read alike and told apart by their operands:
//! `>` between spansets is "has a child", between numbers it is "greater".

use plan::expr::CompareOp;

use super::super::ast::{
    ArithmeticOp, MetricOperand, MetricSource, Metrics, Mode, Number, Relation, Scalar,
    ScalarFilter, SecondStage, Span, SpansetExpr, SpansetOp, Stage,
};
use super::super::lexer::TokenKind;
use super::pipeline::{Top, aggregate, top};
use super::{Parser, field};
use crate::Error;

/// Level of comparisons and structural operators.
const COMPARE_LEVEL: u8 = 20;
const POWER_LEVEL: u8 = 60;

/// What an expression turned out to be.
pub(super) enum Parsed {
    Spansets(SpansetExpr),
    Scalar(Scalar),
    Filter(ScalarFilter),
    Metrics(Metrics),
    /// A constant, and whether durations were computed with, which series do not allow.
    Number(Number, bool),
}

/// What a sign can mean, by the kind of its operands.
#[derive(Clone, Copy)]
struct Infix {
    level: u8,
    spansets: Option<SpansetOp>,
    compare: Option<CompareOp>,
    arithmetic: Option<ArithmeticOp>,
}

/// A whole expression.
pub(super) fn expression(parser: &mut Parser) -> Result<Parsed, Error> {
    parser.nested(|parser| climb(parser, 0))
}

/// A constant number with whatever arithmetic binds tighter than comparisons.
pub(super) fn number(parser: &mut Parser) -> Result<(Number, bool), Error> {
    let start = parser.span().start;
    match parser.nested(|parser| climb(parser, COMPARE_LEVEL))? {
        Parsed::Number(number, scaled) => Ok((number, scaled)),
        _ => Err(Error::parse(parser.span_from(start), "expected a constant number")),
    }
}

fn climb(parser: &mut Parser, level: u8) -> Result<Parsed, Error> {
    let start = parser.span().start;
    let mut left = operand(parser)?;
    while let Some(infix) = parser.peek_sign().and_then(infix) {
        if infix.level <= level {
            break;
        }
        let sign = parser.span();
        parser.next();
        parser.count_operator()?;
        let right_level = infix.level - u8::from(infix.level == POWER_LEVEL);
        let right = parser.nested(|parser| climb(parser, right_level))?;
        let span = Span(parser.span_from(start));
        left = combine(infix, left, right, span).map_err(|message| Error::parse(sign, message))?;
    }
    Ok(left)
}

fn operand(parser: &mut Parser) -> Result<Parsed, Error> {
    let number = match parser.peek() {
        TokenKind::Int(value) => Some(Number::Int(*value)),
        TokenKind::Float(value) => Some(Number::Float(*value)),
        TokenKind::Duration(value) => Some(Number::Duration(*value)),
        TokenKind::Word(word) if word == "maxInt" => Some(Number::Int(i64::MAX)),
        TokenKind::Word(word) if word == "minInt" => Some(Number::Int(i64::MIN)),
        _ => None,
    };
    if let Some(number) = number {
        parser.next();
        return Ok(Parsed::Number(number, false));
    }
    if parser.peek_sign() == Some("{") {
        return Ok(Parsed::Spansets(SpansetExpr::Filter(field::braces(parser)?)));
    }
    if parser.accept("(") {
        let inner = parser.nested(top)?;
        parser.expect(")")?;
        return Ok(parenthesised(inner));
    }
    if parser.accept("-") {
        let start = parser.span();
        return match parser.nested(operand)? {
            Parsed::Number(number, scaled) => Ok(Parsed::Number(negated(number), scaled)),
            _ => Err(Error::parse(start, "only a constant number can be negated here")),
        };
    }
    match aggregate(parser)? {
        Some(scalar) => Ok(Parsed::Scalar(scalar)),
        None => Err(parser.unexpected("`{`, `(`, an aggregate or a number")),
    }
}

fn parenthesised(inner: Top) -> Parsed {
    match inner {
        Top::Metrics(metrics) => Parsed::Metrics(metrics),
        Top::Number(number, scaled) => Parsed::Number(number, scaled),
        Top::Scalar(stages, scalar) if stages.is_empty() => Parsed::Scalar(scalar),
        Top::Scalar(stages, scalar) => Parsed::Scalar(Scalar::Pipeline(stages, Box::new(scalar))),
        Top::Pipeline(mut stages) => match (stages.pop(), stages.is_empty()) {
            (Some(Stage::Spansets(spansets)), true) => Parsed::Spansets(spansets),
            (last, _) => {
                stages.extend(last);
                Parsed::Spansets(SpansetExpr::Pipeline(stages))
            }
        },
    }
}

fn combine(infix: Infix, left: Parsed, right: Parsed, span: Span) -> Result<Parsed, &'static str> {
    match (left, right) {
        (Parsed::Spansets(left), Parsed::Spansets(right)) => {
            let op = infix.spansets.ok_or("operator cannot stand between spansets")?;
            let (left, right) = (Box::new(left), Box::new(right));
            Ok(Parsed::Spansets(SpansetExpr::Binary { op, left, right, span }))
        }
        (Parsed::Number(left, scaled_left), Parsed::Number(right, scaled_right)) => {
            let op = infix.arithmetic.ok_or("operator cannot stand between constants")?;
            let is_duration = |number| matches!(number, Number::Duration(_));
            let scaled = scaled_left || scaled_right || is_duration(left) || is_duration(right);
            Ok(Parsed::Number(fold(op, left, right)?, scaled))
        }
        (Parsed::Metrics(left), Parsed::Metrics(right)) => {
            series(infix, MetricOperand::Metrics(left), MetricOperand::Metrics(right), span)
        }
        (Parsed::Metrics(mut left), Parsed::Number(right, scaled)) => {
            if let (Some(op), false) = (infix.compare, scaled) {
                left.second.push(SecondStage::Filter(op, right, span));
                return Ok(Parsed::Metrics(left));
            }
            let right = plain_number(right, scaled)?;
            series(infix, MetricOperand::Metrics(left), right, span)
        }
        (Parsed::Number(left, scaled), Parsed::Metrics(right)) => {
            series(infix, plain_number(left, scaled)?, MetricOperand::Metrics(right), span)
        }
        (left, right) => {
            let left = scalar(left)?;
            let right = scalar(right)?;
            if let Some(op) = infix.compare {
                return Ok(Parsed::Filter(ScalarFilter { op, left, right, span }));
            }
            let op = infix.arithmetic.ok_or("operator cannot stand between numbers")?;
            let (left, right) = (Box::new(left), Box::new(right));
            Ok(Parsed::Scalar(Scalar::Binary { op, left, right }))
        }
    }
}

fn scalar(parsed: Parsed) -> Result<Scalar, &'static str> {
    match parsed {
        Parsed::Scalar(scalar) => Ok(scalar),
        Parsed::Number(number, _) => Ok(Scalar::Number(number)),
        Parsed::Spansets(_) => Err("operator cannot stand beside a spanset here"),
        Parsed::Filter(_) => Err("a comparison of numbers is a stage, not an operand"),
        Parsed::Metrics(_) => Err("operator cannot stand between series and a spanset's number"),
    }
}

fn plain_number(number: Number, scaled: bool) -> Result<MetricOperand, &'static str> {
    if scaled || matches!(number, Number::Duration(_)) {
        return Err("series cannot be computed with durations");
    }
    Ok(MetricOperand::Number(number))
}

fn series(
    infix: Infix,
    left: MetricOperand,
    right: MetricOperand,
    span: Span,
) -> Result<Parsed, &'static str> {
    use ArithmeticOp::{Add, Divide, Multiply, Subtract};
    let op = infix
        .arithmetic
        .filter(|op| matches!(op, Add | Subtract | Multiply | Divide))
        .ok_or("operator cannot stand between series")?;
    let source = MetricSource::Binary { op, left: Box::new(left), right: Box::new(right), span };
    Ok(Parsed::Metrics(Metrics { source, second: Vec::new() }))
}

fn negated(number: Number) -> Number {
    match number {
        Number::Int(value) => Number::Int(value.wrapping_neg()),
        Number::Float(value) => Number::Float(-value),
        Number::Duration(value) => Number::Duration(value.wrapping_neg()),
    }
}

/// The value of `left op right`; whole numbers stay whole.
fn fold(op: ArithmeticOp, left: Number, right: Number) -> Result<Number, &'static str> {
    use ArithmeticOp::{Add, Divide, Modulo, Multiply, Power, Subtract};
    if let (Number::Int(left), Number::Int(right)) = (left, right) {
        let value = match op {
            Add => left.checked_add(right),
            Subtract => left.checked_sub(right),
            Multiply => left.checked_mul(right),
            Divide | Modulo if right == 0 => return Err("division by zero"),
            Divide => left.checked_div(right),
            Modulo => left.checked_rem(right),
            Power => u32::try_from(right).ok().and_then(|right| left.checked_pow(right)),
        };
        return value.map(Number::Int).ok_or("constant does not fit 64 bits");
    }
    let (left, right) = (float(left), float(right));
    let value = match op {
        Add => left + right,
        Subtract => left - right,
        Multiply => left * right,
        Divide | Modulo if right == 0.0 => return Err("division by zero"),
        Divide => left / right,
        Modulo => left % right,
        Power => left.powf(right),
    };
    if value.is_finite() { Ok(Number::Float(value)) } else { Err("constant is not finite") }
}

fn float(number: Number) -> f64 {
    match number {
        Number::Int(value) | Number::Duration(value) => value as f64,
        Number::Float(value) => value,
    }
}

/// The comparison that a sign stands for.
pub(super) fn compare_op(sign: &str) -> Option<CompareOp> {
    Some(match sign {
        "=" => CompareOp::Equal,
        "!=" => CompareOp::NotEqual,
        "<" => CompareOp::Less,
        "<=" => CompareOp::LessEqual,
        ">" => CompareOp::Greater,
        ">=" => CompareOp::GreaterEqual,
        _ => return None,
    })
}

fn infix(sign: &'static str) -> Option<Infix> {
    let arithmetic = match sign {
        "+" => Some((ArithmeticOp::Add, 30)),
        "-" => Some((ArithmeticOp::Subtract, 30)),
        "*" => Some((ArithmeticOp::Multiply, 50)),
        "/" => Some((ArithmeticOp::Divide, 50)),
        "%" => Some((ArithmeticOp::Modulo, 50)),
        "^" => Some((ArithmeticOp::Power, POWER_LEVEL)),
        _ => None,
    };
    let spansets = spanset_op(sign);
    let compare = compare_op(sign);
    let level = match (arithmetic, spansets) {
        (Some((_, level)), _) => level,
        (None, Some(SpansetOp::And | SpansetOp::Or)) => 10,
        (None, Some(SpansetOp::Structural(..))) => COMPARE_LEVEL,
        (None, None) => compare.map(|_| COMPARE_LEVEL)?,
    };
    Some(Infix { level, spansets, compare, arithmetic: arithmetic.map(|(op, _)| op) })
}

fn spanset_op(sign: &str) -> Option<SpansetOp> {
    match sign {
        "&&" => return Some(SpansetOp::And),
        "||" => return Some(SpansetOp::Or),
        _ => {}
    }
    let (mode, relation) = match sign.as_bytes().first()? {
        b'!' => (Mode::Unrelated, &sign[1..]),
        b'&' => (Mode::Union, &sign[1..]),
        _ => (Mode::Related, sign),
    };
    let relation = match relation {
        ">" => Relation::Child,
        "<" => Relation::Parent,
        ">>" => Relation::Descendant,
        "<<" => Relation::Ancestor,
        "~" => Relation::Sibling,
        _ => return None,
    };
    Some(SpansetOp::Structural(relation, mode))
}
