//! The live set against a plain list.

use proptest::prelude::*;

use super::*;

fn segment(at: usize, day: i32, min: i64, max: i64) -> Segment {
    Segment {
        path: format!("logs/{at}.parquet"),
        tenant: if at.is_multiple_of(3) { "a".into() } else { "b".into() },
        day,
        bytes: at as u64 + 1,
        rows: 1,
        min_time_ns: min,
        max_time_ns: max,
        key_ranges: Vec::new(),
        footer_bytes: 8,
        level: 0,
        crc32c: 0,
        deletes_applied: 0,
        created_ms: 0,
        occupied: Default::default(),
    }
}

fn paths<'a>(segments: impl IntoIterator<Item = &'a Arc<Segment>>) -> Vec<String> {
    let mut paths: Vec<_> = segments.into_iter().map(|segment| segment.path.clone()).collect();
    paths.sort_unstable();
    paths
}

proptest! {
    #[test]
    fn it_holds_what_a_list_holds(
        steps in prop::collection::vec((any::<bool>(), 0..40_usize, 0..4_i32, 0..50_i64), 1..120),
        range in (0..220_i64, 0..220_i64),
    ) {
        let range = TimeRange { start_ns: range.0, end_ns: range.1 };
        let (mut live, mut list) = (LiveTable::default(), BTreeMap::new());
        let mut held = Vec::new();
        for (adds, at, day, offset) in steps {
            let min = i64::from(day) * 50 + offset;
            let segment = segment(at, day, min, min + offset % 7);
            if adds && !list.contains_key(&at) {
                list.insert(at, segment.clone());
                live.extend([Arc::new(segment)]);
            } else if let Some(removed) = list.remove(&at) {
                prop_assert!(live.remove(&removed));
                prop_assert!(!live.remove(&removed));
            }
            let snapshot = live.tenant("a");
            held.push((paths(snapshot.iter()), snapshot));
        }
        prop_assert_eq!(live.segments, list.len() as u64);
        prop_assert_eq!(live.bytes, list.values().map(|segment| segment.bytes).sum::<u64>());
        for tenant in ["a", "b"] {
            let found = live.tenant(tenant);
            let of_tenant = || list.values().filter(|segment| segment.tenant.as_ref() == tenant);
            let expected = |keep: &dyn Fn(&Segment) -> bool| {
                let mut paths: Vec<_> = of_tenant().filter(|segment| keep(segment))
                    .map(|segment| segment.path.clone()).collect();
                paths.sort_unstable();
                paths
            };
            prop_assert_eq!(paths(found.iter()), expected(&|_| true));
            prop_assert_eq!(found.len(), of_tenant().count());
            prop_assert_eq!(
                paths(&found.in_range(&range)),
                expected(&|segment| range.overlaps(segment.min_time_ns, segment.max_time_ns))
            );
        }
        // Snapshots do not change afterwards.
        for (before, snapshot) in held {
            prop_assert_eq!(paths(snapshot.iter()), before);
        }
    }
}
