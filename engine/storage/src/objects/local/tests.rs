//! Tests of objects on a local disk.

use super::*;

#[test]
fn an_object_is_created_once_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let path = "table/date=2026-01-01/a.parquet";
    assert_eq!(create(root, path, &Bytes::from_static(b"one")).unwrap(), Created::New);
    assert_eq!(create(root, path, &Bytes::from_static(b"two")).unwrap(), Created::Exists);
    assert_eq!(fs::read(root.join(path)).unwrap(), b"one");
    assert_eq!(fs::read_dir(root.join(TEMPORARY)).unwrap().count(), 0);
}

#[test]
fn a_draft_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut draft = Draft::new(folder.path()).unwrap();
    draft.write(b"half").unwrap();
    drop(draft);
    assert_eq!(fs::read_dir(folder.path().join(TEMPORARY)).unwrap().count(), 0);
}

#[test]
fn what_is_not_there_can_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), "a/b", &Bytes::from_static(b"x")).unwrap();
    delete(folder.path(), "a/b").unwrap();
    delete(folder.path(), "a/b").unwrap();
    assert!(!folder.path().join("a/b").exists());
}

#[test]
fn only_abandoned_files_are_swept_when_a_lake_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let old = Draft::new(folder.path()).unwrap();
    let new = Draft::new(folder.path()).unwrap();
    let long_ago = SystemTime::now() - 2 * ABANDONED;
    old.file.set_modified(long_ago).unwrap();
    open(folder.path()).unwrap();
    assert!(!old.temporary.exists());
    assert!(new.temporary.exists());
}
