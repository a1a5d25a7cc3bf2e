//! `scan`: which segments are opened, and how.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::DFSchema;
use datafusion::config::TableParquetOptions;
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
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use schemas::model::TimeRange;
use schemas::tables::{Table, TableLayout};
use storage::{Segment, Snapshot, fit};

use super::attributes::{Attributes, Reading, Way, readings};
use super::mask::MaskExec;
use super::pruning;
use super::reader::{HeldReaders, kept_bytes};
use crate::memory::QueryMemory;
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
    /// Positions in the table's layout of the columns wanted, in the order wanted.
    pub(crate) projection: Vec<usize>,
    /// Rows that do not satisfy it are left out, as far as Parquet can tell: exact for integer,
    /// text and binary columns, not for nested ones.
    pub(crate) filter: Option<Expr>,
    /// What is done with attributes: rows that are of no use for it may be left out, too, and
    /// overflow objects may be null in which nothing of use would be found.
    pub(crate) attributes: Attributes,
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
    let layout = request.snapshot.layout(request.table);
    let table = request.snapshot.table(request.table);
    let predicate =
        request.filter.as_ref().map(|filter| physical(filter, layout.schema())).transpose()?;
    let deletes = &request.snapshot.deletes;
    let mut in_range = table.segments_in(&request.range);
    in_range.retain(|segment| !deletes.hides(request.table, segment));
    let opened = match &predicate {
        None => in_range,
        Some(predicate) => pruning::keep(in_range, &layout, predicate)?,
    };
    let (masked, clear): (Vec<_>, Vec<_>) =
        opened.into_iter().partition(|segment| deletes.applies(request.table, segment));
    let readings = readings(&request.attributes, &layout, &request.projection, clear);
    let read: usize = readings.iter().map(|reading| reading.segments.len()).sum();
    let read = read + masked.len();
    let pruned = table.segments.len() - read;
    stats.segments_pruned.fetch_add(pruned as u64, Ordering::Relaxed);
    stats.segments_read.fetch_add(read as u64, Ordering::Relaxed);
    let mut opened = Vec::new();
    for reading in &readings {
        opened.push(open(&request, &layout, reading, &request.projection, (runtime, stats))?);
    }
    if !masked.is_empty() {
        opened.push(open_masked(&request, &layout, masked, (runtime, stats))?);
    }
    let segments = match opened.len() {
        0 | 1 => opened.pop(),
        _ => Some(UnionExec::try_new(opened)?),
    };
    let memtable = buffered(&request, &layout, &table.batches)?;
    Ok(Scanned { segments, memtable })
}

/// Segments and memtable as one plan, in no particular order.
pub(crate) fn union(scanned: Scanned) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    match scanned.segments {
        None => Ok(scanned.memtable),
        Some(segments) => UnionExec::try_new(vec![scanned.memtable, segments]),
    }
}

/// Opens segments that may have hidden rows: they are read with the columns that tell them, and
/// with all that may tell their attributes.
fn open_masked(
    request: &ScanRequest<'_>,
    layout: &TableLayout,
    masked: Vec<Arc<Segment>>,
    surroundings: (&RuntimeEnv, &QueryStats),
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let deletes = request.snapshot.deletes.clone();
    let mut columns = request.projection.clone();
    let asked = deletes.columns(request.table, layout);
    columns.extend(asked.into_iter().filter(|at| !request.projection.contains(at)));
    let reading = Reading { segments: masked.clone(), way: Way::default() };
    let input = open(request, layout, &reading, &columns, surroundings)?;
    let wanted = request.projection.len();
    Ok(Arc::new(MaskExec::new(input, request.table, masked, deletes, wanted)?))
}

