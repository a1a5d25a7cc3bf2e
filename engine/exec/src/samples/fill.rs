//! What a query reads of the cache, and how the parts that are not there get in.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt};

use super::runs::Given;
use super::{Cursor, Runs, SampleCache};
use crate::error::from_datafusion;
use crate::memory::Held;
use crate::operators::{Rows, SeriesInput, spawn};
use crate::{Error, ErrorKind};

/// Bytes of a packed sample, about, and the root of what a series takes beside them.
const PACKED_BYTES: usize = 8;

/// Bytes of packed samples that are taken from the query's memory at once.
const PACKED_STEP_BYTES: usize = 1 << 20;

/// The parts that a query needs, in memory or still to be read.
pub(crate) struct Cached {
    /// Ascending.
    metrics: Vec<i64>,
    segments: Vec<CachedSegment>,
    /// First and last millisecond that is read.
    range_ms: (i64, i64),
    fill: Option<Fill>,
}

/// A segment and those parts of it that were found, one for each metric.
pub(crate) struct CachedSegment {
    /// Its name.
    pub(crate) path: Arc<str>,
    /// In the order of the metrics.
    pub(crate) parts: Vec<Option<Arc<Runs>>>,
}

/// How missing parts are read.
pub(crate) struct Fill {
    /// Rows of the missing metrics at least, sorted, one partition for each of the segments that
    /// miss any, in their order.
    pub(crate) missing: Arc<dyn ExecutionPlan>,
    /// The same samples read past the cache, should they be too many for it.
    pub(crate) past: Vec<Arc<dyn ExecutionPlan>>,
    /// Where parts are kept.
    pub(crate) cache: Arc<SampleCache>,
    /// Memory of what is packed until the query ends.
    pub(crate) held: Held,
}

/// The parts of a query, all in memory, or the way past the cache.
pub(crate) enum Loaded {
    /// For each metric its parts, in the order of segments.
    Parts(Vec<Vec<Arc<Runs>>>),
    /// Read these.
    Past,
}

impl Cached {
    /// Parts for `metrics`, which ascend; `fill` must be given if any is missing.
    pub(crate) fn new(
        metrics: Vec<i64>,
        segments: Vec<CachedSegment>,
        range_ms: (i64, i64),
        fill: Option<Fill>,
    ) -> Self {
        Self { metrics, segments, range_ms, fill }
    }

    /// First and last millisecond that is read.
    pub(crate) fn range_ms(&self) -> (i64, i64) {
        self.range_ms
    }

    /// How missing parts are read, if any are.
    pub(crate) fn fill(&self) -> Option<&Fill> {
        self.fill.as_ref()
    }

    /// How many parts there are, and how many are in memory already.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let parts = self.segments.iter().flat_map(|segment| &segment.parts);
        (self.segments.len() * self.metrics.len(), parts.flatten().count())
    }

    /// Place of a metric among those it was made for.
    pub(crate) fn place(&self, metric: i64) -> Option<usize> {
        self.metrics.binary_search(&metric).ok()
    }

    /// Reads what is missing, and keeps it if there is room.
    pub(crate) async fn load(&self, context: &Arc<TaskContext>) -> Result<Loaded, Error> {
        let mut read = Vec::new();
        if let Some(fill) = &self.fill {
            match self.read(fill, context).await {
                Ok(found) => read = found,
                Err(error) if error.kind() == ErrorKind::Limit => {
                    fill.cache.was_too_large();
                    fill.held.resize(0)?;
                    return Ok(Loaded::Past);
                }
                Err(error) => return Err(error),
            }
        }
        let mut read = read.into_iter();
        let mut parts: Vec<Vec<Arc<Runs>>> = vec![Vec::new(); self.metrics.len()];
        for segment in &self.segments {
            let found = if segment.is_missing_any() { read.next() } else { None };
            let mut found = found.unwrap_or_default().into_iter();
            for (place, kept) in segment.parts.iter().enumerate() {
                let new = found.next();
                let runs = match (kept, new) {
                    (Some(kept), _) => Arc::clone(kept),
                    (None, Some(new)) => {
                        let new = Arc::new(new);
                        if let Some(fill) = &self.fill {
                            fill.cache.put(&segment.path, self.metrics[place], &new);
                        }
                        new
                    }
                    (None, None) => continue,
                };
                parts[place].push(runs);
            }
        }
        Ok(Loaded::Parts(parts))
    }

    /// For each segment that misses any, the parts of all metrics.
    async fn read(&self, fill: &Fill, context: &Arc<TaskContext>) -> Result<Vec<Vec<Runs>>, Error> {
        let missing = self.segments.iter().filter(|segment| segment.is_missing_any()).count();
        let at_once = context.session_config().target_partitions().max(1);
        futures::stream::iter(0..missing)
            .map(|partition| async move {
                let rows = spawn(&fill.missing, partition, context).map_err(from_datafusion)?;
                pack(SeriesInput::new(rows), &self.metrics, fill).await
            })
            .buffered(at_once)
            .try_collect()
            .await
    }
}

/// The parts of some metrics in the rows of one segment.
async fn pack(mut input: SeriesInput, metrics: &[i64], fill: &Fill) -> Result<Vec<Runs>, Error> {
    let mut parts: Vec<Runs> = metrics.iter().map(|_| Runs::default()).collect();
    let (mut rows, mut taken, mut read) = (Rows::default(), 0, 0);
    while let Some((metric, series)) = input.next_rows(&mut rows).await.map_err(from_datafusion)? {
        let Ok(place) = metrics.binary_search(&metric) else { continue };
        let values = match rows.exponent() {
            Some(exponent) => Given::Decimals(&rows.mantissas, exponent),
            None => Given::Numbers(&rows.values),
        };
        if !parts[place].push(series, &rows.times, values) {
            return Err(too_large());
        }
        read += rows.times.len() * PACKED_BYTES + PACKED_BYTES * PACKED_BYTES;
        if read > taken {
            fill.held.grow(PACKED_STEP_BYTES + read - taken)?;
            taken = read + PACKED_STEP_BYTES;
            if fill.held.bytes() > fill.cache.bytes_max() {
                return Err(too_large());
            }
        }
    }
    parts.iter_mut().for_each(Runs::shrink);
    Ok(parts)
}

fn too_large() -> Error {
    Error::new(ErrorKind::Limit, "the samples are too many to be kept decoded")
}

impl CachedSegment {
    /// Whether not all of its parts were found.
    pub(crate) fn is_missing_any(&self) -> bool {
        self.parts.iter().any(Option::is_none)
    }
}

/// Places in the parts of a metric.
pub(crate) fn cursors(parts: &[Arc<Runs>]) -> Vec<Cursor<'_>> {
    parts.iter().map(|runs| Cursor::new(runs)).collect()
}
