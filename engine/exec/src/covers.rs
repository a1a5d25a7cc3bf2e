//! What a query selects, as what a delete request covers.
//!
//! A request must be able to say of each row by itself whether it covers it, today and when the
//! row is rewritten. So a query is taken only if it is a selector with filters that do not depend
//! on what was parsed before: line filters and label filters of LogQL, comparisons of attributes,
//! names and ids of TraceQL. Of spans nothing is taken that holds for an absent attribute.

use plan::expr::{CompareOp, Intrinsic, LabelType, Literal};
use plan::{Expr, Node};
use schemas::model::{MatchOp, Scope, Signal};
use storage::{ConditionOp, RowCondition, RowField, RowSelector};

use crate::{Error, ErrorKind};

/// Alternatives that a query may have once it is written without parentheses.
const SELECTORS_MAX: usize = 64;

/// The signal of a query and the selectors of its rows; a row is covered if one selects it.
///
/// `Invalid` if the query asks for more than a selector can tell.
pub fn covers(root: &Node) -> Result<(Signal, Vec<RowSelector>), Error> {
    match root {
        Node::Limit(node) => covers(&node.input),
        Node::Sort(node) => covers(&node.input),
        Node::Spanset(node) => covers(&node.input),
        Node::Scan(scan) => {
            let matchers = scan.selector.matchers.clone();
            let selector = RowSelector { matchers, conditions: Vec::new() };
            Ok((scan.selector.signal, vec![selector]))
        }
        Node::Filter(node) => {
            let (signal, selectors) = covers(&node.input)?;
            let alternatives = alternatives(&node.predicate, signal)?;
            let mut found = Vec::new();
            for selector in &selectors {
                for conditions in &alternatives {
                    let mut selector = selector.clone();
                    selector.conditions.extend(conditions.iter().cloned());
                    found.push(selector);
                }
            }
            check_count(found.len())?;
            Ok((signal, found))
        }
        _ => Err(refused("only a selector with line filters, label filters or comparisons")),
    }
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("{what} can be deleted by"))
}

fn check_count(count: usize) -> Result<(), Error> {
    if count <= SELECTORS_MAX {
        return Ok(());
    }
    let message = format!("{count} alternatives are over the limit of {SELECTORS_MAX}");
    Err(Error::new(ErrorKind::Limit, message))
}

/// An expression as alternatives of conditions that must all hold.
fn alternatives(expr: &Expr, signal: Signal) -> Result<Vec<Vec<RowCondition>>, Error> {
    match expr {
        Expr::And(all) => {
            let mut found: Vec<Vec<RowCondition>> = vec![Vec::new()];
            for expr in all {
                let next = alternatives(expr, signal)?;
                let both = |a: &Vec<RowCondition>, b: &Vec<RowCondition>| [&a[..], &b[..]].concat();
                found = found.iter().flat_map(|a| next.iter().map(move |b| both(a, b))).collect();
                check_count(found.len())?;
            }
            Ok(found)
        }
        Expr::Or(any) => {
            let any = any.iter().map(|expr| alternatives(expr, signal));
            let found: Vec<_> = any.collect::<Result<Vec<_>, _>>()?.concat();
            check_count(found.len())?;
            Ok(found)
        }
        Expr::Not(inner) if signal == Signal::Logs => negated(inner, signal),
        _ => Ok(vec![vec![condition(expr, signal)?]]),
    }
}

/// What does not hold: of several that one must hold, all must not.
fn negated(expr: &Expr, signal: Signal) -> Result<Vec<Vec<RowCondition>>, Error> {
    match expr {
        Expr::Not(inner) => alternatives(inner, signal),
        Expr::Or(any) => {
            let none: Vec<Expr> = any.iter().map(|it| Expr::Not(Box::new(it.clone()))).collect();
            alternatives(&Expr::And(none), signal)
        }
        Expr::And(all) => {
            let some: Vec<Expr> = all.iter().map(|it| Expr::Not(Box::new(it.clone()))).collect();
            alternatives(&Expr::Or(some), signal)
        }
        _ => {
            let mut condition = condition(expr, signal)?;
            condition.op = match condition.op {
                ConditionOp::Match(MatchOp::Equal) => ConditionOp::Match(MatchOp::NotEqual),
                ConditionOp::Match(MatchOp::NotEqual) => ConditionOp::Match(MatchOp::Equal),
                ConditionOp::Match(MatchOp::Regex) => ConditionOp::Match(MatchOp::NotRegex),
                ConditionOp::Match(MatchOp::NotRegex) => ConditionOp::Match(MatchOp::Regex),
                ConditionOp::Contains => ConditionOp::ContainsNot,
                ConditionOp::ContainsNot => ConditionOp::Contains,
                ConditionOp::Search => ConditionOp::SearchNot,
                ConditionOp::SearchNot => ConditionOp::Search,
            };
            Ok(vec![vec![condition]])
        }
    }
}

fn condition(expr: &Expr, signal: Signal) -> Result<RowCondition, Error> {
    match expr {
        Expr::Contains { input, needle } => {
            let value = needle.clone();
            Ok(RowCondition { field: field(input)?, op: ConditionOp::Contains, value })
        }
        Expr::Matches { input, pattern } => {
            let value = pattern.as_str().to_owned();
            Ok(RowCondition { field: field(input)?, op: ConditionOp::Search, value })
        }
        Expr::Compare { op: CompareOp::Equal, left, right } => {
            let op = ConditionOp::Match(MatchOp::Equal);
            let value = text(right)?;
            if signal == Signal::Traces && value.is_empty() {
                return Err(refused("only what is there, not an empty text,"));
            }
            Ok(RowCondition { field: field(left)?, op, value })
        }
        Expr::Compare { op: CompareOp::NotEqual, left, right } if signal == Signal::Logs => {
            let op = ConditionOp::Match(MatchOp::NotEqual);
            Ok(RowCondition { field: field(left)?, op, value: text(right)? })
        }
        _ => Err(refused("only equalities, patterns and contained texts")),
    }
}

fn field(expr: &Expr) -> Result<RowField, Error> {
    Ok(match expr {
        Expr::Line => RowField::Line,
        Expr::Label { name, read_as: LabelType::Text } => RowField::Label(name.clone()),
        Expr::Attribute(attribute) => match attribute.scope {
            None => RowField::AnyAttribute(attribute.key.clone()),
            Some(Scope::Span) => RowField::SpanAttribute(attribute.key.clone()),
            Some(Scope::Resource) => RowField::ResourceAttribute(attribute.key.clone()),
            Some(_) => return Err(refused("only attributes of spans and resources")),
        },
        Expr::Intrinsic(Intrinsic::TraceId) => RowField::TraceId,
        Expr::Intrinsic(Intrinsic::SpanId) => RowField::SpanId,
        Expr::Intrinsic(Intrinsic::Name) => RowField::Name,
        _ => return Err(refused("only lines, labels, attributes, names and ids")),
    })
}

fn text(expr: &Expr) -> Result<String, Error> {
    match expr {
        Expr::Literal(Literal::Text(text)) => Ok(text.clone()),
        Expr::Literal(Literal::Int(number)) => Ok(number.to_string()),
        Expr::Literal(Literal::Bool(truth)) => Ok(truth.to_string()),
        _ => Err(refused("only texts, whole numbers and truth values")),
    }
}

#[cfg(test)]
mod tests;
