//! Histograms whose numbers all go alike give what those numbers give.

use plan::node::WindowFunction as F;
use proptest::prelude::*;

use super::super::edges::{self, Reach};
use super::super::tests::milliseconds;
use super::super::{MixedSamples, Output, Samples};
use super::{evaluate, smoothed};
use crate::histogram::Histogram;

fn histogram(count: f64) -> Histogram {
    Histogram { count, sum: count, positive: vec![(1, count)], ..Histogram::default() }
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// The numbers that a kernel answers at nine steps.
fn numbers(kernel: impl FnOnce(&mut Output<'_>)) -> Vec<Option<f64>> {
    let (mut values, mut valid) = ([0.0; 9], [false; 9]);
    kernel(&mut Output { values: &mut values, valid: &mut valid });
    values.iter().zip(valid).map(|(value, valid)| valid.then_some(*value)).collect()
}

/// Histograms whose count, sum and only bucket are the same number are what that number is.
fn compare(expected: &[Option<f64>], got: &[(u32, Histogram)]) {
    let mut found = vec![None; expected.len()];
    got.iter().for_each(|(step, histogram)| found[*step as usize] = Some(histogram));
    for (k, pair) in expected.iter().zip(found).enumerate() {
        let (Some(expected), Some(found)) = pair else {
            assert!(pair.0.is_none() && pair.1.is_none(), "{k}: {pair:?}");
            continue;
        };
        let bucket = found.positive.first().map_or(0.0, |bucket| bucket.1);
        for number in [found.count, found.sum, bucket] {
            assert!(is_close(number, *expected), "{k}: {number} {expected}");
        }
    }
}

proptest! {
    #[test]
    fn histograms_go_as_their_counts(
        steps in prop::collection::vec((1_i64..40_000, 0_u32..50), 0..40),
        first_end in 0_i64..600_000,
        step in 1_i64..60_000,
        range in 1_i64..200_000,
        lookback in 1_i64..100_000,
    ) {
        let mut time = 0;
        let mut times = Vec::new();
        for (distance, _) in &steps {
            time += distance;
            times.push(time);
        }
        let values: Vec<f64> = steps.iter().map(|step| f64::from(step.1)).collect();
        let found: Vec<Histogram> = values.iter().map(|count| histogram(*count)).collect();
        let windows = milliseconds(first_end, step, 9, range);
        let nothing = Samples { times: &[], values: &[] };
        let mixed =
            MixedSamples { numbers: nothing, times: &times, histograms: &found, starts: &[] };
        let samples = Samples { times: &times, values: &values };
        for is_smoothed in [false, true] {
            let reach = Reach { lookback, smoothed: is_smoothed };
            for function in [F::Rate, F::Increase, F::Delta] {
                let expected =
                    numbers(|out| edges::evaluate(&function, reach, samples, &windows, out));
                let mut got = Vec::new();
                let _ = numbers(|out| {
                    let _ = evaluate(&function, reach, mixed, &windows, out, &mut got);
                });
                compare(&expected, &got);
            }
        }
        // An instant histogram is a counter, whose line rises from zero after a reset.
        if values.windows(2).all(|pair| pair[0] <= pair[1]) {
            let expected = numbers(|out| edges::smoothed(samples, &windows, out));
            let mut got = Vec::new();
            let _ = numbers(|out| {
                let _ = smoothed(mixed, &windows, out, &mut got);
            });
            compare(&expected, &got);
        }
    }
}
