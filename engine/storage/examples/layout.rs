//! Measures the layout of samples: bytes a sample after a day is compacted, and decoding.
//!
//! ```text
//!  cargo run --release -p storage --example layout -- 10000 24
//! ```
//!
//! The series (first argument) are scraped every 15 s for some hours (second argument) from hosts
//! of 500 series each: 70 % counters whose increments are Poisson, 20 % CPU seconds in hundredths,
//! 10 % gauges; 3 % of the scrapes are late by 3 to 10 ms. They are flushed every five minutes of
//! data and compacted as a day that is over.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, MapBuilder, RecordBatch, StringArray,
    StringBuilder, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemas::model::{Label, Labels, Signal};
use schemas::tables::{Table, columns};
use storage::{
    CompactionOptions, Decode, Frame, LabelIndex, Store, StoreOptions, TableBatch, Write,
};

/// Series of a host, which are scraped together.
const HOST_SERIES: usize = 500;
/// Milliseconds between two scrapes.
const STEP_MS: i64 = 15_000;
/// Scrapes between two flushes.
const FLUSH_SCRAPES: i64 = 20;
const DAY_MS: i64 = 86_400_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// This store is never opened again.
struct Nothing;

impl Decode for Nothing {
    fn decode(
        &self,
        _frame: &Frame,
        _series: &LabelIndex,
        _streams: &LabelIndex,
    ) -> Result<Vec<TableBatch>, Box<dyn Error + Send + Sync>> {
        Ok(Vec::new())
    }
}

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0, below 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// With this mean: by multiplication, for great means by the normal that it comes near to.
    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 30.0 {
            let (u, v) = (self.share().max(1e-300), self.share());
            let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
            return (mean + mean.sqrt() * normal).round().max(0.0);
        }
        let limit = (-mean).exp();
        let (mut count, mut product) = (0.0, self.share());
        while product > limit {
            count += 1.0;
            product *= self.share();
        }
        count
    }
}

/// How a series moves; numbers are counted in units of `1 / scale`.
#[derive(Clone, Copy)]
enum Motion {
    Counter { mean: f64 },
    CpuSeconds { mean: f64 },
    Gauge { step: f64 },
}

struct Series {
    id: i64,
    metric_id: i64,
    motion: Motion,
    number: f64,
}

impl Series {
    fn new(random: &mut Random, number: usize, labels: &Labels, name: &Labels) -> Self {
        // Rates of real counters lie many orders of magnitude apart: evenly in their logarithm.
        let spread =
            |random: &mut Random, low: f64, high: f64| low * (high / low).powf(random.share());
        let motion = match number % 10 {
            0..7 => Motion::Counter { mean: spread(random, 0.01, 300.0) },
            7..9 => Motion::CpuSeconds { mean: spread(random, 0.3, 1_400.0) },
            _ => Motion::Gauge { step: spread(random, 0.5, 100.0) },
        };
        let number = (random.next() % 10_000_000) as f64;
        Self { id: labels.id(), metric_id: name.id(), motion, number }
    }

