//! Expressions inside braces: values of one span.
//!
//! | level | operators | |
//! |---|---|---|
//! | 10 | `&& \|\|` | left |
//! | 20 | `= != < <= > >= =~ !~` | left |
//! | 30 | `+ -`, prefix `-` | left |
//! | 40 | prefix `!` | |
//! | 50 | `* / %` | left |
//! | 60 | `^` | right |

use plan::expr::CompareOp;

use super::super::FIELD_DEPTH_MAX;
use super::super::ast::{ArithmeticOp, Field, FieldKind, FieldOp, Span};
use super::super::lexer::TokenKind;
use super::super::literal::{intrinsic, keyword};
use super::Parser;

use crate::Error;

const NEGATE_LEVEL: u8 = 30;
const NOT_LEVEL: u8 = 40;
const POWER_LEVEL: u8 = 60;

/// An infix operator inside braces.
#[derive(Clone, Copy, PartialEq)]
enum Infix {
    And,
    Or,
    Op(FieldOp),
}

/// `{ field }`; `None` for empty braces.
pub(super) fn braces(parser: &mut Parser) -> Result<Option<Field>, Error> {
    parser.expect("{")?;
    if parser.accept("}") {
        return Ok(None);
    }
    let field = field(parser)?;
    parser.expect("}")?;
    Ok(Some(field))
}

/// A whole expression.
pub(super) fn field(parser: &mut Parser) -> Result<Field, Error> {
    Ok(parser.nested(deep_field)?.0)
}

/// Exactly an attribute or an intrinsic.
pub(super) fn attribute(parser: &mut Parser) -> Result<Field, Error> {
    let span = parser.span();
    let kind = reference(parser).ok_or_else(|| parser.unexpected("an attribute"))?;
    Ok(Field { kind, span: Span(span) })
}

/// An expression and how deep its tree is.
type Deep = (Field, usize);

fn deep_field(parser: &mut Parser) -> Result<Deep, Error> {
    climb(parser, 0)
}

/// Reads operators that bind tighter than `level`.
fn climb(parser: &mut Parser, level: u8) -> Result<Deep, Error> {
    let start = parser.span().start;
    let (mut left, mut depth) = operand(parser)?;
    // The operator that `left` is a chain of, if this loop built it.
    let mut chain: Option<Infix> = None;
    while let Some((infix, infix_level)) = parser.peek_sign().and_then(infix) {
        if infix_level <= level {
            break;
        }
        parser.next();
        let right_level = if infix_level == POWER_LEVEL { infix_level - 1 } else { infix_level };
        let (right, right_depth) = parser.nested(|parser| climb(parser, right_level))?;
        let left_depth = depth + usize::from(chain != Some(infix));
        depth = checked(parser, left_depth.max(right_depth + 1))?;
        let span = Span(parser.span_from(start));
        left = match (infix, chain == Some(infix), left.kind) {
            (Infix::And, true, FieldKind::And(mut all)) => {
                all.push(right);
                Field { kind: FieldKind::And(all), span }
            }
            (Infix::Or, true, FieldKind::Or(mut any)) => {
                any.push(right);
                Field { kind: FieldKind::Or(any), span }
            }
            (_, _, kind) => {
                let left = Field { kind, span: left.span };
                Field { kind: joined(infix, left, right), span }
            }
        };
        chain = matches!(infix, Infix::And | Infix::Or).then_some(infix);
    }
    Ok((left, depth))
}

fn checked(parser: &Parser, depth: usize) -> Result<usize, Error> {
    if depth > FIELD_DEPTH_MAX {
        let message = format!("filter has more than {FIELD_DEPTH_MAX} levels of operators");
        return Err(Error::limit(parser.span(), message));
    }
    Ok(depth)
}

fn joined(infix: Infix, left: Field, right: Field) -> FieldKind {
    match infix {
        Infix::And => FieldKind::And(vec![left, right]),
        Infix::Or => FieldKind::Or(vec![left, right]),
        Infix::Op(op) => FieldKind::Binary { op, left: Box::new(left), right: Box::new(right) },
    }
}

