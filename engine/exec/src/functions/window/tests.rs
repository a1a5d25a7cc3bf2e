//! Every kernel against a slow, obvious evaluator that copies each window.

use plan::node::WindowFunction as F;
use proptest::prelude::*;

use super::sliding::DIRECT_SAMPLES_MAX;
use super::{Output, Samples, Windows, evaluate, is_stale, newest};
use crate::functions::compensated::{Mean, Moments, Sum};

fn run(function: &F, times: &[i64], values: &[f64], windows: &Windows) -> Vec<Option<f64>> {
    let (mut out, mut valid) = (vec![0.0; windows.count], vec![false; windows.count]);
    let samples = Samples { times, values };
    evaluate(function, samples, windows, &mut Output { values: &mut out, valid: &mut valid });
    out.into_iter().zip(valid).map(|(value, valid)| valid.then_some(value)).collect()
}

pub(super) fn milliseconds(first_end: i64, step: i64, count: usize, range: i64) -> Windows {
    let (first_eval, eval_step) = (first_end, step);
    Windows { first_end, step, first_eval, eval_step, count, range, units_per_second: 1e3 }
}

/// The definition of each function for one copied window, in milliseconds: loops over the window,
/// nothing shared with the kernels but the compensated sums.
fn reference(function: &F, window: &[(i64, f64)], start: i64, end: i64) -> Option<f64> {
    let values: Vec<f64> = window.iter().map(|sample| sample.1).collect();
    let (first, last) = (window.first()?, window.last()?);
    let extreme = |better: fn(f64, f64) -> bool| {
        let mut at = 0;
        for i in 1..values.len() {
            if better(values[i], values[at]) || values[at].is_nan() {
                at = i;
            }
        }
        window[at]
    };
    let (least, greatest) = (extreme(|a, b| a < b), extreme(|a, b| a > b));
    let differ = |pair: &&[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
    let falls = |pair: &&[f64]| pair[1] < pair[0];
    match function {
        F::Count => Some(values.len() as f64),
        F::Present => Some(1.0),
        F::Last => Some(last.1),
        F::First => Some(first.1),
        F::Min => Some(least.1),
        F::Max => Some(greatest.1),
        F::TimeOfMin => Some(least.0 as f64 / 1000.0),
        F::TimeOfMax => Some(greatest.0 as f64 / 1000.0),
        F::TimeOfFirst => Some(first.0 as f64 / 1000.0),
        F::TimeOfLast => Some(last.0 as f64 / 1000.0),
        F::Changes => Some(values.windows(2).filter(differ).count() as f64),
        F::Resets => Some(values.windows(2).filter(falls).count() as f64),
        F::Sum => {
            let mut sum = Sum::default();
            values.iter().for_each(|value| sum.add(*value));
            Some(sum.total())
        }
        F::Avg => {
            let mut mean = Mean::default();
            values.iter().for_each(|value| mean.add(*value));
            mean.value()
        }
        F::Stdvar | F::Stddev => {
            let mut moments = Moments::default();
            values.iter().for_each(|value| moments.add(*value));
            let variance = moments.variance();
            if *function == F::Stddev { variance.map(f64::sqrt) } else { variance }
        }
        F::Quantile(phi) => Some(crate::functions::quantile::quantile(*phi, &mut values.clone())),
        F::Mad => {
            let median = crate::functions::quantile::quantile(0.5, &mut values.clone());
            let mut distances: Vec<f64> =
                values.iter().map(|value| (value - median).abs()).collect();
            let has_nan = values.iter().any(|value| value.is_nan());
            let mad = crate::functions::quantile::quantile(0.5, &mut distances);
            Some(if has_nan { f64::NAN } else { mad })
        }
        F::Deriv => line(window, first.0).map(|line| line.0),
        F::PredictLinear(ahead) => line(window, end).map(|(slope, at)| slope * ahead + at),
        F::Rate | F::Increase | F::Delta => extrapolated(function, window, start, end),
        F::DoubleExponentialSmoothing { smoothing, trend } => smoothed(*smoothing, *trend, &values),
        F::Irate | F::Idelta => {
            let [.., before, last] = window else { return None };
            let rise = last.1 - before.1;
            let seconds = (last.0 - before.0) as f64 / 1000.0;
            Some(match function {
                F::Idelta => rise,
                _ if last.1 < before.1 => last.1 / seconds,
                _ => rise / seconds,
            })
        }
        other => unreachable!("{other:?} has no reference here"),
    }
}

/// Slope per second of the least-squares line and its value at a time.
fn line(window: &[(i64, f64)], origin: i64) -> Option<(f64, f64)> {
    let (first, count) = (window.first()?, window.len() as f64);
    if window.len() < 2 {
        return None;
    }
    if window.iter().all(|sample| sample.1 == first.1) {
        return Some(if first.1.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first.1) });
    }
    let mut sums = [Sum::default(); 4];
    for (time, y) in window {
        let x = (time - origin) as f64 / 1000.0;
        for (sum, value) in sums.iter_mut().zip([x, *y, x * y, x * x]) {
            sum.add(value);
        }
    }
    let [x, y, xy, xx] = sums.map(|sum| sum.total());
    let slope = (xy - x * y / count) / (xx - x * x / count);
    Some((slope, y / count - slope * x / count))
}

