//! Samples as they are stored, series by series in the order of their labels.
//!
//! ```text
//!  matchers ─ index ─▶ series, sorted by labels ─▶ some hundred at a time ─ scan ─▶ their samples
//! ```
//!
//! Storage has another order than labels have, so the samples of some series are gathered and
//! then handed out; how many series, bounds the memory.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use futures::stream::BoxStream;
use plan::node::Naming;
use schemas::model::{Labels, Matcher, TimeRange};
use schemas::tables::Table;
use storage::{Cardinality, SeriesEntry};

use crate::error::from_datafusion;
use crate::lower::{self, Context};
use crate::memory::{Held, QueryMemory};
use crate::operators::{RawInput, Selected};
use crate::output::{Histogram, QueryStats};
use crate::{Error, ErrorKind, Session};

/// Series whose samples are gathered at a time: as many as a predicate lists, and few enough
/// that a day of their samples fits into the memory of a query.
const SERIES_PER_READ: usize = 256;

/// A series and its samples.
#[derive(Clone, Debug)]
pub struct RawSeries {
    /// The metric name is among them.
    pub labels: Labels,
    /// Milliseconds and numbers, ascending in time; stale markers are among them.
    pub samples: Vec<(i64, f64)>,
    /// Milliseconds and native histograms, ascending in time.
    pub histograms: Vec<(i64, Histogram)>,
}

/// Stored samples. Dropping it ends the reading.
pub struct RawOutput {
    /// Series that have samples, sorted by labels; ends after the first error.
    pub stream: BoxStream<'static, Result<RawSeries, Error>>,
    /// What was read.
    pub stats: Arc<QueryStats>,
    /// The memory of the query; whoever gathers the answer takes it from here.
    pub memory: QueryMemory,
}

impl fmt::Debug for RawOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawOutput").finish_non_exhaustive()
    }
}

/// What a tenant's metrics are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricStatistics {
    /// Series, names and values.
    pub cardinality: Cardinality,
    /// Segments of samples that are numbers.
    pub segments: u64,
    /// Times of the oldest and the newest sample in segments, in nanoseconds; `None` if there is
    /// none.
    pub times_ns: Option<(i64, i64)>,
}

impl Session {
    /// The samples within `range` of the series that all matchers of one of the selectors accept.
    ///
    /// `Limit` as of any query: series, samples and memory.
    pub async fn raw(
        &self,
        tenant: &str,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
    ) -> Result<RawOutput, Error> {
        self.tenants.check_range(tenant, &range, false)?;
        let admitted = self.admit(tenant).await?;
        let ctx = self.context(tenant, Naming::AtOnce);
        let mut entries = Vec::new();
        for matchers in selectors {
            let compiled = lower::compile(matchers)?;
            let (found, held) = ctx.resolve(&ctx.snapshot.series, &compiled, &range)?;
            entries.extend(found);
            ctx.memory.keep(held);
        }
        entries.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        entries.dedup_by_key(|entry| entry.id);
        let (stats, memory) = (Arc::clone(&ctx.stats), ctx.memory.clone());
        let held = memory.hold("samples");
        let reader =
            Reader { ctx, range, entries, next: 0, ready: VecDeque::new(), samples: 0, held };
        let stream = futures::stream::try_unfold(reader, |mut reader| async move {
            Ok(reader.next().await?.map(|series| (series, reader)))
        });
        let stream = self.guard(stream.boxed(), admitted, memory.clone());
        Ok(RawOutput { stream, stats, memory })
    }

    /// What the metrics of a tenant are made of; lists have `limit` items at most.
    pub async fn metric_statistics(
        &self,
        tenant: &str,
        limit: usize,
    ) -> Result<MetricStatistics, Error> {
        self.store.ready(tenant).await?;
        let snapshot = self.store.snapshot(tenant);
        let stored = snapshot.table(Table::MetricSamples);
        let segments = stored.segments_in(&TimeRange::ALL);
        let oldest = segments.iter().map(|segment| segment.min_time_ns).min();
        let newest = segments.iter().map(|segment| segment.max_time_ns).max();
        Ok(MetricStatistics {
            cardinality: snapshot.series.cardinality(limit),
            segments: segments.len() as u64,
            times_ns: oldest.zip(newest),
        })
    }
}

struct Reader {
    ctx: Context,
    range: TimeRange,
    /// Sorted by labels.
    entries: Vec<SeriesEntry>,
    /// The first one that is not read.
    next: usize,
    ready: VecDeque<RawSeries>,
    /// Samples read so far.
    samples: usize,
    /// Memory of what is ready.
    held: Held,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<RawSeries>, Error> {
        loop {
            if let Some(series) = self.ready.pop_front() {
                return Ok(Some(series));
            }
            if self.next >= self.entries.len() {
                return Ok(None);
            }
            let end = self.entries.len().min(self.next + SERIES_PER_READ);
            self.read(self.next..end).await?;
            self.next = end;
        }
    }

    async fn read(&mut self, part: std::ops::Range<usize>) -> Result<(), Error> {
        self.held.resize(0)?;
        let entries = &self.entries[part];
        let mut selected: Vec<Selected> = (0..)
            .zip(entries)
            .map(|(at, entry)| Selected { key: (entry.metric_id, entry.id), ordinal: at })
            .collect();
        selected.sort_unstable_by_key(|series| series.key);
        let inputs = lower::inputs(&selected, self.range, &self.ctx, &self.held)?;
        let (start_ms, _) = lower::range_ms(&self.range);
        let mut input = RawInput::open(&inputs, &self.ctx.task).map_err(from_datafusion)?;
        let mut found: Vec<Option<RawSeries>> = Vec::new();
        found.resize_with(entries.len(), || None);
        for series in selected {
            let mut samples = input.read(series.key).await.map_err(from_datafusion)?;
            samples.histograms.retain(|sample| sample.0 >= start_ms);
            let count = samples.numbers.len() + samples.histograms.len();
            if count == 0 {
                continue;
            }
            self.held.grow(samples.bytes())?;
            self.samples += count;
            self.ctx.stats.rows_read.fetch_add(count as u64, Ordering::Relaxed);
            if self.samples > self.ctx.limits.samples_max {
                let limit = self.ctx.limits.samples_max;
                let message = format!("exceeded sample limit ({limit})");
                return Err(Error::new(ErrorKind::Limit, message));
            }
            let at = series.ordinal as usize;
            found[at] = Some(RawSeries {
                labels: entries[at].labels.clone(),
                samples: samples.numbers,
                histograms: samples.histograms,
            });
        }
        self.ready = found.into_iter().flatten().collect();
        Ok(())
    }
}
