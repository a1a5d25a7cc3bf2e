//! Sessions: where queries are run, within the limits.
//!
//! ```text
//!  Query ─ optimize ─ lower ─▶ ExecutionPlan ─ execute ─▶ deadline ─▶ QueryOutput.stream
//! ```
//!
//! A query takes its snapshot once, here; reads never block writes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use futures::stream::BoxStream;
use plan::node::{Naming, Query, SortBy};
use plan::{Node, Shape};
use schemas::model::{Matcher, StepGrid, TimeRange};
use storage::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::error::from_datafusion;
use crate::footers::Footers;
use crate::lower::{self, Context};
use crate::memory::QueryMemory;
use crate::operators::SeriesOutputExec;
use crate::output::{OutputKind, QueryOutput, QueryStats};
use crate::roster::Roster;
use crate::samples::SampleCache;
use crate::sql::bounded::{self, BoundedOperators};
use crate::table::LAKE_URL;
use crate::tenants::{LimitsOfTenants, Permit, Tenants};
use crate::{Error, ErrorKind, Limits};

/// Footers of segments kept in memory, in bytes, at most.
const FOOTER_CACHE_BYTES: usize = 256 << 20;

/// Part of the memory budget that they may take.
const FOOTER_CACHE_PART: usize = 20;

/// How much data a log selector covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Streams that match.
    pub streams: u64,
    /// Segments that may hold their records.
    pub segments: u64,
    /// Bytes of their lines.
    pub bytes: u64,
    /// Records.
    pub entries: u64,
}

/// Metadata of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricMetadata {
    /// Name of the metric family as Prometheus shows it: without `_bucket`, `_sum`, `_count`.
    pub name: String,
    /// Prometheus type: `counter gauge histogram summary unknown`.
    pub kind: String,
    /// Unit; empty if not known.
    pub unit: String,
    /// Description; empty if not known.
    pub help: String,
}

