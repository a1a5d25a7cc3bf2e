//! Trace queries: candidates by filter, spansets by trace, then a second read for summaries.
//!
//! ```text
//!  scan (columns asked about) ─ candidate rows ─▶ Collector ─ trace ids ─▶ scan (summary columns)
//!                                                     ▲                          │
//!                                                     └──────────────────────────┘ ─▶ Traces
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::StreamExt;
use plan::expr::{CompareOp, Intrinsic, Literal};
use plan::node::{Distinct, Filter};
use plan::{Node, Shape};
use schemas::model::{Attribute, NANOS_PER_SECOND, TimeRange};
use schemas::tables::{Table, TableLayout, columns};

use super::{Context, conditions, from_datafusion, impossible};
use crate::output::OutputKind;
use crate::session::BatchStream;
use crate::spansets::{self, Names, SUMMARY_COLUMNS, Search};
use crate::table::{Attributes, Condition, Key, ScanRequest, scan, union};
use crate::{Error, ErrorKind};

/// Traces that a search returns if it says no number.
const TRACES_DEFAULT: usize = 20;

/// Spans of a trace that lie this far outside the searched range still count for its summary.
const SUMMARY_MARGIN_NS: i64 = 3_600 * NANOS_PER_SECOND;

/// Spans of one trace that are returned, at most.
const TRACE_SPANS_MAX: usize = 200_000;

/// Spans of a trace, or traces that match.
pub(super) async fn rows(root: Node, ctx: Context) -> Result<(OutputKind, BatchStream), Error> {
    let (root, limit) = match root {
        Node::Limit(node) => (*node.input, node.count),
        root => (root, TRACES_DEFAULT),
    };
    let root = match root {
        // Traces are returned newest first, spans in no order: the only orders there are.
        Node::Sort(node) => *node.input,
        root => root,
    };
    if root.shape() == Shape::Spansets {
        let search = Arc::new(Search::compile(root)?);
        let answer = async move { run_search(&search, limit, &ctx).await };
        return Ok((OutputKind::Traces, futures::stream::once(answer).boxed()));
    }
    let (range, predicate) = spans_of(root)?;
    Ok((OutputKind::Spans, spans(range, predicate, &ctx)?))
}

/// Names and values of span attributes.
pub(super) async fn names(
    distinct: Distinct,
    limit: usize,
    ctx: Context,
) -> Result<(OutputKind, BatchStream), Error> {
    let answer = async move {
        let mut names = Names::new(distinct.of, limit);
        let layout = ctx.snapshot.layout(Table::Spans);
        for input in distinct.inputs {
            let (range, predicate) = spans_of(input)?;
            let mut wanted = names.columns(layout.schema());
            if let Some(predicate) = &predicate {
                wanted.extend(spansets::columns_of(predicate, layout.schema()));
            }
            let mut attributes = Attributes { lookups: names.lookups(), ..Default::default() };
            if let Some(predicate) = &predicate {
                attributes.alternatives = vec![conditions_of(predicate, &layout)];
                if let Some(lookups) = &mut attributes.lookups {
                    lookups.extend(lookups_of(spansets::attributes_of(predicate)));
                }
            }
            let projection = projection(&wanted, &layout);
            let wanted = Wanted { projection, range, filter: None, attributes };
            let mut batches = read(wanted, &ctx)?;
            while let Some(batch) = batches.next().await {
                let batch = keep(batch.map_err(from_datafusion)?, predicate.as_ref())?;
                names.push(&batch)?;
            }
        }
        names.finish()
    };
    Ok((OutputKind::Names, futures::stream::once(answer).boxed()))
}

