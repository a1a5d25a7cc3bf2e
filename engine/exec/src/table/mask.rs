//! Masks: rows of segments that must not be seen are left out as they are read.
//!
//! ```text
//!  segments ─┬ nothing hidden ─▶ DataSourceExec ──────────────────────────────────▶ union
//!            └ some rows may be ─▶ DataSourceExec (+ the columns asked about) ─ MaskExec ─▶
//! ```

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;
use schemas::tables::Table;
use storage::{Deletes, Segment};

/// Leaves out hidden rows: partition by partition those of one segment, in the order they come.
///
/// Input: the wanted columns, then those that are asked about. Output: the wanted columns.
#[derive(Debug)]
pub(super) struct MaskExec {
    input: Arc<dyn ExecutionPlan>,
    table: Table,
    /// The segment of each partition.
    segments: Vec<Arc<Segment>>,
    deletes: Deletes,
    wanted: usize,
    properties: Arc<PlanProperties>,
}

impl MaskExec {
    /// Over an input with one partition for each of `segments`, of whose columns the first
    /// `wanted` are returned.
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        table: Table,
        segments: Vec<Arc<Segment>>,
        deletes: Deletes,
        wanted: usize,
    ) -> Result<Self> {
        let columns: Vec<usize> = (0..wanted).collect();
        let schema = Arc::new(input.schema().project(&columns)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { input, table, segments, deletes, wanted, properties: Arc::new(properties) })
    }
}

impl DisplayAs for MaskExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaskExec: table={}, segments={}", self.table.name(), self.segments.len())
    }
}

impl ExecutionPlan for MaskExec {
    fn name(&self) -> &'static str {
        "MaskExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| Arc::clone(&self.input));
        let (segments, deletes) = (self.segments.clone(), self.deletes.clone());
        Ok(Arc::new(Self::new(input, self.table, segments, deletes, self.wanted)?))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let Some(segment) = self.segments.get(partition).cloned() else { return Ok(input) };
        let (table, deletes) = (self.table, self.deletes.clone());
        let columns: Vec<usize> = (0..self.wanted).collect();
        let masked = input.map(move |rows| mask(&deletes, table, &segment, &rows?, &columns));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), masked)))
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(self.properties.eq_properties.schema())
    }
}

fn mask(
    deletes: &Deletes,
    table: Table,
    segment: &Segment,
    rows: &RecordBatch,
    columns: &[usize],
) -> Result<RecordBatch> {
    let kept = deletes.keep(table, segment, rows).map_err(crate::Error::from)?;
    let wanted = rows.project(columns)?;
    match kept {
        None => Ok(wanted),
        Some(kept) => Ok(filter_record_batch(&wanted, &kept)?),
    }
}
