//! Values of spans, and what TraceQL does with them.
//!
//! Comparisons of different types are false, `!=` included, except that ints, floats and
//! durations are all numbers. An array satisfies a comparison if one of its elements does, and
//! `!=` if all do.

use std::borrow::Cow;

use plan::expr::{ArithmeticOp, CompareOp, Literal};
use regex::Regex;

/// Names of status codes.
pub(super) const STATUS_NAMES: [&str; 3] = ["unset", "ok", "error"];

/// Names of span kinds.
pub(super) const KIND_NAMES: [&str; 6] =
    ["unspecified", "internal", "server", "client", "producer", "consumer"];

/// A value of a span, or none.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Absent,
    Text(Cow<'a, str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    Status(i32),
    Kind(i32),
    Array(Vec<Value<'a>>),
    /// JSON text of a map or of bytes: present, but nothing can be asked of it.
    Opaque(&'a str),
}

impl<'a> Value<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The value as a number, if it is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) | Self::Duration(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    fn whole(&self) -> Option<i64> {
        match self {
            Self::Int(value) | Self::Duration(value) => Some(*value),
            _ => None,
        }
    }
}

impl<'a> From<&'a Literal> for Value<'a> {
    fn from(literal: &'a Literal) -> Self {
        match literal {
            Literal::Text(text) => Self::text(text),
            Literal::Int(value) => Self::Int(*value),
            Literal::Float(value) => Self::Float(*value),
            Literal::Bool(value) => Self::Bool(*value),
            Literal::Duration(value) => Self::Duration(*value),
            Literal::Status(code) => Self::Status(*code),
            Literal::Kind(code) => Self::Kind(*code),
        }
    }
}

/// Whether `left op right` holds.
pub(super) fn compare(op: CompareOp, left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Array(_), Value::Array(_)) => false,
        (Value::Array(items), right) => quantified(op, items, |item| compare(op, item, right)),
        (left, Value::Array(items)) => quantified(op, items, |item| compare(op, left, item)),
        (Value::Text(left), Value::Text(right)) => op.holds(left, right),
        (Value::Bool(left), Value::Bool(right)) => equal(op, left, right),
        (Value::Status(left), Value::Status(right)) | (Value::Kind(left), Value::Kind(right)) => {
            equal(op, left, right)
        }
        (left, right) => match (left.whole(), right.whole()) {
            (Some(left), Some(right)) => op.holds(&left, &right),
            _ => match (left.number(), right.number()) {
                (Some(left), Some(right)) => op.holds(&left, &right),
                _ => false,
            },
        },
    }
}

fn quantified(op: CompareOp, items: &[Value<'_>], holds: impl Fn(&Value<'_>) -> bool) -> bool {
    match op {
        CompareOp::NotEqual => !items.is_empty() && items.iter().all(holds),
        _ => items.iter().any(holds),
    }
}

fn equal<T: PartialEq>(op: CompareOp, left: &T, right: &T) -> bool {
    match op {
        CompareOp::Equal => left == right,
        CompareOp::NotEqual => left != right,
        _ => false,
    }
}

/// The value of `left op right`; absent unless both are numbers, and for whole division by zero.
pub(super) fn arithmetic<'a>(op: ArithmeticOp, left: &Value<'_>, right: &Value<'_>) -> Value<'a> {
    use ArithmeticOp::{Add, Atan2, Divide, DivideOrNan, Modulo, Multiply, Power, Subtract};
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        let whole = match op {
            Add => left.checked_add(*right),
            Subtract => left.checked_sub(*right),
            Multiply => left.checked_mul(*right),
            Divide | Modulo if *right == 0 => return Value::Absent,
            Divide => left.checked_div(*right),
            Modulo => left.checked_rem(*right),
            Power => u32::try_from(*right).ok().and_then(|right| left.checked_pow(right)),
            Atan2 | DivideOrNan => None,
        };
        if let Some(whole) = whole {
            return Value::Int(whole);
        }
    }
    let (Some(left), Some(right)) = (left.number(), right.number()) else { return Value::Absent };
    Value::Float(match op {
        Add => left + right,
        Subtract => left - right,
        Multiply => left * right,
        DivideOrNan if right == 0.0 => f64::NAN,
        Divide | DivideOrNan => left / right,
        Modulo => left % right,
        Power => left.powf(right),
        Atan2 => left.atan2(right),
    })
}

/// The negated number; absent for what is none.
pub(super) fn negated<'a>(value: &Value<'_>) -> Value<'a> {
    match value {
        Value::Int(value) => Value::Int(value.wrapping_neg()),
        Value::Float(value) => Value::Float(-value),
        Value::Duration(value) => Value::Duration(value.wrapping_neg()),
        _ => Value::Absent,
    }
}

/// A question to one value.
#[derive(Clone, Debug)]
pub(super) enum Test<'a> {
    Compare(CompareOp, Value<'a>),
    Matches(&'a Regex),
    Contains(&'a str),
    Exists,
}

impl Test<'_> {
    pub(super) fn holds(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Compare(op, right), value) => compare(*op, value, right),
            (Self::Exists, value) => *value != Value::Absent,
            (Self::Matches(pattern), Value::Text(text)) => pattern.is_match(text),
            (Self::Contains(needle), Value::Text(text)) => text.contains(needle),
            (Self::Matches(_) | Self::Contains(_), Value::Array(items)) => {
                items.iter().any(|item| self.holds(item))
            }
            (Self::Matches(_) | Self::Contains(_), _) => false,
        }
    }
}
