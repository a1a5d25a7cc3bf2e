//! What all our operators have in common: one output partition, tiles out, children replaced as
//! a whole.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use tokio::sync::mpsc::Sender;

use crate::tiles::TileBuilder;

/// Batches that wait between an operator and its consumer.
const BATCHES_QUEUED_MAX: usize = 2;

/// Properties of an operator with one partition of `schema`.
pub(super) fn single_partition(schema: SchemaRef) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(1),
        EmissionType::Final,
        Boundedness::Bounded,
    ))
}

/// A channel of batches that a task fills; dropping the stream stops the task.
pub(super) fn channel(schema: SchemaRef) -> RecordBatchReceiverStreamBuilder {
    RecordBatchReceiverStreamBuilder::new(schema, BATCHES_QUEUED_MAX)
}

/// Sends tiles if there are enough for a batch; whether the consumer wants more.
pub(super) async fn send_full(
    tiles: &mut TileBuilder,
    sender: &Sender<datafusion::error::Result<RecordBatch>>,
) -> bool {
    !tiles.is_full() || sender.send(Ok(tiles.finish())).await.is_ok()
}

/// Sends the last tiles, if there are any.
pub(super) async fn send_rest(
    mut tiles: TileBuilder,
    sender: &Sender<datafusion::error::Result<RecordBatch>>,
) {
    if !tiles.is_empty() {
        // A consumer that is gone wants no more batches.
        let _ = sender.send(Ok(tiles.finish())).await;
    }
}

/// Runs one partition of `input` in a task of its own, so that inputs are decoded in parallel.
pub(crate) fn spawn(
    input: &Arc<dyn ExecutionPlan>,
    partition: usize,
    context: &Arc<TaskContext>,
) -> datafusion::error::Result<SendableRecordBatchStream> {
    let stream = input.execute(partition, Arc::clone(context))?;
    let mut builder = channel(input.schema());
    let sender = builder.tx();
    builder.spawn(async move {
        use futures::StreamExt;
        let mut stream = stream;
        while let Some(batch) = stream.next().await {
            if sender.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    Ok(builder.build())
}

/// Writes the parts of `ExecutionPlan` that are the same for all our operators: the type must
/// have a field `properties` and methods `inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>>`,
/// `with_inputs(&self, Vec<Arc<dyn ExecutionPlan>>) -> Self`, `describe(&self) -> String` and
/// `start(&self, &Arc<TaskContext>) -> Result<SendableRecordBatchStream>`.
macro_rules! execution_plan {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl datafusion::physical_plan::DisplayAs for $name {
            fn fmt_as(
                &self,
                _format: datafusion::physical_plan::DisplayFormatType,
                f: &mut std::fmt::Formatter<'_>,
            ) -> std::fmt::Result {
                write!(f, "{}: {}", stringify!($name), self.describe())
            }
        }

        impl datafusion::physical_plan::ExecutionPlan for $name {
            fn name(&self) -> &str {
                stringify!($name)
            }

            fn properties(&self) -> &std::sync::Arc<datafusion::physical_plan::PlanProperties> {
                &self.properties
            }

            fn children(
                &self,
            ) -> Vec<&std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>> {
                self.inputs()
            }

            fn apply_expressions(
                &self,
                _visit: &mut dyn FnMut(
                    &std::sync::Arc<dyn datafusion::physical_expr::PhysicalExpr>,
                ) -> datafusion::error::Result<
                    datafusion::common::tree_node::TreeNodeRecursion,
                >,
            ) -> datafusion::error::Result<datafusion::common::tree_node::TreeNodeRecursion> {
                Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
            }

            fn with_new_children(
                self: std::sync::Arc<Self>,
                children: Vec<std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>>,
            ) -> datafusion::error::Result<
                std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>,
            > {
                Ok(std::sync::Arc::new(self.with_inputs(children)))
            }

            fn execute(
                &self,
                partition: usize,
                context: std::sync::Arc<datafusion::execution::TaskContext>,
            ) -> datafusion::error::Result<datafusion::execution::SendableRecordBatchStream> {
                assert_eq!(partition, 0, "our operators have one partition");
                self.start(&context)
            }
        }
    };
}
pub(super) use execution_plan;