/// Runs queries against a store.
pub struct Session {
    pub(crate) store: Arc<Store>,
    pub(crate) limits: Limits,
    pub(crate) runtime: Arc<RuntimeEnv>,
    pub(crate) state: SessionState,
    pub(crate) tenants: Tenants,
    permits: Arc<Semaphore>,
    /// Places in the queue for a permit.
    waiting: Semaphore,
    samples: Arc<SampleCache>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Session {
    /// A session over a store; all its queries share the store's memory budget.
    pub fn new(store: Arc<Store>, limits: Limits) -> Result<Self, Error> {
        let budget = store.budget();
        let footer_bytes = FOOTER_CACHE_BYTES.min(budget.bytes_max() / FOOTER_CACHE_PART);
        let footers = Footers::new(budget, footer_bytes);
        let kept: Weak<Footers> = Arc::downgrade(&footers);
        store.tell(kept);
        let caches = CacheManagerConfig::default()
            .with_metadata_cache_limit(footer_bytes)
            .with_file_metadata_cache(Some(footers));
        let runtime = RuntimeEnvBuilder::new()
            .with_disk_manager_builder(disk(&limits)?)
            .with_cache_manager(caches)
            .build_arc()
            .map_err(from_datafusion)?;
        let url = ObjectStoreUrl::parse(LAKE_URL).map_err(from_datafusion)?;
        runtime.register_object_store(url.as_ref(), store.snapshot("").objects);
        let mut state = SessionStateBuilder::new()
            .with_config(config())
            .with_runtime_env(Arc::clone(&runtime))
            .with_expr_planners(vec![Arc::new(BoundedOperators::new())])
            .with_default_features()
            .build();
        bounded::bound(&mut state).map_err(from_datafusion)?;
        let samples = SampleCache::new(budget, limits.samples_cache_bytes_max);
        let kept: Weak<SampleCache> = Arc::downgrade(&samples);
        store.tell(kept);
        let permits = Arc::new(Semaphore::new(limits.concurrency_max));
        let waiting = Semaphore::new(limits.queue_max.min(Semaphore::MAX_PERMITS));
        let tenants = Tenants::default();
        Ok(Self { store, limits, runtime, state, tenants, permits, waiting, samples })
    }

    /// What one query may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// From now on these are the limits of tenants; queries that run keep theirs.
    pub fn set_tenant_limits(&self, limits: LimitsOfTenants) {
        self.tenants.set(limits);
    }

    /// The time that one query of a tenant may take.
    pub fn timeout(&self, tenant: &str) -> Duration {
        self.tenants.timeout(tenant, &self.limits)
    }

    /// Runs a query of any of the three languages.
    pub async fn run(&self, tenant: &str, query: Query) -> Result<QueryOutput, Error> {
        self.tenants.check(tenant, &query)?;
        let admitted = self.admit(tenant).await?;
        let root = plan::rules::optimize(query.root);
        let ctx = self.context(tenant, query.naming);
        query.annotations.into_iter().for_each(|annotation| ctx.annotations.add(annotation));
        let annotations = Arc::clone(&ctx.annotations);
        let stats = Arc::clone(&ctx.stats);
        let memory = ctx.memory.clone();
        let (kind, stream) = match root.shape() {
            Shape::Vector | Shape::Scalar => {
                let grid = query.grid.ok_or_else(|| lower::impossible("series without a grid"))?;
                self.series(root, grid, &ctx)?
            }
            Shape::Rows(_) | Shape::Spansets => lower::rows(root, ctx).await?,
            Shape::Names => lower::names(root, ctx).await?,
            Shape::Text => lower::text(root)?,
        };
        let stream = self.guard(stream, admitted, memory.clone());
        Ok(QueryOutput { kind, stream, stats, memory, annotations })
    }

    /// How a query would be run, as text: our plan, then DataFusion's.
    pub async fn explain(&self, tenant: &str, query: Query) -> Result<String, Error> {
        let root = plan::rules::optimize(query.root);
        let mut text = plan::explain(&root);
        if let (Shape::Vector | Shape::Scalar, Some(grid)) = (root.shape(), query.grid) {
            self.store.ready(tenant).await?;
            let ctx = self.context(tenant, query.naming);
            let plan = series_plan(root, grid, &ctx)?;
            text.push_str(&displayable(plan.as_ref()).indent(false).to_string());
        }
        Ok(text)
    }

    /// How much data a log selector covers; bytes are estimated from segment sizes.
    pub async fn stream_stats(
        &self,
        tenant: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<StreamStats, Error> {
        self.store.ready(tenant).await?;
        lower::stream_stats(&self.context(tenant, Naming::AtOnce), matchers, range)
    }

    /// Metadata of metrics, sorted by name; `name` picks one.
    pub async fn metric_metadata(
        &self,
        tenant: &str,
        name: Option<&str>,
    ) -> Result<Vec<MetricMetadata>, Error> {
        self.store.ready(tenant).await?;
        Ok(crate::metadata::metrics(&self.store.series(tenant), name))
    }

    fn series(
        &self,
        root: Node,
        grid: StepGrid,
        ctx: &Context,
    ) -> Result<(OutputKind, BatchStream), Error> {
        let scalar = root.shape() == Shape::Scalar;
        let plan = series_plan(root, grid, ctx)?;
        let stream = execute(&plan, &ctx.task)?;
        if !scalar {
            return Ok((OutputKind::Series { grid }, stream));
        }
        let values = |batch: Result<RecordBatch, Error>| {
            let project = |batch: RecordBatch| batch.project(&[1]);
            batch.and_then(|batch| project(batch).map_err(|error| from_datafusion(error.into())))
        };
        Ok((OutputKind::Scalar { grid }, stream.map(values).boxed()))
    }

    pub(crate) fn context(&self, tenant: &str, naming: Naming) -> Context {
        let (memory, runtime) = self.runtime_of_query();
        // The default one would come with an unused surrounding of its own.
        let task = TaskContext::new(
            None,
            String::new(),
            self.state.config().clone(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            Arc::clone(&runtime),
        );
        Context {
            snapshot: Arc::new(self.store.snapshot(tenant)),
            roster: Roster::new(naming, self.limits.series_max, memory.hold("labels")),
            stats: self.stats(tenant),
            annotations: Arc::default(),
            limits: self.tenants.within(tenant, &self.limits),
            samples: Arc::clone(&self.samples),
            task: Arc::new(task),
            runtime,
            memory,
        }
    }

    /// Where a tenant's query is counted, within the bytes that it may read.
    pub(crate) fn stats(&self, tenant: &str) -> Arc<QueryStats> {
        Arc::new(QueryStats::within(self.tenants.of(tenant).bytes_max))
    }

    /// The memory of one query, and DataFusion's surroundings that draw on it.
    pub(crate) fn runtime_of_query(&self) -> (QueryMemory, Arc<RuntimeEnv>) {
        let memory = QueryMemory::within(self.store.budget(), self.limits.memory_bytes_max);
        let mut runtime = self.runtime.as_ref().clone();
        runtime.memory_pool = memory.pool();
        (memory, Arc::new(runtime))
    }

    /// Waits for a place among the running queries.
    pub(crate) async fn admit(&self, tenant: &str) -> Result<Admitted, Error> {
        let pressure = self.store.budget().wait_for_memory().await;
        pressure.map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))?;
        self.store.ready(tenant).await?;
        let started = Instant::now();
        let timeout = self.timeout(tenant);
        let wait = self.limits.queue_timeout.min(timeout);
        let of_tenant = self.tenants.enter(tenant, started + wait).await?;
        let until = started + timeout;
        let admitted = |permit| Admitted { _of_tenant: of_tenant, _permit: permit, until, timeout };
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(admitted(permit));
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            let message = format!(
                "too many outstanding requests: {} queries wait, the limit of queue_max",
                self.limits.queue_max
            );
            return Err(Error::new(ErrorKind::Unavailable, message));
        };
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout_at(started + wait, permit).await {
            Ok(Ok(permit)) => Ok(admitted(permit)),
            Ok(Err(error)) => {
                Err(Error::with_source(ErrorKind::Unavailable, "the session is closing", error))
            }
            Err(_) => {
                let message = format!(
                    "too many outstanding requests: the query waited for {} s, the limit of \
                     queue_timeout, while {} others ran",
                    wait.as_secs_f64(),
                    self.limits.concurrency_max
                );
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }

    /// Ends a stream at its first error and at the query's deadline, and holds the query's place
    /// and what memory it keeps until then.
    pub(crate) fn guard<T: Send + 'static>(
        &self,
        stream: BoxStream<'static, Result<T, Error>>,
        admitted: Admitted,
        memory: QueryMemory,
    ) -> BoxStream<'static, Result<T, Error>> {
        let timeout = admitted.timeout;
        let state = Some((stream, admitted, memory));
        futures::stream::unfold(state, move |state| async move {
            let (mut stream, admitted, memory) = state?;
            match tokio::time::timeout_at(admitted.until, stream.next()).await {
                Ok(None) => None,
                Ok(Some(Ok(batch))) => Some((Ok(batch), Some((stream, admitted, memory)))),
                Ok(Some(Err(error))) => Some((Err(error), None)),
                Err(_) => Some((Err(timed_out(timeout)), None)),
            }
        })
        .fuse()
        .boxed()
    }
}