/// Holt's recurrence, sample by sample: the first level is the first value, the first trend the
/// second value less the first.
fn smoothed(smoothing: f64, trend: f64, values: &[f64]) -> Option<f64> {
    let [first, second, ..] = values else { return None };
    let (mut level, mut slope) = (*first, second - first);
    for value in &values[1..] {
        let next = smoothing * value + (1.0 - smoothing) * (level + slope);
        slope = trend * (next - level) + (1.0 - trend) * slope;
        level = next;
    }
    Some(level)
}

/// What rounding of products and sums over a window can make of a line: at most a thousand units
/// in the last place of the greatest product, over the spread of times.
fn line_tolerance(function: &F, window: &[(i64, f64)], end: i64, scale: f64) -> f64 {
    let count = window.len() as f64;
    let origin = if matches!(function, F::Deriv) { window[0].0 } else { end };
    let x = |time: i64| (time - origin) as f64 / 1000.0;
    let mean = window.iter().map(|sample| x(sample.0)).sum::<f64>() / count;
    let spread = window.iter().map(|sample| (x(sample.0) - mean).powi(2)).sum::<f64>() / count;
    let reach = window.iter().map(|sample| x(sample.0).abs()).fold(1e-3, f64::max);
    let slope = 2e-13 * scale * reach / spread;
    match function {
        F::PredictLinear(ahead) => slope * (reach + ahead.abs()) + 2e-13 * scale,
        _ => slope,
    }
}

