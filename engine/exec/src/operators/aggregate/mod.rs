//! `AggregateExec`: series folded into groups, or the best of a group picked.
//!
//! ```text
//!  tile of a{job="x"} ─┐
//!  tile of b{job="x"} ─┴─▶ acc[group x][step] ──▶ tile of {job="x"}
//!  tile of c{job="y"} ───▶ acc[group y][step] ──▶ tile of {job="y"}
//! ```
//!
//! Values are folded in the order in which tiles arrive, which is fixed by the storage order, so
//! a query gives the same bits each time.

mod counted;
mod fold;
mod pick;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use futures::StreamExt;
use plan::Remark;
use plan::annotation::HistogramOperation;
use plan::node::AggregateOp;
use schemas::model::{Grouping, METRIC_NAME};
use tokio::sync::mpsc::Sender;

use self::counted::{CELL_BYTES, Counted};
use self::fold::Fold;
use self::pick::Pick;
use super::collect::{push, scalar};
use super::node::{execution_plan, place, send_full, send_rest, single_partition, stream};
use crate::Error;
use crate::annotations::Remarks;
use crate::roster::{Identity, OrdinalMap, Roster};
use crate::tiles::{self, Tile, TileBuilder};

/// What is folded or picked.
#[derive(Clone, Debug)]
pub(crate) struct Aggregation {
    /// What is computed.
    pub(crate) op: AggregateOp,
    /// Which labels a group keeps.
    pub(crate) grouping: Grouping,
    /// Where remarks go.
    pub(crate) remarks: AggregateRemarks,
}

/// Remarks about the parts of an aggregation.
#[derive(Clone, Debug)]
pub(crate) struct AggregateRemarks {
    /// About all of it.
    pub(crate) whole: Remarks,
    /// About the vector.
    pub(crate) input: Remarks,
    /// About the scalar parameter.
    pub(crate) parameter: Remarks,
}

/// Folds or picks, at each step, the series of each group.
pub(crate) struct AggregateExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    aggregation: Aggregation,
    steps: u32,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl AggregateExec {
    /// The first input is the vector, the second, if any, the scalar parameter.
    pub(crate) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        aggregation: Aggregation,
        steps: u32,
        roster: Arc<Roster>,
    ) -> Self {
        let properties = single_partition(tiles::schema(steps));
        Self { inputs, aggregation, steps, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        Self::new(inputs, self.aggregation.clone(), self.steps, Arc::clone(&self.roster))
    }

    fn describe(&self) -> String {
        format!("{:?} {:?}", self.aggregation.op, self.aggregation.grouping)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let context = Arc::clone(context);
        let (inputs, steps) = (self.inputs.clone(), self.steps);
        let Aggregation { op, grouping, remarks } = self.aggregation.clone();
        let roster = Arc::clone(&self.roster);
        Ok(stream(self.schema(), place(&self.inputs()), |sender| async move {
            let mut parameter = match inputs.get(1) {
                Some(input) => scalar(input, steps as usize, &context).await?,
                None => Vec::new(),
            };
            pick::check(&op, &mut parameter, &remarks.parameter)?;
            let group_rule =
                move |series: Identity| Ok(Identity::plain(grouping.group_of(&series.labels)));
            let mut groups = Groups {
                names: OrdinalMap::new(Arc::clone(&roster), group_rule),
                positions: HashMap::default(),
                states: Vec::new(),
                op,
                parameter,
                remarks,
                told: Told::default(),
                roster: Arc::clone(&roster),
                steps: steps as usize,
                reserved: MemoryConsumer::new("AggregateExec").register(context.memory_pool()),
            };
            let mut input = inputs[0].execute(0, Arc::clone(&context))?;
            while let Some(batch) = input.next().await {
                tiles::for_each(&batch?, |tile| groups.add(&tile))?;
            }
            groups.emit(TileBuilder::new(steps), &sender).await
        }))
    }
}

/// The groups met so far, in the order met.
struct Groups<F> {
    names: OrdinalMap<F>,
    positions: HashMap<u32, usize, ahash::RandomState>,
    states: Vec<Group>,
    op: AggregateOp,
    parameter: Vec<f64>,
    remarks: AggregateRemarks,
    told: Told,
    roster: Arc<Roster>,
    steps: usize,
    reserved: MemoryReservation,
}

/// One group.
struct Group {
    ordinal: u32,
    /// Whether any of its series loses its name at the end.
    sheds_name: bool,
    state: State,
}

enum State {
    /// A few numbers for each step.
    Fold(Fold),
    /// Values kept for each step.
    Pick(Pick),
}

