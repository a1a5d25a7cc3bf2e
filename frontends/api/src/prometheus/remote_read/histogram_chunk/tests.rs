//! What is packed comes out again, by a reader made from the description of the format alone.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::super::unpacked;
use super::*;

/// Packs and unpacks; hints are compared at the first sample of a chunk.
fn check(samples: &[(i64, Histogram)]) -> Result<(), TestCaseError> {
    let mut rest = samples;
    while !rest.is_empty() {
        let (run, behind) = rest.split_at(run_length(rest, 120));
        let chunk = chunk(run);
        let times = (chunk.min_time_ms, chunk.max_time_ms);
        prop_assert_eq!(times, (run[0].0, run[run.len() - 1].0));
        let mut wanted = run.to_vec();
        for (at, (_, histogram)) in wanted.iter_mut().enumerate() {
            let is_kept = at == 0 || histogram.hint == ResetHint::Gauge;
            histogram.hint = if is_kept { histogram.hint } else { ResetHint::NotReset };
        }
        prop_assert_eq!(unpacked::histograms(chunk.kind, &chunk.data), wanted);
        rest = behind;
    }
    Ok(())
}

fn counts(is_whole: bool) -> impl Strategy<Value = f64> {
    let whole = prop_oneof![0_u64..5, 0..100_000_u64, Just(1_u64 << 53)].prop_map(|it| it as f64);
    let float = prop_oneof![0.0..10.0, Just(0.1), Just(1e300)];
    if is_whole { whole.boxed() } else { float.boxed() }
}

fn buckets(is_whole: bool) -> impl Strategy<Value = Vec<Bucket>> {
    let indexes = prop_oneof![-3..8_i32, -100_000..100_000_i32];
    btree_map(indexes, counts(is_whole), 0..6).prop_map(|map| map.into_iter().collect())
}

fn histograms() -> impl Strategy<Value = Histogram> {
    let threshold = prop_oneof![
        Just(0.0),
        Just(2.0_f64.powi(-128)),
        Just(2.0_f64.powi(-243)),
        Just(1_024.0),
        Just(2_048.0),
        Just(2.0_f64.powi(-244)),
        Just(0.001),
    ];
    let hint = prop_oneof![
        Just(ResetHint::Unknown),
        Just(ResetHint::Reset),
        Just(ResetHint::NotReset),
        Just(ResetHint::Gauge),
    ];
    let made = |is_whole: bool| {
        let totals = (counts(is_whole), counts(is_whole), -10.0..10.0);
        (totals, buckets(is_whole), buckets(is_whole))
    };
    (any::<bool>().prop_flat_map(made), -4..9_i32, threshold, hint).prop_map(
        |(((count, zero_count, sum), positive, negative), schema, zero_threshold, hint)| {
            let bounds = Arc::default();
            let rest = Histogram { positive, negative, bounds, ..Histogram::default() };
            Histogram { hint, schema, zero_threshold, zero_count, count, sum, ..rest }
        },
    )
}

/// Runs of histograms that grow, one layout after the other.
fn series() -> impl Strategy<Value = Vec<(i64, Histogram)>> {
    let run = (histograms(), 1..6_u32);
    (vec(run, 0..5), vec(1..1_000_000_i64, 40), -1_000_000_i64..2_000_000_000_000).prop_map(
        |(runs, steps, start)| {
            let grown = runs.into_iter().flat_map(|(first, count)| {
                (0..count).map(move |step| {
                    let mut next = first.clone();
                    next.count += f64::from(step) * 7.0;
                    next.sum *= f64::from(step + 1);
                    next.positive.iter_mut().for_each(|bucket| bucket.1 += f64::from(step));
                    next
                })
            });
            let mut time = start;
            let timed = grown.zip(steps).map(|(histogram, step)| {
                time += step;
                (time, histogram)
            });
            timed.collect()
        },
    )
}

proptest! {
    #[test]
    fn what_is_packed_comes_out_again(samples in series()) {
        check(&samples)?;
    }

    #[test]
    fn bounds_come_out_again(bounds in vec(prop_oneof![
        Just(0.0), Just(0.005), Just(0.29), Just(2.5), Just(33_554.43), Just(33_554.431),
        Just(-1.0), Just(1e-9), 0.0..1e6,
    ], 0..6)) {
        let custom = Histogram {
            schema: -53,
            count: 3.0,
            positive: vec![(0, 1.0), (1, 2.0)],
            bounds: bounds.into(),
            ..Histogram::default()
        };
        check(&[(5, custom)])?;
    }
}

#[test]
fn bytes_are_those_of_prometheus() {
    // By hand, from the description of the format.
    let histogram = Histogram {
        schema: 1,
        zero_threshold: 2.0_f64.powi(-128),
        zero_count: 2.0,
        count: 5.0,
        sum: 1.0,
        positive: vec![(0, 1.0), (1, 2.0)],
        ..Histogram::default()
    };
    let chunk = chunk(&[(3, histogram)]);
    assert_eq!(chunk.kind, WHOLE);
    let mut text = format!("{:016b}{:08b}{:08b}", 1, 0, 116);
    // Schema 1; one span of two at 0; no span; time 3; counts 5 and 2.
    text += "10001" /* 1 */;
    text += "10001" /* one */;
    text += "10010" /* length 2 */;
    text += "0" /* offset 0 */;
    text += "0" /* none */;
    text += "10011" /* 3 */;
    text += "10101" /* 5 */;
    text += "10010" /* 2 */;
    text += &format!("{:064b}", 1.0_f64.to_bits());
    text += "10001" /* 1 */;
    text += "10001" /* 2 - 1 */;
    let found: String = chunk.data.iter().map(|byte| format!("{byte:08b}")).collect();
    assert_eq!(found.trim_end_matches('0'), text.trim_end_matches('0'));
    assert_eq!(chunk.data.len(), text.len().div_ceil(8));
}
