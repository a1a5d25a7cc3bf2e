//! Tests of which blocks stay.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn key(path: &str, block: u32) -> Key {
    Key { path: Arc::from(path), block }
}

/// Inserts, then evicts down to a bound.
fn put(fifo: &mut Fifo<u32>, block: u32, bytes_max: u64) {
    fifo.insert(key("p", block), block, 1);
    while fifo.bytes() > bytes_max {
        fifo.evict().unwrap();
    }
}

#[test]
fn what_is_used_outlives_a_scan() {
    let mut fifo = Fifo::default();
    for block in 0..10 {
        put(&mut fifo, block, 100);
    }
    for block in 0..10 {
        fifo.get(&key("p", block)).unwrap();
    }
    for block in 1000..5000 {
        put(&mut fifo, block, 100);
    }
    assert!((0..10).all(|block| fifo.contains(&key("p", block))));
    assert_eq!(fifo.bytes(), 100);
}

#[test]
fn what_comes_back_soon_stays_longer() {
    let mut fifo = Fifo::default();
    for block in 0..20 {
        put(&mut fifo, block, 10);
    }
    put(&mut fifo, 5, 10);
    for block in 100..120 {
        put(&mut fifo, block, 10);
    }
    assert!(fifo.contains(&key("p", 5)));
    assert!(!fifo.contains(&key("p", 6)));
}

#[test]
fn an_object_goes_with_all_its_blocks() {
    let mut fifo = Fifo::default();
    for block in 0..5 {
        fifo.insert(key("a", block), block, 2);
        fifo.insert(key("b", block), block, 3);
    }
    assert_eq!(fifo.remove_objects(&HashSet::from(["a".to_owned()])).len(), 5);
    assert_eq!(fifo.bytes(), 15);
    let mut left = 0;
    while let Some((_, bytes)) = fifo.evict() {
        left += bytes;
    }
    assert_eq!((left, fifo.bytes()), (15, 0));
}

#[test]
fn names_of_what_is_gone_do_not_pile_up() {
    let mut fifo = Fifo::default();
    for object in 0..100 {
        for block in 0..100 {
            fifo.insert(key(&object.to_string(), block), block, 1);
        }
        if object > 0 {
            fifo.remove_objects(&HashSet::from([object.to_string()]));
        }
        assert!(fifo.small.len() + fifo.main.len() <= 2 * 100 + NAMES_MIN);
    }
    assert_eq!(fifo.bytes(), 100);
}

proptest! {
    /// Against a plain map: nothing is lost but by evict, and bytes are counted right.
    #[test]
    fn it_holds_what_a_map_would(calls in prop::collection::vec((0_u8..4, 0_u32..30, 1_u64..9), 0..400)) {
        let mut fifo = Fifo::default();
        let mut map: BTreeMap<u32, u64> = BTreeMap::new();
        for (call, block, bytes) in calls {
            match call {
                0 => prop_assert_eq!(fifo.get(&key("p", block)).copied(), map.get(&block).map(|_| block)),
                1 => {
                    fifo.insert(key("p", block), block, bytes);
                    map.insert(block, bytes);
                }
                2 => prop_assert_eq!(fifo.remove(&key("p", block)).is_some(), map.remove(&block).is_some()),
                _ => match fifo.evict() {
                    None => prop_assert!(map.is_empty()),
                    Some((block, bytes)) => prop_assert_eq!(map.remove(&block), Some(bytes)),
                },
            }
            prop_assert_eq!(fifo.bytes(), map.values().sum::<u64>());
        }
    }
}
