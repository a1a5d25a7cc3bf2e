//! Several processes on one lake: each sees what the others have flushed, with its labels.

use std::time::Duration;

use super::*;

/// Options of the process `name` on the lake in `dir`; it follows others only when it is told to.
fn options_of(dir: &std::path::Path, name: &str) -> StoreOptions {
    let mut options = options(&dir.join(name));
    options.lake_dir = Some(dir.join("lake"));
    options.catalog.refresh_interval = Duration::ZERO;
    options
}

#[tokio::test]
async fn what_one_flushes_all_read() {
    let dir = tempfile::tempdir().unwrap();
    let a = open(options_of(dir.path(), "a")).await;
    let b = open(options_of(dir.path(), "b")).await;
    let mut lines = Vec::new();
    for round in 0..4 {
        let of_a = some_lines(round * 100, 20);
        let of_b = some_lines(round * 100 + 50, 20);
        write(&a, "t", &of_a).await.unwrap();
        write(&b, "t", &of_b).await.unwrap();
        a.flush().await.unwrap();
        // B finds A's commits as it makes its own.
        b.flush().await.unwrap();
        lines.extend([of_a, of_b]);
        assert_same_rows(&b, &lines).await;
        a.refresh().await.unwrap();
        assert_same_rows(&a, &lines).await;
    }
    // Four commits each of samples and records, one of series and one of streams.
    assert_eq!(b.stats().catalog.others, 4 + 4 + 1 + 1);
    // What only one has in its WAL is its own until it is flushed.
    let more = "m 77 5\nl 77 5".to_owned();
    write(&a, "t", &more).await.unwrap();
    drop(a);
    b.refresh().await.unwrap();
    assert_same_rows(&b, &lines).await;
    let a = open(options_of(dir.path(), "a")).await;
    lines.push(more);
    assert_same_rows(&a, &lines).await;
    a.close().await.unwrap();
    b.refresh().await.unwrap();
    assert_same_rows(&b, &lines).await;
    assert_same_rows(open(options_of(dir.path(), "c")).await.as_ref(), &lines).await;
}

/// Like `assert_holds`, but each process may have told the labels of a day.
async fn assert_same_rows(store: &Store, lines: &[String]) {
    for (kind, table) in [("m", Table::MetricSamples), ("l", Table::Logs)] {
        let mut expected: Vec<(i64, i64)> = Vec::new();
        for line in lines.iter().flat_map(|text| text.lines()) {
            let words: Vec<&str> = line.split(' ').collect();
            if words[0] == kind {
                expected.push((words[1].parse().unwrap(), words[2].parse().unwrap()));
            }
        }
        expected.sort_unstable();
        assert_eq!(rows(store, "t", table).await, expected, "{}", table.name());
        let snapshot = store.snapshot("t");
        let index = if kind == "m" { &snapshot.series } else { &snapshot.streams };
        let ids: BTreeSet<i64> = expected.iter().map(|(id, _)| *id).collect();
        assert_eq!(index.resolve(&[], &TimeRange::ALL).len(), ids.len());
    }
}

#[tokio::test]
async fn others_are_followed_while_all_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut stores = Vec::new();
    for name in ["a", "b", "c"] {
        let mut options = options_of(dir.path(), name);
        options.catalog.refresh_interval = Duration::from_millis(3);
        options.catalog.checkpoint_commits = 4;
        stores.push(open(options).await);
    }
    let mut lines = Vec::new();
    let writers = stores.iter().enumerate().map(|(at, store)| async move {
        let mut written = Vec::new();
        for round in 0..6 {
            let from = (at as i64 * 100 + round) * 40;
            // Each has series that the others learn of only through the lake.
            let text = format!("{}\nm {from} {from}\nl {from} {from}", some_lines(from, 30));
            write(store, "t", &text).await.unwrap();
            store.flush().await.unwrap();
            written.push(text);
            let snapshot = store.snapshot("t");
            assert_labelled(&snapshot).await;
        }
        written
    });
    for written in futures::future::join_all(writers).await {
        lines.extend(written);
    }
    for store in &stores {
        store.refresh().await.unwrap();
        assert_same_rows(store, &lines).await;
        assert_eq!(store.stats().catalog.conflicts, 0);
    }
    let stats = stores[0].stats().catalog;
    assert_eq!((stats.errors, stats.commits), (0, 6 * 4));
    let written: u64 = stores.iter().map(|store| store.stats().catalog.checkpoints).sum();
    assert!(written > 0);
    for store in stores {
        store.close().await.unwrap();
    }
    let checkpoints = std::fs::read_dir(dir.path().join("lake/logs/_delta_log")).unwrap();
    let names = checkpoints.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.filter(|name| name.ends_with(".checkpoint.parquet")).count() > 0);
    assert_same_rows(open(options_of(dir.path(), "d")).await.as_ref(), &lines).await;
}

/// Every row of a snapshot has its labels in the snapshot's index.
async fn assert_labelled(snapshot: &Snapshot) {
    for segment in snapshot.table(Table::MetricSamples).segments.iter() {
        let path = ObjectPath::from(segment.path.as_str());
        let bytes = snapshot.objects.get(&path).await.unwrap().bytes().await.unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        for batch in reader.build().unwrap() {
            for (id, _) in ids_and_times(Table::MetricSamples, &batch.unwrap()) {
                assert!(snapshot.series.entry(id).is_some(), "{id} has no labels");
            }
        }
    }
}

/// The one segment of a table.
fn only_segment(lake: &std::path::Path, table: &str) -> std::path::PathBuf {
    fn walk(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => walk(&path, found),
                Some(extension) if extension == "parquet" => found.push(path),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&lake.join(table), &mut found);
    let [only] = <[_; 1]>::try_from(found).unwrap();
    only
}

#[tokio::test]
async fn labels_that_cannot_be_read_now_hide_their_rows_until_they_can() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options_of(dir.path(), "a")).await;
    let other = open(options_of(dir.path(), "b")).await;
    let lines = some_lines(0, 20);
    write(&other, "t", &lines).await.unwrap();
    other.flush().await.unwrap();
    let segment = only_segment(&dir.path().join("lake"), "metric_series");
    let away = segment.with_extension("away");
    std::fs::rename(&segment, &away).unwrap();
    // What is asked for does not end: the disk answers with an error that may pass.
    std::os::unix::fs::symlink(&segment, &segment).unwrap();
    let error = store.refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(store.snapshot("t").table(Table::MetricSamples).segments.is_empty());
    assert_eq!(store.snapshot("t").table(Table::Logs).segments.len(), 1);
    std::fs::remove_file(&segment).unwrap();
    std::fs::rename(&away, &segment).unwrap();
    store.refresh().await.unwrap();
    assert_same_rows(&store, &[lines]).await;
}

#[tokio::test]
async fn damaged_labels_stop_neither_a_start_nor_others_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options_of(dir.path(), "a")).await;
    let other = open(options_of(dir.path(), "b")).await;
    let lines = some_lines(0, 20);
    write(&other, "t", &lines).await.unwrap();
    other.flush().await.unwrap();
    let segment = only_segment(&dir.path().join("lake"), "metric_series");
    std::fs::write(&segment, b"PAR1 no more PAR1").unwrap();
    store.refresh().await.unwrap();
    for store in [store, open(options_of(dir.path(), "c")).await] {
        assert_eq!(rows(&store, "t", Table::MetricSamples).await.len(), 20);
        assert_eq!(store.stats().catalog.errors, 1, "it is told");
        assert_eq!((store.stats().series, store.stats().streams), (0, 3));
    }
}
