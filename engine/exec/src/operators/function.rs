//! `FunctionExec`: functions of the values or labels of one vector.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use futures::StreamExt;
use plan::node::{HistogramNumber, MapFunction};
use regex::Regex;
use schemas::model::{Labels, METRIC_NAME, StepGrid};

use super::collect::{Content, scalar};
use super::constant::step_seconds;
use super::node::{execution_plan, place, send_full, send_rest, single_partition, stream};
use crate::Error;
use crate::functions::scalar as number;
use crate::histogram::Histogram;
use crate::roster::{Identity, OrdinalMap, Roster};
use crate::tiles::{self, Tile, TileBuilder};

/// What is done to each series. Scalars are inputs, one value a step.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A function of each value.
    Map(MapFunction),
    /// The sign of each value turned.
    Negate,
    /// Rounded to a multiple of the scalar.
    Round,
    /// Not below the first scalar, not above the second; nothing where the two are crossed.
    Clamp,
    /// Not below the scalar.
    ClampMin,
    /// Not above the scalar.
    ClampMax,
    /// The step's time in seconds in place of each value.
    StepTime,
    /// 1 where no series has a value, under these labels.
    Absent(Labels),
    /// One label set from another by a pattern.
    LabelReplace {
        /// Label that is set.
        target: String,
        /// With `$1` and `${name}`.
        replacement: String,
        /// Label that is read.
        source: String,
        /// Anchored.
        pattern: Regex,
    },
    /// One label set to the joined values of others.
    LabelJoin {
        /// Label that is set.
        target: String,
        /// Between the values.
        separator: String,
        /// Labels that are read.
        sources: Vec<String>,
    },
    /// A number in place of each native histogram; what is no histogram is left out.
    Histogram(HistogramNumber),
    /// Nothing: a scalar is taken as a vector.
    Nothing,
}

/// Changes the values or the labels of every series of its first input.
pub(crate) struct FunctionExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    change: Change,
    grid: StepGrid,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl FunctionExec {
    /// The first input is the vector, the others are the scalars that `change` asks for.
    pub(crate) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        change: Change,
        grid: StepGrid,
        roster: Arc<Roster>,
    ) -> Self {
        let properties = single_partition(tiles::schema(grid.steps));
        Self { inputs, change, grid, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        Self::new(inputs, self.change.clone(), self.grid, Arc::clone(&self.roster))
    }

    fn describe(&self) -> String {
        format!("{:?}", self.change)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let context = Arc::clone(context);
        let (inputs, change, grid) = (self.inputs.clone(), self.change.clone(), self.grid);
        let roster = Arc::clone(&self.roster);
        Ok(stream(self.schema(), place(&self.inputs()), |sender| async move {
            let mut scalars = Vec::new();
            for input in &inputs[1..] {
                scalars.push(scalar(input, grid.steps as usize, &context).await?);
            }
            let mut names =
                OrdinalMap::new(Arc::clone(&roster), label_rule(Arc::clone(&roster), &change));
            let mut absent = vec![true; grid.steps as usize];
            let mut output = TileBuilder::new(grid.steps);
            let mut input = inputs[0].execute(0, Arc::clone(&context))?;
            while let Some(batch) = input.next().await {
                let batch = batch?;
                output.expect(batch.num_rows());
                tiles::for_each(&batch, |tile| {
                    if let Change::Absent(_) = change {
                        mark_present(&tile, &mut absent);
                        return Ok(());
                    }
                    let series = names.get(tile.series)?;
                    output.push_mixed(series, |values, valid, histograms| {
                        apply(&change, &tile, &scalars, &grid, values, valid);
                        for (step, histogram) in tile.histograms() {
                            let at = step as usize;
                            match of_histogram(&change, histogram, grid.at(step)) {
                                Some(Content::Number(number)) => {
                                    (values[at], valid[at]) = (number, true);
                                }
                                Some(Content::Histogram(histogram)) => {
                                    histograms.push((step, *histogram));
                                }
                                None => {}
                            }
                        }
                    });
                    Ok::<(), Error>(())
                })?;
                if !send_full(&mut output, &sender).await {
                    return Ok(());
                }
            }
            if let Change::Absent(labels) = &change {
                output.push(roster.ordinal(labels)?, &vec![1.0; absent.len()], &absent);
            }
            send_rest(output, &sender).await;
            Ok(())
        }))
    }
}

fn mark_present(tile: &Tile<'_>, absent: &mut [bool]) {
    for (step, absent) in absent.iter_mut().enumerate() {
        *absent &= !tile.is_valid(step);
    }
    for (step, _) in tile.histograms() {
        absent[step as usize] = false;
    }
}

