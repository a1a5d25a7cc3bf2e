//! The same samples come out whoever has written the segment, and however.

use arrow::array::{ArrayRef, Int32Array, Int64Array};
use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use storage::{Budget, Segment};

use super::*;
use crate::memory::QueryMemory;
use crate::operators::{Scratch, SeriesKey};
use crate::samples::{Cached, SampleCache, Source};

/// Series of the segments, each with its samples.
const SERIES: i64 = 40;

/// A row: its series, time, and the number as it is or as decimal.
type Row = (SeriesKey, i64, Result<f64, (i64, i32)>);

/// Series of whole numbers, of hundredths, of numbers that are no decimals, and such that change.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for series in 0..SERIES {
        let key = (series / 7, series * 3);
        for at in 0..500 + series * 10 {
            let number = match (series % 4, at % 50 < 25) {
                (0, _) | (3, true) => Err((at * series, 0)),
                (1, _) => Err((at * 17 - 900, 2)),
                (2, _) => Ok((at as f64).sqrt()),
                _ => Ok(f64::from_bits(0x7ff0_0000_0000_0002)),
            };
            rows.push((key, 1_000_000 + at * 15_000, number));
        }
    }
    rows
}

fn number(row: &Row) -> f64 {
    row.2.unwrap_or_else(|(mantissa, exponent)| mantissa as f64 / power_of_ten(exponent))
}

/// The columns of a segment; `with_decimals` as we write them, else only numbers.
fn batch(rows: &[Row], with_decimals: bool) -> RecordBatch {
    let column = |of: &dyn Fn(&Row) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Int64Array>())
    };
    let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
        (columns::METRIC_ID, column(&|row| row.0.0), false),
        (columns::SERIES_ID, column(&|row| row.0.1), false),
        (columns::TIME_MS, column(&|row| row.1), false),
    ];
    if with_decimals {
        let values: Float64Array = rows.iter().map(|row| row.2.ok()).collect();
        let mantissas: Int64Array = rows.iter().map(|row| row.2.err().map(|it| it.0)).collect();
        let exponents: Int32Array = rows.iter().map(|row| row.2.err().map(|it| it.1)).collect();
        columns.push((columns::VALUE, Arc::new(values), true));
        columns.push((columns::VALUE_MANTISSA, Arc::new(mantissas), true));
        columns.push((columns::VALUE_EXPONENT, Arc::new(exponents), true));
    } else {
        let values: Float64Array = rows.iter().map(|row| Some(number(row))).collect();
        columns.push((columns::VALUE, Arc::new(values), false));
    }
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn written(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

async fn segment(objects: &InMemory, name: &str, bytes: Vec<u8>, rows: u64) -> Arc<Segment> {
    let size = bytes.len() as u64;
    objects.put(&Path::from(name), bytes.into()).await.unwrap();
    Arc::new(Segment {
        path: name.to_owned(),
        tenant: "default".into(),
        day: 0,
        bytes: size,
        rows,
        min_time_ns: 0,
        max_time_ns: i64::MAX,
        key_ranges: Vec::new(),
        footer_bytes: 8,
        level: 0,
        crc32c: 0,
        deletes_applied: 0,
        created_ms: 0,
        occupied: Default::default(),
    })
}

/// Times and bits of the samples of each series asked for.
type Samples = Vec<(SeriesKey, Vec<(i64, u64)>)>;

/// Asks twice: of the segment and, where there is room, of the cache.
async fn read(
    segment: &Arc<Segment>,
    objects: &Arc<InMemory>,
    wanted: &[SeriesKey],
    range_ms: (i64, i64),
) -> Samples {
    let budget = Budget::new(1 << 30);
    let cache = SampleCache::new(&budget, 64 << 20);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let source = Source {
            objects: Arc::clone(objects) as Arc<dyn ObjectStore>,
            footers: RuntimeEnv::default().cache_manager.get_file_metadata_cache(),
            bytes_read: Default::default(),
        };
        let memory = QueryMemory::within(&budget, 1 << 30);
        let surroundings = (source, Arc::clone(&cache), memory);
        let cached = Cached::new(vec![Arc::clone(segment)], wanted.into(), range_ms, surroundings);
        let mut found: Samples = Vec::new();
        for mut stock in cached.stocks() {
            for key in wanted {
                let mut scratch = Scratch::default();
                stock.take(*key, &mut scratch).await.unwrap();
                let bits = scratch.values.iter().map(|value| value.to_bits());
                found.push((*key, scratch.times.iter().copied().zip(bits).collect()));
            }
        }
        answers.push(found);
    }
    assert_eq!(answers[0], answers[1], "the cache answers alike");
    answers.remove(0)
}

