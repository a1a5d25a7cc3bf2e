//! Leaves of metric queries: series are resolved against the index, then samples are scanned.

use std::sync::Arc;

use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_plan::ExecutionPlan;
use plan::Position;
use plan::node::Scan;
use schemas::model::{NANOS_PER_MILLI, NANOS_PER_SECOND, StepGrid, TimeRange};
use schemas::tables::{Table, columns};

use super::buffered::{Wanted, buffered};
use super::selection::{Called, Selection, select};
use super::{Context, from_datafusion};
use crate::Error;
use crate::annotations::Remarks;
use crate::functions::window::Windows;
use crate::memory::Held;
use crate::operators::{
    HISTOGRAM_COLUMNS, Kernel, Leaf, Selected, SeriesWindowExec, WindowRemarks,
};
use crate::table::{Attributes, ScanRequest, scan};

/// How far before a range histograms are read: whether the first one within it continues its
/// counter is told by the one before.
const HINT_REACH_NS: i64 = 300 * NANOS_PER_SECOND;

/// Ids that a predicate lists at most; with more, rows are told apart after decoding.
const LISTED_IDS_MAX: usize = 256;

/// Positions of `metric_id, series_id, time_ms, value, value_mantissa, value_exponent` in the
/// samples table.
const PROJECTION: [usize; 6] = [0, 1, 2, 3, 4, 5];
/// Position of `start_time_ms` there.
const START_POSITION: usize = 6;

/// Where the windows of a metric leaf lie, in milliseconds.
pub(crate) fn windows(
    grid: &StepGrid,
    range_ns: i64,
    offset_ns: i64,
    at_ns: Option<i64>,
) -> Windows {
    let first_ns = at_ns.unwrap_or(grid.start_ns).saturating_sub(offset_ns);
    let step = grid.step_ns / NANOS_PER_MILLI;
    Windows {
        first_end: first_ns.div_euclid(NANOS_PER_MILLI),
        step: if at_ns.is_some() { 0 } else { step },
        first_eval: grid.start_ns.div_euclid(NANOS_PER_MILLI),
        eval_step: step,
        count: grid.steps as usize,
        range: (range_ns / NANOS_PER_MILLI).max(1),
        units_per_second: 1_000.0,
    }
}

/// The tiles of the series that a scan selects; the scalars beside the kernel are the parameters
/// of its function if these change from step to step.
pub(super) fn leaf(
    scan: &Scan,
    (kernel, parameters): (Kernel, Vec<Arc<dyn ExecutionPlan>>),
    windows: Windows,
    called: Called<'_>,
    position: Option<Position>,
    ctx: &Context,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let selection = select(scan, called, position.is_some(), ctx)?;
    let held = ctx.memory.hold("samples");
    held.grow(selection.bytes())?;
    let Selection { selected, deltas, metrics } = selection;
    let remarks = WindowRemarks::new(Remarks::new(&ctx.annotations, position), metrics);
    let range = scan.selector.range;
    let table = Table::MetricSamples;
    let starts = matches!(kernel, Kernel::Started(_));
    let projection = number_projection(starts);
    // What is cached is times and values.
    let cached = match starts {
        true => None,
        false => super::cached::cached(&selected, range, ctx, &held)?,
    };
    let mut numbers = match cached {
        Some(_) => Vec::new(),
        None => segments(table, &projection, &selected, range, ctx)?,
    };
    let wanted = (range, Wanted::by(&kernel, &windows));
    numbers.extend(memtable(table, &projection, &selected, wanted, ctx, &held)?);
    let histograms = histograms(&selected, earlier(range, HINT_REACH_NS), starts, ctx, &held)?;
    let leaf = Leaf {
        cached,
        selected,
        delta_kernel: kernel.for_deltas(),
        kernel,
        deltas,
        windows,
        samples_max: ctx.limits.samples_max,
        stats: Arc::clone(&ctx.stats),
        remarks,
        held,
    };
    let samples = SampleInputs { numbers, histograms };
    Ok(Arc::new(SeriesWindowExec::new(samples, parameters, leaf)))
}

/// What the samples of some series are read from, as [`SeriesWindowExec::new`] takes it.
pub(crate) struct SampleInputs {
    /// Samples that are numbers.
    pub(crate) numbers: Vec<Arc<dyn ExecutionPlan>>,
    /// Samples that are native histograms.
    pub(crate) histograms: Vec<Arc<dyn ExecutionPlan>>,
}

/// The inputs that hold the samples of series, sorted by key, within a range; histograms from
/// some time earlier on, so that those within the range can be told to continue their counters.
pub(crate) fn inputs(
    selected: &[Selected],
    range: TimeRange,
    ctx: &Context,
    held: &Held,
) -> Result<SampleInputs, Error> {
    let table = Table::MetricSamples;
    let mut numbers = segments(table, &PROJECTION, selected, range, ctx)?;
    numbers.extend(memtable(table, &PROJECTION, selected, (range, Wanted::All), ctx, held)?);
    let histograms = histograms(selected, earlier(range, HINT_REACH_NS), false, ctx, held)?;
    Ok(SampleInputs { numbers, histograms })
}

