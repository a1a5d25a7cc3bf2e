//! Start times against a slow, obvious evaluator that copies each window.

use plan::node::WindowFunction as F;
use proptest::prelude::*;

use super::super::tests::{milliseconds, series};
use super::super::{Output, Samples};
use super::{Started, evaluate};

/// Start time, time, value.
type Sample = (i64, i64, f64);

fn is_reset(before: Sample, sample: Sample) -> bool {
    let by_start = match (before.0, sample.0) {
        (_, 0) => false,
        (_, start) if start >= sample.1 || start < before.1 => false,
        (_, start) if start > before.1 => true,
        (known, start) => known != 0 && known <= before.1 && known != start,
    };
    by_start || sample.2 < before.2
}

fn reference(function: &F, window: &[Sample], start: i64, end: i64) -> Option<f64> {
    let (first, last) = (*window.first()?, *window.last()?);
    let resets = window.windows(2).filter(|pair| is_reset(pair[0], pair[1]));
    if *function == F::Resets {
        return Some(resets.count() as f64);
    }
    let seconds = |distance: i64| distance as f64 / 1e3;
    if *function == F::Irate {
        let [.., before, last] = window else { return None };
        let rise = if is_reset(*before, *last) { last.2 } else { last.2 - before.2 };
        return Some(rise / seconds(last.1 - before.1));
    }
    let mut result = last.2 - first.2;
    for pair in resets {
        result += pair[0].2;
    }
    let mut sampled = seconds(last.1 - first.1);
    let gaps = window.len() - 1;
    let mean = if gaps == 0 { 0.0 } else { sampled / gaps as f64 };
    let mut to_start = seconds(first.1 - start);
    let mut to_end = seconds(end - last.1);
    if first.0 != 0 && first.0 > start && first.0 < first.1 {
        to_start = 0.0;
        sampled = seconds(last.1 - first.0);
        result += first.2;
    } else if gaps == 0 {
        return None;
    } else {
        if to_start >= mean * 1.1 {
            to_start = mean / 2.0;
        }
        if result > 0.0 && first.2 >= 0.0 {
            to_start = to_start.min(sampled * (first.2 / result));
        }
    }
    if to_end >= mean * 1.1 {
        to_end = mean / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if *function == F::Rate {
        factor /= seconds(end - start);
    }
    Some(result * factor)
}

/// Which of several NaN an operation gives is not defined.
fn canonical(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn start_times_equal_the_reference(
        (times, values) in series(60),
        kinds in prop::collection::vec((0_u8..6, 0_i64..60_000), 60),
        first_end in -10_000_i64..1_000_000,
        step in prop_oneof![Just(0_i64), 1_i64..60_000],
        range in 1_i64..400_000,
    ) {
        let windows = milliseconds(first_end, step, 9, range);
        let before = |at: usize| if at == 0 { 0 } else { times[at - 1] };
        let starts: Vec<i64> = (0..times.len()).map(|at| match kinds[at] {
            (0, _) => 0,
            (1, _) => before(at),
            (2, _) => times[at],
            (3, ahead) => times[at] + ahead,
            (_, back) => times[at] - back,
        }).collect();
        let all: Vec<Sample> = (0..times.len()).map(|at| (starts[at], times[at], values[at]))
            .collect();
        let started =
            Started { samples: Samples { times: &times, values: &values }, starts: &starts };
        for function in [F::Rate, F::Increase, F::Irate, F::Resets] {
            let (mut out, mut valid) = (vec![0.0; 9], vec![false; 9]);
            let output = &mut Output { values: &mut out, valid: &mut valid };
            evaluate(&function, started, &windows, output);
            for k in 0..9 {
                let end = first_end + step * k as i64;
                let start = end - range;
                let window: Vec<Sample> =
                    all.iter().copied().filter(|s| s.1 > start && s.1 <= end).collect();
                let expected = reference(&function, &window, start, end).map(canonical);
                let found = valid[k].then(|| canonical(out[k]));
                prop_assert_eq!(found, expected, "{:?} of {:?}", function, window);
            }
        }
    }
}