    fn next(&mut self, random: &mut Random) -> f64 {
        match self.motion {
            Motion::Counter { mean } => {
                self.number += random.poisson(mean);
                self.number
            }
            Motion::CpuSeconds { mean } => {
                self.number += random.poisson(mean);
                self.number / 100.0
            }
            Motion::Gauge { step } => {
                let step = ((random.share() - 0.5) * 2.0 * step).round();
                self.number = (self.number + step).max(0.0);
                self.number
            }
        }
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let hours: i64 = arguments.next().map_or(Ok(24), |text| text.parse())?;
    let mut out = std::io::stdout();
    let folder = tempfile::tempdir()?;
    let mut options = StoreOptions::new(folder.path());
    options.flush_interval = Duration::from_secs(3600);
    options.compaction =
        CompactionOptions { enabled: false, settle: Duration::ZERO, ..Default::default() };
    let store = Store::open(options, Arc::new(Nothing)).await?;
    let mut random = Random(7);
    let (mut all, rows) = series(&mut random, count)?;
    append(&store, TableBatch { table: Table::MetricSeries, rows }).await?;
    let scrapes = hours * 3_600_000 / STEP_MS;
    let samples = count as f64 * scrapes as f64;
    let began = Usage::now();
    for first in (0..scrapes).step_by(FLUSH_SCRAPES as usize) {
        let rows = scrape(&mut random, &mut all, first..scrapes.min(first + FLUSH_SCRAPES))?;
        append(&store, TableBatch { table: Table::MetricSamples, rows }).await?;
        store.flush().await?;
    }
    writeln!(out, "{count} series, {hours} h, {samples:.0} samples")?;
    writeln!(out, "flushed              {}", began.since(samples))?;
    let flushed = store.stats();
    let bytes = |stats: &storage::StoreStats| stats.segment_bytes as f64 / samples;
    writeln!(out, "bytes a sample       {:.3} in {} segments", bytes(&flushed), flushed.segments)?;
    let began = Usage::now();
    while store.compact_once().await?.merges > 0 {}
    writeln!(out, "compacted            {}", began.since(samples))?;
    let stats = store.stats();
    let written = stats.compaction.output_bytes as f64 / stats.flushed_bytes as f64;
    writeln!(out, "write amplification  {:.2}", 1.0 + written)?;
    let wal = folder_bytes(&folder.path().join("wal"))?;
    let live = stats.segment_bytes as f64 / samples;
    let index = store
        .live(Table::MetricSeries)
        .iter()
        .flat_map(|(_, live)| live.iter().map(|one| one.bytes).collect::<Vec<_>>())
        .sum::<u64>();
    writeln!(out, "bytes a sample       {live:.4} in {} segments", stats.segments)?;
    writeln!(out, "  of it labels       {:.4}", index as f64 / samples)?;
    let log = log_bytes(&folder.path().join("lake"))?;
    writeln!(
        out,
        "  and the log        {:.4}, the WAL {:.4}",
        log as f64 / samples,
        wal as f64 / samples
    )?;
    for (_, live) in store.live(Table::MetricSamples) {
        for segment in live.iter() {
            let path = folder.path().join("lake").join(&segment.path);
            describe(&mut out, &path)?;
            decode(&mut out, &path)?;
        }
    }
    if let Some(target) = arguments.next() {
        for (_, live) in store.live(Table::MetricSamples) {
            for segment in live.iter() {
                fs::copy(folder.path().join("lake").join(&segment.path), &target)?;
            }
        }
    }
    Ok(())
}

fn series(random: &mut Random, count: usize) -> Outcome<(Vec<Series>, RecordBatch)> {
    let hosts = count.div_ceil(HOST_SERIES);
    let (mut all, mut labels, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for host in 0..hosts {
        for number in 0..HOST_SERIES.min(count - host * HOST_SERIES) {
            // Ten series a metric and host, as of ten devices.
            let name = format!("node_subsystem{}_things_total", number / 10);
            let label = |name: &str, value: String| Label::new(name, value.as_str());
            let of: Labels = [
                label("__name__", name.clone()),
                label("instance", format!("host-{host:03}.example.com:9100")),
                label("job", "node".to_owned()),
                label("device", format!("device-{}", number % 10)),
            ]
            .into_iter()
            .collect();
            let of_name: Labels = [label("__name__", name.clone())].into_iter().collect();
            all.push(Series::new(random, number, &of, &of_name));
            labels.push(of);
            names.push(name);
        }
    }
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for label in labels.iter().map(|labels| labels.iter()) {
        for label in label {
            map.keys().append_value(&label.name);
            map.values().append_value(&label.value);
        }
        map.append(true)?;
    }
    let time = start_ms();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            columns::METRIC_ID,
            Arc::new(Int64Array::from_iter_values(all.iter().map(|of| of.metric_id))),
        ),
        (columns::SERIES_ID, Arc::new(Int64Array::from_iter_values(all.iter().map(|of| of.id)))),
        (columns::TIME_MS, Arc::new(Int64Array::from(vec![time; all.len()]))),
        (columns::METRIC_NAME, Arc::new(StringArray::from(names))),
        (columns::LABELS, Arc::new(map.finish())),
        (columns::TYPE, Arc::new(StringArray::from(vec!["counter"; all.len()]))),
    ];
    Ok((all, batch(Table::MetricSeries, columns)?))
}

/// Midnight of the day before yesterday.
fn start_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    (now / DAY_MS - 2) * DAY_MS
}

/// Some scrapes of all hosts, in the order of arrival.
fn scrape(
    random: &mut Random,
    all: &mut [Series],
    scrapes: std::ops::Range<i64>,
) -> Outcome<RecordBatch> {
    let rows = all.len() * scrapes.clone().count();
    let mut metrics = Vec::with_capacity(rows);
    let (mut ids, mut times) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut values = Vec::with_capacity(rows);
    let start = start_ms();
    for scrape in scrapes {
        for (host, of_host) in (0..).zip(all.chunks_mut(HOST_SERIES)) {
            let late = if random.share() < 0.03 { 3 + (random.next() % 8) as i64 } else { 0 };
            let time = start + scrape * STEP_MS + host * 37 % STEP_MS + late;
            for series in of_host {
                metrics.push(series.metric_id);
                ids.push(series.id);
                times.push(time);
                values.push(series.next(random));
            }
        }
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        (columns::METRIC_ID, Arc::new(Int64Array::from(metrics))),
        (columns::SERIES_ID, Arc::new(Int64Array::from(ids))),
        (columns::TIME_MS, Arc::new(Int64Array::from(times))),
        (columns::VALUE, Arc::new(Float64Array::from(values))),
    ];
    batch(Table::MetricSamples, columns)
}

