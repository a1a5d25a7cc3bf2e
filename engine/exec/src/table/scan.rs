//! `scan`: which segments are opened, and how.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::record_batch::RecordBatch;
use datafusion::common::DFSchema;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::union::UnionExec;
use schemas::model::TimeRange;
use schemas::tables::Table;
use storage::{Segment, Snapshot};

use super::pruning;
use crate::output::QueryStats;

/// Where DataFusion looks the lake's object store up.
pub(crate) const LAKE_URL: &str = "lake://segments/";

/// What is read of a table.
pub(crate) struct ScanRequest<'a> {
    /// From where.
    pub(crate) snapshot: &'a Snapshot,
    /// Which table.
    pub(crate) table: Table,
    /// Rows outside may be returned unless `filter` refuses them; segments outside are not read.
    pub(crate) range: TimeRange,
    /// Positions of the columns wanted, in the order wanted.
    pub(crate) projection: Vec<usize>,
    /// Rows that do not satisfy it are left out, as far as Parquet can tell: exact for integer,
    /// text and binary columns, not for nested ones.
    pub(crate) filter: Option<Expr>,
}

/// The parts of a scan.
pub(crate) struct Scanned {
    /// One partition a segment, each in the table's sort order; `None` if no segment is left.
    pub(crate) segments: Option<Arc<dyn ExecutionPlan>>,
    /// Memtable batches with the wanted columns, filtered, in order of arrival.
    pub(crate) memtable: Arc<dyn ExecutionPlan>,
}

/// Plans the scan of a table; nothing is read yet.
pub(crate) fn scan(
    request: ScanRequest<'_>,
    runtime: &RuntimeEnv,
    stats: &QueryStats,
) -> datafusion::error::Result<Scanned> {
    let schema = request.table.schema();
    let table = request.snapshot.table(request.table);
    let predicate = match &request.filter {
        None => None,
        Some(filter) => {
            let names = DFSchema::try_from(Arc::clone(&schema))?;
            Some(create_physical_expr(
                filter,
                &names,
                &ExecutionProps::new(),
                &PhysicalPlanningContext::default(),
            )?)
        }
    };
    let in_range = table.segments_in(&request.range);
    let opened = match &predicate {
        None => in_range,
        Some(predicate) => pruning::keep(in_range, request.table, predicate)?,
    };
    let pruned = table.segments.len() - opened.len();
    stats.segments_pruned.fetch_add(pruned as u64, Ordering::Relaxed);
    stats.segments_read.fetch_add(opened.len() as u64, Ordering::Relaxed);
    let segments = if opened.is_empty() {
        None
    } else {
        Some(open(&request, &opened, predicate.as_ref(), runtime)?)
    };
    let memtable = buffered(&request, &table.batches, predicate)?;
    Ok(Scanned { segments, memtable })
}

/// Segments and memtable as one plan, in no particular order.
pub(crate) fn union(scanned: Scanned) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    match scanned.segments {
        None => Ok(scanned.memtable),
        Some(segments) => UnionExec::try_new(vec![scanned.memtable, segments]),
    }
}

fn open(
    request: &ScanRequest<'_>,
    opened: &[Arc<Segment>],
    predicate: Option<&Arc<dyn PhysicalExpr>>,
    runtime: &RuntimeEnv,
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let cache = runtime.cache_manager.get_file_metadata_cache();
    let objects = Arc::clone(&request.snapshot.objects);
    let mut source = ParquetSource::new(request.table.schema())
        .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(
            objects, cache,
        )))
        .with_pushdown_filters(true)
        .with_reorder_filters(true)
        .with_enable_page_index(true)
        .with_bloom_filter_on_read(true);
    if let Some(predicate) = predicate {
        source = source.with_predicate(Arc::clone(predicate));
    }
    let groups = opened.iter().map(|segment| {
        let hint = usize::try_from(segment.footer_bytes).unwrap_or(0).max(8);
        let file = PartitionedFile::new(segment.path.clone(), segment.bytes);
        FileGroup::new(vec![file.with_metadata_size_hint(hint)])
    });
    let url = ObjectStoreUrl::parse(LAKE_URL)?;
    let config = FileScanConfigBuilder::new(url, Arc::new(source))
        .with_file_groups(groups.collect())
        .with_projection_indices(Some(request.projection.clone()))?
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

fn buffered(
    request: &ScanRequest<'_>,
    batches: &[RecordBatch],
    predicate: Option<Arc<dyn PhysicalExpr>>,
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let schema = request.table.schema();
    if batches.is_empty() {
        return Ok(Arc::new(EmptyExec::new(Arc::new(schema.project(&request.projection)?))));
    }
    let partitions = [batches.to_vec()];
    match predicate {
        None => {
            let projection = Some(request.projection.clone());
            Ok(MemorySourceConfig::try_new_exec(&partitions, schema, projection)?)
        }
        Some(predicate) => {
            let memory = MemorySourceConfig::try_new_exec(&partitions, schema, None)?;
            let filter = FilterExec::try_new(predicate, memory)?;
            super::memtable::project(Arc::new(filter), &request.projection)
        }
    }
}
