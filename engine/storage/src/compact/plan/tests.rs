//! The planner's promises, on lakes made at random.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

fn segment(tenant: &str, day: i32, number: usize, bytes: u64, end_ms: i64) -> Arc<Segment> {
    Arc::new(Segment {
        path: format!("t/{tenant}/{day}/{number:06}"),
        tenant: tenant.into(),
        day,
        bytes,
        rows: bytes,
        min_time_ns: (end_ms - 5 * MINUTE_MS).max(i64::from(day) * DAY_MS) * NANOS_PER_MILLI,
        max_time_ns: end_ms * NANOS_PER_MILLI,
        key_ranges: Vec::new(),
        footer_bytes: 8,
        level: 0,
        crc32c: 0,
        deletes_applied: 0,
        created_ms: end_ms,
        occupied: Default::default(),
    })
}

/// Twelve flushes an hour of `day`, up to `hours`.
fn flushes(day: i32, hours: i64, bytes: u64) -> Vec<Arc<Segment>> {
    let numbers = 0..usize::try_from(hours * 12).unwrap();
    numbers
        .map(|number| {
            let end = i64::from(day) * DAY_MS + (number as i64 + 1) * 5 * MINUTE_MS - 1;
            segment("a", day, number, bytes, end)
        })
        .collect()
}

/// What is live after the merges, if merging shrinks nothing.
fn done(mut live: Vec<Arc<Segment>>, merges: &[Merge], now_ms: i64) -> Vec<Arc<Segment>> {
    for merge in merges {
        let paths: HashSet<&str> = merge.inputs.iter().map(|one| one.path.as_str()).collect();
        live.retain(|segment| !paths.contains(segment.path.as_str()));
        let first = &merge.inputs[0];
        let mut merged = Segment::clone(first);
        merged.path = format!("{}-{}-{now_ms}", first.path, merge.inputs.len());
        merged.bytes = merge.bytes();
        merged.rows = merged.bytes;
        merged.max_time_ns = merge.inputs.iter().map(|one| one.max_time_ns).max().unwrap();
        merged.level = merge.level;
        merged.created_ms = now_ms;
        live.push(Arc::new(merged));
    }
    live
}

fn settle(
    mut live: Vec<Arc<Segment>>,
    now_ms: i64,
    options: &CompactionOptions,
) -> Vec<Arc<Segment>> {
    for round in 0.. {
        assert!(round < 100, "planning does not end");
        let merges = plan(live.clone(), now_ms, options);
        if merges.is_empty() {
            return live;
        }
        live = done(live, &merges, now_ms);
    }
    live
}

#[test]
fn an_hour_that_is_over_becomes_one_segment() {
    let options = CompactionOptions::default();
    let live = flushes(5, 1, 1000);
    let in_hour = 5 * DAY_MS + 59 * MINUTE_MS;
    assert_eq!(plan(live.clone(), in_hour, &options), [], "not before it is over");
    let merges = plan(live.clone(), 5 * DAY_MS + HOUR_MS + 6 * MINUTE_MS, &options);
    assert_eq!((merges.len(), merges[0].inputs.len(), merges[0].level), (1, 12, HOUR_LEVEL));
    let live = settle(live, 5 * DAY_MS + HOUR_MS + 10 * MINUTE_MS, &options);
    assert_eq!(live.len(), 1);
}

#[test]
fn a_day_that_is_over_becomes_one_segment_and_each_row_is_written_three_times() {
    let options = CompactionOptions::default();
    let (mut live, mut written) = (Vec::new(), 0);
    let flushed = flushes(5, 24, 1000);
    for minute in 0..25 * 60 {
        let now_ms = 5 * DAY_MS + minute * MINUTE_MS;
        let was = now_ms - MINUTE_MS..now_ms;
        live.extend(flushed.iter().filter(|one| was.contains(&one.created_ms)).cloned());
        let merges = plan(live.clone(), now_ms, &options);
        written += merges.iter().map(Merge::bytes).sum::<u64>();
        live = done(live, &merges, now_ms);
        let over = now_ms / HOUR_MS * HOUR_MS - HOUR_MS;
        if now_ms % HOUR_MS >= 10 * MINUTE_MS {
            let of_hour = live.iter().filter(|one| one.max_time_ns / NANOS_PER_MILLI > over);
            let of_hour = of_hour.filter(|one| one.min_time_ns / NANOS_PER_MILLI < over + HOUR_MS);
            assert!(of_hour.count() <= 8, "minute {minute}");
        }
    }
    assert_eq!(live.len(), 1);
    assert_eq!((live[0].bytes, live[0].level), (288_000, DAY_LEVEL));
    assert_eq!(written, 2 * 288_000, "once an hour, once a day");
}

