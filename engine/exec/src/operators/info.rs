//! `InfoExec`: labels of info metrics added to series of the same instance and job.
//!
//! ```text
//!  base  up{instance="a", job="x"}                      ┐
//!  info  target_info{instance="a", job="x", zone="eu"}  ┴─▶ up{instance="a", job="x", zone="eu"}
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use schemas::model::{CompiledMatcher, Grouping, Labels, METRIC_NAME};

use super::collect::{Cell, Row, Rows, collect, duplicate, push};
use super::node::{execution_plan, place, send_full, send_rest, single_partition, stream};
use crate::roster::{Identity, OrdinalMap, Roster};
use crate::tiles::{self, TileBuilder};
use crate::{Error, ErrorKind};

/// The labels by which series find their info series.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// What info series are asked for.
#[derive(Clone, Debug)]
pub(crate) struct InfoMatchers {
    /// Of the metric's name.
    pub(crate) names: Vec<CompiledMatcher>,
    /// Labels that are added; all if there are none.
    pub(crate) added: Vec<String>,
    /// Whether a series without info series stays.
    pub(crate) keeps_lone: bool,
}

/// Adds labels of info series, step by step.
pub(crate) struct InfoExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    matchers: Arc<InfoMatchers>,
    steps: u32,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl InfoExec {
    /// The inputs are the vector, and the times in seconds of the newest samples of info series.
    pub(crate) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        matchers: Arc<InfoMatchers>,
        steps: u32,
        roster: Arc<Roster>,
    ) -> Self {
        let properties = single_partition(tiles::schema(steps));
        Self { inputs, matchers, steps, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        Self::new(inputs, Arc::clone(&self.matchers), self.steps, Arc::clone(&self.roster))
    }

    fn describe(&self) -> String {
        format!("{:?}", self.matchers.added)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let context = Arc::clone(context);
        let work = self.with_inputs(self.inputs.clone());
        Ok(stream(self.schema(), place(&self.inputs()), |sender| async move {
            let mut gathered = [Rows::default(), Rows::default()];
            for (rows, input) in gathered.iter_mut().zip(&work.inputs) {
                collect(input, &context).await?.for_each(|tile| rows.add(tile.series, &tile))?;
            }
            let [base, info] = gathered;
            work.check(&info)?;
            let mut output = TileBuilder::new(work.steps);
            for row in work.enrich(&base, &info)? {
                push(&mut output, row);
                if !send_full(&mut output, &sender).await {
                    return Ok(());
                }
            }
            send_rest(output, &sender).await;
            Ok(())
        }))
    }

    /// Refuses info series that are no numbers.
    fn check(&self, info: &Rows) -> Result<(), Error> {
        let Some(row) = info.iter().find(|row| !row.histograms.is_empty()) else { return Ok(()) };
        let labels = self.roster.labels(row.series);
        let message = format!("this should be an info metric, with float samples: {labels}");
        Err(Error::new(ErrorKind::Invalid, message))
    }

    fn enrich(&self, base: &Rows, info: &Rows) -> Result<Vec<Row>, Error> {
        let identity = Grouping::By(IDENTIFYING.map(str::to_owned).to_vec());
        let mut identities = OrdinalMap::new(Arc::clone(&self.roster), |series: Identity| {
            Ok(Identity::plain(identity.group_of(&series.labels)))
        });
        let mut infos: HashMap<u32, Vec<Info<'_>>, ahash::RandomState> = HashMap::default();
        for row in info.iter() {
            let labels = self.roster.labels(row.series);
            infos.entry(identities.get(row.series)?).or_default().push(Info { labels, row });
        }
        let mut results = Results::default();
        for row in base.iter() {
            let base = self.roster.identity(row.series);
            let name = base.labels.value(METRIC_NAME);
            let is_info = self.matchers.names.iter().all(|matcher| matcher.matches(name));
            let found = infos.get(&identities.get(row.series)?).filter(|_| !is_info);
            let mut known: Option<(Vec<usize>, Option<u32>)> = None;
            for step in (0..row.valid.len()).filter(|step| row.has(*step)) {
                let chosen = newest(found.map_or(&[], Vec::as_slice), step)?;
                let series = match known.take() {
                    Some((before, series)) if before == chosen => series,
                    _ if is_info => Some(row.series),
                    _ => self.series(&base, found.map_or(&[], Vec::as_slice), &chosen)?,
                };
                if let Some(series) = series {
                    results.set(series, step, row)?;
                }
                known = Some((chosen, series));
            }
        }
        Ok(results.rows)
    }

    /// The series with the labels of the chosen info series; none if it does not stay.
    fn series(
        &self,
        base: &Identity,
        infos: &[Info<'_>],
        chosen: &[usize],
    ) -> Result<Option<u32>, Error> {
        if chosen.is_empty() && !self.matchers.keeps_lone {
            return Ok(None);
        }
        let labels = &base.labels;
        let mut added: BTreeMap<&str, &str> = BTreeMap::new();
        for at in chosen {
            for label in &infos[*at].labels {
                let (name, value) = (label.name.as_ref(), label.value.as_ref());
                let wanted = &self.matchers.added;
                if name == METRIC_NAME || !(wanted.is_empty() || wanted.iter().any(|w| w == name)) {
                    continue;
                }
                if added.get(name).is_some_and(|other| *other != value) {
                    let message = format!("conflicting label: {name}");
                    return Err(Error::new(ErrorKind::Invalid, message));
                }
                if labels.get(name).is_none() {
                    added.insert(name, value);
                }
            }
        }
        let enriched =
            added.iter().fold(labels.clone(), |labels, (name, value)| labels.with(name, value));
        let enriched = Identity { labels: enriched, sheds_name: base.sheds_name };
        self.roster.ordinal_of(&enriched).map(Some)
    }
}

/// An info series with the times of its newest samples.
struct Info<'a> {
    labels: Labels,
    row: &'a Row,
}

/// Of each info metric the series whose sample is the newest at a step, by the metric's name.
fn newest(infos: &[Info<'_>], step: usize) -> Result<Vec<usize>, Error> {
    let mut best: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, info) in infos.iter().enumerate().filter(|(_, info)| info.row.valid[step]) {
        let other = best.entry(info.labels.value(METRIC_NAME)).or_insert(at);
        if *other == at {
            continue;
        }
        let (time, other_time) = (info.row.values[step], infos[*other].row.values[step]);
        if time == other_time {
            let milliseconds = time * 1_000.0;
            let message = format!(
                "found duplicate series for info metric: existing {} @ {milliseconds}, new {} @ \
                 {milliseconds}",
                infos[*other].labels, info.labels
            );
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if time > other_time {
            *other = at;
        }
    }
    Ok(best.into_values().collect())
}

/// Rows of the result in the order first met.
#[derive(Default)]
struct Results {
    rows: Vec<Row>,
    positions: HashMap<u32, usize, ahash::RandomState>,
}

impl Results {
    fn set(&mut self, series: u32, step: usize, from: &Row) -> Result<(), Error> {
        let steps = from.values.len();
        let at = *self.positions.entry(series).or_insert_with(|| {
            self.rows.push(Row::empty(series, steps));
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        if row.has(step) {
            return Err(duplicate());
        }
        row.set(step, from.cell(step).map(Cell::to_content));
        Ok(())
    }
}

execution_plan!(InfoExec);
