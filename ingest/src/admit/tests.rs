//! Tests of admission.

use super::*;

#[test]
fn a_budget_gives_back_what_was_taken() {
    let memory = storage::Budget::new(0);
    let budget = Budget::new(10, &memory);
    let mut first = budget.reservation();
    first.grow(8).unwrap();
    let mut second = budget.reservation();
    assert_eq!(second.grow(3).unwrap_err().kind(), ErrorKind::Limit);
    drop(first);
    second.grow(3).unwrap();
    assert_eq!(budget.taken_bytes(), 3);
    assert_eq!(memory.used(storage::Use::Ingest), 3);
    let full = memory.reserve(storage::Use::Ingest, memory.cap(storage::Use::Ingest) - 4).unwrap();
    assert_eq!(second.grow(2).unwrap_err().kind(), ErrorKind::Limit);
    drop((second, full));
    assert_eq!((budget.taken_bytes(), memory.used(storage::Use::Ingest)), (0, 0));
}

#[test]
fn times_out_of_bounds_are_told_with_both_times() {
    let bounds = TimeBounds::new(&Limits::default(), 1_700_000_000 * NANOS_PER_SECOND);
    assert_eq!(bounds.check(1_700_000_000_000_000_001), Ok(1_700_000_000_000_000_001));
    let old = bounds.check(0).unwrap_err();
    assert_eq!(
        old.message,
        "time 1970-01-01T00:00:00.000000000Z is too old, \
         the oldest accepted is 2023-11-07T22:13:20.000000000Z"
    );
    assert_eq!(bounds.check(u64::MAX).unwrap_err().reason, Reason::TooFarAhead);
}

#[test]
fn rejections_count_by_reason_and_keep_the_first_message() {
    let mut rejections = Rejections::default();
    assert_eq!(rejections.message(), None);
    rejections.add(Rejection::new(Reason::NotUtf8, "a"), 1);
    rejections.add(Rejection::new(Reason::NotUtf8, "b"), 2);
    rejections.add(Rejection::new(Reason::InvalidId, "c"), 1);
    assert_eq!(rejections.count(), 4);
    assert_eq!(rejections.message().unwrap(), "a (and 2 more); c");
}
