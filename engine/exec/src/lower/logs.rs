//! Log queries: streams are resolved against the index, rows run through one fused pipeline.

use std::sync::Arc;

use datafusion::functions::expr_fn::{contains, regexp_like};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, col, ident, lit, not};
use datafusion::physical_plan::ExecutionPlan;
use plan::Node;
use plan::node::{Scan, SortBy, Window, WindowFunction};
use schemas::model::{Direction, Matcher, NANOS_PER_SECOND, Scope, TimeRange, label_name};
use schemas::tables::{Promoted, PromotedType, Table, TableLayout, columns};

use super::metrics::one_of;
use super::{Context, conditions, from_datafusion, impossible};
use crate::functions::window::Windows;
use crate::operators::{LogLinesExec, LogRows, LogWindowExec, Streams};
use crate::output::OutputKind;
use crate::pipeline::{self, Asked, Pipeline, Wanted};
use crate::session::{BatchStream, execute};
use crate::table::{Attributes, Condition, ScanRequest, scan, union};
use crate::{Error, StreamStats};

/// Streams that a predicate lists at most; with more, rows are told apart after decoding.
const LISTED_STREAMS_MAX: usize = 256;

/// Streams that are asked whether they have a label, at most; with more, filters of labels are
/// not pushed into the scan.
const ASKED_STREAMS_MAX: usize = 1_024;

/// Numbers up to here are exact as floats.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

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
        attributes: attributes(&pipeline, &wanted, &streams, &layout),
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

/// What the pipeline does with attributes of records.
fn attributes(
    pipeline: &Pipeline,
    wanted: &Wanted,
    streams: &Streams,
    layout: &TableLayout,
) -> Attributes {
    let key = |key: &str| (Scope::Log, key.to_owned());
    let lookups = pipeline.looked_up(wanted).map(|labels| {
        let of_label = |label: String| {
            let columns: Vec<_> = with_label(&label, layout).map(|it| key(&it.key)).collect();
            // A label without a column is looked for in the overflow objects.
            if columns.is_empty() { vec![key(&label)] } else { columns }
        };
        labels.into_iter().flat_map(of_label).collect()
    });
    let mut conditions = Vec::new();
    for asked in pipeline.asked() {
        let (Asked::Equal(label, _) | Asked::Compare(label, ..)) = asked;
        let mut columns = with_label(label, layout);
        let (Some(column), None) = (columns.next(), columns.next()) else { continue };
        // Where the record does not say it, its stream or a column of its own might.
        let is_of_records = !pipeline::is_own_label(label)
            && streams.len() <= ASKED_STREAMS_MAX
            && !streams.any_says(label);
        if is_of_records && let Some(expr) = holds(column, asked) {
            let attributes = vec![key(&column.key)];
            conditions.push(Condition { expr, attributes, rejects_absent: true });
        }
    }
    let alternatives = if conditions.is_empty() { Vec::new() } else { vec![conditions] };
    Attributes { lookups, alternatives }
}

/// The columns of attributes that give a label.
fn with_label<'a>(label: &str, layout: &'a TableLayout) -> impl Iterator<Item = &'a Promoted> {
    layout.promoted().iter().filter(move |it| label_name(&it.key) == label)
}

/// What is asked of a label as a filter of its column.
fn holds(promoted: &Promoted, asked: Asked<'_>) -> Option<Expr> {
    let column = ident(promoted.column.as_ref());
    match (promoted.value_type, asked) {
        (PromotedType::Text | PromotedType::UniqueText, Asked::Equal(_, text)) => {
            Some(column.eq(lit(text)))
        }
        (PromotedType::Int, Asked::Equal(_, text)) => {
            let number: i64 = text.parse().ok()?;
            (number.to_string() == text).then(|| column.eq(lit(number)))
        }
        (PromotedType::Bool, Asked::Equal(_, text)) => Some(column.eq(lit(text == "true"))),
        (PromotedType::Int, Asked::Compare(_, op, number)) => {
            let is_exact = number.fract() == 0.0 && number.abs() < EXACT_MAX;
            is_exact.then(|| conditions::compared(column, op, lit(number as i64)))
        }
        _ => None,
    }
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
