//! Aggregations that keep values of each step: the best series, quantiles, counts of values.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use plan::Remark;
use plan::node::AggregateOp;

use super::super::collect::{Cell, Row};
use super::Told;
use super::counted::Counted;
use crate::annotations::Remarks;
use crate::functions::quantile::quantile;
use crate::histogram::Histogram;
use crate::roster::Roster;
use crate::tiles::Tile;
use crate::{Error, ErrorKind};

/// Values of one group: for each step the candidates with their series.
pub(super) struct Pick {
    steps: Vec<Vec<Candidate>>,
    /// What a value must be better than to be among the best of a step; `None` while anything is.
    bars: Vec<Option<f64>>,
    histograms: Vec<Histogram>,
}

#[derive(Clone, Copy)]
struct Candidate {
    value: f64,
    series: u32,
    /// Position of the histogram that it is; `NUMBER` if it is none.
    histogram: u32,
}

/// Candidates of a step that are not worth cutting.
const CUT_MIN: usize = 16;

/// No histogram.
const NUMBER: u32 = u32::MAX;

impl Pick {
    /// An empty state.
    pub(super) fn new(steps: usize) -> Self {
        Self { steps: vec![Vec::new(); steps], bars: vec![None; steps], histograms: Vec::new() }
    }

    /// Adds the values of a series; returns by how many bytes the state grew at most.
    pub(super) fn add(
        &mut self,
        op: &AggregateOp,
        parameter: &[f64],
        tile: &Tile<'_>,
        told: &mut Told,
    ) -> Result<usize, Error> {
        let mut added = 0;
        let grown = self.add_histograms(op, parameter, tile, told);
        let is_top = matches!(op, AggregateOp::TopK);
        let picks_best = is_top || matches!(op, AggregateOp::BottomK);
        for (step, candidates) in self.steps.iter_mut().enumerate() {
            let Some(value) = tile.get(step) else { continue };
            let candidate = Candidate { value, series: tile.series, histogram: NUMBER };
            if !picks_best {
                candidates.push(candidate);
                added += 1;
                continue;
            }
            let best = count(parameter[step])?;
            // Once there were enough, the worst of the best tells most others to stay away.
            if let Some(bar) = self.bars[step] {
                let order = value.total_cmp(&bar);
                let is_better = if is_top { order.is_gt() } else { order.is_lt() };
                if value.is_nan() || !(is_better || bar.is_nan()) {
                    continue;
                }
            }
            candidates.push(candidate);
            added += 1;
            // Keep some slack, so that the candidates are cut once in a while, not each time.
            if candidates.len() >= best.saturating_mul(2).max(CUT_MIN) {
                keep_best(op, candidates, best);
                let enough = best > 0 && candidates.len() == best;
                self.bars[step] = candidates.last().filter(|_| enough).map(|worst| worst.value);
            }
        }
        Ok(added * size_of::<Candidate>() + grown)
    }

    /// Adds histograms, which some operations take like numbers and others leave out.
    fn add_histograms(
        &mut self,
        op: &AggregateOp,
        parameter: &[f64],
        tile: &Tile<'_>,
        told: &mut Told,
    ) -> usize {
        use AggregateOp as A;
        if !tile.has_histograms() {
            return 0;
        }
        if !matches!(op, A::LimitK | A::LimitRatio | A::CountValues(_)) {
            // Where none are picked none are ignored.
            let picks = |step: u32| *op == A::Quantile || parameter[step as usize] >= 1.0;
            told.ignored |= tile.histograms().iter().any(|(step, _)| picks(*step));
            return 0;
        }
        let mut grown = 0;
        for (step, histogram) in tile.histograms() {
            let at = u32::try_from(self.histograms.len()).unwrap_or(NUMBER);
            let candidate = Candidate { value: f64::NAN, series: tile.series, histogram: at };
            self.steps[step as usize].push(candidate);
            grown += histogram.memory_bytes() + size_of::<Candidate>();
            self.histograms.push(histogram);
        }
        grown
    }

    /// Values kept, of all steps.
    pub(super) fn candidates(&self) -> usize {
        self.steps.iter().map(Vec::len).sum()
    }

    /// The series of the result of all operations but `count_values`.
    pub(super) fn finish(
        mut self,
        op: &AggregateOp,
        parameter: &[f64],
        group: u32,
        roster: &Roster,
    ) -> Result<Vec<Row>, Error> {
        match op {
            AggregateOp::Quantile => Ok(vec![self.quantiles(parameter, group)]),
            _ => {
                for (step, candidates) in self.steps.iter_mut().enumerate() {
                    match op {
                        AggregateOp::LimitRatio => {
                            let ratio = parameter[step];
                            candidates.retain(|candidate| in_ratio(ratio, candidate, roster));
                        }
                        AggregateOp::LimitK => candidates.truncate(count(parameter[step])?),
                        _ => keep_best(op, candidates, count(parameter[step])?),
                    }
                }
                Ok(self.by_series())
            }
        }
    }

