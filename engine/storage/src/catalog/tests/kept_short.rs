//! Checkpoints, damage, and clean-up of a log.

use std::path::Path;
use std::time::Duration;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn log_files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("metric_samples/_delta_log")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn file(dir: &Path, name: &str) -> std::path::PathBuf {
    dir.join("metric_samples/_delta_log").join(name)
}

fn checkpoint_name(version: u64) -> String {
    format!("{version:020}.checkpoint.parquet")
}

/// Makes the commits from `from` to `to`, both inclusive: commit `n` adds `n.parquet` and, if
/// there was one, replaces the segment of commit `n - 3`.
async fn commits(catalog: &Catalog, from: u64, to: u64) {
    for number in from..=to {
        let name = format!("{number}.parquet");
        let change = if number > 3 && number % 3 == 1 {
            compact(&[&format!("{}.parquet", number - 3)], &[&name])
        } else {
            write(&[&name], number)
        };
        let committed = catalog.lock().await.commit(&change).await.unwrap();
        assert_eq!(committed.version, number);
    }
}

/// Makes everything in the log look as if it was written two days ago.
fn age(dir: &Path) {
    let then = std::time::SystemTime::now() - 2 * DAY;
    for name in log_files(dir) {
        let file = std::fs::File::options().append(true).open(file(dir, &name)).unwrap();
        file.set_modified(then).unwrap();
    }
}

#[tokio::test]
async fn a_table_is_loaded_from_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let catalog = load(&objects, "w1").await;
    assert!(!catalog.checkpoint(5, DAY).await.unwrap(), "there is nothing yet");
    commits(&catalog, 1, 3).await;
    assert!(!catalog.checkpoint(5, DAY).await.unwrap(), "it is not due");
    commits(&catalog, 4, 8).await;
    assert!(catalog.checkpoint(5, DAY).await.unwrap());
    assert!(!catalog.checkpoint(5, DAY).await.unwrap(), "once is enough");
    commits(&catalog, 9, 10).await;
    // Without what the checkpoint holds there is nothing else to load from.
    for number in 0..=7 {
        std::fs::remove_file(file(dir.path(), &format!("{number:020}.json"))).unwrap();
    }
    let loaded = load(&objects, "w1").await;
    assert_eq!(live(&loaded).await, live(&catalog).await);
    let log = loaded.lock().await;
    assert_eq!((log.version(), log.applied()), (Some(10), 9));
    assert_eq!(log.removed().count(), 3);
    assert!(log.unpublished().is_empty());
    drop(log);
    // Without the hint the folder is listed.
    std::fs::remove_file(file(dir.path(), "_last_checkpoint")).unwrap();
    assert_eq!(live(&load(&objects, "w1").await).await, live(&catalog).await);
    // And with one that makes no sense.
    std::fs::write(file(dir.path(), "_last_checkpoint"), b"{\"ver").unwrap();
    assert_eq!(live(&load(&objects, "w1").await).await, live(&catalog).await);
}

#[tokio::test]
async fn a_damaged_checkpoint_is_passed_over_and_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let catalog = load(&objects, "w1").await;
    commits(&catalog, 1, 5).await;
    assert!(catalog.checkpoint(1, DAY).await.unwrap());
    commits(&catalog, 6, 9).await;
    assert!(catalog.checkpoint(1, DAY).await.unwrap());
    let expected = live(&catalog).await;
    let newest = file(dir.path(), &checkpoint_name(9));
    let bytes = std::fs::read(&newest).unwrap();
    for damage in [&bytes[..bytes.len() / 2], &[], b"PAR1 no parquet PAR1"] {
        std::fs::write(&newest, damage).unwrap();
        let loaded = load(&objects, "w1").await;
        assert_eq!(live(&loaded).await, expected);
        assert!(loaded.checkpoint(1000, DAY).await.unwrap(), "a damaged one is due at once");
        assert!(!loaded.checkpoint(1000, DAY).await.unwrap());
        let repaired = std::fs::read(&newest).unwrap();
        assert!(checkpoint::read("metric_samples/x", repaired.into()).is_ok());
    }
    // Both damaged: the commits themselves.
    std::fs::write(&newest, b"").unwrap();
    std::fs::write(file(dir.path(), &checkpoint_name(5)), b"").unwrap();
    assert_eq!(live(&load(&objects, "w1").await).await, expected);
    std::fs::remove_file(file(dir.path(), &format!("{:020}.json", 0))).unwrap();
    let lost = Catalog::load(Table::MetricSamples, objects, "w1".into()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Damaged);
    assert!(lost.to_string().contains("commit 0"), "{lost}");
}

