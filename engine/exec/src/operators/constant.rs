//! `ConstantExec`: a scalar that needs no data.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use schemas::model::StepGrid;

use super::collect::no_labels;
use super::node::{execution_plan, single_partition};
use crate::Error;
use crate::roster::Roster;
use crate::tiles::{self, TileBuilder};

/// One tile without labels: a number at every step, or the steps' own times in seconds.
pub(crate) struct ConstantExec {
    value: Option<f64>,
    grid: StepGrid,
    series: u32,
    properties: Arc<PlanProperties>,
}

impl ConstantExec {
    /// A number at every step; the time of each step without one.
    pub(crate) fn new(value: Option<f64>, grid: StepGrid, roster: &Roster) -> Result<Self, Error> {
        let properties = single_partition(tiles::schema(grid.steps));
        Ok(Self { value, grid, series: no_labels(roster)?, properties })
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_inputs(&self, _inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let properties = Arc::clone(&self.properties);
        Self { value: self.value, grid: self.grid, series: self.series, properties }
    }

    fn describe(&self) -> String {
        self.value.map_or_else(|| "time".to_owned(), |value| value.to_string())
    }

    fn start(&self, _context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut tile = TileBuilder::new(self.grid.steps);
        tile.push_with(self.series, |values, valid| {
            valid.fill(true);
            for (value, time_ns) in values.iter_mut().zip(self.grid.iter()) {
                *value = self.value.unwrap_or_else(|| step_seconds(time_ns));
            }
        });
        let batch = tile.finish();
        let stream = futures::stream::once(async move { Ok(batch) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }
}

/// A step's time in seconds, at the millisecond resolution that PromQL has.
pub(super) fn step_seconds(time_ns: i64) -> f64 {
    time_ns.div_euclid(schemas::model::NANOS_PER_MILLI) as f64 / 1_000.0
}

execution_plan!(ConstantExec);