impl<F: FnMut(Identity) -> Result<Identity, Error>> Groups<F> {
    fn add(&mut self, tile: &Tile<'_>) -> Result<()> {
        let ordinal = self.names.get(tile.series)?;
        let at = match self.positions.get(&ordinal) {
            Some(at) => *at,
            None => {
                let state = match Fold::new(&self.op, self.steps) {
                    Some(fold) => State::Fold(fold),
                    None => State::Pick(Pick::new(self.steps)),
                };
                self.reserved.try_grow(fold::BYTES_PER_STEP * self.steps)?;
                self.states.push(Group { ordinal, sheds_name: false, state });
                self.positions.insert(ordinal, self.states.len() - 1);
                self.states.len() - 1
            }
        };
        let group = &mut self.states[at];
        group.sheds_name |= self.roster.sheds_name(tile.series);
        match &mut group.state {
            State::Fold(fold) => {
                let metric = || self.roster.labels(tile.series).value(METRIC_NAME).to_owned();
                let grown = fold.add(tile, &mut self.told, metric);
                if grown > 0 {
                    self.reserved.try_grow(grown)?;
                }
            }
            State::Pick(pick) => {
                let grown = pick.add(&self.op, &self.parameter, tile, &mut self.told)?;
                self.reserved.try_grow(grown)?;
            }
        }
        Ok(())
    }

    /// Sends the results of all groups.
    async fn emit(
        &mut self,
        mut output: TileBuilder,
        sender: &Sender<Result<RecordBatch>>,
    ) -> Result<()> {
        output.expect(self.states.len());
        // A value may take the place of a label that told groups apart.
        let mut counted = Counted::default();
        for Group { ordinal, sheds_name, state } in std::mem::take(&mut self.states) {
            let group = self.name(ordinal, sheds_name)?;
            match (state, &self.op) {
                (State::Fold(fold), _) => {
                    output.push_mixed(group, |values, valid, histograms| {
                        fold.finish(values, valid, histograms, &mut self.told);
                    });
                }
                (State::Pick(pick), AggregateOp::CountValues(label)) => {
                    self.reserved.try_grow(pick.candidates() * CELL_BYTES)?;
                    pick.count_values(label, group, &self.roster, &mut counted)?;
                }
                (State::Pick(pick), op) => {
                    for row in pick.finish(op, &self.parameter, group, &self.roster)? {
                        push(&mut output, row);
                        if !send_full(&mut output, sender).await {
                            return Ok(());
                        }
                    }
                }
            }
            if !send_full(&mut output, sender).await {
                return Ok(());
            }
        }
        self.told.tell(&self.op, &self.remarks);
        for (series, cells) in counted.rows() {
            output.push_with(series, |values, valid| counted::write(cells, values, valid));
            if !send_full(&mut output, sender).await {
                return Ok(());
            }
        }
        send_rest(output, sender).await;
        Ok(())
    }

    /// The name of a group's result.
    fn name(&self, ordinal: u32, sheds_name: bool) -> Result<u32> {
        let labels = || self.roster.labels(ordinal);
        // Counted values are new, whatever was counted.
        if !sheds_name || matches!(self.op, AggregateOp::CountValues(_)) {
            return Ok(ordinal);
        }
        Ok(self.roster.ordinal_of(&Identity { labels: labels(), sheds_name })?)
    }
}

/// What is worth telling about an aggregation, gathered over its groups.
#[derive(Debug, Default)]
struct Told {
    /// Histograms that the operation does not know.
    ignored: bool,
    /// Numbers and histograms in one group at one step.
    mixed: bool,
    /// Custom bounds that differed.
    reconciled: bool,
    /// Histograms that contradict each other about a reset.
    conflicting: bool,
    /// Metrics of histograms with buckets of other kinds than those before them.
    mixed_buckets: BTreeSet<String>,
}

impl Told {
    /// Makes the remarks.
    fn tell(&self, op: &AggregateOp, remarks: &AggregateRemarks) {
        let input = &remarks.input;
        if let (true, Some(name)) = (self.ignored, name_of_deaf(op)) {
            let is_pick = matches!(op, AggregateOp::TopK | AggregateOp::BottomK);
            let remarks = if is_pick { &remarks.whole } else { input };
            remarks.add(Remark::IgnoredInAggregation(name));
        }
        let operation = HistogramOperation::Aggregation;
        input.add_if(self.mixed, || Remark::MixedFloatsHistogramsInAggregation);
        input.add_if(self.reconciled, || Remark::ReconciledCustomBuckets(operation));
        input.add_if(self.conflicting, || Remark::ConflictingCounterResets(operation));
        for metric in &self.mixed_buckets {
            input.add(Remark::MixedExponentialCustom(metric.clone()));
        }
    }
}

/// The name of an operation that knows numbers only.
fn name_of_deaf(op: &AggregateOp) -> Option<&'static str> {
    Some(match op {
        AggregateOp::Min => "min",
        AggregateOp::Max => "max",
        AggregateOp::Stddev => "stddev",
        AggregateOp::Stdvar => "stdvar",
        AggregateOp::TopK => "topk",
        AggregateOp::BottomK => "bottomk",
        AggregateOp::Quantile => "quantile",
        _ => return None,
    })
}

execution_plan!(AggregateExec);