    /// Turns candidates of steps into rows of series, in the order first met.
    fn by_series(self) -> Vec<Row> {
        let steps = self.steps.len();
        let mut rows: Vec<Row> = Vec::new();
        let mut positions: HashMap<u32, usize, ahash::RandomState> = HashMap::default();
        for (step, candidates) in self.steps.into_iter().enumerate() {
            for Candidate { value, series, histogram } in candidates {
                let at = *positions.entry(series).or_insert_with(|| {
                    rows.push(Row::empty(series, steps));
                    rows.len() - 1
                });
                let histogram = self.histograms.get(histogram as usize);
                let cell = histogram.map_or(Cell::Number(value), Cell::Histogram);
                rows[at].set(step, Some(cell.to_content()));
            }
        }
        rows
    }

    fn quantiles(&self, parameter: &[f64], group: u32) -> Row {
        let valid = self.steps.iter().map(|candidates| !candidates.is_empty()).collect();
        let values = self.steps.iter().zip(parameter).map(|(candidates, phi)| {
            let mut values: Vec<f64> = candidates.iter().map(|candidate| candidate.value).collect();
            quantile(*phi, &mut values)
        });
        Row { values: values.collect(), valid, ..Row::empty(group, 0) }
    }

    /// Counts equal values of each step under the labels of the group and the value as a text.
    pub(super) fn count_values(
        self,
        label: &str,
        group: u32,
        roster: &Roster,
        counted: &mut Counted,
    ) -> Result<(), Error> {
        let labels = roster.labels(group);
        let position = |text: &str, counted: &mut Counted| {
            let series = roster.ordinal(&labels.with(label, text))?;
            Ok::<u32, Error>(counted.position(series))
        };
        // By the bits of numbers; those with one text have one series.
        let mut known: HashMap<u64, u32, ahash::RandomState> = HashMap::default();
        for (step, candidates) in self.steps.into_iter().enumerate() {
            for candidate in candidates {
                let at = match self.histograms.get(candidate.histogram as usize) {
                    Some(histogram) => position(&histogram.to_string(), counted)?,
                    None => match known.entry(candidate.value.to_bits()) {
                        Entry::Occupied(known) => *known.get(),
                        Entry::Vacant(new) => {
                            *new.insert(position(&number_text(candidate.value), counted)?)
                        }
                    },
                };
                counted.add(at, step);
            }
        }
        Ok(())
    }
}

/// Shortest decimal that reads back as the same number, without exponent, as Prometheus writes it.
fn number_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

/// Refuses parameters that no step may have, whether or not it has series, and caps those that
/// are too great.
pub(super) fn check(
    op: &AggregateOp,
    parameter: &mut [f64],
    remarks: &Remarks,
) -> Result<(), Error> {
    let least = parameter.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = parameter.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match op {
        AggregateOp::TopK | AggregateOp::BottomK | AggregateOp::LimitK => {
            parameter.iter().try_for_each(|value| count(*value).map(|_| ()))
        }
        AggregateOp::LimitRatio if parameter.iter().any(|value| value.is_nan()) => {
            Err(Error::new(ErrorKind::Invalid, "Ratio value is NaN"))
        }
        AggregateOp::LimitRatio => {
            let capped =
                |given: f64| Remark::InvalidRatio { given, capped: given.clamp(-1.0, 1.0) };
            remarks.add_if(greatest > 1.0, || capped(greatest));
            remarks.add_if(least < -1.0, || capped(least));
            parameter.iter_mut().for_each(|ratio| *ratio = ratio.clamp(-1.0, 1.0));
            Ok(())
        }
        AggregateOp::Quantile => {
            let has_nan = parameter.iter().any(|phi| phi.is_nan());
            remarks.add_if(has_nan, || Remark::InvalidQuantile(f64::NAN));
            remarks.add_if(greatest > 1.0, || Remark::InvalidQuantile(greatest));
            remarks.add_if(least < 0.0, || Remark::InvalidQuantile(least));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The parameter of `topk` and its kin as a number of series.
fn count(parameter: f64) -> Result<usize, Error> {
    if parameter.is_nan() {
        return Err(Error::new(ErrorKind::Invalid, "Parameter value is NaN"));
    }
    if parameter >= i64::MAX as f64 {
        let message = format!("Scalar value {parameter} overflows int64");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    if parameter <= i64::MIN as f64 {
        let message = format!("Scalar value {parameter} underflows int64");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(if parameter < 1.0 { 0 } else { parameter as usize })
}

/// Keeps the best candidates, best first; NaN is worst; of equals the one met first is better.
fn keep_best(op: &AggregateOp, candidates: &mut Vec<Candidate>, best: usize) {
    let top = matches!(op, AggregateOp::TopK);
    candidates.sort_by(|a, b| match (a.value.is_nan(), b.value.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if top => b.value.total_cmp(&a.value),
        (false, false) => a.value.total_cmp(&b.value),
    });
    candidates.truncate(best);
}

/// Whether a series falls into the share: its hash as a fraction lies below the ratio, or, for a
/// negative ratio, in the complement.
fn in_ratio(ratio: f64, candidate: &Candidate, roster: &Roster) -> bool {
    let hash = roster.labels(candidate.series).id() as u64;
    let share = hash as f64 / u64::MAX as f64;
    if ratio >= 0.0 { share < ratio } else { share >= 1.0 + ratio }
}
