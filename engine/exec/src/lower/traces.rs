//! Trace queries.

use datafusion::execution::SessionState;
use plan::Node;
use plan::node::Distinct;

use super::{Context, unsupported};
use crate::Error;
use crate::output::OutputKind;
use crate::session::BatchStream;

/// Names and values of span attributes.
pub(super) async fn names(
    _distinct: Distinct,
    _limit: usize,
    _ctx: Context,
    _state: &SessionState,
) -> Result<(OutputKind, BatchStream), Error> {
    Err(unsupported("names of span attributes"))
}

/// Spans of a trace, or traces that match.
pub(super) async fn rows(
    _root: Node,
    _ctx: Context,
    _state: &SessionState,
) -> Result<(OutputKind, BatchStream), Error> {
    Err(unsupported("a query for spans"))
}
