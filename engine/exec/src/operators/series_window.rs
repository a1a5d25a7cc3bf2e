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

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use plan::node::WindowFunction;
use tokio::sync::mpsc::Sender;

use super::histogram_input::HistogramInput;
use super::node::{Place, execution_plan, send_full, send_rest, single_partition, stream};
use super::series_input::{Scratch, SeriesInput, SeriesKey, open};
use super::window_parameters::stepwise;
use super::window_remarks::WindowRemarks;
use crate::functions::window::{
    self, Findings, MixedSamples, Output, Reach, Samples, Started, Stepwise, Windows, is_stale,
};
use crate::histogram::Histogram;
use crate::lower::SampleInputs;
use crate::memory::Held;
use crate::output::QueryStats;
use crate::samples::{Cached, Stock};
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
    /// A function of all samples but stale markers, with parameters that change from step to step.
    Stepwise(Stepwise),
    /// A function of all samples but stale markers, with edges that are not plain.
    Edged(WindowFunction, Reach),
    /// A function of a counter that is known to begin at its start times.
    Started(WindowFunction),
    /// The value on the line between the samples around the evaluation time.
    Smoothed,
    /// Of series of delta temporality: the last sample per second since the one before it.
    LastDelta,
}

impl Kernel {
    /// What is computed in its place of series whose samples are increases themselves.
    ///
    /// A sample counts in whole in the window that its time lies in, so that windows side by side
    /// add up; there is nothing to extrapolate, and edges have no meaning.
    pub(crate) fn for_deltas(&self) -> Self {
        use WindowFunction as F;
        match self {
            Self::Function(function) | Self::Edged(function, _) | Self::Started(function) => {
                match function {
                    F::Rate | F::RateCounter => Self::Function(F::PerSecond),
                    F::Increase => Self::Function(F::Sum),
                    F::Irate => Self::LastDelta,
                    _ => self.clone(),
                }
            }
            _ => self.clone(),
        }
    }

    /// Evaluates the kernel for one series; what was found in its windows.
    fn run(
        &self,
        scratch: &mut Scratch,
        windows: &Windows,
        output: &mut Output<'_>,
        histograms: &mut Vec<(u32, Histogram)>,
    ) -> Findings {
        if !matches!(self, Self::Newest | Self::NewestTime | Self::InfoTime) {
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
                Self::Stepwise(steps) => steps.evaluate(samples, windows, output),
                Self::Edged(function, reach) => {
                    window::evaluate_edged(function, *reach, samples, windows, output);
                }
                Self::Started(function) => {
                    let started = Started { samples, starts: &scratch.starts };
                    return window::evaluate_started(function, started, windows, output);
                }
                Self::Smoothed => window::smoothed(samples, windows, output),
                Self::LastDelta => window::last_delta(samples, windows, output),
            }
            return Findings::default();
        }
        let starts: Vec<i64> = match self {
            Self::Started(_) => {
                let times = scratch.histograms.iter().map(|sample| sample.0);
                times.map(|time| scratch.histogram_start(time)).collect()
            }
            _ => Vec::new(),
        };
        let (times, mut found): (Vec<i64>, Vec<Histogram>) = scratch.histograms.drain(..).unzip();
        if let Self::Started(_) = self {
            window::hint_resets(&times, &starts, &mut found);
        }
        let mixed =
            MixedSamples { numbers: samples, times: &times, histograms: &found, starts: &starts };
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
            Self::Stepwise(steps) => {
                return steps.evaluate_mixed(mixed, windows, output, histograms);
            }
            Self::Edged(function, reach) => {
                return window::edged_mixed(function, *reach, mixed, windows, output, histograms);
            }
            Self::Started(function) => {
                let started = Started { samples, starts: &scratch.starts };
                let of_numbers = window::evaluate_started(function, started, windows, output);
                let found =
                    window::evaluate_histograms(function, mixed, windows, output, histograms);
                return found.or(of_numbers);
            }
            Self::Smoothed => {
                return window::smoothed_mixed(mixed, windows, output, histograms);
            }
            Self::LastDelta => window::last_delta_mixed(mixed, windows, output, histograms),
        }
        Findings::default()
    }

    fn functions(&self) -> Vec<&WindowFunction> {
        match self {
            Self::Function(function) | Self::Edged(function, _) | Self::Started(function) => {
                vec![function]
            }
            Self::Stepwise(steps) => steps.functions().collect(),
            _ => Vec::new(),
        }
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
    /// How many of the inputs hold numbers, which come first.
    of_numbers: usize,
    /// How many of the inputs hold parameters of the function, which come last; between them are
    /// those that hold histograms.
    of_parameters: usize,
    leaf: Arc<Leaf>,
    properties: Arc<PlanProperties>,
}

