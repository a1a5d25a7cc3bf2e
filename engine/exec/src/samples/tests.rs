//! Packed samples read as they were given, and the cache keeps to its bound.

use std::sync::Arc;

use proptest::prelude::*;
use storage::{Budget, Keeper};

use super::cache::{Kept, Part};
use super::directory::Directory;
use super::runs::Given;
use super::{Runs, SampleCache};
use crate::operators::{Scratch, power_of_ten};

/// Samples of a series: times, and mantissas over a power of ten or numbers.
#[derive(Clone, Debug)]
struct Series {
    times: Vec<i64>,
    mantissas: Vec<i64>,
    exponent: i32,
    is_decimal: bool,
}

impl Series {
    fn numbers(&self) -> Vec<f64> {
        let divisor = power_of_ten(self.exponent);
        self.mantissas.iter().map(|mantissa| *mantissa as f64 / divisor).collect()
    }
}

fn series() -> impl Strategy<Value = Series> {
    let distance = prop_oneof![8 => Just(15_000_i64), 1 => 0_i64..50_000];
    let span = prop_oneof![
        Just(1_i64),
        Just(100),
        Just(9000),
        Just(70_000),
        Just(1 << 40),
        Just(i64::MAX / 4)
    ];
    let distances = prop::collection::vec(distance, 1..200);
    (distances, span, any::<u64>(), 0..6_i32, any::<bool>(), -1_000_000_i64..1_000_000).prop_map(
        |(distances, span, seed, exponent, is_decimal, first)| {
            let mut time = first;
            let mut state = seed | 1;
            let mut series = Series { times: vec![], mantissas: vec![], exponent, is_decimal };
            for distance in distances {
                time += distance;
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                series.times.push(time);
                series.mantissas.push((state >> 1) as i64 % span - span / 2);
            }
            series
        },
    )
}

fn pack(all: &[Series]) -> Runs {
    let mut runs = Runs::default();
    for (id, series) in all.iter().enumerate() {
        let numbers = series.numbers();
        let values = if series.is_decimal {
            Given::Decimals(&series.mantissas, series.exponent)
        } else {
            Given::Numbers(&numbers)
        };
        assert!(runs.push((1, 3 * id as i64), &series.times, values));
    }
    runs
}

proptest! {
    #[test]
    fn packed_samples_read_as_they_were_given(
        all in prop::collection::vec(series(), 1..12),
        start in -1_200_000_i64..4_000_000,
        length in 0_i64..4_000_000,
        asked in prop::collection::btree_set(0_i64..40, 1..20),
    ) {
        let runs = pack(&all);
        let mut at = 0;
        for id in asked {
            let mut scratch = Scratch::default();
            at = runs.seek(at, (1, id));
            let found = runs.take(at, (1, id), (start, start + length), &mut scratch);
            prop_assert_eq!(found, id % 3 == 0 && ((id / 3) as usize) < all.len());
            let series = usize::try_from(id / 3).ok().filter(|_| id % 3 == 0);
            let series = series.and_then(|at| all.get(at));
            let expected: Vec<(i64, u64)> = series
                .into_iter()
                .flat_map(|series| series.times.iter().copied().zip(series.numbers()))
                .filter(|sample| start <= sample.0 && sample.0 <= start + length)
                .map(|(time, value)| (time, value.to_bits()))
                .collect();
            let bits = scratch.values.iter().map(|value| value.to_bits());
            let got: Vec<(i64, u64)> = scratch.times.iter().copied().zip(bits).collect();
            prop_assert_eq!(got, expected);
        }
    }
}

#[test]
fn bits_of_numbers_survive() {
    let numbers: Vec<f64> = [0x7ff0_0000_0000_0002, 0x7ff8_0000_dead_beef, 1 << 63, 0x7ff0 << 48]
        .map(f64::from_bits)
        .into();
    let mut runs = Runs::default();
    assert!(runs.push((1, 7), &[1, 2, 3, 5], Given::Numbers(&numbers)));
    let mut scratch = Scratch::default();
    assert!(runs.take(0, (1, 7), (i64::MIN, i64::MAX), &mut scratch));
    assert_eq!(scratch.times, [1, 2, 3, 5]);
    let bits: Vec<u64> = scratch.values.iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, numbers.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
}

fn part(rows: i64) -> Kept {
    let times: Vec<i64> = (0..rows).collect();
    let mut runs = Runs::default();
    assert!(runs.push((1, 1), &times, Given::Decimals(&times, 0)));
    Kept::Runs(Arc::new(runs))
}

