//! TraceQL: from text to the plan.
//!
//! ```text
//!  text ─ syntax::parse ─▶ ast ─ check ─▶ ast ─ lower ─▶ plan::node::Query
//! ```
//!
//! Modules in reading order: `syntax` (tree, lexer, parser, display), `check` (types and
//! arguments), `lower` (to plan nodes), `metadata` (tags and their values).

mod check;
mod error;
mod lower;
mod metadata;
mod syntax;
#[cfg(test)]
mod tests;

use plan::node::{Filter, Query, Scan};
use plan::{Expr, Node};
use schemas::model::{Selector, Signal, TimeRange};

pub use error::{Error, ErrorKind};
pub use metadata::{intrinsic_names, search_tags, tag_values, tags};

/// What a search is asked beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// When spans must have started.
    pub range: TimeRange,
    /// Traces that are returned at most.
    pub limit: usize,
}

/// The plan of a search; an empty text selects every span.
pub fn search(text: &str, params: &Params) -> Result<Query, Error> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    let plan = || {
        let query = syntax::parse(text)?;
        check::check(&query)?;
        lower::lower(query, params)
    };
    plan().map_err(|error| error.locate(text))
}

/// The plan that returns all spans of one trace.
pub fn trace_by_id(trace_id: [u8; 16], range: TimeRange) -> Query {
    let hex: String = trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let predicate = Expr::Compare {
        op: plan::expr::CompareOp::Equal,
        left: Box::new(Expr::Intrinsic(plan::expr::Intrinsic::TraceId)),
        right: Box::new(Expr::Literal(plan::expr::Literal::Text(hex))),
    };
    rows(Node::Filter(Filter { input: Box::new(scan(range)), predicate }))
}

/// Every span that started in the range.
fn scan(range: TimeRange) -> Node {
    let selector = Selector { signal: Signal::Traces, matchers: Vec::new(), range };
    Node::Scan(Scan { selector })
}

/// A query whose result has no steps.
fn rows(root: Node) -> Query {
    Query::new(root, None)
}
