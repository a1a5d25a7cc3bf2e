//! Expressions inside braces, to questions about one row.
//!
//! The plan knows no nil, no negated pattern and no bare boolean attribute; what TraceQL means by
//! them is spelled out here.

use plan::expr::{CompareOp, Expr, Intrinsic, Literal};
use schemas::model::compile_anchored;

use crate::Error;
use crate::syntax::ast::{self, ArithmeticOp, Field, FieldKind, FieldOp};

/// Hex digits of a trace id and of a span id.
const TRACE_ID_DIGITS: usize = 32;
const SPAN_ID_DIGITS: usize = 16;

/// Matches every text, and nothing that is not a text.
const ANY_TEXT: &str = ".*";

/// A field whose value must be true.
pub(crate) fn condition(field: Field) -> Result<Expr, Error> {
    match field.kind {
        FieldKind::Literal(ast::Literal::Bool(true)) => Ok(Expr::And(Vec::new())),
        FieldKind::Literal(_) => Ok(Expr::Or(Vec::new())),
        FieldKind::And(fields) => Ok(Expr::And(conditions(fields)?)),
        FieldKind::Or(fields) => Ok(Expr::Or(conditions(fields)?)),
        FieldKind::Not(inner) if is_reference(&inner) => Ok(is_bool(value(*inner)?, false)),
        FieldKind::Not(inner) => Ok(Expr::Not(Box::new(condition(*inner)?))),
        FieldKind::Binary { op: FieldOp::Compare(op), left, right } => compare(op, *left, *right),
        FieldKind::Binary { op: op @ (FieldOp::Regex | FieldOp::NotRegex), left, right } => {
            matches(op, *left, *right)
        }
        _ => Ok(is_bool(value(field)?, true)),
    }
}

fn conditions(fields: Vec<Field>) -> Result<Vec<Expr>, Error> {
    fields.into_iter().map(condition).collect()
}

fn is_bool(value: Expr, expected: bool) -> Expr {
    Expr::Compare {
        op: CompareOp::Equal,
        left: Box::new(value),
        right: Box::new(Expr::Literal(Literal::Bool(expected))),
    }
}

fn is_reference(field: &Field) -> bool {
    matches!(field.kind, FieldKind::Attribute(_) | FieldKind::Intrinsic(_))
}

/// The value of a field, with arithmetic between constants already done.
pub(crate) fn value(field: Field) -> Result<Expr, Error> {
    let span = field.span.0.clone();
    match field.kind {
        FieldKind::Literal(literal) => Ok(literal_value(literal)),
        FieldKind::Attribute(attribute) => Ok(Expr::Attribute(attribute)),
        FieldKind::Intrinsic(intrinsic) => Ok(Expr::Intrinsic(intrinsic)),
        FieldKind::Parent | FieldKind::ParentAttribute(_) => {
            Err(Error::unsupported(span, "parent is"))
        }
        FieldKind::Negate(inner) => Ok(match value(*inner)? {
            Expr::Literal(Literal::Int(value)) => Expr::Literal(Literal::Int(value.wrapping_neg())),
            Expr::Literal(Literal::Float(value)) => Expr::Literal(Literal::Float(-value)),
            Expr::Literal(Literal::Duration(value)) => {
                Expr::Literal(Literal::Duration(value.wrapping_neg()))
            }
            other => Expr::Negate(Box::new(other)),
        }),
        FieldKind::Binary { op: FieldOp::Arithmetic(op), left, right } => {
            match (value(*left)?, value(*right)?) {
                (Expr::Literal(left), Expr::Literal(right)) => fold(op, &left, &right)
                    .map(Expr::Literal)
                    .map_err(|message| Error::invalid(span, message)),
                (left, right) => {
                    let (left, right) = (Box::new(left), Box::new(right));
                    Ok(Expr::Arithmetic { op: arithmetic_op(op), left, right })
                }
            }
        }
        FieldKind::Not(_) | FieldKind::And(_) | FieldKind::Or(_) | FieldKind::Binary { .. } => {
            condition(field)
        }
    }
}

fn literal_value(literal: ast::Literal) -> Expr {
    Expr::Literal(match literal {
        // Never equal to anything, as nil is not; comparisons with it are read before.
        ast::Literal::Nil => return Expr::Or(Vec::new()),
        ast::Literal::Text(text) => Literal::Text(text),
        ast::Literal::Int(value) => Literal::Int(value),
        ast::Literal::Float(value) => Literal::Float(value),
        ast::Literal::Bool(value) => Literal::Bool(value),
        ast::Literal::Duration(value) => Literal::Duration(value),
        ast::Literal::Status(code) => Literal::Status(code),
        ast::Literal::Kind(code) => Literal::Kind(code),
    })
}

