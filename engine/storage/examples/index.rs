//! Measures the label index: memory a series, loading, resolving, and reads beside writes.
//!
//! ```text
//!  cargo run --release -p storage --example index -- 1000000
//! ```
//!
//! The series are those of a Kubernetes cluster: pods of some hundred jobs, 100 series each in
//! their 10 labels, loaded in batches as segments hold them.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, MapBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::array::{MapFieldNames, new_null_array};
use arrow::compute::cast;
use schemas::model::{Label, Labels, MatchOp, Matcher, TimeRange};
use schemas::tables::{Table, columns};
use storage::{LabelIndex, resident_bytes};

/// Series of a pod.
const POD_SERIES: u64 = 100;
/// Pods of a job.
const JOB_PODS: u64 = 100;
/// Rows of a batch.
const BATCH_ROWS: u64 = 8192;
/// Times each question is asked.
const RUNS: usize = 9;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let series = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let mut out = std::io::stdout().lock();
    let index = Arc::new(LabelIndex::default());
    let before = resident_bytes().unwrap_or(0);
    let (mut took, mut first) = (Duration::ZERO, 0);
    while first < series {
        let rows = (first..series.min(first + BATCH_ROWS)).map(labels).collect::<Vec<_>>();
        let batch = batch(&rows)?;
        let began = Instant::now();
        index.absorb(&batch)?;
        took += began.elapsed();
        first += BATCH_ROWS;
    }
    let resident = resident_bytes().unwrap_or(0).saturating_sub(before);
    let each = |bytes: usize| bytes as f64 / series as f64;
    writeln!(out, "series               {series}")?;
    writeln!(out, "bytes a series       {:.0} reckoned", each(index.bytes()))?;
    writeln!(out, "                     {:.0} resident", each(resident))?;
    writeln!(out, "loading              {:.0} series/s", series as f64 / took.as_secs_f64())?;
    questions(&mut out, &index)?;
    beside_writes(&mut out, &index, series)?;
    let began = Instant::now();
    let forgotten = index.forget_before(i32::MAX);
    writeln!(out, "forgetting           {forgotten} in {:.0} ms", ms(began.elapsed()))?;
    Ok(())
}

fn labels(at: u64) -> Labels {
    let (pod, metric) = (at / POD_SERIES, at % POD_SERIES);
    let job = pod / JOB_PODS;
    let pairs = [
        ("__name__", format!("container_metric_{metric}_total")),
        ("cluster", "production-eu-central-1".to_owned()),
        ("container", format!("service-{job}")),
        ("endpoint", "http-metrics".to_owned()),
        ("instance", format!("10.{}.{}.{}:9100", pod >> 16 & 255, pod >> 8 & 255, pod & 255)),
        ("job", format!("team-{}/service-{job}", job % 20)),
        ("namespace", format!("team-{}", job % 20)),
        ("node", format!("ip-10-0-{}.eu-central-1.compute.internal", pod % 500)),
        ("pod", format!("service-{job}-7d9f8b6c5-{:05x}", pod.wrapping_mul(2_654_435_761) >> 12)),
        ("service", format!("service-{job}")),
    ];
    pairs.into_iter().map(|(name, value)| Label::new(name, value)).collect()
}

