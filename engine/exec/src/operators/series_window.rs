//! `SeriesWindowExec`: samples to tiles, one pass over each series.
//!
//! ```text
//!  segment 1  a a a b b c        sorted by (metric_id, series_id, time_ms)
//!  segment 2  a a b b c c   ──▶  run of a from all inputs ─ kernel ─▶ tile of a
//!  memtable   a b               run of b …                ─ kernel ─▶ tile of b
//! ```
//!
//! Inputs are merged run by run, not row by row: within a segment the samples of a series lie
//! together, and segments mostly follow each other in time. Output: tiles, in the order of the
//! series' keys.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use plan::node::WindowFunction;

use super::histogram_input::HistogramInput;
use super::node::{channel, execution_plan, single_partition};
use super::series_input::{Scratch, SeriesInput, SeriesKey, open};
use super::window_remarks::WindowRemarks;
use crate::functions::window::{self, Findings, MixedSamples, Output, Samples, Windows, is_stale};
use crate::histogram::Histogram;
use crate::memory::Held;
use crate::output::QueryStats;
use crate::tiles::{self, TileBuilder};
use crate::{Error, ErrorKind};

/// What is computed of the samples of a window.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    /// The newest sample, if it is not a stale marker.
    Newest,
    /// The time of the newest sample, if it is not a stale marker.
    NewestTime,
    /// The same of an info series, which has numbers only: what else it has comes out as it is.
    InfoTime,
    /// A function of all samples but stale markers.
    Function(WindowFunction),
}

impl Kernel {
    /// Evaluates the kernel for one series; what was found in its windows.
    fn run(
        &self,
        scratch: &mut Scratch,
        windows: &Windows,
        output: &mut Output<'_>,
        histograms: &mut Vec<(u32, Histogram)>,
    ) -> Findings {
        if let Self::Function(_) = self {
            scratch.remove(is_stale);
        }
        let samples = Samples { times: &scratch.times, values: &scratch.values };
        if scratch.histograms.is_empty() {
            match self {
                Self::Newest => window::newest(samples, windows, output),
                Self::NewestTime | Self::InfoTime => {
                    window::newest_time(samples, windows, output);
                }
                Self::Function(function) => window::evaluate(function, samples, windows, output),
            }
            return Findings::default();
        }
        let (times, found): (Vec<i64>, Vec<Histogram>) = scratch.histograms.drain(..).unzip();
        let mixed = MixedSamples { numbers: samples, times: &times, histograms: &found };
        match self {
            Self::Newest => window::newest_mixed(mixed, windows, false, output, histograms),
            Self::NewestTime => window::newest_mixed(mixed, windows, true, output, histograms),
            Self::InfoTime => {
                window::newest_mixed(mixed, windows, false, output, histograms);
                if histograms.is_empty() {
                    window::newest_mixed(mixed, windows, true, output, histograms);
                }
            }
            Self::Function(function) => {
                return window::evaluate_mixed(function, mixed, windows, output, histograms);
            }
        }
        Findings::default()
    }

    fn function(&self) -> Option<&WindowFunction> {
        if let Self::Function(function) = self { Some(function) } else { None }
    }
}

/// A series that was selected: its place in the storage order and its ordinal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selected {
    /// `(metric_id, series_id)`.
    pub(crate) key: SeriesKey,
    /// Ordinal of the labels it has in the output.
    pub(crate) ordinal: u32,
}

/// Reads samples of the selected series and evaluates a kernel at every step.
pub(crate) struct SeriesWindowExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// How many of the inputs hold numbers; the others hold histograms.
    of_numbers: usize,
    leaf: Arc<Leaf>,
    properties: Arc<PlanProperties>,
}

/// What a [`SeriesWindowExec`] computes.
pub(crate) struct Leaf {
    /// Sorted by key, keys unique.
    pub(crate) selected: Vec<Selected>,
    /// Per series and step.
    pub(crate) kernel: Kernel,
    /// In milliseconds.
    pub(crate) windows: Windows,
    /// Samples that may be read.
    pub(crate) samples_max: usize,
    /// Where samples read are counted.
    pub(crate) stats: Arc<QueryStats>,
    /// What is told about the series.
    pub(crate) remarks: WindowRemarks,
    /// Memory of the selection and of rows that are not in segments.
    pub(crate) held: Held,
}

