//! Every kernel against a slow, obvious evaluator that copies each window.

use plan::node::WindowFunction as F;
use proptest::prelude::*;

use super::{Output, Samples, Windows, evaluate, is_stale, newest};

fn run(function: &F, times: &[i64], values: &[f64], windows: &Windows) -> Vec<Option<f64>> {
    let (mut out, mut valid) = (vec![0.0; windows.count], vec![false; windows.count]);
    let samples = Samples { times, values };
    evaluate(function, samples, windows, &mut Output { values: &mut out, valid: &mut valid });
    out.into_iter().zip(valid).map(|(value, valid)| valid.then_some(value)).collect()
}

fn milliseconds(first_end: i64, step: i64, count: usize, range: i64) -> Windows {
    let (first_eval, eval_step) = (first_end, step);
    Windows { first_end, step, first_eval, eval_step, count, range, units_per_second: 1e3 }
}

/// The definition of each function for one copied window, in milliseconds.
fn reference(function: &F, window: &[(i64, f64)], start: i64, end: i64) -> Option<f64> {
    let values: Vec<f64> = window.iter().map(|sample| sample.1).collect();
    let (first, last) = (window.first()?, window.last()?);
    let range = (end - start) as f64 / 1000.0;
    match function {
        F::Count => Some(values.len() as f64),
        F::Last => Some(last.1),
        F::First => Some(first.1),
        F::Min => Some(values.iter().copied().fold(f64::NAN, f64::min)),
        F::Max => Some(values.iter().copied().fold(f64::NAN, f64::max)),
        F::Changes => Some(values.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64),
        F::Resets => Some(values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64),
        F::Rate | F::Increase | F::Delta => {
            if window.len() < 2 {
                return None;
            }
            let counter = *function != F::Delta;
            let mut result = last.1 - first.1;
            for pair in values.windows(2) {
                if counter && pair[1] < pair[0] {
                    result += pair[0];
                }
            }
            let sampled = (last.0 - first.0) as f64 / 1000.0;
            let mut to_start = (first.0 - start) as f64 / 1000.0;
            let mut to_end = (end - last.0) as f64 / 1000.0;
            let mean = sampled / (window.len() - 1) as f64;
            if to_start >= mean * 1.1 {
                to_start = mean / 2.0;
            }
            if counter && result > 0.0 && first.1 >= 0.0 {
                to_start = to_start.min(sampled * (first.1 / result));
            }
            if to_end >= mean * 1.1 {
                to_end = mean / 2.0;
            }
            let mut factor = (sampled + to_start + to_end) / sampled;
            if *function == F::Rate {
                factor /= range;
            }
            Some(result * factor)
        }
        other => unreachable!("{other:?} has no reference here"),
    }
}

fn series() -> impl Strategy<Value = (Vec<i64>, Vec<f64>)> {
    let value = prop_oneof![0.0..100.0_f64, Just(0.0), Just(f64::INFINITY), -5.0..5.0_f64];
    prop::collection::vec((1_i64..40_000, value), 0..60).prop_map(|steps| {
        let mut time = 0;
        steps
            .into_iter()
            .map(|(distance, value)| {
                time += distance;
                (time, value)
            })
            .unzip()
    })
}

proptest! {
    #[test]
    fn kernels_equal_the_reference(
        (times, values) in series(),
        first_end in -10_000_i64..100_000,
        step in 0_i64..60_000,
        range in 1_i64..400_000,
        at in 0_usize..10,
    ) {
        let functions = [
            F::Count, F::Last, F::First, F::Min, F::Max, F::Changes, F::Resets, F::Rate,
            F::Increase, F::Delta,
        ];
        let function = &functions[at];
        let windows = milliseconds(first_end, step, 9, range);
        let got = run(function, &times, &values, &windows);
        for (k, got) in got.into_iter().enumerate() {
            let end = first_end + step * k as i64;
            let window: Vec<(i64, f64)> = times
                .iter()
                .copied()
                .zip(values.iter().copied())
                .filter(|sample| end - range < sample.0 && sample.0 <= end)
                .collect();
            let expected = reference(function, &window, end - range, end);
            let same = got.map(f64::to_bits) == expected.map(f64::to_bits)
                || got.is_some_and(f64::is_nan) && expected.is_some_and(f64::is_nan);
            prop_assert!(same, "{function:?} {k}: got {got:?}, expected {expected:?}");
        }
    }
}

#[test]
fn a_stale_marker_ends_a_series() {
    let stale = f64::from_bits(super::STALE_NAN_BITS);
    assert!(is_stale(stale) && !is_stale(f64::NAN));
    let (mut values, mut valid) = (vec![0.0; 4], vec![false; 4]);
    let samples = Samples { times: &[1_000, 2_000, 3_000], values: &[1.0, stale, 3.0] };
    let windows = milliseconds(1_000, 1_000, 4, 300_000);
    newest(samples, &windows, &mut Output { values: &mut values, valid: &mut valid });
    assert_eq!(valid, [true, false, true, true]);
    assert_eq!((values[0], values[2], values[3]), (1.0, 3.0, 3.0));
}