/// Rows of `metric_series` in its schema.
fn batch(rows: &[Labels]) -> Outcome<RecordBatch> {
    let schema = Table::MetricSeries.schema();
    let integers = |of: fn(&Labels) -> i64| Int64Array::from_iter_values(rows.iter().map(of));
    let mut columns: Vec<ArrayRef> = Vec::new();
    for field in schema.fields() {
        let column: ArrayRef = match field.name().as_str() {
            columns::SERIES_ID => Arc::new(integers(Labels::id)),
            columns::METRIC_ID | columns::TIME_MS => Arc::new(integers(|_| 0)),
            columns::LABELS => map(rows)?,
            _ if field.is_nullable() => new_null_array(field.data_type(), rows.len()),
            _ => Arc::new(StringArray::from(vec![""; rows.len()])),
        };
        columns.push(cast(&column, field.data_type())?);
    }
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn map(rows: &[Labels]) -> Outcome<ArrayRef> {
    let names = MapFieldNames::default();
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for labels in rows {
        for label in labels {
            builder.keys().append_value(&label.name);
            builder.values().append_value(&label.value);
        }
        builder.append(true)?;
    }
    Ok(Arc::new(builder.finish()))
}

fn questions(out: &mut impl std::io::Write, index: &LabelIndex) -> Outcome<()> {
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    let list = (0..100).map(|at| format!("10.0.0.{at}:9100")).collect::<Vec<_>>().join("|");
    type Asked<'a> = &'a [(&'a str, MatchOp, &'a str)];
    let questions: [Asked<'_>; 11] = [
        &[("job", Equal, "team-3/service-3"), ("instance", Regex, "10\\..*[13]:9100")],
        &[("cluster", Equal, "production-eu-central-1"), ("instance", Regex, ".*77:9100")],
        &[("job", Regex, "team-3/.*"), ("pod", Regex, ".*-0f.*")],
        &[("instance", Regex, &list)],
        &[("pod", Regex, "service-42-.*")],
        &[("__name__", Equal, "container_metric_7_total"), ("namespace", NotEqual, "team-3")],
        &[("__name__", Equal, "container_metric_7_total"), ("node", NotRegex, ".*-[1-4]..\\..*")],
        &[("namespace", NotRegex, "team-1.*"), ("__name__", Regex, ".*_9[0-4]_total")],
        &[("pod", Regex, ".+"), ("__name__", Equal, "container_metric_7_total")],
        &[("absent", Equal, ""), ("job", Equal, "team-3/service-3")],
        &[],
    ];
    for question in questions {
        let matchers: Vec<Matcher> =
            question.iter().map(|(label, op, value)| Matcher::new(*label, *op, *value)).collect();
        let text: String = matchers.iter().map(|matcher| format!("{matcher}, ")).collect();
        let compiled = matchers.iter().map(Matcher::compile).collect::<Result<Vec<_>, _>>()?;
        let (count, select) = median(|| index.count(&compiled, &TimeRange::ALL));
        let (_, resolve) = median(|| index.resolve(&compiled, &TimeRange::ALL).len());
        let (values, pods) = median(|| index.label_values("pod", &compiled, &TimeRange::ALL).len());
        let text: String = text.chars().take(90).collect();
        writeln!(
            out,
            "{:8.2} ms select {:8.2} ms with labels of {count:7}, {:7.2} ms for {values:6} pods  \
             {{{text}}}",
            ms(select),
            ms(resolve),
            ms(pods),
        )?;
    }
    let (names, took) = median(|| index.label_names(&[], &TimeRange::ALL).len());
    writeln!(out, "{:8.2} ms for {names} names", ms(took))?;
    let never = |_| Ok::<(), std::convert::Infallible>(());
    let first =
        || index.resolve_up_to(10_000, &[], &TimeRange::ALL, never).map_or(0, |it| it.len());
    let (series, took) = median(first);
    writeln!(out, "{:8.2} ms for {series} series of all", ms(took))?;
    let (metrics, took) = median(|| index.cardinality(10).series_by_metric.len());
    writeln!(out, "{:8.2} ms for the {metrics} greatest metrics", ms(took))?;
    Ok(())
}

fn median(mut ask: impl FnMut() -> usize) -> (usize, Duration) {
    let mut times = Vec::new();
    let mut count = 0;
    for _ in 0..RUNS {
        let began = Instant::now();
        count = ask();
        times.push(began.elapsed());
    }
    times.sort();
    (count, times[RUNS / 2])
}

/// How long new series wait while somebody asks for everything without a pause.
fn beside_writes(out: &mut impl std::io::Write, index: &Arc<LabelIndex>, from: u64) -> Outcome<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let (index, stop) = (Arc::clone(index), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut asked = 0;
            while !stop.load(Ordering::Relaxed) {
                asked += usize::from(!index.resolve(&[], &TimeRange::ALL).is_empty());
            }
            asked
        })
    };
    let mut waits = Vec::new();
    for at in 0..1_000 {
        let batch = batch(&[labels(from + at)])?;
        let began = Instant::now();
        index.absorb(&batch)?;
        waits.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    stop.store(true, Ordering::Relaxed);
    let asked = reader.join().map_err(|_| "the reader panicked")?;
    waits.sort();
    writeln!(
        out,
        "writes beside {asked} reads of everything: p50 {:.2} ms, p99 {:.2} ms, worst {:.2} ms",
        ms(waits[500]),
        ms(waits[990]),
        ms(waits[999]),
    )?;
    Ok(())
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
