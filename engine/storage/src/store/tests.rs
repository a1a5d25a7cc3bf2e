//! What is acknowledged is read exactly once, whatever happens to the process.

mod faults;

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use object_store::ObjectStoreExt;
use object_store::path::Path as ObjectPath;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemas::model::TimeRange;
use schemas::tables::{columns, day_of_ms, day_of_ns};

use super::*;
use crate::fixtures::{labels, logs, samples, series, streams};
use crate::objects::fixtures::Faulty;

mod histories;
mod small_tenants;

const DAY_MS: i64 = 86_400_000;
const DAY_NS: i64 = DAY_MS * 1_000_000;

/// Frames whose payload is text, a record a line: `m SERIES TIME_MS` or `l STREAM TIME_NS`.
struct Lines;

impl Decode for Lines {
    fn decode(
        &self,
        frame: &Frame,
        series_index: &LabelIndex,
        stream_index: &LabelIndex,
    ) -> Result<Vec<TableBatch>, Box<dyn std::error::Error + Send + Sync>> {
        let (mut known, mut of_samples, mut of_logs) = (Vec::new(), Vec::new(), Vec::new());
        let mut known_streams = Vec::new();
        for line in str::from_utf8(&frame.payload)?.lines() {
            let mut words = line.split(' ');
            let kind = words.next().unwrap_or("");
            let id: i64 = words.next().unwrap_or("").parse()?;
            let time: i64 = words.next().unwrap_or("").parse()?;
            let text = id.to_string();
            if kind == "m" {
                of_samples.push((id, time, 0.5));
                if !series_index.contains(id, day_of_ms(time)) {
                    known.push((id, labels(&[("__name__", "up"), ("id", &text)]), time));
                }
            } else {
                of_logs.push((id, time, "hello"));
                if !stream_index.contains(id, day_of_ns(time)) {
                    known_streams.push((id, labels(&[("id", &text)]), time, "{}"));
                }
            }
        }
        let mut batches = Vec::new();
        let mut add = |table, rows: RecordBatch| batches.push(TableBatch { table, rows });
        if !known.is_empty() {
            add(Table::MetricSeries, series(&known));
        }
        if !of_samples.is_empty() {
            add(Table::MetricSamples, samples(&of_samples));
        }
        if !known_streams.is_empty() {
            add(Table::LogStreams, streams(&known_streams));
        }
        if !of_logs.is_empty() {
            add(Table::Logs, logs(&of_logs));
        }
        Ok(batches)
    }
}

fn options(dir: &std::path::Path) -> StoreOptions {
    StoreOptions::new(dir)
}

async fn open(options: StoreOptions) -> Arc<Store> {
    Store::open(options, Arc::new(Lines)).await.unwrap()
}

async fn write(store: &Store, tenant: &str, text: &str) -> Result<(), Error> {
    let frame = Frame {
        tenant: tenant.into(),
        signal: Signal::Metrics,
        encoding: 0,
        received_ns: 1,
        payload: Bytes::copy_from_slice(text.as_bytes()),
        notes: Bytes::new(),
        identity: None,
    };
    let batches = Lines.decode(&frame, &store.series(tenant), &store.streams(tenant)).unwrap();
    store.append(Write { frame, batches }).await.map(|_| ())
}

/// Id and time of each row of a table, sorted; segments must be sorted by themselves.
async fn rows(store: &Store, tenant: &str, table: Table) -> Vec<(i64, i64)> {
    let snapshot = store.snapshot(tenant);
    let held = snapshot.table(table);
    let mut found = Vec::new();
    for segment in held.segments.iter() {
        let path = ObjectPath::from(segment.path.as_str());
        let bytes = snapshot.objects.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes.len() as u64, segment.bytes);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        assert_eq!(reader.schema().fields(), table.schema().fields());
        let mut in_segment = Vec::new();
        for batch in reader.build().unwrap() {
            in_segment.extend(ids_and_times(table, &batch.unwrap()));
        }
        assert!(in_segment.is_sorted(), "{}", segment.path);
        assert_eq!(in_segment.len() as u64, segment.rows);
        found.extend(in_segment);
    }
    for batch in &held.batches {
        found.extend(ids_and_times(table, batch));
    }
    found.sort_unstable();
    found
}

