//! What footers take is what the budget knows of, whatever happens to them.

use std::any::Any;

use datafusion::execution::cache::cache_manager::FileMetadata;
use object_store::ObjectMeta;

use super::*;

/// A footer of so many bytes.
struct Footer(usize);

impl FileMetadata for Footer {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn memory_size(&self) -> usize {
        self.0
    }

    fn extra_info(&self) -> HashMap<String, String> {
        HashMap::default()
    }
}

fn entry(bytes: usize) -> CachedFileMetadataEntry {
    let meta = ObjectMeta {
        location: Path::from("segment"),
        last_modified: Default::default(),
        size: 1,
        e_tag: None,
        version: None,
    };
    CachedFileMetadataEntry::new(meta, Arc::new(Footer(bytes)))
}

fn path(at: usize) -> Path {
    Path::from(format!("segment-{at}"))
}

#[test]
fn the_longest_unused_go_first_and_are_given_back() {
    let budget = Budget::new(1 << 30);
    let footers = Footers::new(&budget, 10_000);
    assert_eq!(budget.used(Use::Cache), 0);
    for at in 0..30 {
        footers.put(&path(at), entry(1_000));
        assert!(footers.get(&path(0)).is_some(), "{at}");
        assert!(budget.used(Use::Cache) <= 10_000);
        assert_eq!(budget.used(Use::Cache), footers.kept.memory_used());
    }
    assert!(footers.get(&path(29)).is_some() && footers.get(&path(10)).is_none());
    // One that would take all of it is not kept.
    footers.put(&path(99), entry(20_000));
    assert!(!footers.contains_key(&path(99)));
    // Put again, it is counted once.
    footers.put(&path(29), entry(500));
    assert_eq!(budget.used(Use::Cache), footers.kept.memory_used());
    footers.remove(&path(29));
    assert_eq!(budget.used(Use::Cache), footers.kept.memory_used());
    footers.clear();
    assert_eq!((budget.used(Use::Cache), footers.len()), (0, 0));
}

#[test]
fn others_get_what_footers_hold() {
    let budget = Budget::new(100 << 20);
    let footers = Footers::new(&budget, 20 << 20);
    (0..20).for_each(|at| drop(footers.put(&path(at), entry(1_000_000))));
    let before = budget.used(Use::Cache);
    assert!(before > 18_000_000, "{before}");
    footers.reclaim(5_000_000);
    let after = budget.used(Use::Cache);
    assert!((before - 7_000_000..=before - 5_000_000).contains(&after), "{before} {after}");
    // The limit is what it was.
    footers.put(&path(50), entry(1_000_000));
    assert!(footers.contains_key(&path(50)) && footers.contains_key(&path(19)));
    assert_eq!(footers.cache_limit(), 20 << 20);
    // Where the budget has no room, a footer is used without being kept.
    let _rest = budget.reserve(Use::Cache, budget.cap(Use::Cache) - budget.used(Use::Cache));
    footers.put(&path(60), entry(1_000_000));
    assert!(!footers.contains_key(&path(60)));
    assert_eq!(budget.used(Use::Cache), budget.cap(Use::Cache));
}

#[test]
fn what_was_merged_away_is_not_kept() {
    let budget = Budget::new(1 << 30);
    let footers = Footers::new(&budget, 1 << 20);
    (0..8).for_each(|at| drop(footers.put(&path(at), entry(1_000))));
    footers.forget(&["segment-1", "segment-3", "segment-77"]);
    assert_eq!(footers.len(), 6);
    assert!(!footers.contains_key(&path(3)) && footers.contains_key(&path(4)));
    assert_eq!(budget.used(Use::Cache), footers.kept.memory_used());
}
