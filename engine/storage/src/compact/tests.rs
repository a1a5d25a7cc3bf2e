//! Compaction on a real store: the rows stay, the segments become few, crashes harm nothing.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Int64Type};
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path as ObjectPath;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemas::model::Signal;
use schemas::tables::columns;

use super::*;
use crate::fixtures::{labels, logs, samples, series};
use crate::objects::fixtures::{Fault, Faulty};
use crate::segment::{self, Keys};
use crate::{Decode, Frame, LabelIndex, StoreOptions, TableBatch, Write};

const MINUTE_MS: i64 = 60_000;

/// These stores never replay anything.
struct Nothing;

impl Decode for Nothing {
    fn decode(
        &self,
        _frame: &Frame,
        _series: &LabelIndex,
        _streams: &LabelIndex,
    ) -> Result<Vec<TableBatch>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Vec::new())
    }
}

/// Background work is off: the tests say when something is merged.
fn options(folder: &std::path::Path) -> StoreOptions {
    let mut options = StoreOptions::new(folder);
    options.compaction =
        CompactionOptions { enabled: false, settle: Duration::ZERO, ..Default::default() };
    options
}

async fn open(options: StoreOptions) -> Arc<Store> {
    Store::open(options, Arc::new(Nothing)).await.unwrap()
}

/// Stores rows and flushes them.
async fn flush(store: &Store, tenant: &str, batches: Vec<(Table, RecordBatch)>) {
    let frame = Frame {
        tenant: tenant.into(),
        signal: Signal::Metrics,
        encoding: 0,
        received_ns: 1,
        payload: Bytes::from_static(b"x"),
        notes: Bytes::new(),
        identity: None,
    };
    let batches = batches.into_iter().map(|(table, rows)| TableBatch { table, rows }).collect();
    store.append(Write { frame, batches }).await.unwrap();
    store.flush().await.unwrap();
}

/// All rows of a table in segments, in the form of memtables, texts plain.
async fn rows(store: &Store, tenant: &str, table: Table) -> Vec<RecordBatch> {
    let snapshot = store.snapshot(tenant);
    let mut found = Vec::new();
    for segment in snapshot.table(table).segments.iter() {
        let path = ObjectPath::from(segment.path.as_str());
        let bytes = snapshot.objects.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!((bytes.len() as u64, crc32c::crc32c(&bytes)), (segment.bytes, segment.crc32c));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        assert_eq!(reader.schema().fields(), table.schema().fields());
        for batch in reader.build().unwrap() {
            found.push(segment::unstored(table, batch.unwrap()).unwrap());
        }
    }
    found
}

/// Series, time and bits of each sample, sorted.
async fn stored_samples(store: &Store, tenant: &str) -> Vec<(i64, i64, u64)> {
    let mut found = Vec::new();
    for rows in rows(store, tenant, Table::MetricSamples).await {
        let integers = |name| rows.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        let (ids, times) = (integers(columns::SERIES_ID), integers(columns::TIME_MS));
        let values = rows.column_by_name(columns::VALUE).unwrap();
        let values = values.as_primitive::<arrow::datatypes::Float64Type>();
        for row in 0..rows.num_rows() {
            found.push((ids.value(row), times.value(row), values.value(row).to_bits()));
        }
    }
    found.sort_unstable();
    found
}

async fn compact_all(store: &Store) -> usize {
    let mut merges = 0;
    loop {
        match store.compact_once().await.unwrap().merges {
            0 => return merges,
            more => merges += more,
        }
    }
}

fn number(series: i64, time: i64) -> f64 {
    match series % 4 {
        0 => time as f64,
        1 => time as f64 / 100.0,
        2 => (time as f64).sin(),
        _ if time % 7 == 0 => f64::from_bits(0x7ff0_0000_0000_0002),
        _ => -0.0,
    }
}

