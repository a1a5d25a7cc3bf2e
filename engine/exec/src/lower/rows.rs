//! Queries whose answer is rows: log lines, spans, traces.

use plan::{Node, Shape};
use schemas::model::Signal;

use super::{Context, impossible, logs, traces};
use crate::Error;
use crate::output::OutputKind;
use crate::session::BatchStream;

/// Runs a query for rows.
pub(crate) async fn rows(root: Node, ctx: Context) -> Result<(OutputKind, BatchStream), Error> {
    match root.shape() {
        Shape::Rows(Signal::Logs) => logs::lines(root, &ctx),
        Shape::Rows(Signal::Traces) | Shape::Spansets => traces::rows(root, ctx).await,
        _ => Err(impossible("rows of metrics")),
    }
}
