//! `TileWindowExec`: a function over windows of a subquery's steps.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use futures::StreamExt;
use plan::node::WindowFunction;
use schemas::model::{METRIC_NAME, NANOS_PER_MILLI, StepGrid};

use super::function::name_rule;
use super::node::{execution_plan, place, send_full, send_rest, single_partition, stream};
use super::window_parameters::stepwise;
use super::window_remarks::{tell, tell_numbers};
use crate::Error;
use crate::annotations::Remarks;
use crate::functions::window::{MixedSamples, Output, Samples, Windows};
use crate::histogram::{Histogram, ResetHint};
use crate::roster::{OrdinalMap, Roster};
use crate::tiles::{self, TileBuilder};

/// What a [`TileWindowExec`] computes.
#[derive(Clone, Debug)]
pub(crate) struct TileWindow {
    /// Of the values of each window.
    pub(crate) function: WindowFunction,
    /// The steps of the input.
    pub(crate) input_grid: StepGrid,
    /// In milliseconds.
    pub(crate) windows: Windows,
    /// Whether the values are still those of the metric.
    pub(crate) keep_name: bool,
    /// Where remarks go.
    pub(crate) remarks: Remarks,
}

/// Takes the values of each input tile as samples at the input's steps.
pub(crate) struct TileWindowExec {
    /// The series, then the parameters.
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    work: TileWindow,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl TileWindowExec {
    /// The first input has the steps of the work's grid; the others are scalars with the steps of
    /// the windows, in place of the parameters that the function has.
    pub(crate) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        work: TileWindow,
        roster: Arc<Roster>,
    ) -> Self {
        let steps = u32::try_from(work.windows.count).unwrap_or(u32::MAX);
        let properties = single_partition(tiles::schema(steps));
        Self { inputs, work, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        Self::new(inputs, self.work.clone(), Arc::clone(&self.roster))
    }

    fn describe(&self) -> String {
        format!("{:?} over {} ms", self.work.function, self.work.windows.range)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut input = self.inputs[0].execute(0, Arc::clone(context))?;
        let (parameters, context) = (self.inputs[1..].to_vec(), Arc::clone(context));
        let TileWindow { function, input_grid, windows, keep_name, remarks } = self.work.clone();
        let roster = Arc::clone(&self.roster);
        let times: Vec<i64> =
            input_grid.iter().map(|time_ns| time_ns.div_euclid(NANOS_PER_MILLI)).collect();
        let mut names =
            OrdinalMap::new(Arc::clone(&roster), name_rule(Arc::clone(&roster), keep_name));
        Ok(stream(self.schema(), place(&self.inputs()), |sender| async move {
            let function = stepwise(&function, &parameters, windows.count, &context).await?;
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
                    let labels = remarks.are_wanted().then(|| roster.labels(tile.series));
                    let metric = labels.as_ref().map_or("", |labels| labels.value(METRIC_NAME));
                    if !tile.has_histograms() {
                        output.push_with(series, |values, valid| {
                            let output = &mut Output { values, valid };
                            function.evaluate(samples, &windows, output);
                            if labels.is_some() && output.valid.contains(&true) {
                                tell_numbers(&remarks, metric, function.functions());
                            }
                        });
                        return Ok(());
                    }
                    // What was known of resets between samples is not known between steps.
                    let (at, found): (Vec<i64>, Vec<Histogram>) = tile
                        .histograms()
                        .into_iter()
                        .map(|(step, histogram)| (times[step as usize], unhinted(histogram)))
                        .unzip();
                    let mixed = MixedSamples {
                        numbers: samples,
                        times: &at,
                        histograms: &found,
                        starts: &[],
                    };
                    output.push_mixed(series, |values, valid, histograms| {
                        let output = &mut Output { values, valid };
                        let found = function.evaluate_mixed(mixed, &windows, output, histograms);
                        tell(&remarks, metric, found);
                        if labels.is_some() && output.valid.contains(&true) {
                            tell_numbers(&remarks, metric, function.functions());
                        }
                    });
                    Ok::<(), Error>(())
                })?;
                if !send_full(&mut output, &sender).await {
                    return Ok(());
                }
            }
            send_rest(output, &sender).await;
            Ok(())
        }))
    }
}

fn unhinted(histogram: Histogram) -> Histogram {
    let is_gauge = histogram.hint == ResetHint::Gauge;
    if is_gauge { histogram } else { histogram.hinted(ResetHint::Unknown) }
}

execution_plan!(TileWindowExec);
