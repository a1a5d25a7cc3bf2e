//! Line filters over whole batches: the texts of all rows are one buffer, searched once.

use arrow::array::{Array, StringArray};
use memchr::memmem::Finder;

use super::predicate::LineTest;

#[cfg(test)]
mod tests;

/// Below one row in so many alive, rows are searched one by one.
const SPARSE: usize = 8;

/// Clears `alive` where the test does not hold; rows that are not alive are not asked.
pub(super) fn keep(test: &LineTest, lines: &StringArray, alive: &mut [bool]) {
    match test {
        LineTest::Contains(finder) => keep_containing(finder, lines, alive),
        LineTest::And(all) => all.iter().for_each(|test| keep(test, lines, alive)),
        LineTest::Or(any) => {
            let mut kept = vec![false; alive.len()];
            for test in any {
                let mut asked: Vec<bool> =
                    alive.iter().zip(&kept).map(|(alive, kept)| *alive && !kept).collect();
                keep(test, lines, &mut asked);
                kept.iter_mut().zip(asked).for_each(|(kept, holds)| *kept |= holds);
            }
            alive.copy_from_slice(&kept);
        }
        LineTest::Not(inner) => {
            let mut holds = alive.to_vec();
            keep(inner, lines, &mut holds);
            alive.iter_mut().zip(holds).for_each(|(alive, holds)| *alive &= !holds);
        }
        LineTest::Matches(_) | LineTest::Pattern(_) | LineTest::Address { .. } => {
            each(alive, |row| test.holds(lines.value(row)));
        }
    }
}

fn each(alive: &mut [bool], holds: impl Fn(usize) -> bool) {
    for (row, alive) in alive.iter_mut().enumerate() {
        *alive = *alive && holds(row);
    }
}

fn keep_containing(finder: &Finder<'_>, lines: &StringArray, alive: &mut [bool]) {
    let needle = finder.needle();
    if needle.is_empty() {
        return;
    }
    let count = alive.iter().filter(|alive| **alive).count();
    if count * SPARSE < alive.len() {
        each(alive, |row| finder.find(lines.value(row).as_bytes()).is_some());
        return;
    }
    let offsets: &[i32] = lines.value_offsets();
    let bytes = lines.value_data();
    let offset = |row: usize| offsets[row] as usize;
    let mut at = offset(0);
    let mut row = 0;
    let end = offset(lines.len());
    while let Some(found) = finder.find(&bytes[at..end]) {
        let hit = at + found;
        while offset(row + 1) <= hit {
            alive[row] = false;
            row += 1;
        }
        if hit + needle.len() <= offset(row + 1) {
            at = offset(row + 1);
            row += 1;
        } else {
            // The needle runs over the end of the line; the next line may still begin within it.
            at = hit + 1;
        }
    }
    alive[row..].fill(false);
}
