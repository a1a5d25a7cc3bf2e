//! What all our operators have in common: one output partition, tiles out, children replaced as
//! a whole.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::{
    RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter,
};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc::{Receiver, Sender};

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

/// Where the batches of an operator are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// By whoever asks for them: no other thread is woken up, and batches stay in its cache.
    Here,
    /// In a task of its own, beside whoever asks for them.
    Task,
}

/// Operators that are computed in place above each other, at most: each takes some of the stack.
const DEPTH_IN_PLACE: usize = 8;

/// Where an operator with such inputs is computed: in place, unless it stands on too many others.
/// Those that read samples have tasks of their own where that pays.
pub(super) fn place(inputs: &[&Arc<dyn ExecutionPlan>]) -> Place {
    fn is_lower(inputs: &[&Arc<dyn ExecutionPlan>], depth: usize) -> bool {
        let is_input_lower = |input: &&Arc<dyn ExecutionPlan>| match depth.checked_sub(1) {
            Some(rest) => is_lower(&input.children(), rest),
            None => false,
        };
        inputs.iter().all(is_input_lower)
    }
    if is_lower(inputs, DEPTH_IN_PLACE) { Place::Here } else { Place::Task }
}

/// The batches that a future sends until it ends; dropping the stream stops it.
pub(super) fn stream<F: Future<Output = Result<()>> + Send + 'static>(
    schema: SchemaRef,
    place: Place,
    produce: impl FnOnce(Sender<Result<RecordBatch>>) -> F,
) -> SendableRecordBatchStream {
    match place {
        Place::Here => {
            let (sender, queue) = tokio::sync::mpsc::channel(BATCHES_QUEUED_MAX);
            let batches = in_place(Box::pin(produce(sender)), queue);
            Box::pin(RecordBatchStreamAdapter::new(schema, batches))
        }
        Place::Task => {
            let mut builder = channel(schema);
            let producer = produce(builder.tx());
            builder.spawn(producer);
            builder.build()
        }
    }
}

/// What a future puts into a queue, which is polled when the queue is empty; its error comes last.
fn in_place(
    future: Pin<Box<dyn Future<Output = Result<()>> + Send>>,
    mut queue: Receiver<Result<RecordBatch>>,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    let (mut future, mut failure) = (Some(future), None);
    futures::stream::poll_fn(move |cx| {
        loop {
            // Pending though something is queued: then it is another task's turn.
            let queued = queue.poll_recv(cx);
            if let Poll::Ready(Some(batch)) = queued {
                return Poll::Ready(Some(batch));
            }
            let Some(running) = &mut future else {
                return queued.map(|_| failure.take().map(Err));
            };
            match running.as_mut().poll(cx) {
                Poll::Ready(ended) => (future, failure) = (None, ended.err()),
                Poll::Pending => {
                    return match queue.poll_recv(cx) {
                        Poll::Ready(Some(batch)) => Poll::Ready(Some(batch)),
                        _ => Poll::Pending,
                    };
                }
            }
        }
    })
}

/// Sends tiles if there are enough for a batch; whether the consumer wants more.
pub(super) async fn send_full(
    tiles: &mut TileBuilder,
    sender: &Sender<Result<RecordBatch>>,
) -> bool {
    !tiles.is_full() || sender.send(Ok(tiles.finish())).await.is_ok()
}

/// Sends the last tiles, if there are any.
pub(super) async fn send_rest(mut tiles: TileBuilder, sender: &Sender<Result<RecordBatch>>) {
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
) -> Result<SendableRecordBatchStream> {
    let stream = input.execute(partition, Arc::clone(context))?;
    let mut builder = channel(input.schema());
    let sender = builder.tx();
    builder.spawn(async move {
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

#[cfg(test)]
mod tests;