fn operand(parser: &mut Parser) -> Result<Deep, Error> {
    let span = parser.span();
    let start = span.start;
    if parser.accept("(") {
        let inner = parser.nested(deep_field)?;
        parser.expect(")")?;
        return Ok(inner);
    }
    if parser.accept("-") {
        let (inner, depth) = parser.nested(|parser| climb(parser, NEGATE_LEVEL))?;
        let depth = checked(parser, depth + 1)?;
        let span = Span(parser.span_from(start));
        return Ok((Field { kind: FieldKind::Negate(Box::new(inner)), span }, depth));
    }
    if parser.accept("!") {
        let (inner, depth) = parser.nested(|parser| climb(parser, NOT_LEVEL))?;
        let depth = checked(parser, depth + 1)?;
        let span = Span(parser.span_from(start));
        return Ok((Field { kind: FieldKind::Not(Box::new(inner)), span }, depth));
    }
    if let Some(kind) = reference(parser) {
        return Ok((Field { kind, span: Span(span) }, 1));
    }
    if parser.peek_word().is_some_and(|word| keyword(word).is_none()) {
        return Err(parser.unexpected("a value of the span"));
    }
    let literal = parser.literal()?;
    Ok((Field { kind: FieldKind::Literal(literal), span: Span(span) }, 1))
}

/// The attribute or intrinsic that stands here, if there is one.
fn reference(parser: &mut Parser) -> Option<FieldKind> {
    let kind = match parser.peek() {
        TokenKind::Attribute(attribute) => FieldKind::Attribute(attribute.clone()),
        TokenKind::ParentAttribute(attribute) => FieldKind::ParentAttribute(attribute.clone()),
        TokenKind::Intrinsic(intrinsic) => FieldKind::Intrinsic(*intrinsic),
        TokenKind::Word(word) if word == "parent" => FieldKind::Parent,
        TokenKind::Word(word) => FieldKind::Intrinsic(intrinsic("", word)?),
        _ => return None,
    };
    parser.next();
    Some(kind)
}

fn infix(sign: &'static str) -> Option<(Infix, u8)> {
    let compare = |op| Some((Infix::Op(FieldOp::Compare(op)), 20));
    let arithmetic = |op, level| Some((Infix::Op(FieldOp::Arithmetic(op)), level));
    match sign {
        "&&" => Some((Infix::And, 10)),
        "||" => Some((Infix::Or, 10)),
        "=" => compare(CompareOp::Equal),
        "!=" => compare(CompareOp::NotEqual),
        "<" => compare(CompareOp::Less),
        "<=" => compare(CompareOp::LessEqual),
        ">" => compare(CompareOp::Greater),
        ">=" => compare(CompareOp::GreaterEqual),
        "=~" => Some((Infix::Op(FieldOp::Regex), 20)),
        "!~" => Some((Infix::Op(FieldOp::NotRegex), 20)),
        "+" => arithmetic(ArithmeticOp::Add, 30),
        "-" => arithmetic(ArithmeticOp::Subtract, 30),
        "*" => arithmetic(ArithmeticOp::Multiply, 50),
        "/" => arithmetic(ArithmeticOp::Divide, 50),
        "%" => arithmetic(ArithmeticOp::Modulo, 50),
        "^" => arithmetic(ArithmeticOp::Power, POWER_LEVEL),
        _ => None,
    }
}

/// `attribute op constant`, if exactly that stands here.
pub(super) fn condition(parser: &mut Parser) -> Option<Field> {
    let left = attribute(parser).ok()?;
    let Some((Infix::Op(op), 20)) = parser.peek_sign().and_then(infix) else { return None };
    parser.next();
    let span = left.span.clone();
    let literal = parser.literal().ok()?;
    let right = Field { kind: FieldKind::Literal(literal), span: Span(span.0.clone()) };
    Some(Field { kind: joined(Infix::Op(op), left, right), span })
}
