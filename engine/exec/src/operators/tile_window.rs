//! `TileWindowExec`: a function over windows of a subquery's steps.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use futures::StreamExt;
use plan::node::WindowFunction;
use schemas::model::{NANOS_PER_MILLI, StepGrid};

use super::node::{channel, execution_plan, single_partition};
use crate::Error;
use crate::functions::window::{self, MixedSamples, Output, Samples, Windows};
use crate::histogram::{Histogram, ResetHint};
use crate::roster::{OrdinalMap, Roster};
use crate::tiles::{self, TileBuilder};

/// Takes the values of each input tile as samples at the input's steps.
pub(crate) struct TileWindowExec {
    input: Arc<dyn ExecutionPlan>,
    function: WindowFunction,
    input_grid: StepGrid,
    windows: Windows,
    roster: Arc<Roster>,
    keep_name: bool,
    properties: Arc<PlanProperties>,
}

impl TileWindowExec {
    /// `input` has the steps of `input_grid`; `windows` are in milliseconds.
    pub(crate) fn new(
        input: Arc<dyn ExecutionPlan>,
        function: WindowFunction,
        input_grid: StepGrid,
        windows: Windows,
        roster: Arc<Roster>,
        keep_name: bool,
    ) -> Self {
        let steps = u32::try_from(windows.count).unwrap_or(u32::MAX);
        let properties = single_partition(tiles::schema(steps));
        Self { input, function, input_grid, windows, roster, keep_name, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_inputs(&self, mut inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        Self::new(
            inputs.swap_remove(0),
            self.function.clone(),
            self.input_grid,
            self.windows,
            Arc::clone(&self.roster),
            self.keep_name,
        )
    }

    fn describe(&self) -> String {
        format!("{:?} over {} ms", self.function, self.windows.range)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut input = self.input.execute(0, Arc::clone(context))?;
        let (function, windows) = (self.function.clone(), self.windows);
        let times: Vec<i64> =
            self.input_grid.iter().map(|time_ns| time_ns.div_euclid(NANOS_PER_MILLI)).collect();
        let mut names =
            OrdinalMap::new(Arc::clone(&self.roster), super::function::name_rule(self.keep_name));
        let mut builder = channel(self.schema());
        let sender = builder.tx();
        builder.spawn(async move {
            let mut output = TileBuilder::new(u32::try_from(windows.count).unwrap_or(u32::MAX));
            let (mut at, mut values) = (Vec::new(), Vec::new());
            while let Some(batch) = input.next().await {
                tiles::for_each(&batch?, |tile| {
                    at.clear();
                    values.clear();
                    for (step, time) in times.iter().enumerate() {
                        if let Some(value) = tile.get(step) {
                            at.push(*time);
                            values.push(value);
                        }
                    }
                    let samples = Samples { times: &at, values: &values };
                    let series = names.get(tile.series)?;
                    if !tile.has_histograms() {
                        output.push_with(series, |values, valid| {
                            let output = &mut Output { values, valid };
                            window::evaluate(&function, samples, &windows, output);
                        });
                        return Ok(());
                    }
                    // What was known of resets between samples is not known between steps.
                    let (at, found): (Vec<i64>, Vec<Histogram>) = tile
                        .histograms()
                        .into_iter()
                        .map(|(step, histogram)| (times[step as usize], unhinted(histogram)))
                        .unzip();
                    let mixed = MixedSamples { numbers: samples, times: &at, histograms: &found };
                    output.push_mixed(series, |values, valid, histograms| {
                        let output = &mut Output { values, valid };
                        window::evaluate_mixed(&function, mixed, &windows, output, histograms);
                    });
                    Ok::<(), Error>(())
                })?;
                if output.is_full() && sender.send(Ok(output.finish())).await.is_err() {
                    return Ok(());
                }
            }
            if !output.is_empty() {
                // A consumer that is gone wants no more batches.
                let _ = sender.send(Ok(output.finish())).await;
            }
            Ok(())
        });
        Ok(builder.build())
    }
}

fn unhinted(histogram: Histogram) -> Histogram {
    let is_gauge = histogram.hint == ResetHint::Gauge;
    if is_gauge { histogram } else { histogram.hinted(ResetHint::Unknown) }
}

execution_plan!(TileWindowExec);
