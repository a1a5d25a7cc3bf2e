//! Who gets memory, who is refused, and what he is told.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const MIB: usize = 1 << 20;

fn budget() -> Arc<Budget> {
    Budget::new(1000 * MIB)
}

#[test]
fn what_is_dropped_is_given_back() {
    let budget = budget();
    let mut held = budget.reserve(Use::Query, 10 * MIB).unwrap();
    held.grow(5 * MIB).unwrap();
    held.shrink(MIB);
    assert_eq!((held.bytes(), budget.used(Use::Query)), (14 * MIB, 14 * MIB));
    let part = held.split(4 * MIB);
    drop(held);
    assert_eq!(budget.used(Use::Query), 4 * MIB);
    drop(part);
    let stats = budget.stats();
    assert_eq!((stats.used, stats.peak), (0, 15 * MIB as u64));
    assert_eq!(stats.uses[Use::Query as usize].peak, 15 * MIB as u64);
}

#[test]
fn a_use_cannot_pass_its_cap() {
    let budget = budget();
    let _held = budget.reserve(Use::Query, 450 * MIB).unwrap();
    let error = budget.reserve(Use::Query, 100 * MIB).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    let text = error.to_string();
    for part in ["query holds 450.0 MiB", "100.0 MiB more", "limit of 500.0 MiB", "memory.query"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(budget.stats().uses[Use::Query as usize].refused, 1);
}

#[test]
fn floors_are_kept_for_their_uses() {
    let budget = budget();
    let _memtable = budget.reserve(Use::Memtable, 400 * MIB).unwrap();
    let mut query = budget.reserve(Use::Query, 300 * MIB).unwrap();
    // 700 are held; ingest, index and compaction keep 100, 50 and 100.
    let text = query.grow(100 * MIB).unwrap_err().to_string();
    for part in ["700.0 MiB of the limit of 1000.0 MiB", "memtable 400.0 MiB", "250.0 MiB are"] {
        assert!(text.contains(part), "{text}");
    }
    query.grow(50 * MIB).unwrap();
    for (of, floor) in [(Use::Ingest, 100), (Use::Index, 50), (Use::Compaction, 100)] {
        std::mem::forget(budget.reserve(of, floor * MIB).unwrap());
    }
    assert!(budget.reserve(Use::Ingest, MIB).is_err());
}

#[test]
fn what_exists_is_counted_even_over_the_limit() {
    let budget = budget();
    let mut held = budget.reservation(Use::Memtable);
    held.grow_anyway(1200 * MIB);
    assert!(budget.reserve(Use::Query, 1).is_err());
    held.resize_anyway(100 * MIB);
    assert!(budget.reserve(Use::Query, 1).is_ok());
}

/// A cache that drops what it is asked for.
struct Cache(Mutex<Reservation>);

impl Reclaim for Cache {
    fn reclaim(&self, bytes: usize) {
        self.0.lock().shrink(bytes);
    }
}

#[test]
fn cached_bytes_give_way() {
    let budget = budget();
    let cache = Arc::new(Cache(Mutex::new(budget.reserve(Use::Cache, 250 * MIB).unwrap())));
    let weak: Weak<dyn Reclaim> = Arc::downgrade(&cache) as Weak<dyn Reclaim>;
    budget.reclaim_from(weak);
    let _index = budget.reserve(Use::Index, 200 * MIB).unwrap();
    let mut query = budget.reserve(Use::Query, 50 * MIB).unwrap();
    assert_eq!(budget.used(Use::Cache), 250 * MIB);
    query.grow(200 * MIB).unwrap();
    assert!(budget.used(Use::Cache) < 250 * MIB);
    assert!(cache.0.lock().grow(200 * MIB).is_err());
}

#[test]
fn a_full_machine_refuses_new_work_only() {
    let budget = budget();
    budget.observe(790, 1000);
    assert!(budget.check_pressure().is_ok());
    budget.observe(810, 1000);
    assert_eq!(budget.check_pressure().unwrap_err().kind(), ErrorKind::Unavailable);
    // What is under way may end.
    assert!(budget.reserve(Use::Query, 1).is_ok());
    budget.observe(910, 1000);
    assert_eq!(budget.reserve(Use::Query, 1).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(budget.reserve(Use::Ingest, 1).unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(budget.reserve(Use::Memtable, 1).is_ok());
    budget.observe(890, 1000);
    assert!(budget.reserve(Use::Query, 1).is_ok());
    budget.observe(720, 1000);
    assert!(budget.check_pressure().is_err());
    budget.observe(690, 1000);
    assert!(budget.check_pressure().is_ok());
}

#[test]
fn a_full_machine_takes_from_caches() {
    let budget = budget();
    let cache = Arc::new(Cache(Mutex::new(budget.reserve(Use::Cache, 200 * MIB).unwrap())));
    let holder: Weak<Cache> = Arc::downgrade(&cache);
    budget.reclaim_from(holder);
    budget.observe(790 * MIB, 1000 * MIB);
    assert_eq!(budget.used(Use::Cache), 200 * MIB);
    budget.observe(810 * MIB, 1000 * MIB);
    // As much as is over the part from which on new work is taken again.
    assert_eq!(budget.used(Use::Cache), 90 * MIB);
}

#[tokio::test]
async fn new_work_waits_for_memory() {
    let budget = budget();
    budget.wait_for_memory().await.unwrap();
    budget.observe(810, 1000);
    let error = budget.wait_for_relief(Duration::from_millis(60)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let waiting = tokio::spawn({
        let budget = Arc::clone(&budget);
        async move { budget.wait_for_relief(Duration::from_secs(60)).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    budget.observe(690, 1000);
    waiting.await.unwrap().unwrap();
}

#[test]
fn shares_leave_room_for_all_floors() {
    let shares = Shares::default();
    let floors: u32 = Use::ALL.iter().map(|of| u32::from(shares.of(*of).floor)).sum();
    assert!(floors <= 100);
    for of in Use::ALL {
        let Share { floor, cap } = shares.of(of);
        assert!(floor <= cap && u32::from(cap) <= 100 - (floors - u32::from(floor)), "{of:?}");
    }
    assert_eq!(shares.with_cap(Use::Query, 5).of(Use::Query), Share { floor: 5, cap: 5 });
}

proptest! {
    /// However many ask in whatever order: floors are there, caps and the limit hold.
    #[test]
    fn limits_hold(steps in prop::collection::vec((0..6_usize, 0..200_usize, any::<bool>()), 0..80)) {
        let budget = budget();
        let mut held: Vec<Reservation> = Vec::new();
        for (of, mib, frees) in steps {
            if frees && !held.is_empty() {
                held.remove(mib % held.len());
            }
            let of = Use::ALL[of];
            if let Ok(reservation) = budget.reserve(of, mib * MIB) {
                held.push(reservation);
            } else {
                let floor = budget.floors[of as usize];
                prop_assert!(budget.used(of) + mib * MIB > floor, "{:?} within its floor", of);
            }
            let used = |of: Use| -> usize {
                held.iter().filter(|one| one.of() == of).map(Reservation::bytes).sum()
            };
            for of in Use::ALL {
                prop_assert_eq!(budget.used(of), used(of));
                prop_assert!(used(of) <= budget.cap(of));
            }
            prop_assert!(budget.stats().used <= budget.bytes_max() as u64);
        }
    }
}