fn compare(op: CompareOp, left: Field, right: Field) -> Result<Expr, Error> {
    let is_nil = |field: &Field| field.kind == FieldKind::Literal(ast::Literal::Nil);
    match (is_nil(&left), is_nil(&right)) {
        (true, true) => return Ok(Expr::Or(Vec::new())),
        (true, false) => return exists(op, right),
        (false, true) => return exists(op, left),
        (false, false) => {}
    }
    let (left, right) = (value(left)?, value(right)?);
    // A constant stands on the right, where scans look for it.
    let (op, left, right) = match (&left, &right) {
        (Expr::Literal(_), Expr::Literal(_)) => (op, left, right),
        (Expr::Literal(_), _) => (flipped(op), right, left),
        _ => (op, left, right),
    };
    let right = match (&left, right) {
        (Expr::Intrinsic(intrinsic), Expr::Literal(Literal::Text(text))) => {
            Expr::Literal(Literal::Text(id_text(*intrinsic, text)))
        }
        (_, right) => right,
    };
    Ok(Expr::Compare { op, left: Box::new(left), right: Box::new(right) })
}

/// `field != nil` and `field = nil`; a value that is computed exists if its comparison could hold,
/// which only the evaluator knows.
fn exists(op: CompareOp, field: Field) -> Result<Expr, Error> {
    let exists = Expr::Exists(Box::new(value(field)?));
    Ok(if op == CompareOp::NotEqual { exists } else { Expr::Not(Box::new(exists)) })
}

fn flipped(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Less => CompareOp::Greater,
        CompareOp::LessEqual => CompareOp::GreaterEqual,
        CompareOp::Greater => CompareOp::Less,
        CompareOp::GreaterEqual => CompareOp::LessEqual,
        CompareOp::Equal | CompareOp::NotEqual => op,
    }
}

/// An id as it is stored: lower-case hex with all its leading zeros; the empty id stays empty.
fn id_text(intrinsic: Intrinsic, text: String) -> String {
    let digits = match intrinsic {
        Intrinsic::TraceId | Intrinsic::LinkTraceId => TRACE_ID_DIGITS,
        Intrinsic::SpanId | Intrinsic::ParentId | Intrinsic::LinkSpanId => SPAN_ID_DIGITS,
        _ => return text,
    };
    let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { format!("{:0>digits$}", text.to_ascii_lowercase()) } else { text }
}

fn matches(op: FieldOp, left: Field, right: Field) -> Result<Expr, Error> {
    let FieldKind::Literal(ast::Literal::Text(pattern)) = right.kind else {
        return Err(Error::invalid(right.span.0, "the pattern must be a text"));
    };
    let compiled = |pattern: &str| {
        compile_anchored(pattern)
            .map_err(|error| Error::invalid(right.span.0.clone(), error.to_string()))
    };
    let input = Box::new(value(left)?);
    let hit = Expr::Matches { input: input.clone(), pattern: compiled(&pattern)? };
    if op == FieldOp::Regex {
        return Ok(hit);
    }
    // What is absent or not a text does not satisfy a negated pattern either.
    let is_text = Expr::Matches { input, pattern: compiled(ANY_TEXT)? };
    Ok(Expr::And(vec![is_text, Expr::Not(Box::new(hit))]))
}

/// The value of `left op right`; whole numbers stay whole, durations become plain nanoseconds.
fn fold(op: ArithmeticOp, left: &Literal, right: &Literal) -> Result<Literal, &'static str> {
    use ArithmeticOp::{Add, Divide, Modulo, Multiply, Power, Subtract};
    if let (Literal::Int(left), Literal::Int(right)) = (left, right) {
        let value = match op {
            Add => left.wrapping_add(*right),
            Subtract => left.wrapping_sub(*right),
            Multiply => left.wrapping_mul(*right),
            Divide | Modulo if *right == 0 => return Err("integer division by zero"),
            Divide => left.wrapping_div(*right),
            Modulo => left.wrapping_rem(*right),
            // Beyond 64 bits the sum of a power is kept as a float.
            Power => {
                let exact = u32::try_from(*right).ok().and_then(|right| left.checked_pow(right));
                match exact {
                    Some(value) => value,
                    None => return Ok(Literal::Float((*left as f64).powf(*right as f64))),
                }
            }
        };
        return Ok(Literal::Int(value));
    }
    let (Some(left), Some(right)) = (number(left), number(right)) else {
        return Err("arithmetic needs numbers");
    };
    Ok(Literal::Float(match op {
        Add => left + right,
        Subtract => left - right,
        Multiply => left * right,
        Divide => left / right,
        Modulo => left % right,
        Power => left.powf(right),
    }))
}

fn arithmetic_op(op: ArithmeticOp) -> plan::expr::ArithmeticOp {
    match op {
        ArithmeticOp::Add => plan::expr::ArithmeticOp::Add,
        ArithmeticOp::Subtract => plan::expr::ArithmeticOp::Subtract,
        ArithmeticOp::Multiply => plan::expr::ArithmeticOp::Multiply,
        ArithmeticOp::Divide => plan::expr::ArithmeticOp::Divide,
        ArithmeticOp::Modulo => plan::expr::ArithmeticOp::Modulo,
        ArithmeticOp::Power => plan::expr::ArithmeticOp::Power,
    }
}

fn number(literal: &Literal) -> Option<f64> {
    match literal {
        Literal::Int(value) | Literal::Duration(value) => Some(*value as f64),
        Literal::Float(value) => Some(*value),
        _ => None,
    }
}
