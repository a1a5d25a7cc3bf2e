//! Conditions on spans as filters of columns, where columns tell all.
//!
//! What comes out is true of every span of which the condition is true; it need not be the other
//! way round, since spans are asked again when they were read. Null is never true.

use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{Expr, col, ident, lit};
use plan::expr::{CompareOp, Intrinsic, Literal};
use schemas::model::{Attribute, Scope};
use schemas::tables::{PromotedType, TableLayout, column_of, columns};

use crate::table::Condition;

/// The attribute that is the service's name.
const SERVICE_NAME: &str = "service.name";

/// A condition on columns that a condition on spans implies; `None` if none is known.
pub(super) fn of_span(expr: &plan::Expr, layout: &TableLayout) -> Option<Condition> {
    match expr {
        plan::Expr::Or(any) => {
            let any = any.iter().map(|expr| of_span(expr, layout)).collect::<Option<Vec<_>>>()?;
            Some(Condition {
                rejects_absent: any.iter().all(|it| it.rejects_absent),
                attributes: any.iter().flat_map(|it| it.attributes.clone()).collect(),
                expr: disjunction(any.into_iter().map(|it| it.expr))?,
            })
        }
        plan::Expr::Compare { op, left, right } => {
            let plan::Expr::Literal(right) = right.as_ref() else { return None };
            match left.as_ref() {
                plan::Expr::Intrinsic(intrinsic) => of_intrinsic(*intrinsic, *op, right),
                plan::Expr::Attribute(attribute) => {
                    of_attribute(attribute, layout, |column, of| compare(column, of, *op, right))
                }
                _ => None,
            }
        }
        // Only what is there can match.
        plan::Expr::Exists(input)
        | plan::Expr::Matches { input, .. }
        | plan::Expr::Contains { input, .. } => match input.as_ref() {
            plan::Expr::Attribute(attribute) => {
                of_attribute(attribute, layout, |column, _| Some(column.is_not_null()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The operands of nested conjunctions.
pub(super) fn operands(expr: &plan::Expr) -> Vec<&plan::Expr> {
    match expr {
        plan::Expr::And(all) => all.iter().flat_map(operands).collect(),
        other => vec![other],
    }
}

/// The scopes in which an attribute is looked up that may have columns.
pub(super) fn scopes(attribute: &Attribute) -> &'static [Scope] {
    match attribute.scope {
        None => &[Scope::Span, Scope::Resource],
        Some(Scope::Span) => &[Scope::Span],
        Some(Scope::Resource) => &[Scope::Resource],
        Some(_) => &[],
    }
}

fn of_attribute(
    attribute: &Attribute,
    layout: &TableLayout,
    ask: impl Fn(Expr, PromotedType) -> Option<Expr>,
) -> Option<Condition> {
    let key = attribute.key.as_str();
    if key == SERVICE_NAME {
        let is_resource = attribute.scope == Some(Scope::Resource);
        let expr = is_resource.then(|| ask(col(columns::SERVICE), PromotedType::Text))??;
        return Some(Condition { expr, attributes: Vec::new(), rejects_absent: false });
    }
    let scopes = scopes(attribute);
    let asked = scopes.iter().map(|scope| {
        let promoted = &layout.promoted()[layout.position(*scope, key)?];
        ask(ident(column_of(*scope, key)), promoted.value_type)
    });
    let expr = disjunction(asked.collect::<Option<Vec<_>>>()?)?;
    let attributes = scopes.iter().map(|scope| (*scope, key.to_owned())).collect();
    Some(Condition { expr, attributes, rejects_absent: true })
}

/// `column op value`; `None` if the engine's order of such values is not TraceQL's.
fn compare(column: Expr, of: PromotedType, op: CompareOp, value: &Literal) -> Option<Expr> {
    let is_equality = matches!(op, CompareOp::Equal | CompareOp::NotEqual);
    let value = match (of, value) {
        (PromotedType::Text | PromotedType::UniqueText, Literal::Text(text)) => lit(text.clone()),
        (PromotedType::Bool, Literal::Bool(value)) if is_equality => lit(*value),
        (PromotedType::Int, Literal::Int(value) | Literal::Duration(value)) => lit(*value),
        // In the engine's order the zeros differ.
        (PromotedType::Double, Literal::Int(value) | Literal::Duration(value)) if *value != 0 => {
            lit(*value as f64)
        }
        (PromotedType::Double, Literal::Float(value)) if *value != 0.0 && !value.is_nan() => {
            lit(*value)
        }
        _ => return None,
    };
    Some(compared(column, op, value))
}

fn of_intrinsic(intrinsic: Intrinsic, op: CompareOp, value: &Literal) -> Option<Condition> {
    let is_equality = matches!(op, CompareOp::Equal | CompareOp::NotEqual);
    let (column, value) = match (intrinsic, value) {
        (Intrinsic::Name, Literal::Text(text)) => (columns::NAME, lit(text.clone())),
        (Intrinsic::Duration, Literal::Duration(value) | Literal::Int(value)) => {
            (columns::DURATION_NS, lit(*value))
        }
        (Intrinsic::Status, Literal::Status(code)) if is_equality => {
            (columns::STATUS_CODE, lit(*code))
        }
        (Intrinsic::Kind, Literal::Kind(code)) if is_equality => (columns::KIND, lit(*code)),
        _ => return None,
    };
    let expr = compared(col(column), op, value);
    Some(Condition { expr, attributes: Vec::new(), rejects_absent: false })
}

/// `column op value`.
pub(super) fn compared(column: Expr, op: CompareOp, value: Expr) -> Expr {
    match op {
        CompareOp::Equal => column.eq(value),
        CompareOp::NotEqual => column.not_eq(value),
        CompareOp::Less => column.lt(value),
        CompareOp::LessEqual => column.lt_eq(value),
        CompareOp::Greater => column.gt(value),
        CompareOp::GreaterEqual => column.gt_eq(value),
    }
}
