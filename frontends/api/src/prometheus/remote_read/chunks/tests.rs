//! Which samples go into which chunk.

use std::sync::Arc;

use exec::output::{Histogram, ResetHint};
use schemas::model::Labels;

use super::*;

fn histogram(counts: &[(i32, f64)]) -> Histogram {
    let count = counts.iter().map(|bucket| bucket.1).sum();
    Histogram { count, sum: count, positive: counts.to_vec(), ..Histogram::default() }
}

/// Kind, first and last time of each chunk, and how many samples it has.
fn shape(numbers: &[i64], histograms: Vec<(i64, Histogram)>) -> Vec<(i32, i64, i64, usize)> {
    let samples = numbers.iter().map(|time| (*time, 1.0)).collect();
    let series = RawSeries { labels: Labels::new(Vec::new()), samples, histograms };
    let count = |chunk: &Chunk| usize::from(chunk.data[0]) << 8 | usize::from(chunk.data[1]);
    chunks(&series)
        .map(|chunk| (chunk.kind, chunk.min_time_ms, chunk.max_time_ms, count(&chunk)))
        .collect()
}

#[test]
fn chunks_follow_each_other_in_time() {
    let same = |time| (time, histogram(&[(1, 2.0)]));
    assert_eq!(shape(&[], Vec::new()), []);
    let found = shape(&[1, 2, 3, 6, 7], vec![same(4), same(5)]);
    assert_eq!(found, [(1, 1, 3, 3), (2, 4, 5, 2), (1, 6, 7, 2)]);
    let found = shape(&[2], vec![same(1), same(3)]);
    assert_eq!(found, [(2, 1, 1, 1), (1, 2, 2, 1), (2, 3, 3, 1)]);
    let found = shape(&(0..250).collect::<Vec<_>>(), Vec::new());
    assert_eq!(found, [(1, 0, 119, 120), (1, 120, 239, 120), (1, 240, 249, 10)]);
    let found = shape(&[], (0..130).map(same).collect());
    assert_eq!(found, [(2, 0, 119, 120), (2, 120, 129, 10)]);
}

#[test]
fn other_buckets_and_resets_begin_a_chunk() {
    let plain = histogram(&[(1, 2.0), (3, 4.0)]);
    let grown = histogram(&[(1, 2.0), (3, 5.0)]);
    let wider = histogram(&[(1, 2.0), (3, 5.0), (4, 1.0)]);
    let half = histogram(&[(1, 2.0), (3, 5.0), (4, 1.5)]);
    let bounded = Histogram { schema: -53, bounds: Arc::from([0.5]), ..histogram(&[(0, 9.0)]) };
    let stale = Histogram { sum: f64::from_bits(0x7ff0_0000_0000_0002), ..plain.clone() };
    let of = |list: &[&Histogram]| {
        let timed = (0..).zip(list).map(|(at, it)| (at, (*it).clone())).collect();
        shape(&[], timed).into_iter().map(|it| (it.0, it.3)).collect::<Vec<_>>()
    };
    assert_eq!(of(&[&plain, &grown, &grown]), [(2, 3)]);
    assert_eq!(of(&[&grown, &plain]), [(2, 1), (2, 1)], "a bucket shrinks");
    assert_eq!(of(&[&grown, &wider]), [(2, 1), (2, 1)]);
    assert_eq!(of(&[&wider, &half, &half]), [(2, 1), (3, 2)]);
    assert_eq!(of(&[&half, &bounded]), [(3, 1), (2, 1)]);
    assert_eq!(of(&[&plain, &stale, &stale, &plain]), [(2, 1), (2, 2), (2, 1)]);
    let reset = Histogram { hint: ResetHint::Reset, ..grown.clone() };
    assert_eq!(of(&[&plain, &reset]), [(2, 1), (2, 1)]);
    let gauge = |it: &Histogram| Histogram { hint: ResetHint::Gauge, ..it.clone() };
    assert_eq!(of(&[&gauge(&grown), &gauge(&plain)]), [(2, 2)], "a gauge may shrink");
    assert_eq!(of(&[&gauge(&plain), &plain]), [(2, 1), (2, 1)]);
}