/// Batches on their way out.
pub(crate) type BatchStream = BoxStream<'static, Result<RecordBatch, Error>>;

/// A place among the running queries, and until when it may be held.
pub(crate) struct Admitted {
    _of_tenant: Permit,
    _permit: OwnedSemaphorePermit,
    until: Instant,
    timeout: Duration,
}

fn timed_out(timeout: Duration) -> Error {
    let seconds = timeout.as_secs_f64();
    Error::new(ErrorKind::Timeout, format!("the query took over {seconds} s, the limit of timeout"))
}

/// Runs the partitions of a plan one after the other.
pub(crate) fn execute(
    plan: &Arc<dyn ExecutionPlan>,
    task: &Arc<TaskContext>,
) -> Result<BatchStream, Error> {
    let stream = datafusion::physical_plan::execute_stream(Arc::clone(plan), Arc::clone(task));
    let stream = stream.map_err(from_datafusion)?;
    Ok(stream.map(|batch| batch.map_err(from_datafusion)).boxed())
}

/// The operators of a query for series: order and limit of the root belong to the output.
fn series_plan(root: Node, grid: StepGrid, ctx: &Context) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let (root, limit) = match root {
        Node::Limit(node) => (*node.input, Some(node.count)),
        root => (root, None),
    };
    let (root, order): (Node, Option<SortBy>) = match root {
        Node::Sort(node) => (*node.input, Some(node.by)),
        root => (root, None),
    };
    let tiles = lower::series(root, &grid, ctx)?;
    let roster = Arc::clone(&ctx.roster);
    Ok(Arc::new(SeriesOutputExec::new(tiles, grid.steps, order, limit, roster)))
}

/// Where operators spill: an empty folder, or nowhere.
fn disk(limits: &Limits) -> Result<DiskManagerBuilder, Error> {
    let Some(folder) = &limits.spill_dir else {
        return Ok(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled));
    };
    let emptied = match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::create_dir_all(folder),
    };
    emptied.map_err(|error| {
        let message = format!("cannot empty {}: {error}", folder.display());
        Error::with_source(ErrorKind::Unavailable, message, error)
    })?;
    Ok(DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![folder.clone()]))
        .with_max_temp_directory_size(limits.spill_bytes_max))
}

fn config() -> SessionConfig {
    let mut config = SessionConfig::new().with_information_schema(true);
    let options = config.options_mut();
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    options.execution.collect_statistics = false;
    options.optimizer.prefer_existing_sort = true;
    options.catalog.default_catalog = crate::sql::CATALOG.to_owned();
    options.catalog.default_schema = crate::sql::SCHEMA.to_owned();
    options.sql_parser.map_string_types_to_utf8view = false;
    config
}