fn open(
    request: &ScanRequest<'_>,
    layout: &TableLayout,
    reading: &Reading,
    projection: &[usize],
    (runtime, stats): (&RuntimeEnv, &QueryStats),
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let cache = runtime.cache_manager.get_file_metadata_cache();
    let objects = Arc::clone(&request.snapshot.objects);
    let readers = CachedParquetFileReaderFactory::new(objects, cache);
    let memory = QueryMemory::of(&runtime.memory_pool);
    let filters = [request.filter.clone(), reading.way.filter(&request.attributes)];
    let filter = conjunction(filters.into_iter().flatten());
    let kept_bytes = match &filter {
        Some(_) => kept_bytes(runtime.memory_pool.as_ref(), reading.segments.len()),
        None => 0,
    };
    let readers = HeldReaders::new(readers, memory, stats.bytes_read.clone(), kept_bytes);
    let mut options = TableParquetOptions::default();
    options.global.max_predicate_cache_size = Some(kept_bytes);
    let mut source = ParquetSource::new(Arc::clone(layout.schema()))
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(readers))
        .with_pushdown_filters(true)
        .with_reorder_filters(true)
        .with_enable_page_index(true)
        .with_bloom_filter_on_read(true);
    if let Some(filter) = filter {
        source = source.with_predicate(physical(&filter, layout.schema())?);
    }
    let groups = reading.segments.iter().map(|segment| {
        let hint = usize::try_from(segment.footer_bytes).unwrap_or(0).max(8);
        let file = PartitionedFile::new(segment.path.clone(), segment.bytes);
        FileGroup::new(vec![file.with_metadata_size_hint(hint)])
    });
    let url = ObjectStoreUrl::parse(LAKE_URL)?;
    let config = FileScanConfigBuilder::new(url, Arc::new(source))
        .with_file_groups(groups.collect())
        .with_projection_indices(Some(reading.way.read(projection)))?
        // Otherwise a partition that is done takes over the file of another one, and its rows are
        // no longer in order, nor those that are masked as they must be.
        .with_preserve_order(true)
        .build();
    let plan = DataSourceExec::from_data_source(config);
    reading.way.complete(plan, layout, projection)
}

/// Rows that are not in segments. Only the columns that are asked for are laid out: batches that
/// are older than a column get nulls for it.
fn buffered(
    request: &ScanRequest<'_>,
    layout: &TableLayout,
    batches: &[RecordBatch],
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let wanted = layout.schema().project(&request.projection)?;
    if batches.is_empty() {
        return Ok(Arc::new(EmptyExec::new(Arc::new(wanted))));
    }
    let mut read = request.projection.clone();
    for column in request.filter.iter().flat_map(Expr::column_refs) {
        let at = layout.schema().index_of(&column.name)?;
        if !read.contains(&at) {
            read.push(at);
        }
    }
    let schema = Arc::new(layout.schema().project(&read)?);
    let fitted = batches.iter().map(|batch| fit(batch, &schema));
    let fitted = fitted.collect::<Result<Vec<_>, _>>()?;
    let memory = MemorySourceConfig::try_new_exec(&[fitted], Arc::clone(&schema), None)?;
    match &request.filter {
        None => Ok(memory),
        Some(filter) => {
            let filter = FilterExec::try_new(physical(filter, &schema)?, memory)?;
            let wanted: Vec<usize> = (0..request.projection.len()).collect();
            project(Arc::new(filter), &wanted)
        }
    }
}

/// A filter over columns of `schema`.
fn physical(filter: &Expr, schema: &SchemaRef) -> datafusion::error::Result<Arc<dyn PhysicalExpr>> {
    let names = DFSchema::try_from(Arc::clone(schema))?;
    let context = PhysicalPlanningContext::default();
    create_physical_expr(filter, &names, &ExecutionProps::new(), &context)
}

/// The chosen columns of a plan, in the order chosen.
fn project(
    input: Arc<dyn ExecutionPlan>,
    projection: &[usize],
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let schema = input.schema();
    let columns = projection.iter().map(|at| {
        let name = schema.field(*at).name().clone();
        (Arc::new(Column::new(&name, *at)) as _, name)
    });
    let columns: Vec<(Arc<dyn PhysicalExpr>, String)> = columns.collect();
    Ok(Arc::new(ProjectionExec::try_new(columns, input)?))
}
