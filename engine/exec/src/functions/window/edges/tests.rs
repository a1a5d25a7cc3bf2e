//! Edges against a slow, obvious evaluator: one window at a time, over a copy of its samples.

use plan::node::WindowFunction as F;
use proptest::prelude::*;

use super::super::tests::{milliseconds, series};
use super::super::{Output, Samples, Windows};
use super::{Reach, evaluate, smoothed};

type Sample = (i64, f64);

fn run(evaluate: impl FnOnce(&mut Output<'_>), count: usize) -> Vec<Option<u64>> {
    let (mut out, mut valid) = (vec![0.0; count], vec![false; count]);
    evaluate(&mut Output { values: &mut out, valid: &mut valid });
    let bits = |(value, valid): (f64, bool)| valid.then(|| canonical(value));
    out.into_iter().zip(valid).map(bits).collect()
}

/// Which of several NaN an operation gives is not defined.
fn canonical(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

fn line(a: Sample, b: Sample, time: i64, is_counter: bool) -> f64 {
    let from = if is_counter && b.1 < a.1 { 0.0 } else { a.1 };
    from + (b.1 - from) * (time - a.0) as f64 / (b.0 - a.0) as f64
}

fn reference(
    function: &F,
    samples: &[Sample],
    (start, end): (i64, i64),
    reach: Reach,
) -> Option<f64> {
    let inside: Vec<Sample> =
        samples.iter().copied().filter(|s| s.0 > start && s.0 <= end).collect();
    let before = samples.iter().rev().find(|s| s.0 <= start && s.0 > start - reach.lookback);
    let ahead = samples.iter().find(|s| s.0 > end && s.0 <= end + reach.lookback);
    let ahead = ahead.filter(|_| reach.smoothed && inside.last().is_none_or(|s| s.0 != end));
    // Nothing after the start, or nothing up to the end.
    if inside.is_empty() && (before.is_none() || ahead.is_none()) {
        return None;
    }
    let all: Vec<Sample> = before.into_iter().chain(&inside).chain(ahead).copied().collect();
    let changes = |p: &&[Sample]| p[0].1 != p[1].1 && !(p[0].1.is_nan() && p[1].1.is_nan());
    match function {
        F::Changes => return Some(all.windows(2).filter(changes).count() as f64),
        F::Resets => return Some(all.windows(2).filter(|p| p[1].1 < p[0].1).count() as f64),
        _ => {}
    }
    let is_counter = *function != F::Delta;
    let (first, last) = (all[0], all[all.len() - 1]);
    let starts_between = reach.smoothed && first.0 < start;
    let left = if starts_between { line(first, all[1], start, is_counter) } else { first.1 };
    let ends_between = last.0 > end;
    let right = match ends_between {
        true => line(all[all.len() - 2], last, end, is_counter),
        false => last.1,
    };
    let mut result = right - left;
    if is_counter {
        let inner = all.iter().filter(|s| s.0 > start && s.0 < end).map(|s| s.1);
        let (mut corrections, mut previous) = (0.0, left);
        for value in inner.chain([right]) {
            if value < previous {
                corrections += previous;
            }
            previous = value;
        }
        result += corrections;
    }
    Some(if *function == F::Rate { result / ((end - start) as f64 / 1e3) } else { result })
}

fn smoothed_reference(samples: &[Sample], at: i64, lookback: i64) -> Option<f64> {
    let before = samples.iter().rev().find(|s| s.0 <= at && s.0 > at - lookback)?;
    let after = samples.iter().find(|s| s.0 > at && s.0 <= at + lookback);
    Some(match after {
        Some(after) if before.0 < at => line(*before, *after, at, false),
        _ => before.1,
    })
}

fn windows_of(windows: &Windows) -> impl Iterator<Item = (i64, i64)> + use<'_> {
    let end = |k: usize| windows.first_end + windows.step * k as i64;
    (0..windows.count).map(move |k| (end(k) - windows.range, end(k)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn edges_equal_the_reference(
        (times, values) in series(60),
        first_end in -10_000_i64..1_000_000,
        step in prop_oneof![Just(0_i64), Just(15_000_i64), 1_i64..60_000],
        range in prop_oneof![Just(60_000_i64), 1_i64..400_000],
        lookback in 1_i64..300_000,
    ) {
        let windows = milliseconds(first_end, step, 9, range);
        let all: Vec<Sample> = times.iter().copied().zip(values.iter().copied()).collect();
        let samples = Samples { times: &times, values: &values };
        for smoothed in [false, true] {
            let reach = Reach { lookback, smoothed };
            for function in [F::Rate, F::Increase, F::Delta, F::Changes, F::Resets] {
                let found =
                    run(|out| evaluate(&function, reach, samples, &windows, out), windows.count);
                let expected: Vec<Option<u64>> = windows_of(&windows)
                    .map(|window| reference(&function, &all, window, reach).map(canonical))
                    .collect();
                prop_assert_eq!(found, expected, "{:?} {:?}", function, reach);
            }
        }
        let found = run(|out| smoothed(samples, &windows, out), windows.count);
        let expected: Vec<Option<u64>> = windows_of(&windows)
            .map(|(_, end)| smoothed_reference(&all, end, range).map(canonical))
            .collect();
        prop_assert_eq!(found, expected);
    }
}
