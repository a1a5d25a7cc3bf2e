//! Expressions computed row by row: arithmetic, comparisons of two values, traces as a whole.

use plan::Expr;
use plan::expr::CompareOp;

use super::frame::{Frame, Reader};
use super::place::for_each_reference;
use super::value::{Test, Value, arithmetic, compare, negated};
use crate::Error;

/// An expression with the columns that it reads.
#[derive(Debug)]
pub(super) struct Scalar<'a> {
    expr: &'a Expr,
    readers: Vec<(&'a Expr, Reader)>,
}

impl<'a> Scalar<'a> {
    /// Looks the columns up.
    pub(super) fn new(expr: &'a Expr, frame: &Frame) -> Result<Self, Error> {
        let mut references = Vec::new();
        for_each_reference(expr, &mut |reference| references.push(reference));
        let mut readers = Vec::with_capacity(references.len());
        for reference in references {
            if let Some(reader) = Reader::new(frame, reference)? {
                readers.push((reference, reader));
            }
        }
        Ok(Self { expr, readers })
    }

    /// The value in a row.
    pub(super) fn value(&self, row: usize) -> Value<'_> {
        evaluate(self.expr, &|reference| {
            let found = self.readers.iter().find(|(expr, _)| std::ptr::eq(*expr, reference));
            found.map_or(Value::Absent, |(_, reader)| reader.value(row))
        })
    }

    /// Whether the value in a row is true.
    pub(super) fn holds(&self, row: usize) -> bool {
        self.value(row) == Value::Bool(true)
    }
}

/// The value of an expression; `lookup` says those of attributes and intrinsics.
pub(super) fn evaluate<'a>(expr: &'a Expr, lookup: &impl Fn(&'a Expr) -> Value<'a>) -> Value<'a> {
    let value = |expr: &'a Expr| evaluate(expr, lookup);
    let tested = |input: &'a Expr, test: &Test<'_>| Value::Bool(test.holds(&value(input)));
    match expr {
        Expr::Attribute(_) | Expr::Intrinsic(_) => lookup(expr),
        Expr::Literal(literal) => Value::from(literal),
        Expr::Compare { op, left, right } => Value::Bool(compare(*op, &value(left), &value(right))),
        Expr::Arithmetic { op, left, right } => arithmetic(*op, &value(left), &value(right)),
        Expr::Negate(input) => negated(&value(input)),
        Expr::Contains { input, needle } => tested(input, &Test::Contains(needle)),
        Expr::Matches { input, pattern } => tested(input, &Test::Matches(pattern)),
        Expr::Exists(input) => tested(input, &Test::Exists),
        Expr::And(inputs) => Value::Bool(inputs.iter().all(|input| is_true(&value(input)))),
        Expr::Or(inputs) => Value::Bool(inputs.iter().any(|input| is_true(&value(input)))),
        Expr::Not(input) => Value::Bool(!is_true(&value(input))),
        // What only log rows have.
        _ => Value::Absent,
    }
}

fn is_true(value: &Value<'_>) -> bool {
    compare(CompareOp::Equal, value, &Value::Bool(true))
}