async fn run_search(
    search: &Arc<Search>,
    limit: usize,
    ctx: &Context,
) -> Result<RecordBatch, Error> {
    let range = search.range();
    let mut collector = search.collector(limit, ctx.memory.hold("spans"));
    let mut candidates = candidates(search, range, ctx)?;
    while let Some(rows) = candidates.next().await {
        collector.push(&rows.map_err(from_datafusion)?)?;
    }
    let found = collector.candidates()?;
    if !found.is_empty() {
        let around = TimeRange {
            start_ns: range.start_ns.saturating_sub(SUMMARY_MARGIN_NS),
            end_ns: range.end_ns.saturating_add(SUMMARY_MARGIN_NS),
        };
        let filter = trace_filter(&found);
        let layout = ctx.snapshot.layout(Table::Spans);
        let wanted = Wanted {
            projection: projection(SUMMARY_COLUMNS, &layout),
            range: around,
            filter: Some(filter),
            attributes: Attributes::default(),
        };
        let mut rows = read(wanted, ctx)?;
        while let Some(batch) = rows.next().await {
            collector.push_summary(&batch.map_err(from_datafusion)?)?;
        }
    }
    collector.finish()
}

/// The rows that may be part of a spanset, decided in one task a partition.
fn candidates(
    search: &Arc<Search>,
    range: TimeRange,
    ctx: &Context,
) -> Result<SendableRecordBatchStream, Error> {
    let layout = ctx.snapshot.layout(Table::Spans);
    let columns = projection(&search.columns(layout.schema()), &layout);
    let attributes = Attributes {
        lookups: Some(lookups_of(search.attributes()).collect()),
        alternatives: search.filters().map(|it| of_filter(it, &layout)).collect(),
    };
    let wanted = Wanted { projection: columns, range, filter: None, attributes };
    let plan = plan_read(wanted, ctx)?;
    let schema = plan.schema();
    let mut builder =
        datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder::new(schema, 2);
    let permits = Arc::new(tokio::sync::Semaphore::new(
        ctx.task.session_config().options().execution.target_partitions.max(1),
    ));
    for partition in 0..plan.output_partitioning().partition_count() {
        let (search, plan, permits) = (Arc::clone(search), Arc::clone(&plan), Arc::clone(&permits));
        let (sender, context) = (builder.tx(), Arc::clone(&ctx.task));
        builder.spawn(async move {
            let Ok(_running) = permits.acquire_owned().await else { return Ok(()) };
            let mut rows = plan.execute(partition, context)?;
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                let mask = search.candidate(&batch)?;
                if mask.true_count() > 0
                    && sender.send(Ok(filter_record_batch(&batch, &mask)?)).await.is_err()
                {
                    break;
                }
            }
            Ok(())
        });
    }
    Ok(builder.build())
}

/// The range and the predicate of a filter over a scan of spans, or of the scan alone.
fn spans_of(node: Node) -> Result<(TimeRange, Option<plan::Expr>), Error> {
    match node {
        Node::Scan(scan) => Ok((scan.selector.range, None)),
        Node::Filter(Filter { input, predicate }) => match *input {
            Node::Scan(scan) => Ok((scan.selector.range, Some(predicate))),
            _ => Err(impossible("a filter over something else than a scan of spans")),
        },
        _ => Err(impossible("something else than a filter over a scan of spans")),
    }
}

