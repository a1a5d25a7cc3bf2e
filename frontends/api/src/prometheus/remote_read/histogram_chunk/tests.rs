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
fn bytes_are_those_of_the_description() {
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

/// What Prometheus 2.42 answered over remote read, when it was sent [`whole`] from 0 to 6.
const WHOLE_CHUNK: &str = "\
    000700749ca568e16318ff0000d0ffdcad9062227faf5c28f5c28f5d195e3f07531898ea0b8ced11af3b364d9364\
    d93618723364d9364d9361b2251bc6f1bc6f1a18730f9fff16c5b16c5b16036e55eb7adeb7ade800\
    ";

/// The same for 7 to 11: one bucket shrinks at 7.
const WHOLE_REST: &str = "\
    000500749ca568e16318ff0000d0ffdd7aa4710310800f5c28f5c28f5d88c86e311f0753f898eccf4370dc370dc2\
    c6768ec89ce93a4e93a4f861cd7a7778de378de3480830a4290a429140\
    ";

/// The same for a gauge with two buckets, which it did not keep as one.
const FLOAT_CHUNK: &str = "\
    000c00ff3f50624dd2f1a9fc4647f0000d0ffdcad90200b4000000000001ff40000000000001ffc0000000000001\
    ffc00000000000020058000000000007c1d4c6ccfaa7283c8caf9efc78c59b9e4a1ebbf1e3166e79287aefc78c59\
    b9e4a1ebb71ffde4f121362b7e3e799c314fc1fdd948126286c92cfbb29024c50d9259f76520498a1b24b3c82596\
    e5301f46ec6a63eb5bfa1d7b6ed751e92cd7376ddaea3d259ae6edbb5d47a4b35cdd797a193224df9b6db9f9b653\
    4309d81dd8fba52da44b6af763ee94b6912dabdd8fba52da44b6af7df2f45dde3f77529a4e26039e58d797b64f18\
    92a69b87cfffdb278c49534dc3e7ffed93c624a9a6eec761b4d5ab20468d7e615fa1980f0c329394309135786194\
    9ca18489abc30ca4e50c244d592f93196a87bad5afe8b91941b5a0f7d96f7818a5edbbecb7bc0c52f6ddf65bde06\
    297b6c6007b325558e6fc723c1b3c91eefbb0eac46f7c7ba3dd8756237be3dd1eec3ab11bdf1ee8f6e3eb1d3d510\
    a9749d3d82207b8ee1846abac4f32e4f0c2355d627997278611aaeb13ccb9316e7d02fd20711dcbed61ee23f7dd9\
    033f2d097eefbb2067e5a12fddf7640cfcb425fbc2f826c630fa4cadd8f687060214b2785f5f66fc278f3f85f5f6\
    6fc278f3f85f5f66fc278f3f8df968f3f506b740\
    ";

/// The first sample of those chunks.
const FIRST_MS: i64 = 1_795_291_700_000;

/// A counter, a little late at every fifth scrape.
fn whole(at: i64) -> (i64, Histogram) {
    let late_ms = if at % 5 == 3 { 7 } else { 0 };
    let grown = (at + 1) as f64;
    let counts = [grown, grown * 3.0 + (at % 7) as f64, grown * 2.0];
    let histogram = Histogram {
        schema: 3,
        zero_threshold: 2.0_f64.powi(-128),
        zero_count: grown,
        count: counts.iter().sum::<f64>() + grown * 2.0,
        sum: grown * 0.37,
        positive: [-2, -1, 5].into_iter().zip(counts).collect(),
        negative: vec![(1, grown)],
        ..Histogram::default()
    };
    (FIRST_MS + at * 15_000 + late_ms, histogram)
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn bytes_are_those_of_prometheus() {
    let samples: Vec<(i64, Histogram)> = (0..12).map(whole).collect();
    assert_eq!(run_length(&samples, 120), 7);
    for (samples, told) in [(&samples[..7], WHOLE_CHUNK), (&samples[7..], WHOLE_REST)] {
        assert_eq!(chunk(samples).data, hex(told));
    }
    // Sines differ in their last bits between machines: what was sent is read, and packed again.
    let level = unpacked::histograms(FLOAT, &hex(FLOAT_CHUNK));
    for (at, (time_ms, histogram)) in (0..).zip(&level) {
        assert_eq!(*time_ms, FIRST_MS + at * 15_000);
        let level = (at as f64 / 9.0).sin() + 1.5;
        assert!((histogram.sum / level - 1.0).abs() < 1e-12);
        assert_eq!(histogram.positive, [(0, histogram.sum), (1, histogram.sum * 2.25)]);
        assert_eq!(histogram.zero_count, histogram.sum * 0.5);
        assert_eq!((histogram.count, histogram.schema), (histogram.sum * 3.75, 0));
        assert_eq!(histogram.zero_threshold, 0.001);
    }
    assert_eq!(level.len(), 12);
    assert_eq!(chunk(&level).data, hex(FLOAT_CHUNK));
}