fn ids_and_times(table: Table, batch: &RecordBatch) -> Vec<(i64, i64)> {
    let id = if table.signal() == Signal::Logs { columns::STREAM_ID } else { columns::SERIES_ID };
    let column = |name| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values();
    let times = column(table.sort_key().time_column);
    column(id).iter().copied().zip(times.iter().copied()).collect()
}

/// Every table holds what these lines say, each row once, and every row has its labels.
async fn assert_holds(store: &Store, tenant: &str, lines: &[String]) {
    for (kind, table, identities, day) in [
        ("m", Table::MetricSamples, Table::MetricSeries, DAY_MS),
        ("l", Table::Logs, Table::LogStreams, DAY_NS),
    ] {
        let mut expected: Vec<(i64, i64)> = Vec::new();
        for line in lines.iter().flat_map(|text| text.lines()) {
            let words: Vec<&str> = line.split(' ').collect();
            if words[0] == kind {
                expected.push((words[1].parse().unwrap(), words[2].parse().unwrap()));
            }
        }
        expected.sort_unstable();
        assert_eq!(rows(store, tenant, table).await, expected, "{}", table.name());
        let days = |rows: &[(i64, i64)]| -> Vec<(i64, i64)> {
            rows.iter().map(|(id, time)| (*id, time.div_euclid(day))).collect()
        };
        let known = days(&rows(store, tenant, identities).await);
        let needed: BTreeSet<_> = days(&expected).into_iter().collect();
        assert_eq!(known.len(), needed.len(), "{} once a day", identities.name());
        assert_eq!(known.into_iter().collect::<BTreeSet<_>>(), needed);
        let snapshot = store.snapshot(tenant);
        let index = if kind == "m" { &snapshot.series } else { &snapshot.streams };
        let ids: BTreeSet<i64> = expected.iter().map(|(id, _)| *id).collect();
        assert_eq!(index.resolve(&[], &TimeRange::ALL).len(), ids.len());
    }
}

fn some_lines(from: i64, count: i64) -> String {
    let lines: Vec<String> = (from..from + count)
        .rev()
        .map(|at| format!("m {} {}\nl {} {}", at % 5, at * 1000, at % 3, at * 1_000_000))
        .collect();
    lines.join("\n")
}

#[tokio::test]
async fn what_is_appended_is_read_at_once_and_stays_when_flushed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    let mut lines = vec![some_lines(0, 50)];
    write(&store, "t", &lines[0]).await.unwrap();
    assert_holds(&store, "t", &lines).await;
    assert!(store.snapshot("other").tables.is_empty());
    store.flush().await.unwrap();
    assert_holds(&store, "t", &lines).await;
    let held = store.snapshot("t").table(Table::MetricSamples);
    assert_eq!((held.segments.len(), held.batches.len()), (1, 0));
    lines.push(some_lines(20, 50));
    write(&store, "t", &lines[1]).await.unwrap();
    assert_holds(&store, "t", &lines).await;
    let stats = store.stats();
    assert_eq!((stats.flushes, stats.flush_errors, stats.series, stats.streams), (1, 0, 5, 3));
    store.close().await.unwrap();
    let refused = write(&store, "t", "m 1 1").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    drop(store);
    let store = open(options(dir.path())).await;
    assert_eq!(store.stats().memtable_bytes, 0);
    assert_holds(&store, "t", &lines).await;
}

#[tokio::test]
async fn segments_hold_one_tenant_and_one_day() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    let of_a = format!("m 1 {}\nm 1 {}\nm 2 5", DAY_MS - 1, DAY_MS);
    write(&store, "a", &of_a).await.unwrap();
    write(&store, "b/../c", "m 1 7").await.unwrap();
    store.flush().await.unwrap();
    let segments = store.snapshot("a").table(Table::MetricSamples).segments;
    let days: Vec<_> = segments.iter().map(|segment| (segment.day, segment.rows)).collect();
    assert_eq!(days, [(0, 2), (1, 1)]);
    let first = segments.iter().next().unwrap();
    assert_eq!(first.key_ranges, [(0, 0), (1, 2), (5, DAY_MS - 1)]);
    assert_eq!(first.min_time_ns, 5_000_000);
    assert_eq!(first.max_time_ns, (DAY_MS - 1) * 1_000_000);
    assert_eq!(first.level, 0);
    assert!(first.created_ms > 0 && first.crc32c != 0);
    drop(store);
    let store = open(options(dir.path())).await;
    assert_holds(&store, "a", &[of_a]).await;
    assert_holds(&store, "b/../c", &["m 1 7".to_owned()]).await;
    assert_eq!(store.snapshot("a").table(Table::MetricSamples).segments, segments);
}