fn extrapolated(function: &F, window: &[(i64, f64)], start: i64, end: i64) -> Option<f64> {
    let [first, .., last] = window else { return None };
    let counter = *function != F::Delta;
    let mut result = last.1 - first.1;
    for pair in window.windows(2) {
        if counter && pair[1].1 < pair[0].1 {
            result += pair[0].1;
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
        factor /= (end - start) as f64 / 1000.0;
    }
    Some(result * factor)
}

const FUNCTIONS: [F; 31] = [
    F::Mad,
    F::DoubleExponentialSmoothing { smoothing: 0.3, trend: 0.3 },
    F::DoubleExponentialSmoothing { smoothing: 0.01, trend: 0.1 },
    F::DoubleExponentialSmoothing { smoothing: 0.001, trend: 0.000_25 },
    F::DoubleExponentialSmoothing { smoothing: 0.999, trend: 0.999 },
    F::Deriv,
    F::PredictLinear(60.0),
    F::PredictLinear(-3600.0),
    F::Count,
    F::Present,
    F::Last,
    F::First,
    F::Min,
    F::Max,
    F::TimeOfMin,
    F::TimeOfMax,
    F::TimeOfFirst,
    F::TimeOfLast,
    F::Changes,
    F::Resets,
    F::Rate,
    F::Increase,
    F::Delta,
    F::Irate,
    F::Idelta,
    F::Sum,
    F::Avg,
    F::Stdvar,
    F::Stddev,
    F::Quantile(0.9),
    F::Quantile(0.0),
];

/// Functions that hand a sample's own value on, its NaN payload included.
fn hands_on(function: &F) -> bool {
    matches!(function, F::Last | F::First | F::Min | F::Max)
}

/// Functions whose long windows are put together from parts: equal to the loop but for rounding.
fn is_joined(function: &F) -> bool {
    let is_line = matches!(function, F::Deriv | F::PredictLinear(_));
    let is_smoothed = matches!(function, F::DoubleExponentialSmoothing { .. });
    is_line || is_smoothed || matches!(function, F::Sum | F::Avg | F::Stdvar | F::Stddev)
}

fn check(function: &F, times: &[i64], values: &[f64], windows: &Windows) -> Result<(), String> {
    let got = run(function, times, values, windows);
    for (k, got) in got.into_iter().enumerate() {
        let end = windows.first_end + windows.step * k as i64;
        let start = end - windows.range;
        let samples = times.iter().copied().zip(values.iter().copied());
        let window: Vec<(i64, f64)> =
            samples.filter(|sample| start < sample.0 && sample.0 <= end).collect();
        let expected = reference(function, &window, start, end);
        let (a, b) = (got.unwrap_or(0.0), expected.unwrap_or(0.0));
        let both_nan = a.is_nan() && b.is_nan() && !hands_on(function);
        // Relative to what was summed up, not to a difference that is left of it.
        let scale: f64 = window.iter().map(|sample| sample.1.abs()).fold(0.0, f64::max);
        let scale = if matches!(function, F::Stdvar) { scale * scale } else { scale };
        let tolerance = match function {
            F::Stddev => 1e-8 * scale,
            F::DoubleExponentialSmoothing { .. } => 1e-9 * scale,
            F::Deriv | F::PredictLinear(_) if !window.is_empty() => {
                line_tolerance(function, &window, end, scale)
            }
            _ => 1e-13 * scale,
        };
        let near =
            is_joined(function) && window.len() > DIRECT_SAMPLES_MAX && (a - b).abs() <= tolerance;
        let same =
            got.is_some() == expected.is_some() && (a.to_bits() == b.to_bits() || both_nan || near);
        if !same {
            return Err(format!("{function:?} at {k}: got {got:?}, expected {expected:?}"));
        }
    }
    Ok(())
}

/// Counters, gauges, whole numbers and oddities, with gaps.
pub(super) fn series(length: usize) -> impl Strategy<Value = (Vec<i64>, Vec<f64>)> {
    let odd = prop_oneof![
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::from_bits(0x7ff8_0000_0000_0001)),
        Just(f64::from_bits(0x7ff8_0000_dead_beef)),
        Just(-0.0),
        Just(0.0),
        Just(1e300),
    ];
    let value = prop_oneof![
        40 => 0.0..100.0_f64,
        20 => -5.0..5.0_f64,
        20 => (0..1000_i32).prop_map(f64::from),
        1 => odd,
    ];
    let distance = prop_oneof![20 => Just(15_000_i64), 3 => 1_i64..40_000, 1 => 1_i64..2_000_000];
    prop::collection::vec((distance, value), 0..length).prop_map(|steps| {
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
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn kernels_equal_the_reference(
        (times, values) in series(60),
        first_end in -10_000_i64..1_000_000,
        step in prop_oneof![Just(0_i64), 1_i64..60_000],
        range in 1_i64..400_000,
    ) {
        let windows = milliseconds(first_end, step, 9, range);
        for function in &FUNCTIONS {
            check(function, &times, &values, &windows).map_err(TestCaseError::fail)?;
        }
    }

    /// Windows that are put together from parts, of all sizes against the step: smaller, as large,
    /// larger by far.
    #[test]
    fn long_windows_equal_the_reference(
        (times, values) in series(400),
        step in 1_i64..200_000,
        times_step in prop_oneof![Just(1_i64), 2_i64..200],
        odd in 0_i64..2,
    ) {
        let range = (step * times_step - odd).max(1);
        let windows = milliseconds(10_000, step, 60, range);
        for function in &FUNCTIONS {
            check(function, &times, &values, &windows).map_err(TestCaseError::fail)?;
        }
    }
}

#[test]
fn sums_keep_what_a_plain_sum_would_lose() {
    // 1e100 swallows the ones, until it is gone again.
    let mut values = vec![1.0; 120];
    (values[20], values[70]) = (1e100, -1e100);
    let times: Vec<i64> = (0..120).map(|at| at * 1000).collect();
    let windows = milliseconds(100_000, 1000, 20, 99_500);
    let sums = run(&F::Sum, &times, &values, &windows);
    assert_eq!(sums, vec![Some(98.0); 20]);
    // A constant has no variance, however large it is.
    let values = vec![1.599_050_563_727_786_8; 120];
    assert_eq!(run(&F::Stdvar, &times, &values, &windows), vec![Some(0.0); 20]);
}

#[test]
fn infinities_leave_with_their_samples() {
    let mut values: Vec<f64> = (0..120).map(f64::from).collect();
    (values[50], values[60]) = (f64::INFINITY, f64::NEG_INFINITY);
    let times: Vec<i64> = (0..120).map(|at| at * 1000).collect();
    let sums = run(&F::Sum, &times, &values, &milliseconds(40_000, 10_000, 8, 40_500));
    let finite = |from: u32, to: u32| Some(f64::from((from..=to).sum::<u32>()));
    assert_eq!(sums[0], finite(0, 40));
    assert_eq!(sums[1], Some(f64::INFINITY));
    assert!(sums[2..=5].iter().all(|sum| sum.is_some_and(f64::is_nan)), "{sums:?}");
    assert_eq!(sums[6], Some(f64::NEG_INFINITY));
    assert_eq!(sums[7], finite(70, 110));
}

/// What a point costs must not grow with the window. Run with `--release -- --nocapture` for the
/// figures.
#[test]
fn cost_does_not_grow_with_the_window() {
    let count = if cfg!(debug_assertions) { 6_000 } else { 18_640 };
    let times: Vec<i64> = (0..count).map(|at| at * 10_000).collect();
    let values: Vec<f64> = (0..count).map(|at| ((at * 7) % 5000) as f64).collect();
    let steps = 2_000;
    let functions = [
        F::Rate,
        F::Increase,
        F::Delta,
        F::Sum,
        F::Avg,
        F::Min,
        F::Max,
        F::Count,
        F::Stddev,
        F::Quantile(0.9),
        F::Mad,
        F::Deriv,
        F::PredictLinear(3600.0),
        F::Last,
        F::Present,
        F::Changes,
        F::Resets,
        F::DoubleExponentialSmoothing { smoothing: 0.3, trend: 0.3 },
    ];
    for function in functions {
        let cost = |range_s: i64| {
            let first_end = (count - steps) * 10_000;
            let windows = milliseconds(first_end, 10_000, steps as usize, range_s * 1000);
            let from = times.partition_point(|time| *time <= first_end - range_s * 1000);
            let (times, values) = (&times[from..], &values[from..]);
            let runs = if cfg!(debug_assertions) { 1 } else { 20 };
            let best = (0..5).map(|_| {
                let started = std::time::Instant::now();
                for _ in 0..runs {
                    std::hint::black_box(run(&function, times, values, &windows));
                }
                started.elapsed().as_secs_f64() * 1e9 / f64::from(runs)
            });
            let spent_ns = best.fold(f64::INFINITY, f64::min);
            (spent_ns / steps as f64, spent_ns / (steps as usize + times.len()) as f64)
        };
        let costs: Vec<(f64, f64)> = [60, 300, 1800, 3600, 21_600, 86_400].map(cost).into();
        let by_point: Vec<String> = costs.iter().map(|cost| format!("{:.1}", cost.0)).collect();
        let (shortest, longest) = (costs[0].1, costs[costs.len() - 1].1);
        eprintln!(
            "{function:?}: {} ns a point for windows of 1m, 5m, 30m, 1h, 6h, 1d; the longest \
             {longest:.1} ns a sample read and point",
            by_point.join(", ")
        );
        // A loop over each window would cost hundreds of times as much.
        assert!(longest < 25.0 * shortest, "{function:?}: {costs:?}");
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

/// Joined windows hold what a loop over each gives, over more samples than a day has, where the
/// weight of the first has long faded; and what is not finite stays in its windows.
#[test]
fn smoothing_forgets_what_left_the_window() {
    let count = 12_000;
    let times: Vec<i64> = (0..count).map(|at| at * 15_000).collect();
    let mut values: Vec<f64> = (0..count).map(|at| ((at * 7919) % 1000) as f64).collect();
    (values[300], values[9000], values[9500]) = (1e300, f64::INFINITY, f64::NAN);
    let windows = milliseconds(6_000 * 15_000, 60_000, 1_400, 86_400_000);
    for (smoothing, trend) in [(0.3, 0.3), (0.9, 0.01), (0.002, 0.5)] {
        let function = F::DoubleExponentialSmoothing { smoothing, trend };
        let got = run(&function, &times, &values, &windows);
        for (k, got) in got.into_iter().enumerate() {
            let end = 6_000 + 4 * k;
            let window = &values[end - 5_759..=end];
            let expected = smoothed(smoothing, trend, window).expect("there are samples");
            let got = got.expect("there are samples");
            let near = (got - expected).abs() <= 1e-9 * expected.abs().max(1000.0);
            let is_odd = expected.is_nan() && got.is_nan() || got == expected;
            assert!(near || is_odd, "{function:?} at {k}: got {got}, expected {expected}");
        }
    }
}
