//! What is packed comes out again, by a reader made from the description of the format alone.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

/// Reads bits one by one.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn bits(&mut self, count: u32) -> u64 {
        let mut number = 0;
        for _ in 0..count {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            number = number << 1 | u64::from(bit);
            self.at += 1;
        }
        number
    }

    fn unsigned(&mut self) -> u64 {
        let ones = (0..8).take_while(|_| self.bits(1) == 1).count();
        self.bits([0, 3, 6, 9, 12, 18, 25, 56, 64][ones])
    }

    fn signed(&mut self) -> i64 {
        let ones = (0..8).take_while(|_| self.bits(1) == 1).count();
        let width = [0, 3, 6, 9, 12, 18, 25, 56, 64][ones];
        let number = self.bits(width) as i64;
        let is_negative = (1..64).contains(&width) && number > 1 << (width - 1);
        if is_negative { number - (1 << width) } else { number }
    }

    fn float(&mut self) -> f64 {
        f64::from_bits(self.bits(64))
    }

    fn threshold(&mut self) -> f64 {
        match self.bits(8) {
            0 => 0.0,
            255 => self.float(),
            number => 0.5 * 2.0_f64.powi(number as i32 - 243),
        }
    }

    /// Indexes of buckets.
    fn spans(&mut self) -> Vec<i32> {
        let (mut indexes, mut next) = (Vec::new(), 0);
        for _ in 0..self.unsigned() {
            let (length, offset) = (self.unsigned() as i32, self.signed() as i32);
            next += offset;
            indexes.extend(next..next + length);
            next += length;
        }
        indexes
    }

    fn bound(&mut self) -> f64 {
        match self.unsigned() {
            0 => self.float(),
            number => (number - 1) as f64 / 1_000.0,
        }
    }
}

/// A value that is told by its difference in bits from the one before.
#[derive(Clone, Default)]
struct Xor {
    value: u64,
    leading: u32,
    length: u32,
}

impl Xor {
    fn next(&mut self, reader: &mut Reader<'_>, at: u64) -> f64 {
        if at == 0 {
            self.value = reader.bits(64);
        } else if reader.bits(1) == 1 {
            if reader.bits(1) == 1 {
                self.leading = reader.bits(5) as u32;
                self.length = reader.bits(6) as u32;
                self.length = if self.length == 0 { 64 } else { self.length };
            }
            self.value ^= reader.bits(self.length) << (64 - self.leading - self.length);
        }
        f64::from_bits(self.value)
    }
}

/// A whole number that is told by how its difference changes.
#[derive(Clone, Default)]
struct Double {
    value: i64,
    difference: i64,
}

impl Double {
    fn next(&mut self, told: i64, at: u64) -> i64 {
        match at {
            0 => self.value = told,
            1 => self.difference = told,
            _ => self.difference = self.difference.wrapping_add(told),
        }
        if at > 0 {
            self.value = self.value.wrapping_add(self.difference);
        }
        self.value
    }
}

fn unpack(chunk: &Chunk) -> Vec<(i64, Histogram)> {
    let mut reader = Reader { bytes: &chunk.data, at: 0 };
    let count = reader.bits(16);
    let header = reader.bits(2);
    assert_eq!(reader.bits(6), 0);
    let mut layout = Histogram { zero_threshold: reader.threshold(), ..Histogram::default() };
    layout.schema = reader.signed() as i32;
    let (positive, negative) = (reader.spans(), reader.spans());
    if layout.schema == -53 {
        layout.bounds = (0..reader.unsigned()).map(|_| reader.bound()).collect();
    }
    let buckets = positive.len() + negative.len();
    let (mut time, mut totals) = (Double::default(), [Double::default(), Double::default()]);
    let (mut whole, mut float) = (vec![Double::default(); buckets], vec![Xor::default(); buckets]);
    let (mut sum, mut floats) = (Xor::default(), [Xor::default(), Xor::default()]);
    let mut found = Vec::new();
    for at in 0..count {
        let mut it = layout.clone();
        let told = reader.signed();
        let time_ms = time.next(told, at);
        let mut counts = Vec::new();
        if chunk.kind == WHOLE {
            let mut total = |of: usize| {
                let told = if at == 0 { reader.unsigned() as i64 } else { reader.signed() };
                totals[of].next(told, at) as f64
            };
            (it.count, it.zero_count) = (total(0), total(1));
            it.sum = sum.next(&mut reader, at);
            let mut running = 0;
            for (place, number) in whole.iter_mut().enumerate() {
                let difference = number.next(reader.signed(), at);
                running = if place == positive.len() { difference } else { running + difference };
                counts.push(running as f64);
            }
        } else {
            it.count = floats[0].next(&mut reader, at);
            it.zero_count = floats[1].next(&mut reader, at);
            it.sum = sum.next(&mut reader, at);
            counts.extend(float.iter_mut().map(|number| number.next(&mut reader, at)));
        }
        let mut counts = counts.into_iter();
        it.positive = positive.iter().copied().zip(counts.by_ref()).collect();
        it.negative = negative.iter().copied().zip(counts).collect();
        it.hint = match (header, at) {
            (3, _) => ResetHint::Gauge,
            (2, 0) => ResetHint::Reset,
            (0, 0) => ResetHint::Unknown,
            _ => ResetHint::NotReset,
        };
        found.push((time_ms, it));
    }
    assert!(chunk.data.len() * 8 - reader.at < 8, "nothing stands behind the last sample");
    found
}

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
        prop_assert_eq!(unpack(&chunk), wanted);
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
