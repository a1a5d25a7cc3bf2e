//! From the typed tree to the plan.
//!
//! ```text
//!  Expr ──▶ selector  Scan, Sample, the grid of a subquery
//!       ──▶ window    functions of a range
//!       ──▶ call      all other functions; labels has those that set labels
//!       ──▶ binary    operators, matching
//!       ──▶ aggregate
//!       ──▶ constant  numbers that are known already; duration those in brackets
//!       ──▶ remarks   what can be said of the query before it runs
//! ```
//!
//! Every node gets its time range here: whoever reads neither widens nor shifts it.

mod aggregate;
mod binary;
mod call;
mod constant;
mod duration;
mod info;
mod labels;
mod remarks;
mod selector;
mod window;

pub(crate) use selector::matchers;

#[cfg(test)]
mod tests;

use std::ops::Range;

use plan::node::{Call, Function, Naming, Query, Sort};
use plan::{Node, Position};
use schemas::model::StepGrid;

use crate::error::line_and_column;
use crate::syntax::ast::{Expr, ExprKind, Unary};
use crate::syntax::functions::Type;
use crate::syntax::on_stack;
use crate::{Error, Options};

/// How many steps a subquery may have; one series of so many values takes 40 MB.
const SUBQUERY_STEPS_MAX: u32 = 5_000_000;

/// What an expression must know of the query it stands in.
#[derive(Clone, Copy)]
struct Context<'a> {
    text: &'a str,
    options: &'a Options,
    /// The steps of the whole query.
    query: StepGrid,
    /// The steps at which the expression is evaluated: the query's, or those of a subquery.
    grid: StepGrid,
}

impl Context<'_> {
    /// Where an expression stands, parentheses around it left out.
    fn position(&self, expr: &Expr) -> Position {
        let mut expr = expr;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        self.position_of(&expr.span)
    }

    /// Where a part of the text begins.
    fn position_of(&self, span: &Range<usize>) -> Position {
        let (line, column) = line_and_column(self.text, span.start);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position { line: count(line), column: count(column) }
    }
}

/// The plan of a checked query that yields `result`.
pub(crate) fn lower(
    text: &str,
    expr: Expr,
    result: Type,
    grid: StepGrid,
    options: &Options,
) -> Result<Query, Error> {
    let context = Context { text, options, query: grid, grid };
    let is_instant = is_instant(grid);
    let mut annotations = Vec::new();
    if !is_instant {
        remarks::sorts(&expr, context, &mut annotations);
    }
    let naming = if options.delayed_name_removal { Naming::Delayed } else { Naming::AtOnce };
    let root = match (result, expr.kind) {
        (Type::Text, ExprKind::Text(text)) if is_instant => {
            Node::Text(String::from_utf8_lossy(&text).into_owned())
        }
        (Type::Range, kind) if is_instant => {
            let mut query = ranged(Expr { kind, ..expr }, context)?;
            query.naming = naming;
            return Ok(query);
        }
        (Type::Text, ExprKind::Paren(inner)) => {
            return lower(text, *inner, result, grid, options);
        }
        (Type::Text | Type::Range, _) => {
            let message = format!(
                "invalid expression type \"{result}\" for range query, \
                 must be Scalar or instant Vector"
            );
            return Err(Error::invalid(message).at(expr.span));
        }
        (_, kind) => root_node(Expr { kind, ..expr }, context)?,
    };
    Ok(Query { root, grid: Some(grid), naming, annotations })
}

/// A range vector as the result: samples as they are stored, or the steps of a subquery.
fn ranged(expr: Expr, context: Context<'_>) -> Result<Query, Error> {
    let expr = unwrapped(expr);
    let input = match expr.kind {
        ExprKind::Range(range) if range.selector.edge.is_none() => {
            selector::range(*range, &expr.span, context)?
        }
        ExprKind::Subquery(subquery) => selector::subquery(*subquery, &expr.span, context)?,
        _ => return Err(unsupported("such a range vector as the result", expr.span)),
    };
    Ok(Query::new(input.node, input.grid))
}

/// Sorting has an effect only here: at the root of a query with one step.
fn root_node(expr: Expr, context: Context<'_>) -> Result<Node, Error> {
    let by = if is_instant(context.grid) { call::sort_order(&expr)? } else { None };
    let input = node(expr, context)?;
    Ok(match by {
        Some(by) => Node::Sort(Sort { input: Box::new(input), by }),
        None => input,
    })
}

/// Whether a grid is that of an instant query rather than of a range query with one step.
fn is_instant(grid: StepGrid) -> bool {
    grid == StepGrid::instant(grid.start_ns)
}

/// The node of an expression that yields a scalar or an instant vector.
fn node(expr: Expr, context: Context<'_>) -> Result<Node, Error> {
    let span = expr.span;
    match expr.kind {
        ExprKind::Number(number) => Ok(Node::Number(number.value)),
        ExprKind::Selector(selector) => selector::sample(*selector, span, context),
        ExprKind::Paren(inner) => node(*inner, context),
        ExprKind::Unary(unary) => self::unary(*unary, context),
        ExprKind::Binary(binary) => on_stack(|| binary::binary(*binary, span, context)),
        ExprKind::Aggregate(aggregate) => aggregate::aggregate(*aggregate, span, context),
        ExprKind::Call(call) => call::call(*call, span, context),
        // The types were checked: these stand only where a function takes them apart.
        ExprKind::Text(_) => Err(unsupported("a string here", span)),
        ExprKind::Range(_) | ExprKind::Subquery(_) => Err(unsupported("a range here", span)),
    }
}

fn unary(unary: Unary, context: Context<'_>) -> Result<Node, Error> {
    let operand = node(unary.operand, context)?;
    if !unary.negates {
        return Ok(operand);
    }
    if operand.shape() == plan::Shape::Scalar {
        return Ok(constant::negate(operand));
    }
    Ok(Node::Call(Call::new(Function::Negate, vec![operand])))
}

/// The expression without the parentheses around it.
fn unwrapped(mut expr: Expr) -> Expr {
    while let ExprKind::Paren(inner) = expr.kind {
        expr = *inner;
    }
    expr
}

fn unsupported(what: &str, span: Range<usize>) -> Error {
    Error::from(plan::Error::unsupported(format!("{what} is not supported yet"))).at(span)
}
