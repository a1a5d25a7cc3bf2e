//! Names of snapshots.

use super::snapshot_name;

#[test]
fn snapshots_are_named_by_time_and_chance() {
    let name = snapshot_name(1_767_323_045_678_000_000, 0xABC);
    assert_eq!(name, "20260102T030405Z-0000000000000abc");
}