/// What a [`SeriesWindowExec`] computes.
pub(crate) struct Leaf {
    /// Sorted by key, keys unique.
    pub(crate) selected: Vec<Selected>,
    /// Per series and step.
    pub(crate) kernel: Kernel,
    /// Which of the selected series are of delta temporality; empty if none is.
    pub(crate) deltas: Vec<bool>,
    /// What is computed of those.
    pub(crate) delta_kernel: Kernel,
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
    /// Samples that are numbers and in segments, if they are read through the cache: they come
    /// before those of all inputs.
    pub(crate) cached: Option<Cached>,
}

impl SeriesWindowExec {
    /// Each partition of each input must be sorted by `(metric_id, series_id, time_ms)` and have
    /// the columns of [`SeriesInput`]. Of two
    /// samples of one time the one of the later input counts. Histograms are sorted alike and have
    /// the columns of [`HistogramInput`]. `parameters` are scalars with the steps of the windows,
    /// in place of the parameters that the function has; none if its own count.
    pub(crate) fn new(
        samples: SampleInputs,
        parameters: Vec<Arc<dyn ExecutionPlan>>,
        leaf: Leaf,
    ) -> Self {
        let SampleInputs { numbers, histograms } = samples;
        let steps = u32::try_from(leaf.windows.count).unwrap_or(u32::MAX);
        let properties = single_partition(tiles::schema(steps));
        let (of_numbers, of_parameters) = (numbers.len(), parameters.len());
        let inputs = [numbers, histograms, parameters].concat();
        Self { inputs, of_numbers, of_parameters, leaf: Arc::new(leaf), properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let properties = Arc::clone(&self.properties);
        let (of_numbers, of_parameters) = (self.of_numbers, self.of_parameters);
        Self { inputs, of_numbers, of_parameters, leaf: Arc::clone(&self.leaf), properties }
    }

    fn describe(&self) -> String {
        let leaf = &self.leaf;
        let text = format!(
            "{:?} over {} ms of {} series at {} steps",
            leaf.kernel,
            leaf.windows.range,
            leaf.selected.len(),
            leaf.windows.count
        );
        match &leaf.cached {
            Some(cached) => format!("{text}, {} segments decoded in place", cached.segments()),
            None => text,
        }
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (samples, parameters) = self.inputs.split_at(self.inputs.len() - self.of_parameters);
        let (numbers, histograms) = samples.split_at(self.of_numbers);
        let parameters = parameters.to_vec();
        let numbers = open(numbers, context, SeriesInput::new)?;
        let histograms = open(histograms, context, HistogramInput::new)?;
        let (leaf, context) = (Arc::clone(&self.leaf), Arc::clone(context));
        let cells = leaf.selected.len().saturating_mul(leaf.windows.count);
        let place = if cells <= CELLS_IN_PLACE { Place::Here } else { Place::Task };
        Ok(stream(self.schema(), place, |sender| async move {
            let stocks = leaf.cached.as_ref().map_or_else(Vec::new, Cached::stocks);
            let changing = match &leaf.kernel {
                Kernel::Function(function) if !parameters.is_empty() => {
                    let steps = leaf.windows.count;
                    Some(Kernel::Stepwise(stepwise(function, &parameters, steps, &context).await?))
                }
                _ => None,
            };
            let inputs = Inputs { stocks, numbers, histograms, changing };
            leaf.run(inputs, &sender).await
        }))
    }
}

/// Where the samples of each series are taken from, one after the other.
struct Inputs {
    stocks: Vec<Stock>,
    numbers: Vec<SeriesInput>,
    histograms: Vec<HistogramInput>,
    /// In place of the leaf's kernel if its parameters change.
    changing: Option<Kernel>,
}

/// Cells (series × steps) up to which a leaf is evaluated by its consumer: handing so few over to
/// another thread costs more than it saves.
const CELLS_IN_PLACE: usize = 16 * 1024;

/// Samples after which other tasks get their turn.
const SAMPLES_BETWEEN_YIELDS: usize = 1 << 20;

impl Leaf {
    async fn run(&self, mut inputs: Inputs, sender: &Sender<Result<RecordBatch>>) -> Result<()> {
        let steps = u32::try_from(self.windows.count).unwrap_or(u32::MAX);
        let mut tiles = TileBuilder::new(steps).expecting(self.selected.len());
        let mut scratch = Scratch::default();
        let (mut samples_read, mut yield_at) = (0, SAMPLES_BETWEEN_YIELDS);
        let changing = inputs.changing.take();
        let kernel_of = |at| changing.as_ref().unwrap_or_else(|| self.kernel_of(at));
        let functions = changing.as_ref().unwrap_or(&self.kernel).functions();
        let mut doubts = self.remarks.doubts(&functions);
        let mut held = HeldScratch { leaf: self, selected_bytes: self.held.bytes(), bytes: 0 };
        for (at, selected) in self.selected.iter().enumerate() {
            scratch.clear();
            for stock in &mut inputs.stocks {
                stock.take(selected.key, &mut scratch).await?;
            }
            for input in &mut inputs.numbers {
                input.skip_to(selected.key).await?;
                input.take(selected.key, &mut scratch).await?;
            }
            for input in &mut inputs.histograms {
                input.take(selected.key, &mut scratch).await?;
            }
            if scratch.is_empty() {
                continue;
            }
            held.hold(&scratch)?;
            samples_read += scratch.len();
            self.count(scratch.len(), samples_read)?;
            scratch.settle();
            let metric = selected.key.0;
            let is_doubtful = doubts.concern(metric);
            tiles.push_mixed(selected.ordinal, |values, valid, histograms| {
                let output = &mut Output { values, valid };
                let kernel = kernel_of(at);
                let found = kernel.run(&mut scratch, &self.windows, output, histograms);
                self.remarks.findings(metric, found);
                if is_doubtful && output.valid.contains(&true) {
                    doubts.confirm();
                }
            });
            if !send_full(&mut tiles, sender).await {
                return Ok(());
            }
            if samples_read >= yield_at {
                yield_at = samples_read + SAMPLES_BETWEEN_YIELDS;
                tokio::task::yield_now().await;
            }
        }
        send_rest(tiles, sender).await;
        Ok(())
    }
}

/// Memory of the samples of one series.
struct HeldScratch<'a> {
    leaf: &'a Leaf,
    selected_bytes: usize,
    bytes: usize,
}

impl HeldScratch<'_> {
    /// Takes more if the samples take more than those before.
    fn hold(&mut self, scratch: &Scratch) -> Result<(), Error> {
        let bytes = scratch.bytes();
        if bytes > self.bytes {
            self.leaf.held.resize(self.selected_bytes + bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }
}

impl Leaf {
    fn kernel_of(&self, selected: usize) -> &Kernel {
        let is_delta = self.deltas.get(selected).copied().unwrap_or(false);
        if is_delta { &self.delta_kernel } else { &self.kernel }
    }

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