/// Samples of ten series, one a minute; each `minutes` becomes a segment.
async fn flush_samples(store: &Store, tenant: &str, minutes: std::ops::Range<i64>) {
    let times = || minutes.clone().map(|minute| minute * MINUTE_MS);
    let all = times().flat_map(|time| (0..10).map(move |of| (of, time, number(of, time))));
    flush(store, tenant, vec![(Table::MetricSamples, samples(&all.collect::<Vec<_>>()))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_small_segments_becomes_one_with_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(options(folder.path())).await;
    for tenant in ["a", "b"] {
        for start in (0..1440).step_by(60) {
            flush_samples(&store, tenant, start..start + 60).await;
        }
    }
    flush_samples(&store, "a", 1440..1500).await;
    let before = stored_samples(&store, "a").await;
    assert_eq!(before.len(), 15_000);
    assert!(compact_all(&store).await >= 2);
    let live = store.snapshot("a").table(Table::MetricSamples).segments;
    let by_day: BTreeMap<i32, Vec<u8>> =
        live.days().map(|(day, of)| (day, of.map(|one| one.level).collect())).collect();
    assert_eq!(by_day, BTreeMap::from([(0, vec![2]), (1, vec![0])]));
    assert_eq!(stored_samples(&store, "a").await, before);
    assert_eq!(stored_samples(&store, "b").await.len(), 14_400);
    let stats = store.stats().compaction;
    assert_eq!((stats.merges, stats.input_segments, stats.errors), (2, 48, 0));
    assert_eq!((stats.input_rows, stats.output_rows), (28_800, 28_800));
    assert_eq!(stats.backlog_segments, 0);
    drop(store);
    let store = open(options(folder.path())).await;
    assert_eq!(stored_samples(&store, "a").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_repeated_samples_the_one_written_last_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(options(folder.path())).await;
    for value in [1.5, 2.5, 3.5] {
        let rows = samples(&[(1, 1000, value), (1, 2000, 9.0)]);
        flush(&store, "a", vec![(Table::MetricSamples, rows)]).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(compact_all(&store).await, 1);
    let expected = vec![(1, 1000, 3.5_f64.to_bits()), (1, 2000, 9.0_f64.to_bits())];
    assert_eq!(stored_samples(&store, "a").await, expected);
    assert_eq!(store.stats().compaction.repeated_rows, 4);
    // A merged segment is as old as its newest rows: a later flush wins over it.
    flush(&store, "a", vec![(Table::MetricSamples, samples(&[(1, 1000, 4.5)]))]).await;
    assert_eq!(compact_all(&store).await, 1);
    assert_eq!(stored_samples(&store, "a").await[0], (1, 1000, 4.5_f64.to_bits()));
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_and_labels_survive_a_merge() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(options(folder.path())).await;
    for start in 0..6_i64 {
        let lines: Vec<String> = (0..50).map(|at| format!("line {at} of {start}: hello")).collect();
        let lines =
            lines.iter().zip(0..).map(|(line, at)| (at % 3, start * 100 + at, line.as_str()));
        let up = |id: i64| labels(&[("__name__", "up"), ("id", &id.to_string())]);
        let batches = vec![
            (Table::Logs, logs(&lines.collect::<Vec<_>>())),
            (Table::MetricSeries, series(&[(start, up(start), start)])),
        ];
        flush(&store, "a", batches).await;
    }
    let plain = |batches: Vec<RecordBatch>| {
        let rows = concat_batches(&batches[0].schema(), &batches).unwrap();
        let key = Keys::of(Table::Logs, &rows).ok();
        let mut order: Vec<usize> = (0..rows.num_rows()).collect();
        if let Some(key) = key {
            order.sort_by_key(|row| key.at(*row));
        }
        let order: arrow::array::UInt32Array =
            order.into_iter().map(|row| u32::try_from(row).unwrap()).collect();
        let rows = arrow::compute::take_record_batch(&rows, &order).unwrap();
        let text = |column: &ArrayRef| match column.data_type() {
            DataType::Dictionary(..) => cast(column, &DataType::Utf8).unwrap(),
            _ => Arc::clone(column),
        };
        rows.columns().iter().map(text).collect::<Vec<_>>()
    };
    let logs_before = plain(rows(&store, "a", Table::Logs).await);
    let series_before = plain(rows(&store, "a", Table::MetricSeries).await);
    assert_eq!(compact_all(&store).await, 2);
    assert_eq!(plain(rows(&store, "a", Table::Logs).await), logs_before);
    assert_eq!(plain(rows(&store, "a", Table::MetricSeries).await), series_before);
    assert_eq!(store.snapshot("a").table(Table::Logs).segments.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_a_constant_count_while_segments_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(options(folder.path())).await;
    for start in (0..1440).step_by(30) {
        flush_samples(&store, "a", start..start + 30).await;
    }
    let (reader, stop) = (Arc::clone(&store), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let reading = tokio::spawn(async move {
        let mut seen = 0;
        while !stopped.load(Ordering::Relaxed) {
            let segments = reader.snapshot("a").table(Table::MetricSamples).segments;
            assert_eq!(segments.iter().map(|one| one.rows).sum::<u64>(), 14_400);
            seen += 1;
            tokio::task::yield_now().await;
        }
        seen
    });
    compact_all(&store).await;
    stop.store(true, Ordering::Relaxed);
    assert_eq!(store.stats().segments, 1);
    assert!(reading.await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_merge_the_same_one_gives_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(options(folder.path())).await;
    for start in 0..4 {
        flush_samples(&store, "a", start..start + 1).await;
    }
    let live = store.snapshot("a").table(Table::MetricSamples).segments;
    let merge = Merge { inputs: live.iter().cloned().collect(), level: 2 };
    let (one, two) = tokio::join!(
        store.merge(Table::MetricSamples, &merge),
        store.merge(Table::MetricSamples, &merge)
    );
    let mut replaced = [one.unwrap(), two.unwrap()];
    replaced.sort_unstable();
    assert_eq!(replaced, [0, 4]);
    assert_eq!(store.stats().compaction.conflicts, 1);
    assert_eq!(stored_samples(&store, "a").await.len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_stops_a_merge_and_leaves_its_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(options(folder.path())).await;
    for start in 0..3 {
        flush_samples(&store, "a", start * 10..start * 10 + 10).await;
    }
    let live = store.snapshot("a").table(Table::MetricSamples).segments;
    let first = live.iter().next().unwrap();
    let path = folder.path().join("lake").join(&first.path);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = store.compact_once().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Unavailable), "{error}");
    assert_eq!(store.snapshot("a").table(Table::MetricSamples).segments, live);
    assert_eq!(store.stats().compaction.errors, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_store_gives_its_merge_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(options(folder.path())).await;
    for start in 0..3 {
        flush_samples(&store, "a", start..start + 1).await;
    }
    store.shared.counters.compaction.stop();
    assert_eq!(store.compact_once().await.unwrap(), Compacted::default());
    assert_eq!(store.snapshot("a").table(Table::MetricSamples).segments.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_late_are_merged_without_rewriting_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(options(folder.path())).await;
    for start in (0..1440).step_by(240) {
        flush_samples(&store, "a", start..start + 240).await;
    }
    assert_eq!(compact_all(&store).await, 1);
    let day = store.snapshot("a").table(Table::MetricSamples).segments;
    let day = Arc::clone(day.iter().next().unwrap());
    let mut expected = stored_samples(&store, "a").await;
    for late in 0..12 {
        let (time, value) = (late * 7 * MINUTE_MS + 1, 0.25);
        let rows = samples(&[(3, time, value)]);
        flush(&store, "a", vec![(Table::MetricSamples, rows)]).await;
        expected.push((3, time, value.to_bits()));
        compact_all(&store).await;
        let live = store.snapshot("a").table(Table::MetricSamples).segments;
        assert!(live.len() <= 4, "{} segments", live.len());
    }
    let live = store.snapshot("a").table(Table::MetricSamples).segments;
    assert!(live.iter().any(|one| one.path == day.path), "a few rows have rewritten the day");
    expected.sort_unstable();
    assert_eq!(stored_samples(&store, "a").await, expected);
}

/// A lake in a bucket with three segments of a day that is over.
async fn small_lake(folder: &std::path::Path, bucket: &Arc<Faulty>) -> Arc<Store> {
    let store = open(in_bucket(folder, bucket)).await;
    for start in 0..3 {
        flush_samples(&store, "a", start * 20..start * 20 + 20).await;
    }
    store
}

fn in_bucket(folder: &std::path::Path, bucket: &Arc<Faulty>) -> StoreOptions {
    StoreOptions { objects: Some(bucket.remote()), ..options(folder) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_request_of_a_merge_loses_and_doubles_nothing() {
    let (folder, bucket) = (tempfile::tempdir().unwrap(), Faulty::new(&[]));
    let mut store = small_lake(folder.path(), &bucket).await;
    let expected = stored_samples(&store, "a").await;
    let mut crashes = 0;
    while store.stats().segments > 1 {
        // From some request on the bucket answers no more, then the process is gone.
        let passes = std::iter::repeat_n(Fault::Pass, crashes);
        let script = passes.chain(std::iter::repeat_n(Fault::Refuse(503), 10_000));
        bucket.script.lock().extend(script);
        let compacted = store.compact_once().await;
        bucket.script.lock().clear();
        assert!(compacted.is_err() || store.stats().segments == 1);
        drop(store);
        store = open(in_bucket(folder.path(), &bucket)).await;
        assert_eq!(stored_samples(&store, "a").await, expected, "after {crashes} requests");
        crashes += 1;
        assert!(crashes < 500, "it never comes to an end");
    }
    assert!(crashes > 5, "only {crashes} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_of_a_merge_lose_and_double_nothing() {
    for at in 0..12 {
        let (folder, bucket) = (tempfile::tempdir().unwrap(), Faulty::new(&[]));
        let store = small_lake(folder.path(), &bucket).await;
        let expected = stored_samples(&store, "a").await;
        bucket.script.lock().extend(std::iter::repeat_n(Fault::Pass, at));
        bucket.script.lock().push_back(Fault::LoseAnswer);
        let compacted = store.compact_once().await;
        bucket.script.lock().clear();
        assert_eq!(compacted.unwrap().segments, 3, "the answer to request {at} was lost");
        assert_eq!(stored_samples(&store, "a").await, expected);
        drop(store);
        let store = open(in_bucket(folder.path(), &bucket)).await;
        assert_eq!(stored_samples(&store, "a").await, expected);
        assert_eq!(store.stats().segments, 1);
    }
}