/// A range that begins earlier by so much.
fn earlier(range: TimeRange, reach_ns: i64) -> TimeRange {
    TimeRange { start_ns: range.start_ns.saturating_sub(reach_ns), ..range }
}

/// The inputs that hold native histograms, with their start times if they are wanted.
fn histograms(
    selected: &[Selected],
    range: TimeRange,
    starts: bool,
    ctx: &Context,
    held: &Held,
) -> Result<Vec<Arc<dyn ExecutionPlan>>, Error> {
    let table = Table::MetricHistograms;
    let stored = ctx.snapshot.table(table);
    if stored.segments.is_empty() && stored.batches.is_empty() {
        return Ok(Vec::new());
    }
    let projection = histogram_projection(starts)?;
    let mut inputs = segments(table, &projection, selected, range, ctx)?;
    inputs.extend(memtable(table, &projection, selected, (range, Wanted::All), ctx, held)?);
    Ok(inputs)
}

/// Positions of the columns of samples, start times last if they are wanted.
fn number_projection(starts: bool) -> Vec<usize> {
    PROJECTION.into_iter().chain(starts.then_some(START_POSITION)).collect()
}

/// Positions of the columns of histogram samples, start times last if they are wanted.
fn histogram_projection(starts: bool) -> Result<Vec<usize>, Error> {
    let schema = Table::MetricHistograms.schema();
    let position = |name: &&str| schema.index_of(name);
    let positions = HISTOGRAM_COLUMNS
        .iter()
        .chain(starts.then_some(&columns::START_TIME_MS))
        .map(position)
        .collect::<Result<_, _>>();
    positions.map_err(|error| from_datafusion(error.into()))
}

/// Sorted inputs that hold the samples of the selected series in segments.
fn segments(
    table: Table,
    projection: &[usize],
    selected: &[Selected],
    range: TimeRange,
    ctx: &Context,
) -> Result<Vec<Arc<dyn ExecutionPlan>>, Error> {
    let stored = ctx.snapshot.table(table);
    if selected.is_empty() || stored.segments.is_empty() {
        return Ok(Vec::new());
    }
    let cut = stored
        .segments_in(&range)
        .iter()
        .any(|segment| segment.min_time_ns < range.start_ns || segment.max_time_ns >= range.end_ns);
    let request = ScanRequest {
        snapshot: &ctx.snapshot,
        table,
        range,
        projection: projection.to_vec(),
        filter: predicate(selected, range, cut),
        attributes: Attributes::default(),
    };
    let scanned = scan(request, &ctx.runtime, &ctx.stats).map_err(from_datafusion)?;
    Ok(scanned.segments.into_iter().collect())
}

/// A sorted input that holds the samples of the selected series in the memtable, if there are any.
fn memtable(
    table: Table,
    projection: &[usize],
    selected: &[Selected],
    wanted: (TimeRange, Wanted),
    ctx: &Context,
    held: &Held,
) -> Result<Option<Arc<dyn ExecutionPlan>>, Error> {
    let batches = &ctx.snapshot.table(table).batches;
    let batch = buffered(batches, projection, selected, wanted, held)?;
    let Some(batch) = batch else { return Ok(None) };
    let schema = batch.schema();
    let memory = MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None);
    let memory = memory.map_err(from_datafusion)?;
    Ok(Some(memory))
}

/// What Parquet can leave out: other metrics, other series if few are wanted, other times if
/// `cut` says that a segment reaches over the range.
fn predicate(selected: &[Selected], range: TimeRange, cut: bool) -> Option<Expr> {
    let mut metrics: Vec<i64> = selected.iter().map(|series| series.key.0).collect();
    metrics.dedup();
    let mut filters = Vec::new();
    if metrics.len() <= LISTED_IDS_MAX {
        filters.push(one_of(columns::METRIC_ID, &metrics));
    }
    if selected.len() <= LISTED_IDS_MAX {
        let series: Vec<i64> = selected.iter().map(|series| series.key.1).collect();
        filters.push(one_of(columns::SERIES_ID, &series));
    }
    if cut {
        let (start_ms, end_ms) = range_ms(&range);
        filters.push(col(columns::TIME_MS).gt_eq(lit(start_ms)));
        filters.push(col(columns::TIME_MS).lt_eq(lit(end_ms)));
    }
    datafusion::logical_expr::utils::conjunction(filters)
}

/// `column IN (ids)`.
pub(super) fn one_of(column: &str, ids: &[i64]) -> Expr {
    match ids {
        [id] => col(column).eq(lit(*id)),
        ids => col(column).in_list(ids.iter().map(|id| lit(*id)).collect(), false),
    }
}

/// The first and last whole millisecond of a range.
pub(crate) fn range_ms(range: &TimeRange) -> (i64, i64) {
    let start = range.start_ns.saturating_add(NANOS_PER_MILLI - 1).div_euclid(NANOS_PER_MILLI);
    let end = range.end_ns.saturating_sub(1).div_euclid(NANOS_PER_MILLI);
    (start, end)
}
