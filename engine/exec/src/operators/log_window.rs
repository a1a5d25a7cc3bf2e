//! `LogWindowExec`: log rows to tiles.
//!
//! ```text
//!  rows of a segment ─ pipeline ─▶ (series, time, value) ┐   counts: one difference a window edge
//!  rows of the memtable ─ … ─────▶ (series, time, value) ┴▶  else: samples, sorted, then kernels
//! ```
//!
//! Rows need no order. A row at time `t` lies in the windows that end in `[t, t + range)`, which
//! are neighbours; sums of whole numbers are therefore kept as differences at the first such
//! window and behind the last one, and added up at the end: exact, and two additions a row.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use futures::StreamExt;
use plan::node::WindowFunction;

use super::log_rows::{LogRows, SeriesRows};
use super::node::{channel, execution_plan, send_full, send_rest, single_partition};
use crate::functions::window::{self, Output, Samples, Windows};
use crate::roster::Roster;
use crate::tiles::{self, TileBuilder};
use crate::{Error, ErrorKind};

/// Counts or computes, per series and window, over the rows that a pipeline keeps.
pub(crate) struct LogWindowExec {
    rows: LogRows,
    function: WindowFunction,
    windows: Windows,
    samples_max: usize,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl LogWindowExec {
    /// `windows` are in nanoseconds.
    pub(crate) fn new(
        rows: LogRows,
        function: WindowFunction,
        windows: Windows,
        samples_max: usize,
        roster: Arc<Roster>,
    ) -> Self {
        let steps = u32::try_from(windows.count).unwrap_or(u32::MAX);
        let properties = single_partition(tiles::schema(steps));
        Self { rows, function, windows, samples_max, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.rows.input]
    }

    fn with_inputs(&self, mut inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let rows = self.rows.with_input(inputs.swap_remove(0));
        let (function, roster) = (self.function.clone(), Arc::clone(&self.roster));
        Self::new(rows, function, self.windows, self.samples_max, roster)
    }

    fn describe(&self) -> String {
        format!("{:?} over {} ns", self.function, self.windows.range)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut batches = self.rows.series(context)?;
        let mut folded = Folded {
            state: State::new(&self.function, self.rows.is_unwrapped()),
            windows: self.windows,
            samples_max: self.samples_max,
            reserved: MemoryConsumer::new("LogWindowExec").register(context.memory_pool()),
        };
        let function = self.function.clone();
        let roster = Arc::clone(&self.roster);
        let mut builder = channel(self.schema());
        let sender = builder.tx();
        builder.spawn(async move {
            while let Some(batch) = batches.next().await {
                let (batch, _held) = batch?;
                folded.add(&batch, &roster)?;
            }
            let mut output =
                TileBuilder::new(u32::try_from(folded.windows.count).unwrap_or(u32::MAX));
            for (series, samples) in folded.state.into_series() {
                output.push_with(series, |values, valid| {
                    let output = &mut Output { values, valid };
                    samples.evaluate(&function, &folded.windows, output);
                });
                if !send_full(&mut output, &sender).await {
                    return Ok(());
                }
            }
            send_rest(output, &sender).await;
            Ok(())
        });
        Ok(builder.build())
    }
}

/// What is kept of one series.
enum SeriesState {
    /// Differences of the sum and of the number of rows from window to window.
    Differences(Vec<(i64, i64)>),
    /// Times and values in order of arrival.
    Samples(Vec<(i64, f64)>),
}

struct State {
    exact: bool,
    positions: HashMap<u32, usize, ahash::RandomState>,
    series: Vec<(u32, SeriesState)>,
}

impl State {
    /// Whole numbers (rows, bytes) are summed by differences.
    fn new(function: &WindowFunction, unwrapped: bool) -> Self {
        use WindowFunction as F;
        let sums = matches!(
            function,
            F::Count | F::PerSecond | F::Bytes | F::BytesPerSecond | F::Present | F::Absent(_)
        );
        Self { exact: sums && !unwrapped, positions: HashMap::default(), series: Vec::new() }
    }

