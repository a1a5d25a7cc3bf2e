//! A predicate asked of whole batches.
//!
//! Conditions on one value are asked column by column ([`probe`]); what compares two values of a
//! span is computed row by row ([`Scalar`]). Conditions on events and links are asked of the
//! flattened list, and a span satisfies them if one item does.

use arrow::array::{Array, BooleanArray};
use arrow::compute::{and, not, or};
use plan::Expr;
use plan::expr::{CompareOp, Literal};

use super::frame::{Frame, arrow_error};
use super::place::{Items, Place, lists_read, places};
use super::probe::{filled, or_else, probe};
use super::scalar::Scalar;
use super::value::{Test, Value};
use crate::Error;

/// For each row whether the predicate holds; never null.
pub(super) fn mask(expr: &Expr, frame: &Frame) -> Result<BooleanArray, Error> {
    match expr {
        Expr::And(_) => conjunction(expr, frame),
        Expr::Or(inputs) => {
            let mut any = constant(false, frame);
            for input in inputs {
                any = or(&any, &mask(input, frame)?).map_err(arrow_error)?;
            }
            Ok(any)
        }
        _ => match lists_read(expr).into_iter().find(|list| !frame.has(*list)) {
            Some(list) => any_item(list, expr, frame),
            None => condition(expr, frame),
        },
    }
}

fn constant(value: bool, frame: &Frame) -> BooleanArray {
    BooleanArray::from(vec![value; frame.len()])
}

/// All conditions of a span; those on events must hold for the same event, those on links for the
/// same link.
fn conjunction(expr: &Expr, frame: &Frame) -> Result<BooleanArray, Error> {
    let mut conditions = Vec::new();
    flatten(expr, &mut conditions);
    let mut of_items: [(Items, Vec<Expr>); 2] =
        [(Items::Events, Vec::new()), (Items::Links, Vec::new())];
    let mut all = constant(true, frame);
    for condition in conditions {
        let list = if is_mixed_choice(condition) {
            None
        } else {
            lists_read(condition).into_iter().find(|list| !frame.has(*list))
        };
        match (list, of_items.iter_mut().find(|(items, _)| Some(*items) == list)) {
            (Some(_), Some((_, same_item))) => same_item.push(condition.clone()),
            _ => {
                all = and(&all, &mask(condition, frame)?).map_err(arrow_error)?;
                if !all.has_true() {
                    return Ok(all);
                }
            }
        }
    }
    for (items, same_item) in of_items {
        if !same_item.is_empty() {
            let some = any_item(items, &Expr::And(same_item), frame)?;
            all = and(&all, &some).map_err(arrow_error)?;
        }
    }
    Ok(all)
}

/// Whether a condition can hold without any item: then it is not one on items.
fn is_mixed_choice(condition: &Expr) -> bool {
    match condition {
        Expr::Or(inputs) => inputs.iter().any(|input| lists_read(input).is_empty()),
        _ => false,
    }
}

/// The operands of nested conjunctions.
fn flatten<'a>(expr: &'a Expr, out: &mut Vec<&'a Expr>) {
    match expr {
        Expr::And(inputs) => inputs.iter().for_each(|input| flatten(input, out)),
        _ => out.push(expr),
    }
}

/// For each span whether the predicate holds for one item of a list.
fn any_item(items: Items, expr: &Expr, frame: &Frame) -> Result<BooleanArray, Error> {
    let mut any = vec![false; frame.len()];
    let unnested = frame.unnested(items, expr)?;
    let holds = mask(expr, &unnested.items)?;
    for item in holds.values().set_indices() {
        any[unnested.owners.value(item) as usize] = true;
    }
    let any = BooleanArray::from(any);
    // A null list may own items that are not to be seen.
    match unnested.lists {
        None => Ok(any),
        Some(present) => and(&any, &BooleanArray::new(present, None)).map_err(arrow_error),
    }
}

fn condition(expr: &Expr, frame: &Frame) -> Result<BooleanArray, Error> {
    match expr {
        Expr::Not(input) => not(&mask(input, frame)?).map_err(arrow_error),
        Expr::Literal(Literal::Bool(value)) => Ok(constant(*value, frame)),
        _ => match test_of(expr) {
            Some((value, test)) => tested(value, &test, frame),
            None => {
                let scalar = Scalar::new(expr, frame)?;
                let rows = 0..frame.len();
                let holds: Vec<bool> = rows.map(|row| scalar.holds(row)).collect();
                Ok(BooleanArray::from(holds))
            }
        },
    }
}

/// A condition on one attribute or intrinsic, as a test of its value.
fn test_of(expr: &Expr) -> Option<(&Expr, Test<'_>)> {
    let (value, test) = match expr {
        Expr::Compare { op, left, right } => match right.as_ref() {
            Expr::Literal(right) => (left.as_ref(), Test::Compare(*op, Value::from(right))),
            _ => return None,
        },
        Expr::Matches { input, pattern } => (input.as_ref(), Test::Matches(pattern)),
        Expr::Contains { input, needle } => (input.as_ref(), Test::Contains(needle)),
        Expr::Exists(input) => (input.as_ref(), Test::Exists),
        Expr::Attribute(_) | Expr::Intrinsic(_) => {
            (expr, Test::Compare(CompareOp::Equal, Value::Bool(true)))
        }
        _ => return None,
    };
    matches!(value, Expr::Attribute(_) | Expr::Intrinsic(_)).then_some((value, test))
}

fn tested(value: &Expr, test: &Test<'_>, frame: &Frame) -> Result<BooleanArray, Error> {
    let Some((key, places)) = places(value, frame.schema()) else {
        return Ok(constant(false, frame));
    };
    let mut answers: Option<BooleanArray> = None;
    for (at, place) in places.iter().enumerate() {
        let is_last = at + 1 == places.len();
        let next = |place: &Place| probe(frame, key, place, test, is_last);
        answers = Some(match answers {
            None => next(place)?,
            Some(first) if first.null_count() == 0 => first,
            Some(first) => or_else(&first, &next(place)?),
        });
    }
    Ok(answers.map_or_else(|| constant(false, frame), |answers| filled(&answers, false)))
}
