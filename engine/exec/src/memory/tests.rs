//! A query within its own limit and within that of all.

use super::*;

const MIB: usize = 1 << 20;

#[test]
fn a_query_stays_within_its_limit() {
    let budget = Budget::new(1000 * MIB);
    let memory = QueryMemory::within(&budget, 100 * MIB);
    let held = memory.hold("groups");
    held.grow(60 * MIB).unwrap();
    let other = memory.hold("answer");
    let error = other.grow(50 * MIB).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("groups"), "{error}");
    assert_eq!(budget.used(Use::Query), 60 * MIB);
    held.resize(10 * MIB).unwrap();
    other.grow(50 * MIB).unwrap();
    assert_eq!(budget.used(Use::Query), 60 * MIB);
    drop((held, other));
    assert_eq!(budget.used(Use::Query), 0);
}

#[test]
fn queries_share_what_all_may_hold() {
    let budget = Budget::new(1000 * MIB);
    let memories: Vec<_> = (0..3).map(|_| QueryMemory::within(&budget, usize::MAX)).collect();
    let held: Vec<_> = memories.iter().map(|memory| memory.hold("tiles")).collect();
    // Half of what all may hold is the most for one.
    assert!(held[0].grow(251 * MIB).is_err());
    held[0].grow(250 * MIB).unwrap();
    held[1].grow(240 * MIB).unwrap();
    let text = held[2].grow(20 * MIB).unwrap_err().to_string();
    assert!(text.contains("memory.query") && text.contains("490.0 MiB"), "{text}");
    assert_eq!((budget.used(Use::Query), held[2].bytes()), (490 * MIB, 0));
    drop((held, memories));
    assert_eq!(budget.used(Use::Query), 0);
}