#[tokio::test]
async fn a_lake_is_opened_by_one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    let again = Store::open(options(dir.path()), Arc::new(Lines)).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Unavailable);
    drop(store);
    open(options(dir.path())).await;
}

#[tokio::test]
async fn too_much_that_waits_is_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(StoreOptions { buffered_bytes_max: 30_000, ..options(dir.path()) }).await;
    let mut stored = Vec::new();
    let refused = loop {
        let lines = some_lines(stored.len() as i64 * 10, 10);
        match write(&store, "t", &lines).await {
            Ok(()) => stored.push(lines),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Limit);
    assert!(refused.to_string().contains("30000"));
    store.flush().await.unwrap();
    stored.push("m 1 1".to_owned());
    write(&store, "t", "m 1 1").await.unwrap();
    assert_holds(&store, "t", &stored).await;
}

/// A store whose WAL holds many small requests, at its end as a crash leaves it; and what it holds.
async fn write_without_flush(dir: &std::path::Path) -> Vec<String> {
    let store = open(options(dir)).await;
    let lines: Vec<String> = (0..100).map(|at| some_lines(at * 10, 10)).collect();
    for text in &lines {
        write(&store, "t", text).await.unwrap();
    }
    lines
}

#[tokio::test]
async fn a_start_that_finds_much_in_the_wal_takes_more_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines = write_without_flush(dir.path()).await;
    let small = StoreOptions {
        memtable_bytes_max: 10_000,
        buffered_bytes_max: 30_000,
        ..options(dir.path())
    };
    let store = open(small).await;
    assert!(store.stats().memtable_bytes > 30_000, "{}", store.stats().memtable_bytes);
    lines.push("m 1 1".to_owned());
    write(&store, "t", "m 1 1").await.unwrap();
    assert_holds(&store, "t", &lines).await;
    store.flush().await.unwrap();
    assert_holds(&store, "t", &lines).await;
}

#[tokio::test]
async fn a_long_wal_is_flushed_while_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let lines = write_without_flush(dir.path()).await;
    let small = StoreOptions {
        memtable_bytes_max: 5_000,
        replayed_bytes_max: 12_000,
        ..options(dir.path())
    };
    let store = open(small).await;
    let stats = store.stats();
    // One more may have been filled while another was flushed.
    assert!(stats.memtable_bytes < 20_000 && stats.flushes > 1, "{stats:?}");
    assert_holds(&store, "t", &lines).await;
}

#[tokio::test]
async fn a_lake_of_old_days_keeps_its_labels() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    let lines = format!("m 1 5\nm 2 {}\nm 3 {}", 400 * DAY_MS, 40_000 * DAY_MS);
    write(&store, "t", &lines).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = open(options(dir.path())).await;
    assert_holds(&store, "t", &[lines]).await;
}

#[tokio::test]
async fn requests_of_many_callers_are_all_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    let lines: Vec<String> = (0..200).map(|at| some_lines(at * 3, 3)).collect();
    let writes = lines.iter().map(|text| write(&store, "t", text));
    for done in futures::future::join_all(writes).await {
        done.unwrap();
    }
    assert!(store.stats().wal_syncs < 200, "{} syncs", store.stats().wal_syncs);
    assert_holds(&store, "t", &lines).await;
    store.flush().await.unwrap();
    assert_holds(&store, "t", &lines).await;
}

/// A lake with its WAL in `dir`, whose objects fail on demand.
struct Lake {
    dir: tempfile::TempDir,
    bucket: Arc<Faulty>,
}

impl Lake {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), bucket: Faulty::new(&[]) }
    }

    async fn open(&self) -> Arc<Store> {
        let objects = Some(self.bucket.remote());
        open(StoreOptions { objects, ..options(self.dir.path()) }).await
    }
}

