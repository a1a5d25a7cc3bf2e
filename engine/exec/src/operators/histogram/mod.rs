//! `HistogramExec`: quantiles and fractions of histograms, classic and native.
//!
//! ```text
//!  x_bucket{job="a", le="0.1"}   ┐
//!  x_bucket{job="a", le="1"}     ├─▶ {job="a"}: the φ-quantile of the three at each step
//!  x_bucket{job="a", le="+Inf"}  ┘
//!  x{job="b"}, a native one      ──▶ {job="b"}: its own
//! ```

mod notes;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use schemas::model::{Grouping, Labels, METRIC_NAME, StepGrid};

use self::notes::Notes;
use super::collect::{Collected, Content, Row, collect, push, scalar};
use super::node::{execution_plan, place, send_full, send_rest, single_partition, stream};
use crate::annotations::Remarks;
use crate::functions::histogram::Bucket;
use crate::histogram::Histogram;
use crate::roster::{Identity, Roster};
use crate::tiles::{self, TileBuilder};
use crate::{Error, ErrorKind};

/// The label that holds a bucket's upper bound, inclusive.
const BOUND: &str = "le";

/// What is computed of a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HistogramStatistic {
    /// The quantile that one scalar names.
    Quantile,
    /// The quantiles that several scalars name, each under a label of this name.
    Quantiles(String),
    /// The share of observations between two scalars.
    Fraction,
}

/// Groups buckets by all labels but `le`; a series whose `le` is not a number is left out. Where a
/// native histogram has the labels of a group, neither counts. The metric name is dropped.
pub(crate) struct HistogramExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    statistic: HistogramStatistic,
    remarks: Vec<Remarks>,
    grid: StepGrid,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl HistogramExec {
    /// The inputs are the statistic's scalars and then the vector of buckets; remarks, if any are
    /// wanted, go to one place for each input.
    pub(crate) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        statistic: HistogramStatistic,
        remarks: Vec<Remarks>,
        grid: &StepGrid,
        roster: Arc<Roster>,
    ) -> Self {
        let properties = single_partition(tiles::schema(grid.steps));
        Self { inputs, statistic, remarks, grid: *grid, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let (statistic, remarks) = (self.statistic.clone(), self.remarks.clone());
        Self::new(inputs, statistic, remarks, &self.grid, Arc::clone(&self.roster))
    }

    fn describe(&self) -> String {
        format!("{:?} by all labels but {BOUND}", self.statistic)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let context = Arc::clone(context);
        let (inputs, statistic) = (self.inputs.clone(), self.statistic.clone());
        let (grid, roster) = (self.grid, Arc::clone(&self.roster));
        let steps = grid.steps;
        let remarks = self.remarks.clone();
        Ok(stream(self.schema(), place(&self.inputs()), |sender| async move {
            let buckets_at = inputs.len() - 1;
            let mut scalars = Vec::with_capacity(buckets_at);
            for input in &inputs[..buckets_at] {
                scalars.push(scalar(input, steps as usize, &context).await?);
            }
            let collected = collect(&inputs[buckets_at], &context).await?;
            let mut output = TileBuilder::new(steps);
            let notes = Notes::new(statistic.clone(), remarks, grid, roster.naming());
            notes.scalars(&scalars);
            let groups = gather(&collected, &roster, &notes)?;
            drop(collected);
            let work = Evaluation { statistic, scalars, roster, notes, steps: steps as usize };
            for group in groups {
                for row in work.evaluate(&group)? {
                    push(&mut output, row);
                }
                if !send_full(&mut output, &sender).await {
                    return Ok(());
                }
            }
            send_rest(output, &sender).await;
            Ok(())
        }))
    }
}

/// One bucket at all steps: its bound and its counts, `None` where it has no value.
type Counts = (f64, Vec<Option<f64>>);

/// The buckets and native histograms of one label set.
#[derive(Default)]
struct Group {
    /// The labels, the metric name among them.
    labels: Labels,
    buckets: Vec<Counts>,
    histograms: BTreeMap<u32, Histogram>,
}

