//! Queries whose answer is rows: log lines, spans, traces.

use datafusion::execution::SessionState;
use plan::{Node, Shape};
use schemas::model::Signal;

use super::{Context, impossible, logs, traces};
use crate::Error;
use crate::output::OutputKind;
use crate::session::BatchStream;

/// Runs a query for rows.
pub(crate) async fn rows(
    root: Node,
    ctx: Context,
    state: &SessionState,
) -> Result<(OutputKind, BatchStream), Error> {
    match root.shape() {
        Shape::Rows(Signal::Logs) => logs::lines(root, &ctx, state),
        Shape::Rows(Signal::Traces) | Shape::Spansets => traces::rows(root, ctx, state).await,
        _ => Err(impossible("rows of metrics")),
    }
}