    fn into_series(self) -> Vec<(u32, SeriesState)> {
        self.series
    }
}

struct Folded {
    state: State,
    windows: Windows,
    samples_max: usize,
    reserved: MemoryReservation,
}

impl Folded {
    fn add(&mut self, rows: &SeriesRows, roster: &Roster) -> Result<()> {
        let mut positions = Vec::with_capacity(rows.labels.len());
        for labels in &rows.labels {
            positions.push(self.position(roster.ordinal(labels)?)?);
        }
        if !self.state.exact {
            self.reserved.try_grow(rows.times.len() * size_of::<(i64, f64)>())?;
            let held = self.reserved.size() / size_of::<(i64, f64)>();
            if held > self.samples_max {
                let message = format!(
                    "the query reads over {} samples, the limit of samples_max",
                    self.samples_max
                );
                return Err(Error::new(ErrorKind::Limit, message).into());
            }
        }
        for ((series, time), value) in rows.series.iter().zip(&rows.times).zip(&rows.values) {
            match &mut self.state.series[positions[*series as usize]].1 {
                SeriesState::Samples(samples) => samples.push((*time, *value)),
                SeriesState::Differences(differences) => {
                    if let Some((first, behind)) = touched(&self.windows, *time) {
                        let whole = *value as i64;
                        differences[first].0 += whole;
                        differences[first].1 += 1;
                        differences[behind].0 -= whole;
                        differences[behind].1 -= 1;
                    }
                }
            }
        }
        Ok(())
    }

    fn position(&mut self, series: u32) -> Result<usize> {
        if let Some(at) = self.state.positions.get(&series) {
            return Ok(*at);
        }
        let state = if self.state.exact {
            let edges = self.windows.count + 1;
            self.reserved.try_grow(edges * size_of::<(i64, i64)>())?;
            SeriesState::Differences(vec![(0, 0); edges])
        } else {
            SeriesState::Samples(Vec::new())
        };
        self.state.series.push((series, state));
        self.state.positions.insert(series, self.state.series.len() - 1);
        Ok(self.state.series.len() - 1)
    }
}

/// The first window that holds `time` and the first one behind it that does not; `None` if no
/// window does. Window `k` is `(end - range, end]` with `end = first_end + k * step`.
fn touched(windows: &Windows, time: i64) -> Option<(usize, usize)> {
    let count = windows.count as i64;
    let from_first = time.saturating_sub(windows.first_end);
    if windows.step == 0 {
        let inside = from_first <= 0 && from_first > -windows.range;
        return inside.then_some((0, windows.count));
    }
    // end >= time
    let first = (from_first + windows.step - 1).div_euclid(windows.step).max(0);
    // end - range < time
    let behind = (from_first + windows.range + windows.step - 1).div_euclid(windows.step);
    let behind = behind.clamp(0, count);
    let (first, behind) = (usize::try_from(first).ok()?, usize::try_from(behind).ok()?);
    (first < behind).then_some((first, behind))
}

impl SeriesState {
    fn evaluate(self, function: &WindowFunction, windows: &Windows, output: &mut Output<'_>) {
        match self {
            Self::Differences(differences) => {
                let range = windows.range as f64 / windows.units_per_second;
                let (mut sum, mut rows) = (0, 0);
                for (k, (sum_change, row_change)) in differences[..windows.count].iter().enumerate()
                {
                    sum += sum_change;
                    rows += row_change;
                    output.valid[k] = rows > 0;
                    output.values[k] = match function {
                        WindowFunction::PerSecond | WindowFunction::BytesPerSecond => {
                            sum as f64 / range
                        }
                        WindowFunction::Present | WindowFunction::Absent(_) => 1.0,
                        _ => sum as f64,
                    };
                }
            }
            Self::Samples(mut samples) => {
                samples.sort_by_key(|sample| sample.0);
                let (times, values): (Vec<i64>, Vec<f64>) = samples.into_iter().unzip();
                let samples = Samples { times: &times, values: &values };
                window::evaluate(function, samples, windows, output);
            }
        }
    }
}

execution_plan!(LogWindowExec);

#[cfg(test)]
mod tests;
