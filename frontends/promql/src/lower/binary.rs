//! Operators between two expressions, and how series find their partners.

use std::ops::Range;

use plan::expr::{ArithmeticOp, CompareOp};
use plan::node::{Binary, BinaryOp, Cardinality, Fill, MatchOn, Matching};
use plan::{Node, Shape};

use super::{Context, constant, unsupported};
use crate::Error;
use crate::syntax::ast::{Binary as Operation, BinaryOp as Operator, MatchClause};

/// `left op right`.
pub(super) fn binary(
    operation: Operation,
    span: Range<usize>,
    context: Context<'_>,
) -> Result<Node, Error> {
    let Some(op) = operator(operation.op, operation.returns_bool) else {
        return Err(unsupported(&format!("the operator {}", operation.op.name()), span));
    };
    let left = super::node(operation.left, context)?;
    let right = super::node(operation.right, context)?;
    if left.shape() == Shape::Scalar && right.shape() == Shape::Scalar {
        return Ok(constant::scalars(op, left, right));
    }
    let mut matching = operation.matching.map_or_else(Matching::all_labels, matching);
    let [left_fill, right_fill] =
        [operation.fill.left, operation.fill.right].map(|fill| fill.map(|number| number.value));
    // Prometheus turns the operands of `group_right` round before it fills, but not the values.
    matching.fill = match matching.cardinality {
        Cardinality::OneToMany(_) => Fill { left: right_fill, right: left_fill },
        _ => Fill { left: left_fill, right: right_fill },
    };
    let (left, right) = (Box::new(left), Box::new(right));
    let position = Some(context.position_of(&span));
    Ok(Node::Binary(Binary { left, right, op, matching, position }))
}

fn matching(clause: MatchClause) -> Matching {
    let on =
        if clause.is_on { MatchOn::On(clause.labels) } else { MatchOn::Ignoring(clause.labels) };
    let cardinality = match clause.group {
        None => Cardinality::OneToOne,
        Some(group) if group.many_left => Cardinality::ManyToOne(group.include),
        Some(group) => Cardinality::OneToMany(group.include),
    };
    Matching { on, cardinality, ..Matching::all_labels() }
}

/// The operator; `None` for those of native histograms.
fn operator(op: Operator, returns_bool: bool) -> Option<BinaryOp> {
    let compare = |op| if returns_bool { BinaryOp::Test(op) } else { BinaryOp::Keep(op) };
    Some(match op {
        Operator::Or => BinaryOp::Or,
        Operator::And => BinaryOp::And,
        Operator::Unless => BinaryOp::Unless,
        Operator::Equal => compare(CompareOp::Equal),
        Operator::NotEqual => compare(CompareOp::NotEqual),
        Operator::Less => compare(CompareOp::Less),
        Operator::LessEqual => compare(CompareOp::LessEqual),
        Operator::Greater => compare(CompareOp::Greater),
        Operator::GreaterEqual => compare(CompareOp::GreaterEqual),
        Operator::Add => BinaryOp::Arithmetic(ArithmeticOp::Add),
        Operator::Subtract => BinaryOp::Arithmetic(ArithmeticOp::Subtract),
        Operator::Multiply => BinaryOp::Arithmetic(ArithmeticOp::Multiply),
        Operator::Divide => BinaryOp::Arithmetic(ArithmeticOp::Divide),
        Operator::Modulo => BinaryOp::Arithmetic(ArithmeticOp::Modulo),
        Operator::Atan2 => BinaryOp::Arithmetic(ArithmeticOp::Atan2),
        Operator::Power => BinaryOp::Arithmetic(ArithmeticOp::Power),
        Operator::TrimUpper | Operator::TrimLower => return None,
    })
}
