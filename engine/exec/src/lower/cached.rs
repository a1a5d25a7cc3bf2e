//! Whether a leaf reads numbers through the cache of decoded samples, and which segments.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use schemas::model::TimeRange;
use schemas::tables::Table;

use super::Context;
use super::metrics::range_ms;
use crate::Error;
use crate::memory::Held;
use crate::operators::{Selected, SeriesKey};
use crate::samples::{Cached, Source};

/// The samples of series, sorted by key, within a range in segments; `None` if rows of them are
/// hidden by deletes, which are left out by another reader.
pub(super) fn cached(
    selected: &[Selected],
    range: TimeRange,
    ctx: &Context,
    held: &Held,
) -> Result<Option<Cached>, Error> {
    let (Some(first), Some(last)) = (selected.first(), selected.last()) else { return Ok(None) };
    let table = Table::MetricSamples;
    let deletes = &ctx.snapshot.deletes;
    let stored = ctx.snapshot.table(table);
    let mut segments = stored.segments_in(&range);
    segments.retain(|segment| {
        let ids = segment.key_ranges.first().copied().unwrap_or((i64::MIN, i64::MAX));
        ids.0 <= last.key.0 && first.key.0 <= ids.1 && !deletes.hides(table, segment)
    });
    if segments.iter().any(|segment| deletes.applies(table, segment)) {
        return Ok(None);
    }
    let pruned = stored.segments.len() - segments.len();
    ctx.stats.segments_pruned.fetch_add(pruned as u64, Ordering::Relaxed);
    ctx.stats.segments_read.fetch_add(segments.len() as u64, Ordering::Relaxed);
    held.grow(selected.len() * size_of::<SeriesKey>())?;
    let wanted: Arc<[SeriesKey]> = selected.iter().map(|series| series.key).collect();
    let source = Source {
        objects: Arc::clone(&ctx.snapshot.objects),
        footers: ctx.runtime.cache_manager.get_file_metadata_cache(),
        bytes_read: ctx.stats.bytes_read.clone(),
    };
    let surroundings = (source, Arc::clone(&ctx.samples), ctx.memory.clone());
    Ok(Some(Cached::new(segments, wanted, range_ms(&range), surroundings)))
}
