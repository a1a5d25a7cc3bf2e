//! Log queries.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use plan::node::Window;

use super::{Context, unsupported};
use crate::Error;

/// Series counted or computed from log rows.
pub(super) fn window(_node: Window, _ctx: &Context) -> Result<Arc<dyn ExecutionPlan>, Error> {
    Err(unsupported("a window over logs"))
}

/// Lines that a pipeline keeps.
pub(super) fn lines(
    _root: plan::Node,
    _ctx: &Context,
    _state: &datafusion::execution::SessionState,
) -> Result<(crate::OutputKind, crate::session::BatchStream), Error> {
    Err(unsupported("log lines"))
}

/// How much data a selector covers.
pub(crate) fn stream_stats(
    ctx: &Context,
    matchers: &[schemas::model::Matcher],
    range: schemas::model::TimeRange,
) -> Result<crate::StreamStats, Error> {
    let matchers = super::compile(matchers)?;
    let streams = ctx.snapshot.streams.resolve(&matchers, &range);
    let all = ctx.snapshot.streams.len().max(1) as u64;
    let table = ctx.snapshot.table(schemas::tables::Table::Logs);
    let mut stats = crate::StreamStats { streams: streams.len() as u64, ..Default::default() };
    // Segments do not tell streams apart, so the selected share of streams stands for the rows.
    let share = |count: u64| count * stats.streams / all;
    for segment in table.segments_in(&range) {
        stats.segments += 1;
        stats.bytes += share(segment.bytes);
        stats.entries += share(segment.rows);
    }
    for batch in &table.batches {
        stats.bytes += share(batch.get_array_memory_size() as u64);
        stats.entries += share(batch.num_rows() as u64);
    }
    Ok(stats)
}
