//! Memtable batches: rows that are not in segments yet, in order of arrival.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;

/// The chosen columns of a plan, in the order chosen.
pub(super) fn project(
    input: Arc<dyn ExecutionPlan>,
    projection: &[usize],
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let schema = input.schema();
    let columns = projection.iter().map(|at| {
        let name = schema.field(*at).name().clone();
        (Arc::new(Column::new(&name, *at)) as _, name)
    });
    let columns: Vec<(Arc<dyn datafusion::physical_expr::PhysicalExpr>, String)> =
        columns.collect();
    Ok(Arc::new(ProjectionExec::try_new(columns, input)?))
}

/// The rows of each batch that `keep` accepts, with the chosen columns; empty batches are left
/// out.
pub(crate) fn filter_batches(
    batches: &[RecordBatch],
    projection: &[usize],
    keep: impl Fn(&RecordBatch) -> BooleanArray,
) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut kept = Vec::with_capacity(batches.len());
    for batch in batches {
        let mask = keep(batch);
        if mask.true_count() > 0 {
            kept.push(filter_record_batch(&batch.project(projection)?, &mask)?);
        }
    }
    Ok(kept)
}
