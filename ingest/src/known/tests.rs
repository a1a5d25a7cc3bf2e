//! What was put is found, and nothing else, however full the table.

use super::*;

fn key(at: u64) -> Key {
    Key::new(&at.to_le_bytes(), 7)
}

#[test]
fn what_was_put_is_found_with_its_day() {
    let (known, index) = (KnownSeries::default(), LabelIndex::default());
    let limits = Limits::default();
    let mut lookup = known.lookup("t", &limits, &index);
    assert_eq!(lookup.get(key(1)), None);
    for day in [0, -1, 20_000, -20_000, i32::MAX >> 8] {
        lookup.put(key(1), -5, 9, day);
        assert_eq!(lookup.get(key(1)), Some(Found { series: -5, metric: 9, day: Some(day) }));
    }
    assert_eq!(lookup.get(key(2)), None);
    drop(lookup);
    let other = LabelIndex::default();
    let found = known.lookup("t", &limits, &other).get(key(1));
    assert_eq!(found, Some(Found { series: -5, metric: 9, day: None }), "another index");
}

#[test]
fn whatever_labels_depend_on_is_in_the_seed() {
    let (known, index, limits) = (KnownSeries::default(), LabelIndex::default(), Limits::default());
    let seed = |tenant: &str, limits: &Limits| known.lookup(tenant, limits, &index).seed();
    assert_eq!(seed("t", &limits), seed("t", &limits));
    assert_ne!(seed("t", &limits), seed("u", &limits));
    let narrow = Limits { labels_max: 3, ..Limits::default() };
    assert_ne!(seed("t", &limits), seed("t", &narrow));
    assert_ne!(key(1).part(0), key(1).part(1));
}

#[test]
fn the_table_grows_until_what_comes_again_is_found() {
    let (known, index, limits) = (KnownSeries::default(), LabelIndex::default(), Limits::default());
    let series = 20_000;
    let mut hits = 0;
    for _ in 0..12 {
        hits = 0;
        for first in (0..series).step_by(1_000) {
            let mut lookup = known.lookup("t", &limits, &index);
            for at in first..first + 1_000 {
                match lookup.get(key(at)) {
                    Some(found) => {
                        assert_eq!((found.series, found.metric), (at as i64, -(at as i64)));
                        hits += 1;
                    }
                    None => lookup.put(key(at), at as i64, -(at as i64), 1),
                }
            }
        }
    }
    assert!(hits > series * 19 / 20, "{hits}");
    let entries = known.table.read().len() * BUCKET_ENTRIES;
    assert!((series as usize..=16 * series as usize).contains(&entries), "{entries}");
}

#[test]
fn more_than_there_is_room_for_is_never_mistaken() {
    let known = KnownSeries::new(None, BUCKETS_MIN);
    let (index, limits) = (LabelIndex::default(), Limits::default());
    for at in 0..100_000 {
        let mut lookup = known.lookup("t", &limits, &index);
        lookup.put(key(at), at as i64, 1, 1);
        let before = at / 2;
        if let Some(found) = lookup.get(key(before)) {
            assert_eq!(found.series, before as i64);
        }
    }
    assert_eq!(known.table.read().len(), BUCKETS_MIN);
}

#[test]
fn writers_at_once_leave_nothing_mixed() {
    let (known, index, limits) = (KnownSeries::default(), LabelIndex::default(), Limits::default());
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (known, index, limits) = (&known, &index, &limits);
            scope.spawn(move || {
                for round in 0..20_000_u64 {
                    let mut lookup = known.lookup("t", limits, index);
                    let at = (round * 7 + thread) % 64;
                    // The same key always stands for the same pair.
                    if let Some(found) = lookup.get(key(at)) {
                        assert_eq!((found.series, found.metric), (at as i64, !(at as i64)));
                    }
                    lookup.put(key(at), at as i64, !(at as i64), (round % 9) as i32);
                }
            });
        }
    });
}