fn batch(table: Table, given: Vec<(&str, ArrayRef)>) -> Outcome<RecordBatch> {
    let schema = table.schema();
    let rows = given.first().map_or(0, |(_, column)| column.len());
    let mut columns = Vec::new();
    for field in schema.fields() {
        columns.push(match given.iter().find(|(name, _)| name == field.name()) {
            Some((_, column)) => cast(column, field.data_type())?,
            None => new_null_array(field.data_type(), rows),
        });
    }
    Ok(RecordBatch::try_new(schema, columns)?)
}

async fn append(store: &Store, batch: TableBatch) -> Outcome<()> {
    let frame = Frame {
        tenant: "default".into(),
        signal: Signal::Metrics,
        encoding: 0,
        received_ns: 0,
        payload: bytes::Bytes::from_static(b"x"),
        notes: bytes::Bytes::new(),
        identity: None,
    };
    store.append(Write { frame, batches: vec![batch] }).await?;
    Ok(())
}

/// Bytes of each column.
fn describe(out: &mut impl std::io::Write, path: &Path) -> Outcome<()> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path)?)?;
    let metadata = reader.metadata();
    let rows = metadata.file_metadata().num_rows() as f64;
    writeln!(out, "segment of {rows} rows in {} row groups", metadata.num_row_groups())?;
    let columns = metadata.file_metadata().schema_descr().num_columns();
    for at in 0..columns {
        let chunks = metadata.row_groups().iter().map(|group| group.column(at));
        let bytes: i64 = chunks.clone().map(|chunk| chunk.compressed_size()).sum();
        let Some(first) = chunks.clone().next() else { continue };
        let encodings: Vec<String> = first.encodings().map(|of| of.to_string()).collect();
        let name = first.column_path().string();
        writeln!(out, "  {name:<18} {:.4} {}", bytes as f64 / rows, encodings.join(" "))?;
    }
    Ok(())
}

/// How fast one core reads times and values.
fn decode(out: &mut impl std::io::Write, path: &Path) -> Outcome<()> {
    let wanted = [
        columns::SERIES_ID,
        columns::TIME_MS,
        columns::VALUE,
        columns::VALUE_MANTISSA,
        columns::VALUE_EXPONENT,
    ];
    let bytes = bytes::Bytes::from(fs::read(path)?);
    let mut best = f64::MAX;
    let (mut rows, mut sum) = (0, 0.0);
    for _ in 0..3 {
        let began = Usage::now();
        (rows, sum) = (0, 0.0);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())?;
        let mask = ProjectionMask::columns(reader.parquet_schema(), wanted);
        for batch in reader.with_projection(mask).with_batch_size(8192).build()? {
            let batch = batch?;
            rows += batch.num_rows();
            sum += values(&batch)?;
        }
        best = best.min(began.cpu().as_secs_f64());
    }
    let rate = rows as f64 / best / 1e6;
    writeln!(out, "decoding             {rate:.0} M samples/s a core (sum {sum:e})")?;
    Ok(())
}

/// The sum of the samples, each read back from mantissa and exponent.
fn values(batch: &RecordBatch) -> Outcome<f64> {
    let column = |name: &str| batch.column_by_name(name).ok_or("a column is missing");
    let floats = column(columns::VALUE)?.as_primitive::<Float64Type>();
    let mantissas = column(columns::VALUE_MANTISSA)?.as_primitive::<Int64Type>();
    let exponents = column(columns::VALUE_EXPONENT)?.as_primitive::<Int32Type>();
    let mut sum = 0.0;
    if mantissas.null_count() == 0 {
        let all = mantissas.values().iter().zip(exponents.values());
        let mut power = (0, 1.0);
        for (mantissa, exponent) in all {
            if *exponent != power.0 {
                power = (*exponent, 10_f64.powi(*exponent));
            }
            sum += *mantissa as f64 / power.1;
        }
        return Ok(sum);
    }
    for row in 0..batch.num_rows() {
        sum += if mantissas.is_valid(row) {
            mantissas.value(row) as f64 / 10_f64.powi(exponents.value(row))
        } else {
            floats.value(row)
        };
    }
    Ok(sum)
}

/// Bytes of the transaction logs of a lake.
fn log_bytes(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let log = entry?.path().join("_delta_log");
        if log.is_dir() {
            bytes += folder_bytes(&log)?;
        }
    }
    Ok(bytes)
}

fn folder_bytes(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// Time of the clock and of the processors.
struct Usage {
    clock: Instant,
    cpu: Duration,
}

impl Usage {
    fn now() -> Self {
        Self { clock: Instant::now(), cpu: cpu_time() }
    }

    fn cpu(&self) -> Duration {
        cpu_time().saturating_sub(self.cpu)
    }

    fn since(&self, rows: f64) -> String {
        let (cpu, clock) = (self.cpu().as_secs_f64(), self.clock.elapsed().as_secs_f64());
        format!("{:.2} CPU s per million ({clock:.1} s)", cpu / rows * 1e6)
    }
}

/// User and system time of this process, in hundredths of a second.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|text| text.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
