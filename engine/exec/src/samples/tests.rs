//! Packed samples read as they were given, and the cache keeps to its bound.

use std::sync::Arc;

use proptest::prelude::*;
use storage::Budget;

use super::runs::Given;
use super::{Cursor, Runs, SampleCache};
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
    let span = prop_oneof![Just(100_i64), Just(70_000), Just(1 << 40), Just(i64::MAX / 4)];
    let distances = prop::collection::vec(distance, 1..40);
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
        assert!(runs.push(3 * id as i64, &series.times, values));
    }
    runs
}

proptest! {
    #[test]
    fn packed_samples_read_as_they_were_given(
        all in prop::collection::vec(series(), 1..12),
        start in -1_200_000_i64..2_000_000,
        length in 0_i64..2_000_000,
        asked in prop::collection::btree_set(0_i64..40, 1..20),
    ) {
        let runs = pack(&all);
        let mut cursor = Cursor::new(&runs);
        for id in asked {
            let mut scratch = Scratch::default();
            cursor.take(id, (start, start + length), &mut scratch);
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
    assert!(runs.push(7, &[1, 2, 3, 5], Given::Numbers(&numbers)));
    let mut scratch = Scratch::default();
    Cursor::new(&runs).take(7, (i64::MIN, i64::MAX), &mut scratch);
    assert_eq!(scratch.times, [1, 2, 3, 5]);
    let bits: Vec<u64> = scratch.values.iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, numbers.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
}

fn part(rows: i64) -> Arc<Runs> {
    let times: Vec<i64> = (0..rows).collect();
    let mut runs = Runs::default();
    assert!(runs.push(1, &times, Given::Decimals(&times, 0)));
    Arc::new(runs)
}

#[test]
fn the_cache_gives_up_what_was_used_least_lately() {
    let budget = Budget::new(1 << 30);
    let bytes_max = 64 << 10;
    let cache = SampleCache::new(&budget, bytes_max);
    let name = |at: usize| Arc::<str>::from(format!("segment-{at}"));
    for at in 0..100 {
        cache.ask();
        cache.put(&name(at), 5, &part(1000));
        assert!(cache.bytes() <= bytes_max);
        // The first one is asked for again and again, and stays.
        assert!(cache.get("segment-0", &[5])[0].is_some());
    }
    assert!(cache.get("segment-99", &[5])[0].is_some());
    assert!(cache.get("segment-50", &[5])[0].is_none());
    assert!(cache.get("segment-99", &[6])[0].is_none());
    let held = budget.used(storage::Use::Cache);
    assert_eq!(held, cache.bytes());
    // One that would take all of it is not kept.
    cache.put(&name(200), 5, &part(1 << 20));
    assert!(cache.get("segment-200", &[5])[0].is_none());
    drop(cache);
    assert_eq!(budget.used(storage::Use::Cache), 0);
}