/// All columns of the spans that satisfy a predicate.
fn spans(
    range: TimeRange,
    predicate: Option<plan::Expr>,
    ctx: &Context,
) -> Result<BatchStream, Error> {
    let layout = ctx.snapshot.layout(Table::Spans);
    let all: Vec<usize> = (0..layout.schema().fields().len()).collect();
    let filter = predicate.as_ref().and_then(trace_id_of).map(|id| trace_filter(&[id]));
    let attributes = Attributes::default();
    let batches = read(Wanted { projection: all, range, filter, attributes }, ctx)?;
    let mut returned = 0;
    let kept = batches.map(move |batch| {
        let batch = keep(batch.map_err(from_datafusion)?, predicate.as_ref())?;
        returned += batch.num_rows();
        if returned > TRACE_SPANS_MAX {
            let message = format!("over {TRACE_SPANS_MAX} spans match, the limit of one trace");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(batch)
    });
    Ok(kept
        .filter(|batch| {
            let some = !matches!(batch, Ok(batch) if batch.num_rows() == 0);
            std::future::ready(some)
        })
        .boxed())
}

/// The trace that a predicate asks for, if it asks for one.
fn trace_id_of(predicate: &plan::Expr) -> Option<[u8; 16]> {
    let plan::Expr::Compare { op: CompareOp::Equal, left, right } = predicate else { return None };
    let (plan::Expr::Intrinsic(Intrinsic::TraceId), plan::Expr::Literal(Literal::Text(id))) =
        (left.as_ref(), right.as_ref())
    else {
        return None;
    };
    let mut bytes = [0; 16];
    if id.len() != 32 || !id.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&id[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// `trace_id IN (ids)`.
fn trace_filter(ids: &[[u8; 16]]) -> Expr {
    let id = |id: &[u8; 16]| lit(ScalarValue::FixedSizeBinary(16, Some(id.to_vec())));
    match ids {
        [one] => col(columns::TRACE_ID).eq(id(one)),
        ids => col(columns::TRACE_ID).in_list(ids.iter().map(id).collect(), false),
    }
}

fn keep(batch: RecordBatch, predicate: Option<&plan::Expr>) -> Result<RecordBatch, Error> {
    let Some(predicate) = predicate else { return Ok(batch) };
    let mask = spansets::mask(predicate, &batch)?;
    filter_record_batch(&batch, &mask).map_err(|error| from_datafusion(error.into()))
}

/// The conditions that spans of use satisfy; none if every span may be of use.
fn of_filter(filter: Option<&plan::Expr>, layout: &TableLayout) -> Vec<Condition> {
    filter.map_or_else(Vec::new, |filter| conditions_of(filter, layout))
}

fn conditions_of(predicate: &plan::Expr, layout: &TableLayout) -> Vec<Condition> {
    let operands = conditions::operands(predicate).into_iter();
    operands.filter_map(|operand| conditions::of_span(operand, layout)).collect()
}

/// The keys that some attributes are looked up by in the scopes that may have columns.
fn lookups_of(attributes: Vec<&Attribute>) -> impl Iterator<Item = Key> {
    attributes.into_iter().flat_map(|attribute| {
        conditions::scopes(attribute).iter().map(|scope| (*scope, attribute.key.clone()))
    })
}

/// Positions of columns of a layout, each once, in its order.
fn projection(names: &[impl AsRef<str>], layout: &TableLayout) -> Vec<usize> {
    let fields = layout.schema().fields();
    let wanted = |at: &usize| names.iter().any(|name| name.as_ref() == fields[*at].name());
    (0..fields.len()).filter(wanted).collect()
}

/// What is read of spans.
struct Wanted {
    /// Positions of columns in the layout.
    projection: Vec<usize>,
    range: TimeRange,
    filter: Option<Expr>,
    attributes: Attributes,
}

fn read(
    wanted: Wanted,
    ctx: &Context,
) -> Result<futures::stream::BoxStream<'static, DataFusionResult<RecordBatch>>, Error> {
    let plan = plan_read(wanted, ctx)?;
    let plan: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(plan));
    let stats = Arc::clone(&ctx.stats);
    let batches = plan.execute(0, Arc::clone(&ctx.task)).map_err(from_datafusion)?;
    let counted = batches.inspect(move |batch| {
        if let Ok(batch) = batch {
            stats.rows_read.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        }
    });
    Ok(counted.boxed())
}

fn plan_read(wanted: Wanted, ctx: &Context) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let range = wanted.range;
    let mut filters: Vec<Expr> = wanted.filter.into_iter().collect();
    if range != TimeRange::ALL {
        filters.push(col(columns::START_NS).gt_eq(lit(range.start_ns)));
        filters.push(col(columns::START_NS).lt(lit(range.end_ns)));
    }
    let request = ScanRequest {
        snapshot: &ctx.snapshot,
        table: Table::Spans,
        range,
        projection: wanted.projection,
        filter: conjunction(filters),
        attributes: wanted.attributes,
    };
    let scanned = scan(request, &ctx.runtime, &ctx.stats).map_err(from_datafusion)?;
    union(scanned).map_err(from_datafusion)
}
