//! The spanset algebra of one trace.

use plan::node::{SpansetOp, SpansetRelation};

use super::search::{Aggregate, Search, Tree};
use super::structure::{Link, Parents, inverse};

/// A span that a leaf may select.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) link: Link,
    /// A bit for each leaf that selects the span.
    pub(super) leaves: u64,
    /// The measured values; NaN where there is none.
    pub(super) measured: Box<[f64]>,
}

/// Positions of spans, ascending.
type Selected = Vec<usize>;

/// The spans of a trace that a search selects; none means that the trace is not part of the
/// answer. `leaves` has a bit for each leaf whose condition on the trace holds.
pub(super) fn select(
    search: &Search,
    spans: &[Candidate],
    parents: &Parents,
    leaves: u64,
) -> Selected {
    evaluate(&search.tree, spans, parents, leaves)
}

/// Whether spans could be selected, as far as the candidates alone tell.
pub(super) fn is_possible(search: &Search, spans: &[Candidate]) -> bool {
    let leaves = spans.iter().fold(0, |leaves, span| leaves | span.leaves);
    possible(&search.tree, leaves)
}

fn possible(tree: &Tree, leaves: u64) -> bool {
    match tree {
        Tree::Leaf(leaf) => leaves & (1 << leaf) != 0,
        Tree::Filter { input, .. } => possible(input, leaves),
        Tree::Binary { op, left, right } => match op {
            SpansetOp::Or => possible(left, leaves) || possible(right, leaves),
            SpansetOp::Unrelated(_) => possible(right, leaves),
            _ => possible(left, leaves) && possible(right, leaves),
        },
    }
}

fn evaluate(tree: &Tree, spans: &[Candidate], parents: &Parents, leaves: u64) -> Selected {
    match tree {
        Tree::Leaf(leaf) => {
            let bit = leaves & (1 << leaf);
            (0..spans.len()).filter(|at| spans[*at].leaves & bit != 0).collect()
        }
        Tree::Filter { input, aggregate, op, bound } => {
            let selected = evaluate(input, spans, parents, leaves);
            match aggregated(*aggregate, &selected, spans) {
                Some(value) if op.holds(&value, bound) => selected,
                _ => Vec::new(),
            }
        }
        Tree::Binary { op, left, right } => {
            let left = evaluate(left, spans, parents, leaves);
            let right = evaluate(right, spans, parents, leaves);
            combined(*op, left, right, spans, parents)
        }
    }
}

fn aggregated(aggregate: Aggregate, selected: &[usize], spans: &[Candidate]) -> Option<f64> {
    if selected.is_empty() {
        return None;
    }
    let values = |of: usize| {
        let values = selected.iter().map(|at| spans[*at].measured[of]);
        values.filter(|value| !value.is_nan()).collect::<Vec<f64>>()
    };
    match aggregate {
        Aggregate::Count => Some(selected.len() as f64),
        Aggregate::Sum(of) => {
            Some(values(of)).filter(|it| !it.is_empty()).map(|it| it.iter().sum())
        }
        Aggregate::Avg(of) => {
            let values = values(of);
            let count = values.len() as f64;
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / count)
        }
        Aggregate::Min(of) => values(of).into_iter().reduce(f64::min),
        Aggregate::Max(of) => values(of).into_iter().reduce(f64::max),
    }
}

fn combined(
    op: SpansetOp,
    left: Selected,
    right: Selected,
    spans: &[Candidate],
    parents: &Parents,
) -> Selected {
    let related = |relation, left: &[usize], right: &[usize]| {
        let links = |at: &[usize]| at.iter().map(|at| spans[*at].link).collect::<Vec<Link>>();
        let is_related = parents.related(relation, &links(left), &links(right));
        (right.to_vec(), is_related)
    };
    let kept = |(right, is_related): (Selected, Vec<bool>), wanted: bool| -> Selected {
        right
            .into_iter()
            .zip(is_related)
            .filter(|(_, it)| *it == wanted)
            .map(|(at, _)| at)
            .collect()
    };
    match op {
        SpansetOp::And if left.is_empty() || right.is_empty() => Vec::new(),
        SpansetOp::And | SpansetOp::Or => union(left, right),
        SpansetOp::Child => kept(related(SpansetRelation::Child, &left, &right), true),
        SpansetOp::Parent => kept(related(SpansetRelation::Parent, &left, &right), true),
        SpansetOp::Descendant => kept(related(SpansetRelation::Descendant, &left, &right), true),
        SpansetOp::Ancestor => kept(related(SpansetRelation::Ancestor, &left, &right), true),
        SpansetOp::Sibling => kept(related(SpansetRelation::Sibling, &left, &right), true),
        SpansetOp::Unrelated(relation) => kept(related(relation, &left, &right), false),
        SpansetOp::Pairs(relation) => union(
            kept(related(relation, &left, &right), true),
            kept(related(inverse(relation), &right, &left), true),
        ),
    }
}

fn union(mut left: Selected, right: Selected) -> Selected {
    left.extend(right);
    left.sort_unstable();
    left.dedup();
    left
}