#[test]
fn a_late_row_does_not_rewrite_a_day() {
    let options = CompactionOptions::default();
    let now_ms = 9 * DAY_MS;
    let mut live = vec![segment("a", 5, 0, 500 << 20, 6 * DAY_MS - 1)];
    let mut written = 0;
    for number in 1..=1000 {
        live.push(segment("a", 5, number, 1000, 5 * DAY_MS + HOUR_MS));
        for merge in plan(live.clone(), now_ms, &options) {
            written += merge.bytes();
            assert!(merge.inputs.iter().all(|one| one.bytes < 500 << 20));
            live = done(live, &[merge], now_ms);
        }
        assert!(live.len() <= 4, "{} segments", live.len());
    }
    assert!(written < 25 * 1000 * 1000, "{written} bytes written for 1,000,000 late ones");
}

#[test]
fn large_segments_are_left_alone() {
    let options = CompactionOptions { segment_bytes: 1000, ..CompactionOptions::default() };
    let live: Vec<_> = (0..30).map(|at| segment("a", 5, at, 400, 5 * DAY_MS + at as i64)).collect();
    let live = settle(live, 9 * DAY_MS, &options);
    assert!(live.iter().all(|one| one.bytes <= 2000));
    assert!(live.iter().filter(|one| one.bytes < 1000).count() <= 4);
    assert!(live.len() <= 12, "{}", live.len());
}

fn lake() -> impl Strategy<Value = Vec<Arc<Segment>>> {
    let one = (0..3_usize, 3..6_i32, 1..2_000_u64, 0..DAY_MS, 0..3_u8);
    prop::collection::vec(one, 0..120).prop_map(|all| {
        let segments = all.into_iter().enumerate();
        let segments = segments.map(|(number, (tenant, day, bytes, time, level))| {
            let end_ms = i64::from(day) * DAY_MS + time;
            let one = segment(["a", "b", "c"][tenant], day, number, bytes, end_ms);
            Arc::new(Segment { level, ..Segment::clone(&one) })
        });
        segments.collect()
    })
}

proptest! {
    #[test]
    fn merges_keep_their_limits_and_come_to_an_end(
        live in lake(),
        now_ms in 3 * DAY_MS..9 * DAY_MS,
        fan_in_max in 2..20_usize,
        segment_bytes in 1_000..10_000_u64,
    ) {
        let options =
            CompactionOptions { fan_in_max, segment_bytes, ..CompactionOptions::default() };
        let merges = plan(live.clone(), now_ms, &options);
        let mut used = HashSet::new();
        for merge in &merges {
            let first = &merge.inputs[0];
            prop_assert!((2..=fan_in_max).contains(&merge.inputs.len()));
            prop_assert!(merge.bytes() <= 2 * segment_bytes);
            for input in &merge.inputs {
                prop_assert_eq!((&input.tenant, input.day), (&first.tenant, first.day));
                prop_assert!(input.bytes < segment_bytes);
                prop_assert!(used.insert(input.path.clone()), "twice: {}", input.path);
            }
        }
        let bytes = |live: &[Arc<Segment>]| live.iter().map(|one| one.bytes).sum::<u64>();
        let before = bytes(&live);
        let live = settle(live, now_ms, &options);
        prop_assert_eq!(bytes(&live), before);
        let mut days: BTreeMap<(Arc<str>, i32), usize> = BTreeMap::new();
        for one in live.iter().filter(|one| one.bytes < segment_bytes) {
            if now_ms > i64::from(one.day + 1) * DAY_MS + HOUR_MS {
                *days.entry((Arc::clone(&one.tenant), one.day)).or_default() += 1;
            }
        }
        prop_assert!(days.values().all(|count| *count <= options.day_segments_max + 1));
    }
}
