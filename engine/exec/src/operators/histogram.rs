//! `HistogramExec`: quantiles and fractions of classic histograms.
//!
//! ```text
//!  x_bucket{job="a", le="0.1"}   ┐
//!  x_bucket{job="a", le="1"}     ├─▶ {job="a"}: the φ-quantile of the three at each step
//!  x_bucket{job="a", le="+Inf"}  ┘
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use schemas::model::{Grouping, Labels};

use super::collect::{Collected, collect, scalar};
use super::node::{channel, execution_plan, single_partition};
use crate::Error;
use crate::functions::histogram::{Bucket, bucket_fraction, bucket_quantile};
use crate::roster::{OrdinalMap, Roster, without_name};
use crate::tiles::{self, TileBuilder};

/// The label that holds a bucket's upper bound, inclusive.
const BOUND: &str = "le";

/// What is computed of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistogramStatistic {
    /// The quantile that one scalar names.
    Quantile,
    /// The share of observations between two scalars.
    Fraction,
}

/// Groups buckets by all labels but `le` and the metric name; a series whose `le` is not a number
/// is left out.
pub(crate) struct HistogramExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    statistic: HistogramStatistic,
    steps: u32,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl HistogramExec {
    /// The inputs are the statistic's scalars and then the vector of buckets.
    pub(crate) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        statistic: HistogramStatistic,
        steps: u32,
        roster: Arc<Roster>,
    ) -> Self {
        let properties = single_partition(tiles::schema(steps));
        Self { inputs, statistic, steps, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        Self::new(inputs, self.statistic, self.steps, Arc::clone(&self.roster))
    }

    fn describe(&self) -> String {
        format!("{:?} by all labels but {BOUND}", self.statistic)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let context = Arc::clone(context);
        let (inputs, statistic) = (self.inputs.clone(), self.statistic);
        let (steps, roster) = (self.steps, Arc::clone(&self.roster));
        let mut builder = channel(self.schema());
        let sender = builder.tx();
        builder.spawn(async move {
            let buckets_at = inputs.len() - 1;
            let mut scalars = Vec::with_capacity(buckets_at);
            for input in &inputs[..buckets_at] {
                scalars.push(scalar(input, steps as usize, &context).await?);
            }
            let collected = collect(&inputs[buckets_at], &context).await?;
            let mut output = TileBuilder::new(steps);
            for (series, buckets) in gather(&collected, &roster)? {
                output.push_with(series, |values, valid| {
                    evaluate(statistic, &scalars, &buckets, values, valid);
                });
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

/// One bucket at all steps: its bound and its counts, `None` where it has no value.
type Counts = (f64, Vec<Option<f64>>);

/// The buckets of each histogram, histograms in the order first met.
fn gather(collected: &Collected, roster: &Arc<Roster>) -> Result<Vec<(u32, Vec<Counts>)>, Error> {
    let rest = Grouping::Without(vec![BOUND.to_owned()]);
    let mut groups =
        OrdinalMap::new(Arc::clone(roster), |labels: &Labels| without_name(&rest.group_of(labels)));
    let mut histograms: Vec<(u32, Vec<Counts>)> = Vec::new();
    let mut positions: HashMap<u32, usize, ahash::RandomState> = HashMap::default();
    collected.for_each(|tile| {
        let Some(bound) = parse_bound(roster.labels(tile.series).value(BOUND)) else {
            return Ok(());
        };
        let group = groups.get(tile.series)?;
        let at = *positions.entry(group).or_insert_with(|| {
            histograms.push((group, Vec::new()));
            histograms.len() - 1
        });
        let counts = (0..tile.values.len()).map(|step| tile.get(step)).collect();
        histograms[at].1.push((bound, counts));
        Ok::<(), Error>(())
    })?;
    Ok(histograms)
}

fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok().filter(|bound: &f64| !bound.is_nan())
}

fn evaluate(
    statistic: HistogramStatistic,
    scalars: &[Vec<f64>],
    buckets: &[Counts],
    values: &mut [f64],
    valid: &mut [bool],
) {
    let mut at_step = Vec::with_capacity(buckets.len());
    for step in 0..values.len() {
        at_step.clear();
        let counts = buckets.iter().filter_map(|(upper, counts)| {
            counts[step].map(|count| Bucket { upper: *upper, count })
        });
        at_step.extend(counts);
        if !at_step.is_empty() {
            let scalar = |at: usize| scalars[at][step];
            values[step] = match statistic {
                HistogramStatistic::Quantile => bucket_quantile(scalar(0), &mut at_step),
                HistogramStatistic::Fraction => bucket_fraction(scalar(0), scalar(1), &mut at_step),
            };
            valid[step] = true;
        }
    }
}

execution_plan!(HistogramExec);