#[tokio::test]
async fn samples_are_the_same_whoever_wrote_them() {
    let rows = rows();
    let objects = Arc::new(InMemory::new());
    let builder = || WriterProperties::builder().set_max_row_group_row_count(Some(9_000));
    let bare = || {
        let builder = builder().set_offset_index_disabled(true).set_dictionary_enabled(false);
        builder.set_statistics_enabled(EnabledStatistics::None)
    };
    let split = ColumnPath::from(columns::VALUE);
    let variants = [
        ("indexed", batch(&rows, true), builder().build()),
        ("small-pages", batch(&rows, true), builder().set_data_page_row_count_limit(100).build()),
        ("bare", batch(&rows, true), bare().build()),
        ("numbers", batch(&rows, false), bare().build()),
        ("numbers-indexed", batch(&rows, false), builder().build()),
        (
            "split",
            batch(&rows, true),
            builder()
                .set_column_dictionary_enabled(split.clone(), false)
                .set_column_encoding(split, Encoding::BYTE_STREAM_SPLIT)
                .build(),
        ),
    ];
    let all: Vec<SeriesKey> = (0..SERIES).map(|series| (series / 7, series * 3)).collect();
    let some = [all[3], all[4], (2, 1_000), all[30]];
    let ranges = [(i64::MIN, i64::MAX), (1_600_000, 4_000_000)];
    for (name, batch, properties) in variants {
        let bytes = written(&batch, properties);
        let segment = segment(&objects, name, bytes, rows.len() as u64).await;
        for wanted in [&all[..], &some[..]] {
            for (start, end) in ranges {
                let expected: Samples = wanted
                    .iter()
                    .map(|key| {
                        let of_series = rows
                            .iter()
                            .filter(|row| row.0 == *key && start <= row.1 && row.1 <= end);
                        (*key, of_series.map(|row| (row.1, number(row).to_bits())).collect())
                    })
                    .collect();
                let found = read(&segment, &objects, wanted, (start, end)).await;
                assert!(found == expected, "{name}, {} series, from {start}", wanted.len());
            }
        }
    }
}

#[tokio::test]
async fn rows_that_are_no_samples_are_refused() {
    let objects = Arc::new(InMemory::new());
    let rows = &rows()[..10];
    let mut unordered = rows.to_vec();
    unordered[0].0 = (9, 9);
    let whole = batch(rows, false);
    let without_numbers = whole.project(&[0, 1, 2]).unwrap();
    for (name, batch, told) in [
        ("unordered", batch(&unordered, false), "are not in order"),
        ("numberless", without_numbers, "without a number"),
    ] {
        let bytes = written(&batch, WriterProperties::default());
        let segment = segment(&objects, name, bytes, 10).await;
        let source = Source {
            objects: Arc::clone(&objects) as Arc<dyn ObjectStore>,
            footers: RuntimeEnv::default().cache_manager.get_file_metadata_cache(),
            bytes_read: Default::default(),
        };
        let budget = Budget::new(1 << 30);
        let cache = SampleCache::new(&budget, 1 << 20);
        let surroundings = (source, cache, QueryMemory::within(&budget, 1 << 30));
        let wanted = Arc::from([rows[0].0]);
        let cached = Cached::new(vec![segment], wanted, (0, i64::MAX), surroundings);
        let mut scratch = Scratch::default();
        let error = cached.stocks()[0].take(rows[0].0, &mut scratch).await.unwrap_err();
        assert!(error.to_string().contains(told), "{name}: {error}");
    }
}
