//! Keys order rows as the table says, and runs end where they should.

use proptest::prelude::*;

use super::*;
use crate::fixtures::{logs, samples};

#[test]
fn keys_of_two_columns_repeat_the_first() {
    let keys = Keys::of(Table::Logs, &logs(&[(1, 7, "a"), (2, 3, "b")])).unwrap();
    assert_eq!((keys.len(), keys.at(0), keys.at(1)), (2, [1, 7, 1], [2, 3, 2]));
    assert_eq!(keys.ranges(), [(1, 2), (3, 7)]);
    assert!(keys.is_same(0, 0, 1) && !keys.is_same(1, 0, 1));
}

#[test]
fn disorder_is_found() {
    let keys = |rows: &[(i64, i64, f64)]| Keys::of(Table::MetricSamples, &samples(rows)).unwrap();
    assert_eq!(keys(&[(1, 5, 0.0), (1, 5, 0.0), (2, 0, 0.0)]).first_out_of_order(), None);
    assert_eq!(keys(&[(1, 5, 0.0), (2, 0, 0.0), (1, 9, 0.0)]).first_out_of_order(), Some(2));
    assert_eq!(keys(&[(1, 5, 0.0), (1, 4, 0.0)]).first_out_of_order(), Some(1));
}

proptest! {
    #[test]
    fn seek_finds_what_a_walk_finds(
        mut rows in prop::collection::vec((0..6_i64, 0..6_i64), 1..60),
        from in 0..60_usize,
        bound in (0..7_i64, 0..7_i64),
        with_equal: bool,
    ) {
        rows.sort_unstable();
        let rows: Vec<_> = rows.into_iter().map(|(series, time)| (series, time, 0.0)).collect();
        let keys = Keys::of(Table::MetricSamples, &samples(&rows)).unwrap();
        let from = from.min(rows.len());
        let bound = [0, bound.0, bound.1];
        let is_before = |key: Key| key < bound || (with_equal && key == bound);
        let walked = (from..rows.len()).find(|row| !is_before(keys.at(*row)));
        prop_assert_eq!(keys.seek(from, &bound, with_equal), walked.unwrap_or(rows.len()));
    }
}
