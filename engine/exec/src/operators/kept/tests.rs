//! Rows are kept as they came: full ones, those with gaps, nearly empty ones, and joined ones.

use proptest::prelude::*;

use super::KeptRows;
use crate::tiles::{self, TileBuilder};

/// Adds a tile for each series, and reads the rows again.
fn kept(tiles: &[(u32, Vec<Option<f64>>)]) -> Option<Vec<(u32, Vec<Option<f64>>)>> {
    let steps = tiles[0].1.len();
    let mut rows = KeptRows::default();
    for (series, cells) in tiles {
        let mut builder = TileBuilder::new(steps as u32);
        let values: Vec<f64> = cells.iter().map(|cell| cell.unwrap_or(7.0)).collect();
        let valid: Vec<bool> = cells.iter().map(Option::is_some).collect();
        builder.push(*series, &values, &valid);
        let mut added = Ok(0);
        tiles::for_each(&builder.finish(), |tile| {
            added = rows.add(tile.series, &tile);
            Ok::<(), ()>(())
        })
        .unwrap();
        added.ok()?;
    }
    let read = |row: &super::KeptRow| {
        let (mut values, mut valid) = (vec![1.0], vec![true]);
        row.write(steps, &mut values, &mut valid);
        let cells = values[1..].iter().zip(&valid[1..]);
        let cells: Vec<Option<f64>> = cells.map(|(value, valid)| valid.then_some(*value)).collect();
        assert_eq!(row.first_number(), cells[0].unwrap_or(0.0));
        assert_eq!(row.has_any(), cells.iter().any(Option::is_some));
        (row.series, cells)
    };
    Some(rows.into_rows().iter().map(read).collect())
}

fn cells() -> impl Strategy<Value = Vec<Option<f64>>> {
    let part = prop_oneof![Just(0.05), Just(0.5), Just(0.9), Just(0.999)];
    part.prop_flat_map(|part| prop::collection::vec(prop::option::weighted(part, -1e3..1e3_f64), 9))
}

proptest! {
    #[test]
    fn rows_are_kept_as_they_came(all in prop::collection::vec(cells(), 1..5)) {
        let some = all.into_iter().filter(|cells| cells.iter().any(Option::is_some));
        let all: Vec<_> = (3_u32..).zip(some).collect();
        prop_assume!(!all.is_empty());
        prop_assert_eq!(kept(&all), Some(all));
    }

    #[test]
    fn parts_of_a_series_are_joined(cells in cells(), split in 1..8_usize) {
        let part = |range: std::ops::Range<usize>| -> Vec<Option<f64>> {
            let within = |(step, cell): (usize, &Option<f64>)| cell.filter(|_| range.contains(&step));
            cells.iter().enumerate().map(within).collect()
        };
        let parts = [(3, part(0..split)), (3, part(split..9))];
        let is_known = parts.iter().all(|(_, cells)| cells.iter().any(Option::is_some));
        prop_assume!(is_known);
        prop_assert_eq!(kept(&parts), Some(vec![(3, cells.clone())]));
        // Two values at one step.
        prop_assert_eq!(kept(&[(3, cells.clone()), (3, cells)]), None);
    }
}