/// The histograms of the input in the order first met.
fn gather(collected: &Collected, roster: &Arc<Roster>, notes: &Notes) -> Result<Vec<Group>, Error> {
    let rest = Grouping::Without(vec![BOUND.to_owned()]);
    let mut groups: Vec<Group> = Vec::new();
    let mut positions: HashMap<Labels, usize, ahash::RandomState> = HashMap::default();
    let mut position = |labels: Labels, groups: &mut Vec<Group>| {
        *positions.entry(labels).or_insert_with_key(|labels| {
            groups.push(Group { labels: labels.clone(), ..Group::default() });
            groups.len() - 1
        })
    };
    collected.for_each(|tile| {
        let labels = roster.labels(tile.series);
        if tile.has_histograms() {
            let at = position(labels.clone(), &mut groups);
            groups[at].histograms.extend(tile.histograms());
        }
        let counts: Vec<_> = (0..tile.values.len()).map(|step| tile.get(step)).collect();
        if counts.iter().any(Option::is_some) {
            let Some(bound) = parse_bound(labels.value(BOUND)) else {
                notes.bad_bound(labels.value(BOUND), labels.value(METRIC_NAME));
                return Ok(());
            };
            let name = labels.value(METRIC_NAME).to_owned();
            let labels = rest.group_of(&labels).with(METRIC_NAME, &name);
            let at = position(labels, &mut groups);
            groups[at].buckets.push((bound, counts));
        }
        Ok::<(), Error>(())
    })?;
    Ok(groups)
}

fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok().filter(|bound: &f64| !bound.is_nan())
}

struct Evaluation {
    statistic: HistogramStatistic,
    scalars: Vec<Vec<f64>>,
    roster: Arc<Roster>,
    notes: Notes,
    steps: usize,
}

impl Evaluation {
    /// The results of a group: one series, or one for each of several quantiles.
    fn evaluate(&self, group: &Group) -> Result<Vec<Row>, Error> {
        let name = self.roster.renamed(Identity::plain(group.labels.clone()));
        let labels = &name.labels;
        let metric = group.labels.value(METRIC_NAME);
        let mut rows: Vec<Row> = Vec::new();
        for step in 0..self.steps {
            let Some(mut source) = group.at(step) else {
                if group.is_mixed_at(step) {
                    self.notes.mixed(metric);
                }
                continue;
            };
            let place = (step, metric);
            if let HistogramStatistic::Quantiles(label) = &self.statistic {
                if labels.get(label).is_some() {
                    let message = format!("label {label:?} of the quantiles is there already");
                    return Err(Error::new(ErrorKind::Invalid, message));
                }
                for phis in &self.scalars {
                    let text = quantile_text(phis[step]);
                    let labels = labels.with(label, &text);
                    let name = Identity { labels, sheds_name: name.sheds_name };
                    let series = self.roster.ordinal_of(&name)?;
                    let number = self.notes.quantile(&mut source, phis[step], place);
                    self.set(&mut rows, series, step, number);
                }
                continue;
            }
            let scalar = |at: usize| self.scalars[at][step];
            let number = match self.statistic {
                HistogramStatistic::Fraction => {
                    self.notes.fraction(&mut source, (scalar(0), scalar(1)), place)
                }
                _ => self.notes.quantile(&mut source, scalar(0), place),
            };
            let series = self.roster.ordinal_of(&name)?;
            self.set(&mut rows, series, step, number);
        }
        Ok(rows)
    }

    fn set(&self, rows: &mut Vec<Row>, series: u32, step: usize, number: f64) {
        let at = rows.iter().position(|row| row.series == series).unwrap_or_else(|| {
            rows.push(Row::empty(series, self.steps));
            rows.len() - 1
        });
        rows[at].set(step, Some(Content::Number(number)));
    }
}

/// What a group is at one step.
enum Source<'a> {
    Buckets(Vec<Bucket>),
    Native(&'a Histogram),
}

impl Group {
    fn at(&self, step: usize) -> Option<Source<'_>> {
        let native = u32::try_from(step).ok().and_then(|step| self.histograms.get(&step));
        let counts = self.buckets.iter().filter_map(|(upper, counts)| {
            counts[step].map(|count| Bucket { upper: *upper, count })
        });
        let buckets: Vec<Bucket> = counts.collect();
        match (native, buckets.is_empty()) {
            (Some(native), true) => Some(Source::Native(native)),
            (None, false) => Some(Source::Buckets(buckets)),
            _ => None,
        }
    }

    /// Whether there are both classic buckets and a native histogram.
    fn is_mixed_at(&self, step: usize) -> bool {
        let is_native = u32::try_from(step).is_ok_and(|step| self.histograms.contains_key(&step));
        is_native && self.buckets.iter().any(|(_, counts)| counts[step].is_some())
    }
}

/// A quantile as the value of a label, in OpenMetrics' form: 1 is `1.0`.
fn quantile_text(phi: f64) -> String {
    match phi {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        phi => format!("{phi:?}"),
    }
}

execution_plan!(HistogramExec);
