//! Sums of many histograms, with what the additions lose kept apart.

use super::merge::align;
use super::{Bucket, Conflict, Histogram};
use crate::functions::compensated;

/// A sum of histograms, number by number as Neumaier adds.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    total: Histogram,
    /// What has been lost of each number of `total`, in its layout.
    lost: Histogram,
    added: f64,
    /// Whether the parts are those of the mean, since the sum would be infinite.
    is_mean: bool,
}

impl Sum {
    /// The sum of one histogram.
    pub(crate) fn new(first: Histogram) -> Self {
        let lost = Histogram {
            schema: first.schema,
            zero_threshold: first.zero_threshold,
            bounds: std::sync::Arc::clone(&first.bounds),
            ..Histogram::default()
        };
        Self { total: first, lost, added: 1.0, is_mean: false }
    }

    /// Adds a histogram; `None`, and the sum is of no use any more, if one has custom bounds and
    /// the other has not.
    pub(crate) fn add(&mut self, other: &Histogram) -> Option<Conflict> {
        let mut other = other.clone();
        let bounds = align(&mut self.total, &mut other)?;
        // What was lost follows into the new layout, whatever that does to a zero bucket.
        let mut layout = Histogram {
            schema: self.total.schema,
            zero_threshold: self.total.zero_threshold,
            bounds: std::sync::Arc::clone(&self.total.bounds),
            ..Histogram::default()
        };
        align(&mut self.lost, &mut layout)?;
        let hints = self.total.take_hint(other.hint);
        self.added += 1.0;
        if self.is_mean {
            self.weigh((self.added - 1.0) / self.added);
            other.each_number(|number| *number /= self.added);
        }
        let (total, lost) = (&mut self.total, &mut self.lost);
        compensated::add(&mut total.zero_count, &mut lost.zero_count, other.zero_count);
        compensated::add(&mut total.count, &mut lost.count, other.count);
        compensated::add(&mut total.sum, &mut lost.sum, other.sum);
        add_side(&mut total.positive, &mut lost.positive, &other.positive);
        add_side(&mut total.negative, &mut lost.negative, &other.negative);
        Some(Conflict { hints, bounds })
    }

    /// Adds a histogram to what will be a mean: from where the sum would be infinite, the mean
    /// itself is kept.
    pub(crate) fn add_to_mean(&mut self, other: &Histogram) -> Option<Conflict> {
        let is_finite = self.total.count.is_finite() && self.total.sum.is_finite();
        let overflows = !(self.total.count + other.count).is_finite()
            || !(self.total.sum + other.sum).is_finite();
        if !self.is_mean && is_finite && overflows {
            self.weigh(1.0 / self.added);
            self.is_mean = true;
        }
        self.add(other)
    }

    fn weigh(&mut self, factor: f64) {
        self.total.each_number(|number| *number *= factor);
        self.lost.each_number(|number| *number *= factor);
    }

    /// The sum.
    pub(crate) fn total(self) -> Histogram {
        let mut total = self.total;
        total.zero_count += self.lost.zero_count;
        total.count += self.lost.count;
        if total.sum.is_finite() {
            total.sum += self.lost.sum;
        }
        total.positive = super::merge::zip(&total.positive, &self.lost.positive, |a, b| a + b);
        total.negative = super::merge::zip(&total.negative, &self.lost.negative, |a, b| a + b);
        total.compacted()
    }

    /// The mean of what was added.
    pub(crate) fn mean(self) -> Histogram {
        let added = if self.is_mean { 1.0 } else { self.added };
        self.total().divided(added)
    }
}

fn add_side(total: &mut Vec<Bucket>, lost: &mut Vec<Bucket>, other: &[Bucket]) {
    // All indexes in both, so that they can be walked together.
    let first = |a: f64, _| a;
    *total = super::merge::zip(total, other, first);
    *lost = super::merge::zip(lost, total, first);
    let mut at = 0;
    for (index, count) in other {
        while total[at].0 < *index {
            at += 1;
        }
        compensated::add(&mut total[at].1, &mut lost[at].1, *count);
    }
}
