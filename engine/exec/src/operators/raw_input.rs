//! The samples of series one after the other, with nothing computed of them.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::TaskContext;

use super::histogram_input::HistogramInput;
use super::series_input::{Scratch, SeriesInput, SeriesKey, open};
use crate::histogram::Histogram;
use crate::lower::SampleInputs;

/// Sorted inputs, merged series by series.
pub(crate) struct RawInput {
    numbers: Vec<SeriesInput>,
    histograms: Vec<HistogramInput>,
    scratch: Scratch,
}

impl RawInput {
    /// Starts reading.
    pub(crate) fn open(inputs: &SampleInputs, context: &Arc<TaskContext>) -> Result<Self> {
        Ok(Self {
            numbers: open(&inputs.numbers, context, SeriesInput::new)?,
            histograms: open(&inputs.histograms, context, HistogramInput::new)?,
            scratch: Scratch::default(),
        })
    }

    /// The samples of a series by time, stale markers among them, one for each time. Keys must
    /// be asked for in ascending order.
    pub(crate) async fn read(&mut self, key: SeriesKey) -> Result<Samples> {
        self.scratch.clear();
        for input in &mut self.numbers {
            input.skip_to(key).await?;
            input.take(key, &mut self.scratch).await?;
        }
        for input in &mut self.histograms {
            input.take(key, &mut self.scratch).await?;
        }
        self.scratch.settle();
        let times = self.scratch.times.iter().copied();
        let numbers = times.zip(self.scratch.values.iter().copied()).collect();
        Ok(Samples { numbers, histograms: std::mem::take(&mut self.scratch.histograms) })
    }
}

/// The samples of one series with their times in milliseconds, ascending.
pub(crate) struct Samples {
    /// Those that are numbers.
    pub(crate) numbers: Vec<(i64, f64)>,
    /// Those that are native histograms.
    pub(crate) histograms: Vec<(i64, Histogram)>,
}

impl Samples {
    /// Memory of the samples.
    pub(crate) fn bytes(&self) -> usize {
        let histograms = self.histograms.iter().map(|(_, found)| found.memory_bytes() + 8);
        self.numbers.capacity() * size_of::<(i64, f64)>() + histograms.sum::<usize>()
    }
}