#[test]
fn the_cache_gives_up_what_was_used_least_lately() {
    let budget = Budget::new(1 << 30);
    let bytes_max = 64 << 10;
    let cache = SampleCache::new(&budget, bytes_max);
    let name = |at: usize| Arc::<str>::from(format!("segment-{at}"));
    let block = Part::Runs(0, 5);
    for at in 0..100 {
        let query = cache.ask();
        cache.put(&name(at), block, part(1000), query);
        assert!(cache.bytes() <= bytes_max);
        // The first one is asked for again and again, and stays.
        assert!(cache.get("segment-0", block, query).is_some());
    }
    let query = cache.ask();
    assert!(cache.get("segment-99", block, query).is_some());
    assert!(cache.get("segment-50", block, query).is_none());
    assert!(cache.get("segment-99", Part::Runs(0, 6), query).is_none());
    let held = budget.used(storage::Use::Cache);
    assert_eq!(held, cache.bytes());
    // One that would take all of it is not kept.
    cache.put(&name(200), block, part(1 << 20), query);
    assert!(cache.get("segment-200", block, query).is_none());
    drop(cache);
    assert_eq!(budget.used(storage::Use::Cache), 0);
}

#[test]
fn nothing_is_kept_of_segments_that_were_merged_away() {
    let budget = Budget::new(1 << 30);
    let cache = SampleCache::new(&budget, 1 << 20);
    let query = cache.ask();
    for name in ["a", "b"] {
        cache.put(&Arc::from(name), Part::Runs(0, 0), part(100), query);
        cache.put(&Arc::from(name), Part::Runs(0, 1), part(100), query);
    }
    let before = cache.bytes();
    cache.forget(&["a", "c"]);
    assert!(cache.get("a", Part::Runs(0, 1), query).is_none());
    assert!(cache.get("b", Part::Runs(0, 1), query).is_some());
    assert_eq!((cache.bytes(), budget.used(storage::Use::Cache)), (before / 2, before / 2));
}

#[test]
fn a_query_does_not_drive_out_its_own_parts() {
    let budget = Budget::new(1 << 30);
    let cache = SampleCache::new(&budget, 64 << 10);
    let name: Arc<str> = Arc::from("segment");
    let read = |query| {
        let found = |at: &u32| cache.get("segment", Part::Runs(0, *at), query).is_some();
        let found: Vec<u32> = (0..100).filter(found).collect();
        for at in 0..100 {
            if !found.contains(&at) {
                cache.put(&name, Part::Runs(0, at), part(1000), query);
            }
        }
        found
    };
    assert!(read(cache.ask()).is_empty());
    let first = read(cache.ask());
    assert!(first.len() > 20 && first.len() < 100, "{}", first.len());
    assert_eq!(read(cache.ask()), first);
}

/// Lets a value go on until a row.
fn go_on(runs: &mut Vec<(u32, i64)>, until: u32, value: i64) {
    match runs.last_mut() {
        Some(last) if last.1 == value => last.0 = until,
        _ => runs.push((until, value)),
    }
}

proptest! {
    #[test]
    fn directories_tell_the_blocks_of_series(
        lengths in prop::collection::vec((0_i64..3, 1_u32..30_000), 1..60),
        pages in prop::collection::btree_set(0_u32..400_000, 0..60),
        wanted in prop::collection::btree_set((0_i64..9, 0_i64..70), 0..40),
    ) {
        // Series ids go on over metrics, so that runs of both columns end anywhere.
        let (mut metrics, mut series, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let (mut row, mut key) = (0, (0, 0));
        for (step, rows) in &lengths {
            key = if *step == 0 { (key.0 + 1, key.1) } else { (key.0, key.1 + step) };
            row += rows;
            go_on(&mut metrics, row, key.0);
            go_on(&mut series, row, key.1);
            keys.push((key, row - rows..row));
        }
        let pages: Vec<u32> = pages.into_iter().collect();
        let directory = Directory::new(&metrics, &series, &pages, row).unwrap();
        let wanted: Vec<(i64, i64)> = wanted.into_iter().collect();
        let blocks = directory.wanted(&wanted);
        prop_assert!(blocks.is_sorted_by(|a, b| a < b));
        let mut end = 0;
        for block in 0.. {
            let rows = directory.rows(block);
            prop_assert_eq!(rows.start, end);
            end = rows.end;
            let within = |of: &std::ops::Range<u32>| {
                of.start.max(rows.start)..of.end.min(rows.end)
            };
            let expected: Vec<_> = keys
                .iter()
                .map(|(key, of)| (*key, within(of)))
                .filter(|(_, of)| !of.is_empty())
                .collect();
            let is_wanted = expected.iter().any(|(key, _)| wanted.contains(key));
            prop_assert_eq!(blocks.contains(&block), is_wanted);
            prop_assert_eq!(directory.series(rows).collect::<Vec<_>>(), expected);
            if end == row {
                break;
            }
        }
    }
}
