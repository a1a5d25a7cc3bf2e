//! What can be said of a query before it runs.

use plan::{Annotation, Remark};

use super::Context;
use crate::syntax::ast::{Expr, ExprKind};

/// Remarks on every function that sorts, in a query whose answer is ordered by labels.
///
/// Only calls within a range query of the user come here: what a subquery sorts is not told, since
/// a subquery of an instant query has the same steps.
pub(super) fn sorts(expr: &Expr, context: Context<'_>, annotations: &mut Vec<Annotation>) {
    let mut inside = |expr: &Expr| sorts(expr, context, annotations);
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Selector(_) | ExprKind::Range(_) => {}
        ExprKind::Subquery(subquery) => inside(&subquery.input),
        ExprKind::Paren(inner) => inside(inner),
        ExprKind::Unary(unary) => inside(&unary.operand),
        ExprKind::Binary(binary) => {
            inside(&binary.left);
            inside(&binary.right);
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate.parameter.iter().for_each(&mut inside);
            inside(&aggregate.input);
        }
        ExprKind::Call(call) => {
            call.arguments.iter().for_each(&mut inside);
            if call.function.name.starts_with("sort") {
                let at = context.position_of(&expr.span);
                annotations.push(Annotation { remark: Remark::SortInRangeQuery, at });
            }
        }
    }
}
