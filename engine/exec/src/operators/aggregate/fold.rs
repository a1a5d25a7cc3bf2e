//! Aggregations that keep a few numbers for each step of a group.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use plan::node::AggregateOp;

use super::Told;
use crate::functions::compensated::{Mean, add};
use crate::histogram::{Histogram, ResetHint, Sum};
use crate::tiles::Tile;

/// Memory of one step of a group, at most.
pub(super) const BYTES_PER_STEP: usize = 4 + 2 * 8 + size_of::<Mean>();

/// The state of one group: arrays with one item for each step.
pub(super) struct Fold {
    kind: Kind,
    count: Vec<u32>,
    first: Vec<f64>,
    second: Vec<f64>,
    means: Vec<Mean>,
    /// Sums of native histograms by step.
    histograms: BTreeMap<u32, HistogramSum>,
}

/// The histograms of one step.
struct HistogramSum {
    /// `None` if they cannot be added.
    sum: Option<Sum>,
    /// Whether one says that its counter was reset.
    resets: bool,
    /// Whether one says that its counter was not reset.
    continues: bool,
}

impl HistogramSum {
    fn hear(&mut self, hint: ResetHint) {
        self.resets |= hint == ResetHint::Reset;
        self.continues |= hint == ResetHint::NotReset;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `first + second`: Neumaier's sum.
    Sum,
    /// `means`.
    Avg,
    /// `first`.
    Min,
    /// `first`.
    Max,
    /// `count`.
    Count,
    /// 1.
    Group,
    /// Welford: `first` is the mean, `second` the sum of squared distances.
    Stdvar,
    /// Its square root.
    Stddev,
}

impl Fold {
    /// An empty state; `None` if the operation does not fold.
    pub(super) fn new(op: &AggregateOp, steps: usize) -> Option<Self> {
        let kind = match op {
            AggregateOp::Sum => Kind::Sum,
            AggregateOp::Avg => Kind::Avg,
            AggregateOp::Min => Kind::Min,
            AggregateOp::Max => Kind::Max,
            AggregateOp::Count => Kind::Count,
            AggregateOp::Group => Kind::Group,
            AggregateOp::Stdvar => Kind::Stdvar,
            AggregateOp::Stddev => Kind::Stddev,
            _ => return None,
        };
        let (numbers, means) = if kind == Kind::Avg { (0, steps) } else { (steps, 0) };
        let zeros = || vec![0.0; numbers];
        let (first, second, means) = (zeros(), zeros(), vec![Mean::default(); means]);
        let histograms = BTreeMap::new();
        Some(Self { kind, count: vec![0; steps], first, second, means, histograms })
    }

    /// Adds the values of a series of a metric; returns by how many bytes the state grew about.
    pub(super) fn add(
        &mut self,
        tile: &Tile<'_>,
        told: &mut Told,
        metric: impl Fn() -> String,
    ) -> usize {
        self.add_numbers(tile);
        let mut grown = 0;
        for (step, histogram) in tile.histograms() {
            match self.kind {
                Kind::Sum | Kind::Avg => {
                    grown += self.add_histogram(step, histogram, told, &metric)
                }
                Kind::Count | Kind::Group => self.count[step as usize] += 1,
                // These know numbers only.
                Kind::Min | Kind::Max | Kind::Stdvar | Kind::Stddev => told.ignored = true,
            }
        }
        grown
    }

    fn add_histogram(
        &mut self,
        step: u32,
        histogram: Histogram,
        told: &mut Told,
        metric: &impl Fn() -> String,
    ) -> usize {
        let (hint, bytes) = (histogram.hint, 2 * histogram.memory_bytes());
        let own = match self.histograms.entry(step) {
            Entry::Vacant(entry) => {
                let sum = Some(Sum::new(histogram));
                entry.insert(HistogramSum { sum, resets: false, continues: false }).hear(hint);
                return bytes;
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        let Some(sum) = &mut own.sum else { return 0 };
        let add = if self.kind == Kind::Avg { Sum::add_to_mean } else { Sum::add };
        match add(sum, &histogram) {
            Some(conflict) => told.reconciled |= conflict.bounds,
            None => {
                own.sum = None;
                told.mixed_buckets.insert(metric());
            }
        }
        own.hear(hint);
        0
    }

    fn add_numbers(&mut self, tile: &Tile<'_>) {
        match self.kind {
            Kind::Sum => self.each(tile, |_, sum, lost, value| add(sum, lost, value)),
            Kind::Avg => {
                for (step, mean) in self.means.iter_mut().enumerate() {
                    if let Some(value) = tile.get(step) {
                        mean.add(value);
                    }
                }
            }
            Kind::Min => self.each(tile, |count, least, _, value| {
                if count == 1 || value < *least || least.is_nan() {
                    *least = value;
                }
            }),
            Kind::Max => self.each(tile, |count, greatest, _, value| {
                if count == 1 || value > *greatest || greatest.is_nan() {
                    *greatest = value;
                }
            }),
            Kind::Count | Kind::Group => self.each(tile, |_, _, _, _| {}),
            Kind::Stdvar | Kind::Stddev => self.each(tile, |count, mean, squares, value| {
                let delta = value - *mean;
                *mean += delta / f64::from(count);
                *squares += delta * (value - *mean);
            }),
        }
    }

    fn each(&mut self, tile: &Tile<'_>, fold: impl Fn(u32, &mut f64, &mut f64, f64)) {
        let state = self.count.iter_mut().zip(&mut self.first).zip(&mut self.second);
        let cells = state.zip(tile.values);
        if tile.is_full() {
            for (((count, first), second), value) in cells {
                *count += 1;
                fold(*count, first, second, *value);
            }
            return;
        }
        for (step, (((count, first), second), value)) in cells.enumerate() {
            if tile.is_valid(step) {
                *count += 1;
                fold(*count, first, second, *value);
            }
        }
    }

    /// Writes the result of every step; a step with numbers and histograms has none.
    pub(super) fn finish(
        mut self,
        values: &mut [f64],
        valid: &mut [bool],
        histograms: &mut Vec<(u32, Histogram)>,
        told: &mut Told,
    ) {
        self.finish_numbers(values, valid);
        for (step, HistogramSum { sum, resets, continues }) in std::mem::take(&mut self.histograms)
        {
            if std::mem::take(&mut valid[step as usize]) {
                told.mixed = true;
                continue;
            }
            let total = if self.kind == Kind::Avg { Sum::mean } else { Sum::total };
            told.conflicting |= sum.is_some() && resets && continues;
            histograms.extend(sum.map(|sum| (step, total(sum))));
        }
    }

    fn finish_numbers(&self, values: &mut [f64], valid: &mut [bool]) {
        if self.kind == Kind::Avg {
            for (step, mean) in self.means.iter().enumerate() {
                valid[step] = mean.value().is_some();
                values[step] = mean.value().unwrap_or(f64::NAN);
            }
            return;
        }
        for step in 0..self.count.len() {
            let count = f64::from(self.count[step]);
            let (first, second) = (self.first[step], self.second[step]);
            valid[step] = self.count[step] > 0;
            values[step] = match self.kind {
                Kind::Sum => total(first, second),
                Kind::Avg | Kind::Min | Kind::Max => first,
                Kind::Count => count,
                Kind::Group => 1.0,
                Kind::Stdvar => second / count,
                Kind::Stddev => (second / count).sqrt(),
            };
        }
    }
}

fn total(sum: f64, lost: f64) -> f64 {
    if sum.is_infinite() { sum } else { sum + lost }
}