#[tokio::test]
async fn a_torn_commit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let catalog = load(&objects, "w1").await;
    commits(&catalog, 1, 4).await;
    let path = file(dir.path(), &format!("{:020}.json", 3));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 20]).unwrap();
    let torn = Catalog::load(Table::MetricSamples, objects.clone(), "w1".into()).await.unwrap_err();
    assert_eq!(torn.kind(), ErrorKind::Damaged);
    assert!(torn.to_string().contains("00000000000000000003.json"), "{torn}");
    // Behind a checkpoint it is not needed.
    assert!(catalog.checkpoint(1, DAY).await.unwrap());
    assert_eq!(live(&load(&objects, "w1").await).await, live(&catalog).await);
}

#[tokio::test]
async fn what_lies_behind_two_checkpoints_is_removed_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let catalog = load(&objects, "w1").await;
    for (from, to) in [(1, 4), (5, 8), (9, 12)] {
        assert_eq!(catalog.clean_up(DAY).await.unwrap(), 0);
        commits(&catalog, from, to).await;
        assert!(catalog.checkpoint(1, DAY).await.unwrap());
    }
    assert_eq!(catalog.clean_up(DAY).await.unwrap(), 0, "nothing is a day old");
    age(dir.path());
    // A damaged one does not count: commits after 4 would be needed.
    let bytes = std::fs::read(file(dir.path(), &checkpoint_name(12))).unwrap();
    std::fs::write(file(dir.path(), &checkpoint_name(12)), b"").unwrap();
    age(dir.path());
    assert_eq!(catalog.clean_up(DAY).await.unwrap(), 4);
    std::fs::write(file(dir.path(), &checkpoint_name(12)), bytes).unwrap();
    age(dir.path());
    // Commits 4 to 7 and the checkpoint of 4; those of 8 and 12 stay.
    assert_eq!(catalog.clean_up(DAY).await.unwrap(), 5);
    let kept: Vec<_> = log_files(dir.path());
    let mut expected = vec!["_last_checkpoint".to_owned()];
    expected.extend((8..=12).map(|number| format!("{number:020}.json")));
    expected.extend([8, 12].map(checkpoint_name));
    expected.sort_unstable();
    assert_eq!(kept, expected);
    assert_eq!(live(&load(&objects, "w1").await).await, live(&catalog).await);
    std::fs::write(file(dir.path(), &checkpoint_name(12)), b"").unwrap();
    assert_eq!(live(&load(&objects, "w1").await).await, live(&catalog).await);
}

#[tokio::test]
async fn a_removed_number_is_never_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let ours = load(&objects, "w1").await;
    commits(&ours, 1, 3).await;
    // They sleep here for two days.
    let theirs = load(&objects, "w2").await;
    let reader = load(&objects, "w3").await;
    for (from, to) in [(4, 6), (7, 9), (10, 12)] {
        commits(&ours, from, to).await;
        assert!(ours.checkpoint(1, DAY).await.unwrap());
    }
    age(dir.path());
    assert!(ours.clean_up(DAY).await.unwrap() > 4, "commit 4 is gone");

    let committed = theirs.lock().await.commit(&write(&["late.parquet"], 40)).await.unwrap();
    assert_eq!(committed.version, 13);
    assert!(!file(dir.path(), &format!("{:020}.json", 4)).exists());
    ours.lock().await.tail().await.unwrap();
    assert_eq!(live(&ours).await, live(&theirs).await);
    assert!(live(&ours).await.contains(&segment("late.parquet")));
    // What readers of theirs are told is the way from what they saw to what is.
    let mut shown: Vec<Segment> = Vec::new();
    for delta in theirs.lock().await.take_unpublished() {
        shown.retain(|of| !delta.removes.iter().any(|gone| gone.path == of.path));
        shown.extend(delta.adds.iter().map(|segment| segment.as_ref().clone()));
    }
    assert_eq!(shown.len(), live(&ours).await.len() - 2, "1 is replaced, 2 and 3 were seen");

    let before = live(&reader).await;
    reader.lock().await.tail().await.unwrap();
    assert_eq!(live(&reader).await, before, "commit 4 is not there");
    reader.lock().await.catch_up().await.unwrap();
    assert_eq!(live(&reader).await, live(&ours).await);
}

#[tokio::test]
async fn tombstones_are_told_until_they_are_old() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let catalog = load(&objects, "w1").await;
    commits(&catalog, 1, 8).await;
    assert!(catalog.checkpoint(1, DAY).await.unwrap());
    assert_eq!(load(&objects, "w1").await.lock().await.removed().count(), 2);
    commits(&catalog, 9, 9).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(catalog.checkpoint(1, Duration::from_millis(1)).await.unwrap());
    let loaded = load(&objects, "w1").await;
    assert_eq!(loaded.lock().await.removed().count(), 0);
    assert_eq!(live(&loaded).await, live(&catalog).await);
}
