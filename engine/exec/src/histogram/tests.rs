//! Rules that the shared cases do not reach, and laws that must hold of any histograms.

use proptest::prelude::*;

use super::*;

fn custom(bounds: &[f64], counts: &[Bucket]) -> Histogram {
    Histogram {
        schema: CUSTOM_BOUNDS,
        count: counts.iter().map(|bucket| bucket.1).sum(),
        positive: counts.to_vec(),
        bounds: bounds.into(),
        ..Histogram::default()
    }
}

fn buckets() -> impl Strategy<Value = Vec<Bucket>> {
    proptest::collection::btree_map(-40..40_i32, 1..50_u32, 0..12)
        .prop_map(|buckets| buckets.into_iter().map(|(at, count)| (at, count.into())).collect())
}

prop_compose! {
    fn histogram()(
        schema in -2..4_i32,
        zero in 0..3_u32,
        zero_count in 0..9_u32,
        positive in buckets(),
        negative in buckets(),
        sum in -100..100_i32,
    ) -> Histogram {
        let zero_threshold = [0.0, 0.001, 0.5][zero as usize];
        let mut histogram = Histogram {
            schema,
            zero_threshold,
            zero_count: zero_count.into(),
            sum: sum.into(),
            positive,
            negative,
            ..Histogram::default()
        };
        // What lies within the zero bucket has no bucket of its own.
        let is_outside = |bucket: &Bucket| bounds::bound(schema, bucket.0 - 1) >= zero_threshold;
        histogram.positive.retain(is_outside);
        histogram.negative.retain(is_outside);
        histogram.count = histogram.buckets().iter().map(|bucket| bucket.count).sum();
        histogram
    }
}

fn observations(histogram: &Histogram) -> f64 {
    histogram.buckets().iter().map(|bucket| bucket.count).sum()
}

proptest! {
    #[test]
    fn sums_lose_nothing(left in histogram(), right in histogram()) {
        let (sum, conflict) = left.clone().plus(&right).unwrap();
        prop_assert_eq!(conflict, Conflict::default());
        prop_assert_eq!(sum.count, left.count + right.count);
        prop_assert_eq!(observations(&sum), sum.count);
        prop_assert!(sum.schema <= left.schema.min(right.schema));
        prop_assert!(sum.zero_threshold >= left.zero_threshold.max(right.zero_threshold));
        let other = right.clone().plus(&left).unwrap().0;
        prop_assert!(sum.equals(&other));
        let mut running = Sum::new(left.clone());
        running.add(&right);
        prop_assert!(running.total().equals(&sum.compacted()));
    }

    #[test]
    fn growth_is_no_reset_and_the_way_back_is(left in histogram(), right in histogram()) {
        let grown = left.clone().plus(&right).unwrap().0;
        prop_assert!(!detect_reset(&left, &grown));
        if right.count > 0.0 {
            prop_assert!(detect_reset(&grown, &left));
        }
        let outcome = increase(&[&left, &grown], true);
        prop_assert_eq!(outcome.histogram.map(|histogram| histogram.count), Some(right.count));
    }

    #[test]
    fn quantiles_rise_and_lie_within_the_buckets(histogram in histogram()) {
        let buckets = histogram.buckets();
        let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return Ok(()) };
        let mut before = f64::NEG_INFINITY;
        for step in 0..=20 {
            let (value, _) = histogram.quantile(f64::from(step) / 20.0);
            let noise = 1e-9 * value.abs();
            prop_assert!(value >= before - noise, "{} after {}", value, before);
            prop_assert!(first.lower - noise <= value && value <= last.upper + noise);
            before = value;
        }
        let everything = histogram.fraction(f64::NEG_INFINITY, f64::INFINITY);
        prop_assert_eq!(everything, 1.0);
    }
}

#[test]
fn custom_bounds_are_cut_to_the_common_ones() {
    let left = custom(&[1.0, 2.0, 4.0], &[(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]);
    let right = custom(&[2.0, 3.0], &[(0, 10.0), (1, 20.0), (2, 30.0)]);
    let (sum, conflict) = left.plus(&right).unwrap();
    assert!(conflict.bounds);
    assert_eq!(sum.bounds.as_ref(), [2.0]);
    assert_eq!(sum.positive, [(0, 13.0), (1, 57.0)]);
    assert!(Histogram::default().plus(&right).is_none());
}

#[test]
fn bounds_are_powers() {
    assert_eq!(bounds::bound(0, 3), 8.0);
    assert_eq!(bounds::bound(-1, 2), 16.0);
    assert_eq!(bounds::bound(1, 2), 2.0);
    assert_eq!(bounds::bound(0, 1024), f64::MAX);
    assert_eq!(bounds::bound(0, 1025), f64::INFINITY);
}

#[test]
fn the_text_is_that_of_prometheus() {
    let histogram = Histogram {
        count: 7.0,
        sum: 1e21,
        zero_threshold: 0.001,
        zero_count: 1.0,
        positive: vec![(1, 2.0), (2, 0.0)],
        negative: vec![(3, 4.0)],
        ..Histogram::default()
    };
    assert_eq!(histogram.to_string(), "{count:7, sum:1e+21, [-8,-4):4, [-0.001,0.001]:1, (1,2]:2}");
}
