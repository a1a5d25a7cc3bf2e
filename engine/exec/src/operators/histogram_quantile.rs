//! `HistogramQuantileExec`: quantiles of classic histograms.
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
use crate::functions::histogram::{Bucket, bucket_quantile};
use crate::roster::{OrdinalMap, Roster};
use crate::tiles::{self, TileBuilder};

/// The label that holds a bucket's upper bound, inclusive.
const BOUND: &str = "le";

/// Groups buckets by all labels but `le` and the metric name; a series whose `le` is not a number
/// is left out.
pub(crate) struct HistogramQuantileExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    steps: u32,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl HistogramQuantileExec {
    /// The inputs are the scalar φ and the vector of buckets.
    pub(crate) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        steps: u32,
        roster: Arc<Roster>,
    ) -> Self {
        let properties = single_partition(tiles::schema(steps));
        Self { inputs, steps, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        Self::new(inputs, self.steps, Arc::clone(&self.roster))
    }

    fn describe(&self) -> String {
        format!("by all labels but {BOUND}")
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let context = Arc::clone(context);
        let (inputs, steps, roster) = (self.inputs.clone(), self.steps, Arc::clone(&self.roster));
        let mut builder = channel(self.schema());
        let sender = builder.tx();
        builder.spawn(async move {
            let phi = scalar(&inputs[0], steps as usize, &context).await?;
            let collected = collect(&inputs[1], &context).await?;
            let mut output = TileBuilder::new(steps);
            for (series, buckets) in gather(&collected, &roster)? {
                output.push_with(series, |values, valid| {
                    evaluate(&phi, &buckets, values, valid);
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
    let mut groups = OrdinalMap::new(Arc::clone(roster), |labels: &Labels| rest.group_of(labels));
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

fn evaluate(phi: &[f64], buckets: &[Counts], values: &mut [f64], valid: &mut [bool]) {
    let mut at_step = Vec::with_capacity(buckets.len());
    for step in 0..values.len() {
        at_step.clear();
        let counts = buckets.iter().filter_map(|(upper, counts)| {
            counts[step].map(|count| Bucket { upper: *upper, count })
        });
        at_step.extend(counts);
        if !at_step.is_empty() {
            values[step] = bucket_quantile(phi[step], &mut at_step);
            valid[step] = true;
        }
    }
}

execution_plan!(HistogramQuantileExec);
