//! `ScalarOfExec`: a vector as a scalar.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};

use super::collect::{collect, no_labels};
use super::node::{execution_plan, place, single_partition, stream};
use crate::Error;
use crate::roster::Roster;
use crate::tiles::{self, TileBuilder};

/// At each step the value of the only series that has one; NaN if there are none or several.
pub(crate) struct ScalarOfExec {
    input: Arc<dyn ExecutionPlan>,
    steps: u32,
    series: u32,
    properties: Arc<PlanProperties>,
}

impl ScalarOfExec {
    /// `input` is a vector of so many steps.
    pub(crate) fn new(
        input: Arc<dyn ExecutionPlan>,
        steps: u32,
        roster: &Roster,
    ) -> Result<Self, Error> {
        let properties = single_partition(tiles::schema(steps));
        Ok(Self { input, steps, series: no_labels(roster)?, properties })
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_inputs(&self, mut inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let properties = Arc::clone(&self.properties);
        Self { input: inputs.swap_remove(0), steps: self.steps, series: self.series, properties }
    }

    fn describe(&self) -> String {
        String::new()
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, context) = (Arc::clone(&self.input), Arc::clone(context));
        let (steps, series) = (self.steps, self.series);
        Ok(stream(self.schema(), place(&self.inputs()), |sender| async move {
            let mut only = vec![f64::NAN; steps as usize];
            let mut seen = vec![0_u32; steps as usize];
            collect(&input, &context).await?.for_each(|tile| {
                for step in 0..only.len() {
                    if let Some(value) = tile.get(step) {
                        seen[step] += 1;
                        only[step] = if seen[step] == 1 { value } else { f64::NAN };
                    }
                }
                Ok::<(), Error>(())
            })?;
            let mut tile = TileBuilder::new(steps);
            tile.push(series, &only, &vec![true; steps as usize]);
            // A consumer that is gone wants no more batches.
            let _ = sender.send(Ok(tile.finish())).await;
            Ok(())
        }))
    }
}

execution_plan!(ScalarOfExec);
