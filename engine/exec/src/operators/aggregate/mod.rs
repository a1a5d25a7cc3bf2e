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

mod fold;
mod pick;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use futures::StreamExt;
use plan::node::AggregateOp;
use schemas::model::{Grouping, Labels};

use self::fold::Fold;
use self::pick::Pick;
use super::collect::{Rows, push, scalar};
use super::node::{channel, execution_plan, single_partition};
use crate::roster::{OrdinalMap, Roster};
use crate::tiles::{self, Tile, TileBuilder};

/// Folds or picks, at each step, the series of each group.
pub(crate) struct AggregateExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    op: AggregateOp,
    grouping: Grouping,
    steps: u32,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl AggregateExec {
    /// The first input is the vector, the second, if any, the scalar parameter.
    pub(crate) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        op: AggregateOp,
        grouping: Grouping,
        steps: u32,
        roster: Arc<Roster>,
    ) -> Self {
        let properties = single_partition(tiles::schema(steps));
        Self { inputs, op, grouping, steps, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let (op, grouping) = (self.op.clone(), self.grouping.clone());
        Self::new(inputs, op, grouping, self.steps, Arc::clone(&self.roster))
    }

    fn describe(&self) -> String {
        format!("{:?} {:?}", self.op, self.grouping)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let context = Arc::clone(context);
        let (inputs, op, steps) = (self.inputs.clone(), self.op.clone(), self.steps);
        let roster = Arc::clone(&self.roster);
        let grouping = self.grouping.clone();
        let mut builder = channel(self.schema());
        let sender = builder.tx();
        builder.spawn(async move {
            let parameter = match inputs.get(1) {
                Some(input) => scalar(input, steps as usize, &context).await?,
                None => Vec::new(),
            };
            pick::check(&op, &parameter)?;
            let group_rule = move |labels: &Labels| grouping.group_of(labels);
            let mut groups = Groups {
                names: OrdinalMap::new(Arc::clone(&roster), group_rule),
                positions: HashMap::default(),
                states: Vec::new(),
                op,
                parameter,
                steps: steps as usize,
                reserved: MemoryConsumer::new("AggregateExec").register(context.memory_pool()),
            };
            let mut input = inputs[0].execute(0, Arc::clone(&context))?;
            while let Some(batch) = input.next().await {
                tiles::for_each(&batch?, |tile| groups.add(&tile))?;
            }
            let mut output = TileBuilder::new(steps);
            // A value may take the place of a label that told groups apart.
            let mut counted = Rows::default();
            for (group, state) in std::mem::take(&mut groups.states) {
                match state {
                    State::Fold(fold) => output.push_mixed(group, |values, valid, histograms| {
                        fold.finish(values, valid, histograms);
                    }),
                    State::Pick(pick) => {
                        let rows = pick.finish(&groups.op, &groups.parameter, group, &roster)?;
                        for row in rows {
                            match &groups.op {
                                AggregateOp::CountValues(_) => counted.add_up(row),
                                _ => push(&mut output, row),
                            }
                        }
                    }
                }
                if output.is_full() && sender.send(Ok(output.finish())).await.is_err() {
                    return Ok(());
                }
            }
            counted.into_rows().into_iter().for_each(|row| push(&mut output, row));
            if !output.is_empty() {
                // A consumer that is gone wants no more batches.
                let _ = sender.send(Ok(output.finish())).await;
            }
            Ok(())
        });
        Ok(builder.build())
    }
}

/// The groups met so far, in the order met.
struct Groups<F> {
    names: OrdinalMap<F>,
    positions: HashMap<u32, usize, ahash::RandomState>,
    states: Vec<(u32, State)>,
    op: AggregateOp,
    parameter: Vec<f64>,
    steps: usize,
    reserved: MemoryReservation,
}

enum State {
    /// A few numbers for each step.
    Fold(Fold),
    /// Values kept for each step.
    Pick(Pick),
}

impl<F: FnMut(&Labels) -> Labels> Groups<F> {
    fn add(&mut self, tile: &Tile<'_>) -> Result<()> {
        let group = self.names.get(tile.series)?;
        let at = match self.positions.get(&group) {
            Some(at) => *at,
            None => {
                let state = match Fold::new(&self.op, self.steps) {
                    Some(fold) => State::Fold(fold),
                    None => State::Pick(Pick::new(self.steps)),
                };
                self.reserved.try_grow(fold::BYTES_PER_STEP * self.steps)?;
                self.states.push((group, state));
                self.positions.insert(group, self.states.len() - 1);
                self.states.len() - 1
            }
        };
        match &mut self.states[at].1 {
            State::Fold(fold) => {
                let grown = fold.add(tile);
                if grown > 0 {
                    self.reserved.try_grow(grown)?;
                }
            }
            State::Pick(pick) => {
                let grown = pick.add(&self.op, &self.parameter, tile)?;
                self.reserved.try_grow(grown)?;
            }
        }
        Ok(())
    }
}

execution_plan!(AggregateExec);