/// What becomes of a histogram; functions of numbers leave it out.
fn of_histogram(change: &Change, histogram: Histogram, time_ns: i64) -> Option<Content> {
    let number = match change {
        Change::LabelReplace { .. } | Change::LabelJoin { .. } | Change::Nothing => {
            return Some(Content::Histogram(Box::new(histogram)));
        }
        Change::Negate => return Some(Content::Histogram(Box::new(histogram.scaled(-1.0)))),
        Change::StepTime => step_seconds(time_ns),
        Change::Histogram(statistic) => match statistic {
            HistogramNumber::Count => histogram.count,
            HistogramNumber::Sum => histogram.sum,
            HistogramNumber::Avg => histogram.sum / histogram.count,
            HistogramNumber::Stddev => histogram.variance().sqrt(),
            HistogramNumber::Stdvar => histogram.variance(),
        },
        _ => return None,
    };
    Some(Content::Number(number))
}

fn apply(
    change: &Change,
    tile: &Tile<'_>,
    scalars: &[Vec<f64>],
    grid: &StepGrid,
    values: &mut [f64],
    valid: &mut [bool],
) {
    if tile.is_full() && apply_to_all(change, tile.values, values) {
        valid.fill(true);
        return;
    }
    for step in 0..values.len() {
        let Some(value) = tile.get(step) else { continue };
        let scalar = |at: usize| scalars[at][step];
        let changed = match change {
            Change::Map(function) => number::map(*function, value),
            Change::Negate => -value,
            Change::Round => number::round(value, scalar(0)),
            Change::Clamp if scalar(0) > scalar(1) => continue,
            Change::Clamp => least(greatest(value, scalar(0)), scalar(1)),
            Change::ClampMin => greatest(value, scalar(0)),
            Change::ClampMax => least(value, scalar(0)),
            Change::StepTime => step_seconds(grid.at(u32::try_from(step).unwrap_or(u32::MAX))),
            Change::Histogram(_) => continue,
            Change::Absent(_)
            | Change::LabelReplace { .. }
            | Change::LabelJoin { .. }
            | Change::Nothing => value,
        };
        values[step] = changed;
        valid[step] = true;
    }
}

/// The same where every step has a value, for changes that ask for no more than that; whether this
/// is one.
fn apply_to_all(change: &Change, from: &[f64], values: &mut [f64]) -> bool {
    let pairs = values.iter_mut().zip(from);
    match change {
        Change::Map(function) => pairs.for_each(|(to, value)| *to = number::map(*function, *value)),
        Change::Negate => pairs.for_each(|(to, value)| *to = -value),
        Change::LabelReplace { .. } | Change::LabelJoin { .. } | Change::Nothing => {
            values.copy_from_slice(from);
        }
        _ => return false,
    }
    true
}

/// The greater of two numbers; NaN if one is.
fn greatest(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { left.max(right) }
}

/// The lesser of two numbers; NaN if one is.
fn least(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { left.min(right) }
}

/// What a result is called: as before, or as something that is no longer its metric.
pub(super) fn name_rule(
    roster: Arc<Roster>,
    keep_name: bool,
) -> impl FnMut(Identity) -> std::result::Result<Identity, Error> {
    move |identity| Ok(if keep_name { identity } else { roster.renamed(identity) })
}

fn label_rule(
    roster: Arc<Roster>,
    change: &Change,
) -> impl FnMut(Identity) -> std::result::Result<Identity, Error> + use<> {
    let change = change.clone();
    move |identity| match &change {
        Change::LabelReplace { target, replacement, source, pattern } => {
            let labels = &identity.labels;
            let Some(captures) = pattern.captures(labels.value(source)) else {
                return Ok(identity);
            };
            // Each group holds the whole value at most.
            let groups = replacement.matches('$').count();
            let longest = groups.saturating_mul(labels.value(source).len());
            roster.make_value(longest.saturating_add(replacement.len()))?;
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            Ok(with_label(&identity, target, &value))
        }
        Change::LabelJoin { target, separator, sources } => {
            let labels = &identity.labels;
            let values: Vec<&str> = sources.iter().map(|source| labels.value(source)).collect();
            let lengths = values.iter().map(|value| value.len() + separator.len());
            roster.make_value(lengths.sum())?;
            Ok(with_label(&identity, target, &values.join(separator)))
        }
        Change::Nothing => Ok(identity),
        Change::Absent(_) => Ok(Identity::default()),
        _ => Ok(roster.renamed(identity)),
    }
}

/// With a label set; a name that is set stays.
fn with_label(identity: &Identity, target: &str, value: &str) -> Identity {
    let sheds_name = identity.sheds_name && target != METRIC_NAME;
    Identity { labels: identity.labels.with(target, value), sheds_name }
}

execution_plan!(FunctionExec);
