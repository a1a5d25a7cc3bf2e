//! `Filter`: rows that satisfy a predicate.

use super::Node;
use crate::Expr;

/// Keeps the rows for which the predicate holds.
///
/// Over a scan of spans it is the inside of TraceQL's `{ … }`, or the choice of one trace by id.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Rows of logs or spans.
    pub input: Box<Node>,
    /// Asked of every row.
    pub predicate: Expr,
}
