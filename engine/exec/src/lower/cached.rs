//! Whether a leaf reads numbers through the cache of decoded samples, and which parts of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::physical_plan::ExecutionPlan;
use schemas::model::TimeRange;
use schemas::tables::{Table, columns};
use storage::Segment;

use super::metrics::{LISTED_IDS_MAX, PROJECTION, one_of, range_ms};
use super::{Context, from_datafusion};
use crate::Error;
use crate::operators::Selected;
use crate::samples::{Cached, CachedSegment, Fill};
use crate::table::{Attributes, ScanRequest, open_segments};

/// Parts (segments times metrics) of a query that are looked up at most.
const PARTS_MAX: usize = 20_000;

/// Bytes of a decoded sample, about: a guess that keeps a question for few series from decoding
/// what is far too much to be kept. Should it be too low, filling gives up.
const SAMPLE_BYTES: usize = 4;

/// The parts that hold the samples of series, sorted by key, within a range; `None` if they are
/// better read past the cache, as `past` does, whose plans are made only if they may be needed.
pub(super) fn cached(
    selected: &[Selected],
    range: TimeRange,
    ctx: &Context,
    past: impl FnOnce() -> Result<Vec<Arc<dyn ExecutionPlan>>, Error>,
) -> Result<Option<Cached>, Error> {
    let cache = &ctx.samples;
    let mut metrics: Vec<i64> = selected.iter().map(|series| series.key.0).collect();
    metrics.dedup();
    let (Some(first), Some(last)) = (metrics.first(), metrics.last()) else { return Ok(None) };
    let table = Table::MetricSamples;
    let deletes = &ctx.snapshot.deletes;
    let stored = ctx.snapshot.table(table);
    let mut segments = stored.segments_in(&range);
    segments.retain(|segment| {
        let ids = segment.key_ranges.first().copied().unwrap_or((i64::MIN, i64::MAX));
        ids.0 <= *last && *first <= ids.1 && !deletes.hides(table, segment)
    });
    // What is kept is whole segments; hidden rows are left out while a segment is read.
    let is_masked = segments.iter().any(|segment| deletes.applies(table, segment));
    if is_masked || cache.bytes_max() == 0 || segments.len() * metrics.len() > PARTS_MAX {
        return Ok(None);
    }
    let may_fill = cache.ask();
    let mut found = Vec::with_capacity(segments.len());
    let mut missing: Vec<Arc<Segment>> = Vec::new();
    let mut missing_rows = 0_u64;
    for segment in &segments {
        let parts = cache.get(&segment.path, &metrics);
        let part = CachedSegment { path: Arc::from(segment.path.as_str()), parts };
        if part.is_missing_any() {
            missing.push(Arc::clone(segment));
            missing_rows += segment.rows;
        }
        found.push(part);
    }
    let is_sure_to_fit = missing_rows <= (cache.bytes_max() / SAMPLE_BYTES) as u64;
    if !is_sure_to_fit && (!may_fill || selected.len() <= LISTED_IDS_MAX) {
        return Ok(None);
    }
    let pruned = stored.segments.len() - segments.len();
    ctx.stats.segments_pruned.fetch_add(pruned as u64, Ordering::Relaxed);
    ctx.stats.segments_read.fetch_add(segments.len() as u64, Ordering::Relaxed);
    let fill = match missing.is_empty() {
        true => None,
        false => Some(Fill {
            missing: missing_rows_of(missing, &metrics, range, ctx)?,
            past: past()?,
            cache: Arc::clone(cache),
            held: ctx.memory.hold("decoded samples"),
        }),
    };
    Ok(Some(Cached::new(metrics, found, range_ms(&range), fill)))
}

/// The rows of some metrics in each of some segments, of all times and series.
fn missing_rows_of(
    segments: Vec<Arc<Segment>>,
    metrics: &[i64],
    range: TimeRange,
    ctx: &Context,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let listed = metrics.len() <= LISTED_IDS_MAX;
    let request = ScanRequest {
        snapshot: &ctx.snapshot,
        table: Table::MetricSamples,
        range,
        projection: PROJECTION.to_vec(),
        filter: listed.then(|| one_of(columns::METRIC_ID, metrics)),
        attributes: Attributes::default(),
    };
    open_segments(&request, segments, (&ctx.runtime, &ctx.stats)).map_err(from_datafusion)
}