/// Stops a process at a stage, opens the lake again, and goes on to a flush and a third opening.
async fn crash_at(stage: &'static str, is_first_flush: bool) {
    let lake = Lake::new();
    let store = lake.open().await;
    let mut lines = vec![some_lines(0, 30)];
    write(&store, "t", &lines[0]).await.unwrap();
    if !is_first_flush {
        store.flush().await.unwrap();
        // With a series and a stream that the first flush has not seen.
        lines.push(format!("m 7 7\nl 7 7\n{}", some_lines(15, 30)));
        write(&store, "t", &lines[1]).await.unwrap();
    }
    *lake.bucket.denied.lock() = Some(stage);
    store.flush().await.unwrap_err();
    assert_holds(&store, "t", &lines).await;
    // Rows that come after the failed flush must survive it, too.
    lines.push(format!("m 9 7\nl 9 7\nm 9 {DAY_MS}"));
    write(&store, "t", &lines[lines.len() - 1]).await.unwrap();
    assert_holds(&store, "t", &lines).await;
    // The background may be about to try again; it must fail like the rest.
    let last = Arc::downgrade(&store);
    drop(store);
    while last.strong_count() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    *lake.bucket.denied.lock() = None;
    let store = lake.open().await;
    assert_holds(&store, "t", &lines).await;
    lines.push("m 9 8".to_owned());
    write(&store, "t", "m 9 8").await.unwrap();
    assert_holds(&store, "t", &lines).await;
    store.flush().await.unwrap();
    assert_holds(&store, "t", &lines).await;
    drop(store);
    assert_holds(lake.open().await.as_ref(), "t", &lines).await;
}

#[tokio::test]
async fn a_crash_before_any_segment_loses_and_doubles_nothing() {
    crash_at(".parquet", true).await;
    crash_at(".parquet", false).await;
}

#[tokio::test]
async fn a_crash_before_a_commit_loses_and_doubles_nothing() {
    crash_at("metric_series/_delta_log", true).await;
    crash_at("metric_series/_delta_log", false).await;
}

#[tokio::test]
async fn a_crash_between_commits_loses_and_doubles_nothing() {
    for stage in ["metric_samples/_delta_log", "log_streams/_delta_log", "logs/_delta_log"] {
        crash_at(stage, true).await;
        crash_at(stage, false).await;
    }
}

#[tokio::test]
async fn a_crash_right_after_the_wal_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    for at in 0..4 {
        let store = open(options(dir.path())).await;
        assert_holds(&store, "t", &lines).await;
        lines.push(some_lines(at * 7, 10));
        write(&store, "t", &lines[at as usize]).await.unwrap();
    }
    assert_holds(open(options(dir.path())).await.as_ref(), "t", &lines).await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_made_once() {
    for lost in 1..6 {
        let lake = Lake::new();
        let store = lake.open().await;
        let lines = [some_lines(0, 30)];
        write(&store, "t", &lines[0]).await.unwrap();
        lake.bucket.lost_commits.store(lost, Ordering::SeqCst);
        while store.flush().await.is_err() {
            assert_holds(&store, "t", &lines).await;
        }
        assert_holds(&store, "t", &lines).await;
        for table in [Table::MetricSeries, Table::MetricSamples, Table::LogStreams, Table::Logs] {
            let log = format!("{}/_delta_log", table.name());
            let mut adds = 0;
            for listed in store.objects.list_with_sizes(&log).await.unwrap() {
                let body = store.objects.read(&listed.path).await.unwrap();
                let text = String::from_utf8(body.to_vec()).unwrap();
                adds += text.lines().filter(|line| line.starts_with(r#"{"add""#)).count();
            }
            assert_eq!(adds, 1, "{}", table.name());
        }
        drop(store);
        assert_holds(lake.open().await.as_ref(), "t", &lines).await;
    }
}

#[tokio::test]
async fn a_wal_that_lies_behind_the_lake_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    for at in 0..5 {
        write(&store, "t", &some_lines(at, 2)).await.unwrap();
        store.flush().await.unwrap();
    }
    let wal = std::fs::read_dir(dir.path().join("wal")).unwrap();
    assert_eq!(wal.count(), 0);
}

mod shared;
