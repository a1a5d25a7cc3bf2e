//! How often each value was counted at each step: what `count_values` gives.
//!
//! Of many values most are met at few steps, so cells are kept that exist, not rows of all steps.

use std::collections::HashMap;

/// Memory of a cell, and of the result that it may begin.
pub(super) const CELL_BYTES: usize = 40;

/// Counts of the series of a result, which are in the order first met.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Ordinals in the roster.
    series: Vec<u32>,
    positions: HashMap<u32, u32, ahash::RandomState>,
    /// Position of a series, and a step at which one more was met.
    cells: Vec<(u32, u32)>,
}

impl Counted {
    /// The position of a series, given now if it is new.
    pub(super) fn position(&mut self, series: u32) -> u32 {
        *self.positions.entry(series).or_insert_with(|| {
            self.series.push(series);
            // As many as there are ordinals at most, which are u32.
            (self.series.len() - 1) as u32
        })
    }

    /// Counts one more at a step.
    pub(super) fn add(&mut self, position: u32, step: usize) {
        self.cells.push((position, step as u32));
    }

    /// The series in order: of each its ordinal and its cells.
    pub(super) fn rows(&mut self) -> impl Iterator<Item = (u32, &[(u32, u32)])> {
        self.cells.sort_unstable();
        let rows = self.cells.chunk_by(|a, b| a.0 == b.0);
        rows.map(|cells| (self.series[cells[0].0 as usize], cells))
    }
}

/// Writes the counts of cells of one series.
pub(super) fn write(cells: &[(u32, u32)], values: &mut [f64], valid: &mut [bool]) {
    for (_, step) in cells {
        values[*step as usize] += 1.0;
        valid[*step as usize] = true;
    }
}
