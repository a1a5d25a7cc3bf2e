//! `info(vector, {label selector})`: labels of info metrics.

use std::ops::Range;

use plan::Node;
use plan::node::{Call, Function};
use schemas::model::{METRIC_NAME, MatchOp, Matcher};

use super::{Context, selector, unsupported};
use crate::Error;
use crate::syntax::ast::{BinaryOp, Duration, Expr, ExprKind, Selector, Shift};

/// The info metric that is meant where none is named.
const DEFAULT_METRIC: &str = "target_info";
/// What names must look like where it is only said what they are not.
const NAME_PATTERN: &str = ".+_info";

/// The call with its second argument as a selector of info series.
///
/// Info series are looked up at the time of the first selector within the first argument.
pub(super) fn info(
    mut arguments: Vec<Expr>,
    span: Range<usize>,
    context: Context<'_>,
) -> Result<Node, Error> {
    let chosen = if arguments.len() > 1 { arguments.pop() } else { None };
    let Some(base) = arguments.pop() else {
        return Err(unsupported("a call without arguments", span));
    };
    let matchers = match chosen.map(|chosen| super::unwrapped(chosen).kind) {
        None => Vec::new(),
        Some(ExprKind::Selector(selector)) => selector.matchers,
        Some(_) => return Err(unsupported("this argument of info", span)),
    };
    let (mut names, labels): (Vec<Matcher>, Vec<Matcher>) =
        matchers.into_iter().partition(|matcher| matcher.label == METRIC_NAME);
    if names.is_empty() {
        names.push(Matcher::new(METRIC_NAME, MatchOp::Equal, DEFAULT_METRIC));
    } else if names.iter().all(|name| matches!(name.op, MatchOp::NotEqual | MatchOp::NotRegex)) {
        names.push(Matcher::new(METRIC_NAME, MatchOp::Regex, NAME_PATTERN));
    }
    let matchers = names.iter().chain(&labels).cloned().collect();
    let shift = first_shift(&base).unwrap_or_default();
    let series = Selector { name: None, matchers, shift, edge: None };
    let series = selector::sample(series, span, context)?;
    let function = Function::Info { names, labels };
    Ok(Node::Call(Call::new(function, vec![super::node(base, context)?, series])))
}

/// The modifiers of the first selector.
fn first_shift(expr: &Expr) -> Option<Shift> {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => None,
        ExprKind::Selector(selector) => Some(selector.shift.clone()),
        ExprKind::Range(range) => Some(range.selector.shift.clone()),
        ExprKind::Subquery(subquery) => {
            first_shift(&subquery.input).map(|inner| within(inner, subquery.shift.clone()))
        }
        ExprKind::Paren(inner) => first_shift(inner),
        ExprKind::Unary(unary) => first_shift(&unary.operand),
        ExprKind::Binary(binary) => {
            first_shift(&binary.left).or_else(|| first_shift(&binary.right))
        }
        ExprKind::Aggregate(aggregate) => first_shift(&aggregate.input),
        ExprKind::Call(call) => call.arguments.iter().find_map(first_shift),
    }
}

/// The modifiers of a selector within a subquery that has modifiers of its own.
fn within(inner: Shift, outer: Shift) -> Shift {
    if inner.at.is_some() {
        return inner;
    }
    let offset = match (inner.offset, outer.offset) {
        (Some(inner), Some(outer)) => {
            Some(Duration::Binary(BinaryOp::Add, Box::new(inner), Box::new(outer)))
        }
        (inner, outer) => inner.or(outer),
    };
    Shift { at: outer.at, offset }
}