impl SeriesWindowExec {
    /// Each partition of each input must be sorted by `(metric_id, series_id, time_ms)` and have
    /// the columns `metric_id, series_id, time_ms, value, value_mantissa, value_exponent`. Of two
    /// samples of one time the one of the later input counts. Histograms are sorted alike and have
    /// the columns of [`HistogramInput`].
    pub(crate) fn new(
        numbers: Vec<Arc<dyn ExecutionPlan>>,
        histograms: Vec<Arc<dyn ExecutionPlan>>,
        leaf: Leaf,
    ) -> Self {
        let steps = u32::try_from(leaf.windows.count).unwrap_or(u32::MAX);
        let properties = single_partition(tiles::schema(steps));
        let of_numbers = numbers.len();
        let inputs = [numbers, histograms].concat();
        Self { inputs, of_numbers, leaf: Arc::new(leaf), properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let properties = Arc::clone(&self.properties);
        let of_numbers = self.of_numbers;
        Self { inputs, of_numbers, leaf: Arc::clone(&self.leaf), properties }
    }

    fn describe(&self) -> String {
        let leaf = &self.leaf;
        format!(
            "{:?} over {} ms of {} series at {} steps",
            leaf.kernel,
            leaf.windows.range,
            leaf.selected.len(),
            leaf.windows.count
        )
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (numbers, histograms) = self.inputs.split_at(self.of_numbers);
        let mut inputs = open(numbers, context, SeriesInput::new)?;
        let mut histograms = open(histograms, context, HistogramInput::new)?;
        let leaf = Arc::clone(&self.leaf);
        let mut builder = channel(self.schema());
        let sender = builder.tx();
        builder.spawn(async move {
            let mut tiles = TileBuilder::new(u32::try_from(leaf.windows.count).unwrap_or(u32::MAX));
            let mut scratch = Scratch::default();
            let selected_bytes = leaf.held.bytes();
            let mut samples_read = 0;
            let mut doubts = leaf.remarks.doubts(leaf.kernel.function());
            for selected in &leaf.selected {
                scratch.clear();
                for input in &mut inputs {
                    input.skip_to(selected.key).await?;
                    input.take(selected.key, &mut scratch).await?;
                }
                for input in &mut histograms {
                    input.take(selected.key, &mut scratch).await?;
                }
                if scratch.is_empty() {
                    continue;
                }
                leaf.held.resize(selected_bytes + scratch.bytes())?;
                samples_read += scratch.len();
                leaf.count(scratch.len(), samples_read)?;
                scratch.settle();
                let metric = selected.key.0;
                let is_doubtful = doubts.concern(metric);
                tiles.push_mixed(selected.ordinal, |values, valid, histograms| {
                    let output = &mut Output { values, valid };
                    let found = leaf.kernel.run(&mut scratch, &leaf.windows, output, histograms);
                    leaf.remarks.findings(metric, found);
                    if is_doubtful && output.valid.contains(&true) {
                        doubts.confirm();
                    }
                });
                if tiles.is_full() && sender.send(Ok(tiles.finish())).await.is_err() {
                    return Ok(());
                }
            }
            if !tiles.is_empty() {
                // A consumer that is gone wants no more batches.
                let _ = sender.send(Ok(tiles.finish())).await;
            }
            Ok(())
        });
        Ok(builder.build())
    }
}

impl Leaf {
    fn count(&self, samples: usize, in_all: usize) -> Result<(), Error> {
        self.stats.rows_read.fetch_add(samples as u64, Ordering::Relaxed);
        if in_all <= self.samples_max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Limit,
            format!("the query reads over {} samples, the limit of samples_max", self.samples_max),
        ))
    }
}

execution_plan!(SeriesWindowExec);
