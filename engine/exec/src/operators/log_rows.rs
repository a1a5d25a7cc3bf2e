//! Log rows through a pipeline: what the log operators have in common.
//!
//! Partitions of the input (one a segment) run in tasks of their own, a few at a time, and are
//! returned in their order, so that results do not depend on which task was faster.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;
use schemas::model::{Label, Labels};
use storage::LabelIndex;

use crate::memory::{Held, QueryMemory};
use crate::output::QueryStats;
use crate::pipeline::{Pipeline, PipelineBatch, PipelineRows, StreamLabels, Wanted};
use crate::{Error, ErrorKind};

/// Memory of a label whose texts may be of one row only.
pub(super) const LABEL_BYTES: usize = size_of::<Label>() + 64;

/// Rows of the logs table with the pipeline that reads them.
#[derive(Clone)]
pub(crate) struct LogRows {
    /// Rows with the columns that the pipeline needs.
    pub(crate) input: Arc<dyn ExecutionPlan>,
    /// What is done to each row.
    pub(crate) pipeline: Arc<Pipeline>,
    /// What is wanted of it.
    pub(crate) wanted: Arc<Wanted>,
    /// The streams that were selected.
    pub(crate) streams: Arc<Streams>,
    /// Where reading is counted.
    pub(crate) stats: Arc<QueryStats>,
}

/// The selected streams: labels and what their records share, looked up once per stream.
pub(crate) struct Streams {
    index: Arc<LabelIndex>,
    selected: HashMap<i64, Labels, ahash::RandomState>,
    known: Mutex<HashMap<i64, StreamLabels, ahash::RandomState>>,
    _held: Held,
}

impl Streams {
    /// The streams with their index labels, whose memory is held.
    pub(crate) fn new(index: Arc<LabelIndex>, selected: Vec<(i64, Labels)>, held: Held) -> Self {
        let selected = selected.into_iter().collect();
        Self { index, selected, known: Mutex::default(), _held: held }
    }

    /// Whether the records of some stream have a label of this name by their stream.
    pub(crate) fn any_says(&self, name: &str) -> bool {
        self.selected.keys().any(|id| self.get(*id).is_some_and(|stream| stream.says(name)))
    }

    /// Number of streams.
    pub(crate) fn len(&self) -> usize {
        self.selected.len()
    }

    /// What the records of a stream share; `None` if it was not selected.
    fn get(&self, id: i64) -> Option<StreamLabels> {
        let labels = self.selected.get(&id)?;
        let mut known = self.known.lock();
        if let Some(stream) = known.get(&id) {
            return Some(stream.clone());
        }
        let info = self.index.stream(id).unwrap_or_default();
        let stream = StreamLabels::new(labels.clone(), info);
        known.insert(id, stream.clone());
        Some(stream)
    }
}

/// Rows of a batch as samples: for each its series within the batch, its time and its value.
pub(super) struct SeriesRows {
    /// Label sets that `series` counts into.
    pub(super) labels: Vec<Labels>,
    /// Position in `labels`.
    pub(super) series: Vec<u32>,
    /// Nanoseconds.
    pub(super) times: Vec<i64>,
    /// The sample.
    pub(super) values: Vec<f64>,
}

/// What is made of a batch and kept until it is asked for.
pub(super) trait Kept: Send + Sized + 'static {
    /// Its memory.
    fn bytes(&self) -> usize;

    /// Takes up `next`, which may be empty afterwards, so that both together are less; `false`
    /// leaves them apart.
    fn joins(last: &mut Self, next: &mut Self) -> bool;
}

impl Kept for SeriesRows {
    fn bytes(&self) -> usize {
        let labels: usize = self.labels.iter().map(Labels::len).sum();
        self.series.capacity() * size_of::<u32>()
            + self.times.capacity() * size_of::<i64>()
            + self.values.capacity() * size_of::<f64>()
            + labels * LABEL_BYTES
    }

    fn joins(_last: &mut Self, _next: &mut Self) -> bool {
        false
    }
}

impl LogRows {
    /// The same rows read from another plan.
    pub(super) fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input, ..self.clone() }
    }

    /// Whether the samples are values of a label, not whole numbers.
    pub(super) fn is_unwrapped(&self) -> bool {
        matches!(self.wanted.as_ref(), Wanted::Series { unwrap: Some(_), .. })
    }

    /// The rows as samples.
    pub(super) fn series(
        &self,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<(SeriesRows, Held)>>> {
        let batches = self.batches(context, |batch| match batch.rows {
            PipelineRows::Series { labels, series, values } => {
                Ok(SeriesRows { labels, series, times: batch.time_ns, values })
            }
            PipelineRows::Lines { .. } => {
                Err(Error::new(ErrorKind::Internal, "lines where samples are expected"))
            }
        })?;
        Ok(batches)
    }

    /// What `turn` makes of every batch that comes out of the pipeline, with its memory. What a
    /// partition holds before it is asked for is made less by [`Kept::joins`].
    pub(super) fn batches<T: Kept>(
        &self,
        context: &Arc<TaskContext>,
        turn: impl Fn(PipelineBatch) -> Result<T, Error> + Clone + Send + Sync + 'static,
    ) -> Result<BoxStream<'static, Result<(T, Held)>>> {
        let tasks = context.session_config().target_partitions().max(1);
        let count = self.input.output_partitioning().partition_count();
        let (rows, context) = (self.clone(), Arc::clone(context));
        let partitions = futures::stream::iter(0..count)
            .map(move |partition| {
                let (rows, context, turn) = (rows.clone(), Arc::clone(&context), turn.clone());
                // A task that is not awaited any more is stopped.
                let mut tasks = tokio::task::JoinSet::new();
                tasks.spawn(async move { rows.partition(partition, context, turn).await });
                async move {
                    match tasks.join_next().await {
                        Some(Ok(batches)) => batches,
                        Some(Err(error)) => Err(DataFusionError::External(Box::new(error))),
                        None => Ok(Vec::new()),
                    }
                }
            })
            .buffered(tasks)
            .map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok)))
            .try_flatten();
        Ok(partitions.boxed())
    }

    async fn partition<T: Kept>(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
        turn: impl Fn(PipelineBatch) -> Result<T, Error>,
    ) -> Result<Vec<(T, Held)>> {
        let memory = QueryMemory::of(context.memory_pool());
        let mut stream = self.input.execute(partition, context)?;
        let mut turned: Vec<(T, Held)> = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            self.stats.rows_read.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            let of_next = memory.hold("rows");
            let streams = |id| self.streams.get(id);
            let kept = self.pipeline.run(&batch, &streams, &self.wanted, &of_next)?;
            if !kept.time_ns.is_empty() {
                let mut next = turn(kept)?;
                of_next.resize(next.bytes())?;
                if let Some((last, held)) = turned.last_mut() {
                    held.resize(last.bytes() + next.bytes())?;
                    if T::joins(last, &mut next) {
                        held.resize(last.bytes())?;
                        continue;
                    }
                    held.resize(last.bytes())?;
                }
                of_next.resize(next.bytes())?;
                turned.push((next, of_next));
            }
        }
        Ok(turned)
    }
}
