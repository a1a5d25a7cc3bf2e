//! The filter of a tag-value request, as an editor sends it while its user types.
//!
//! What is a whole condition counts, the rest is left out: a list of values that is too long
//! helps, an error does not.

use plan::Expr;

use crate::check::check;
use crate::lower::condition;
use crate::syntax::ast::{Field, FieldKind, FieldOp, Query, Root, Span, SpansetExpr, Stage};
use crate::syntax::{conditions_of, parse};

/// What can be used of a filter; `None` keeps every span.
pub(super) fn predicate(text: &str) -> Option<Expr> {
    let field = match parse(text) {
        Ok(query) => whole_filter(query)?,
        // Not a query yet: the conditions that are complete, if all of them must hold.
        Err(_) => Field { kind: FieldKind::And(conditions_of(text)?), span: Span::default() },
    };
    condition(usable(field)?).ok()
}

fn whole_filter(query: Query) -> Option<Field> {
    check(&query).ok()?;
    let Root::Pipeline(mut stages) = query.root else { return None };
    match (stages.pop()?, stages.is_empty()) {
        (Stage::Spansets(SpansetExpr::Filter(field)), true) => field,
        _ => None,
    }
}

/// The part of a filter that holds for every span the filter selects, and is scoped.
fn usable(field: Field) -> Option<Field> {
    let span = field.span;
    let kind = match field.kind {
        FieldKind::And(fields) => {
            let fields: Vec<Field> = fields.into_iter().filter_map(usable).collect();
            if fields.is_empty() {
                return None;
            }
            FieldKind::And(fields)
        }
        FieldKind::Or(fields) => {
            FieldKind::Or(fields.into_iter().map(usable).collect::<Option<_>>()?)
        }
        FieldKind::Binary { op, left, right } => {
            let is_comparison = !matches!(op, FieldOp::Arithmetic(_));
            let is_matcher = is_scoped(&left) && matches!(right.kind, FieldKind::Literal(_));
            if !is_comparison || !is_matcher {
                return None;
            }
            FieldKind::Binary { op, left, right }
        }
        _ => return None,
    };
    Some(Field { kind, span })
}

fn is_scoped(field: &Field) -> bool {
    match &field.kind {
        FieldKind::Attribute(attribute) => attribute.scope.is_some(),
        FieldKind::Intrinsic(_) => true,
        _ => false,
    }
}
