//! Log queries: streams are resolved against the index, rows run through one fused pipeline.

use std::sync::Arc;

use datafusion::functions::expr_fn::{contains, regexp_like};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, col, lit, not};
use datafusion::physical_plan::ExecutionPlan;
use plan::Node;
use plan::node::{Scan, SortBy, Window, WindowFunction};
use schemas::model::{Direction, Matcher, NANOS_PER_SECOND, TimeRange};
use schemas::tables::{Table, columns};

use super::metrics::one_of;
use super::{Context, from_datafusion, impossible};
use crate::functions::window::Windows;
use crate::operators::{LogLinesExec, LogRows, LogWindowExec, Streams};
use crate::output::OutputKind;
use crate::pipeline::{Pipeline, Wanted};
use crate::session::{BatchStream, execute};
use crate::table::{ScanRequest, scan, union};
use crate::{Error, StreamStats};

/// Streams that a predicate lists at most; with more, rows are told apart after decoding.
const LISTED_STREAMS_MAX: usize = 256;

/// Series counted or computed from log rows.
pub(super) fn window(node: Window, ctx: &Context) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let (pipeline, scan) = Pipeline::compile(*node.input)?;
    let bytes = matches!(node.function, WindowFunction::Bytes | WindowFunction::BytesPerSecond);
    let wanted = Wanted::Series { grouping: node.grouping, unwrap: node.unwrap, bytes };
    let rows = rows(pipeline, &scan, wanted, ctx)?;
    let first_ns = node.at_ns.unwrap_or(node.grid.start_ns).saturating_sub(node.offset_ns);
    let windows = Windows {
        first_end: first_ns,
        step: if node.at_ns.is_some() { 0 } else { node.grid.step_ns },
        first_eval: node.grid.start_ns,
        eval_step: node.grid.step_ns,
        count: node.grid.steps as usize,
        range: node.range_ns,
        units_per_second: NANOS_PER_SECOND as f64,
    };
    let roster = Arc::clone(&ctx.roster);
    let samples_max = ctx.limits.samples_max;
    Ok(Arc::new(LogWindowExec::new(rows, node.function, windows, samples_max, roster)))
}

/// Lines that a pipeline keeps.
pub(super) fn lines(root: Node, ctx: &Context) -> Result<(OutputKind, BatchStream), Error> {
    let (root, limit) = match root {
        Node::Limit(node) => (*node.input, node.count),
        root => (root, ctx.limits.samples_max),
    };
    let (root, direction) = match root {
        Node::Sort(node) => match node.by {
            SortBy::Time(direction) => (*node.input, direction),
            _ => return Err(impossible("lines in another order than that of time")),
        },
        root => (root, Direction::Backward),
    };
    let (pipeline, scan) = Pipeline::compile(root)?;
    let wanted = Wanted::Lines { direction, limit };
    let rows = rows(pipeline, &scan, wanted, ctx)?;
    let plan: Arc<dyn ExecutionPlan> = Arc::new(LogLinesExec::new(rows, direction, limit));
    Ok((OutputKind::Streams, execute(&plan, &ctx.task)?))
}

/// The rows of the selected streams, with the columns that the pipeline needs.
fn rows(pipeline: Pipeline, node: &Scan, wanted: Wanted, ctx: &Context) -> Result<LogRows, Error> {
    let selector = &node.selector;
    let matchers = super::compile(&selector.matchers)?;
    let (entries, held) = ctx.resolve(&ctx.snapshot.streams, &matchers, &selector.range)?;
    let ids: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
    let selected = entries.into_iter().map(|entry| (entry.id, entry.labels)).collect();
    let streams = Streams::new(Arc::clone(&ctx.snapshot.streams), selected, held);
    let mut filters = vec![
        col(columns::TIME_NS).gt_eq(lit(selector.range.start_ns)),
        col(columns::TIME_NS).lt(lit(selector.range.end_ns)),
    ];
    if ids.len() <= LISTED_STREAMS_MAX {
        filters.push(if ids.is_empty() { lit(false) } else { one_of(columns::STREAM_ID, &ids) });
    }
    for filter in pipeline.pushable() {
        filters.extend(line_filter(&filter));
    }
    let layout = ctx.snapshot.layout(Table::Logs);
    let schema = layout.schema();
    let needed = pipeline.needs(&wanted, schema);
    let request = ScanRequest {
        snapshot: &ctx.snapshot,
        table: Table::Logs,
        range: selector.range,
        projection: needed.iter().filter_map(|name| schema.index_of(name).ok()).collect(),
        filter: conjunction(filters),
    };
    let scanned = scan(request, &ctx.runtime, &ctx.stats).map_err(from_datafusion)?;
    Ok(LogRows {
        input: union(scanned).map_err(from_datafusion)?,
        pipeline: Arc::new(pipeline),
        wanted: Arc::new(wanted),
        streams: Arc::new(streams),
        stats: Arc::clone(&ctx.stats),
    })
}

/// A line filter as a predicate that Parquet can apply while decoding.
fn line_filter(filter: &plan::Expr) -> Option<Expr> {
    match filter {
        plan::Expr::Contains { input, needle } if matches!(**input, plan::Expr::Line) => {
            Some(contains(col(columns::BODY), lit(needle.clone())))
        }
        plan::Expr::Matches { input, pattern } if matches!(**input, plan::Expr::Line) => {
            Some(regexp_like(col(columns::BODY), lit(pattern.as_str()), None))
        }
        plan::Expr::Not(inner) => line_filter(inner).map(not),
        plan::Expr::And(all) => {
            let all: Option<Vec<Expr>> = all.iter().map(line_filter).collect();
            all.and_then(conjunction)
        }
        plan::Expr::Or(any) => {
            let any: Option<Vec<Expr>> = any.iter().map(line_filter).collect();
            any.and_then(datafusion::logical_expr::utils::disjunction)
        }
        _ => None,
    }
}

/// How much data a selector covers.
pub(crate) fn stream_stats(
    ctx: &Context,
    matchers: &[Matcher],
    range: TimeRange,
) -> Result<StreamStats, Error> {
    let matchers = super::compile(matchers)?;
    let streams = ctx.snapshot.streams.count(&matchers, &range);
    let all = ctx.snapshot.streams.len().max(1) as u64;
    let table = ctx.snapshot.table(Table::Logs);
    let mut stats = StreamStats { streams: streams as u64, ..Default::default() };
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
