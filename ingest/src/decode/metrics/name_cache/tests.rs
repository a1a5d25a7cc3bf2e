//! What is kept is what would be made, and does not grow without end.

use super::*;

#[test]
fn names_are_made_once_and_kept_apart() {
    let cache = NameCache::default();
    let mut room = Vec::new();
    let mut plain = |name, unit, kind, suffix| -> String {
        let names = cache.names((name, unit), (kind, suffix), &mut room).unwrap();
        names.plain.text.clone()
    };
    for _ in 0..2 {
        assert_eq!(plain("a.b", "s", Kind::Gauge, Suffix::None), "a_b_seconds");
        assert_eq!(plain("a.b", "", Kind::Gauge, Suffix::None), "a_b");
        assert_eq!(plain("a.b", "s", Kind::Sum, Suffix::Total), "a_b_seconds_total");
        assert_eq!(plain("a.", "bs", Kind::Gauge, Suffix::None), "a_bs");
    }
    assert_eq!(cache.0.read().names.len(), 4);
    let histogram = cache.names(("h", ""), (Kind::Histogram, Suffix::None), &mut room).unwrap();
    assert_eq!((&*histogram.bucket.text, &*histogram.sum.text), ("h_bucket", "h_sum"));
    assert!(cache.names(("_", ""), (Kind::Gauge, Suffix::None), &mut room).is_none());
}

#[test]
fn many_long_names_do_not_take_more_than_they_may() {
    let cache = NameCache::default();
    let mut room = Vec::new();
    for at in 0..20_000 {
        let name = format!("{}{at}", "x".repeat(1_000));
        cache.names((&name, ""), (Kind::Histogram, Suffix::None), &mut room).unwrap();
        assert!(cache.0.read().bytes <= BYTES_MAX);
    }
    let inner = cache.0.read();
    assert_eq!(inner.bytes, inner.names.values().map(|names| names.bytes()).sum::<usize>());
}
