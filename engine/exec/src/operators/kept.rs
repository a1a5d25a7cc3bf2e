//! Rows of an answer, kept until they can be sorted: as small as what is in them.
//!
//! Tiles have a place for each step. Of a result such as that of `count_values` most places are
//! empty, and all series of an answer are in memory at once, so only what is there is kept.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use arrow::buffer::ScalarBuffer;

use super::collect::duplicate;
use crate::Error;
use crate::histogram::Histogram;
use crate::tiles::Tile;

/// Steps that have a value are listed if they are no more than this part of all.
const SPARSE_PART: usize = 2;

/// One series of an answer.
#[derive(Debug)]
pub(super) struct KeptRow {
    /// Ordinal in the roster.
    pub(super) series: u32,
    numbers: Numbers,
    /// In order of their steps, at steps without a number.
    pub(super) histograms: Vec<(u32, Histogram)>,
}

#[derive(Debug)]
enum Numbers {
    /// One for each step, and which of them count if not all do. Shared with the batch that it
    /// came in: nearly all of a batch is kept.
    Dense(ScalarBuffer<f64>, Option<Box<[bool]>>),
    /// Steps that have one, ascending.
    Sparse(Box<[(u32, f64)]>),
}

impl KeptRow {
    fn of(series: u32, tile: &Tile<'_>) -> Self {
        let steps = tile.values.len();
        let count = tile.count();
        let numbers = if count == steps {
            Numbers::Dense(tile.shared_values(), None)
        } else if count > steps / SPARSE_PART {
            let valid: Vec<bool> = (0..steps).map(|step| tile.is_valid(step)).collect();
            Numbers::Dense(tile.shared_values(), Some(valid.into()))
        } else {
            Numbers::Sparse(tile.cells())
        };
        Self { series, numbers, histograms: tile.histograms() }
    }

    /// Adds what another tile has of the series, at other steps.
    fn merge(&mut self, tile: &Tile<'_>) -> Result<(), Error> {
        let other = Self::of(self.series, tile);
        let mut cells = self.cells();
        cells.extend(other.cells());
        cells.sort_by_key(|cell| cell.0);
        self.histograms.extend(other.histograms);
        self.histograms.sort_by_key(|cell| cell.0);
        let mut steps: Vec<u32> = cells.iter().map(|cell| cell.0).collect();
        steps.extend(self.histograms.iter().map(|cell| cell.0));
        steps.sort_unstable();
        if steps.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(duplicate());
        }
        self.numbers = Numbers::Sparse(cells.into());
        Ok(())
    }

    fn cells(&self) -> Vec<(u32, f64)> {
        match &self.numbers {
            Numbers::Dense(values, valid) => (0_u32..)
                .zip(values.iter().copied())
                .filter(|(step, _)| valid.as_ref().is_none_or(|valid| valid[*step as usize]))
                .collect(),
            Numbers::Sparse(cells) => cells.to_vec(),
        }
    }

    /// Whether there is a number or a histogram at any step.
    pub(super) fn has_any(&self) -> bool {
        let has_number = match &self.numbers {
            Numbers::Dense(_, Some(valid)) => valid.contains(&true),
            Numbers::Dense(values, None) => !values.is_empty(),
            Numbers::Sparse(cells) => !cells.is_empty(),
        };
        has_number || !self.histograms.is_empty()
    }

    /// The number of the first step; zero where there is none.
    pub(super) fn first_number(&self) -> f64 {
        match &self.numbers {
            Numbers::Dense(_, Some(valid)) if !valid[0] => 0.0,
            Numbers::Dense(values, _) => values.first().copied().unwrap_or(0.0),
            Numbers::Sparse(cells) => {
                cells.first().filter(|cell| cell.0 == 0).map_or(0.0, |cell| cell.1)
            }
        }
    }

    /// Whether there is a number at every step.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.numbers, Numbers::Dense(_, None))
    }

    /// Adds the number of every step to `values`, if there is one at each.
    pub(super) fn copy_to(&self, values: &mut Vec<f64>) {
        if let Numbers::Dense(numbers, None) = &self.numbers {
            values.extend_from_slice(numbers);
        }
    }

    /// Adds a number for each of `steps` steps to `values`, and whether it is one to `valid`.
    pub(super) fn write(&self, steps: usize, values: &mut Vec<f64>, valid: &mut Vec<bool>) {
        let start = values.len();
        match &self.numbers {
            Numbers::Dense(numbers, counting) => {
                values.extend_from_slice(numbers);
                match counting {
                    Some(counting) => valid.extend_from_slice(counting),
                    None => valid.resize(start + steps, true),
                }
            }
            Numbers::Sparse(cells) => {
                values.resize(start + steps, 0.0);
                valid.resize(start + steps, false);
                for (step, value) in cells {
                    values[start + *step as usize] = *value;
                    valid[start + *step as usize] = true;
                }
            }
        }
    }

    fn bytes(&self) -> usize {
        let numbers = match &self.numbers {
            Numbers::Dense(values, valid) => {
                size_of_val::<[f64]>(values) + valid.as_ref().map_or(0, |valid| valid.len())
            }
            Numbers::Sparse(cells) => size_of_val::<[(u32, f64)]>(cells),
        };
        let histograms = self.histograms.iter().map(|(_, histogram)| histogram.memory_bytes());
        numbers + histograms.sum::<usize>()
    }
}

/// Memory of a row beside its values, its place in the map included.
const ROW_BYTES: usize = size_of::<KeptRow>() + 2 * size_of::<(u32, u32)>();

/// Rows in the order in which their series were first met.
#[derive(Debug, Default)]
pub(super) struct KeptRows {
    rows: Vec<KeptRow>,
    positions: HashMap<u32, u32, ahash::RandomState>,
}

impl KeptRows {
    /// Adds the values of `tile` to the row of `series`; by how many bytes it grew. Two values of
    /// a series at one step are an error.
    pub(super) fn add(&mut self, series: u32, tile: &Tile<'_>) -> Result<usize, Error> {
        match self.positions.entry(series) {
            Entry::Vacant(new) => {
                let row = KeptRow::of(series, tile);
                let bytes = ROW_BYTES + row.bytes();
                // As many as there are ordinals at most, which are u32.
                new.insert(self.rows.len() as u32);
                self.rows.push(row);
                Ok(bytes)
            }
            Entry::Occupied(known) => {
                let row = &mut self.rows[*known.get() as usize];
                let before = row.bytes();
                row.merge(tile)?;
                Ok(row.bytes().saturating_sub(before))
            }
        }
    }

    /// The rows, in order.
    pub(super) fn into_rows(self) -> Vec<KeptRow> {
        self.rows
    }
}

#[cfg(test)]
mod tests;
