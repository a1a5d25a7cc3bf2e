//! Functions whose parameters change from step to step.

use std::ops::Range;

use plan::node::WindowFunction;

use super::{Findings, MixedSamples, Output, Samples, Windows, evaluate, evaluate_mixed};
use crate::histogram::Histogram;
use crate::{Error, ErrorKind};

/// A function of a window, with parameters of its own for each step.
#[derive(Clone, Debug)]
pub(crate) struct Stepwise {
    /// Steps that follow each other and the function that all of them have; none is left out.
    runs: Vec<(Range<usize>, WindowFunction)>,
}

impl Stepwise {
    /// The same function at all steps.
    pub(crate) fn constant(function: WindowFunction, steps: usize) -> Self {
        Self { runs: vec![(0..steps, function)] }
    }

    /// A function whose k-th parameter at a step is `parameters[k][step]`.
    ///
    /// # Errors
    /// A parameter that the function has no meaning for.
    pub(crate) fn new(
        function: &WindowFunction,
        parameters: &[Vec<f64>],
        steps: usize,
    ) -> Result<Self, Error> {
        let mut runs: Vec<(Range<usize>, WindowFunction)> = Vec::new();
        let mut before = Vec::new();
        for step in 0..steps {
            let given: Vec<f64> = parameters.iter().map(|values| values[step]).collect();
            let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<u64>>();
            match runs.last_mut() {
                Some(run) if bits(&before) == bits(&given) => run.0.end = step + 1,
                _ => {
                    let function = function.with_parameters(&given);
                    let function =
                        function.map_err(|message| Error::new(ErrorKind::Invalid, message))?;
                    runs.push((step..step + 1, function));
                }
            }
            before = given;
        }
        Ok(Self { runs })
    }

    /// The functions in the order of the steps.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &WindowFunction> {
        self.runs.iter().map(|run| &run.1)
    }

    /// Each function over its steps of samples that hold no stale markers.
    pub(crate) fn evaluate(
        &self,
        samples: Samples<'_>,
        windows: &Windows,
        output: &mut Output<'_>,
    ) {
        for (steps, function) in &self.runs {
            let windows = windows.part(steps);
            evaluate(function, samples, &windows, &mut output.part(steps));
        }
    }

    /// The same of samples with histograms among them.
    pub(crate) fn evaluate_mixed(
        &self,
        samples: MixedSamples<'_>,
        windows: &Windows,
        output: &mut Output<'_>,
        histograms: &mut Vec<(u32, Histogram)>,
    ) -> Findings {
        let mut all = Findings::default();
        for (steps, function) in &self.runs {
            let (windows, before) = (windows.part(steps), histograms.len());
            let mut part = output.part(steps);
            all = all.or(evaluate_mixed(function, samples, &windows, &mut part, histograms));
            let first = u32::try_from(steps.start).unwrap_or(u32::MAX);
            histograms[before..].iter_mut().for_each(|found| found.0 += first);
        }
        all
    }
}

#[cfg(test)]
mod tests;
