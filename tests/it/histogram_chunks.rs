//! Native histograms through remote read, in chunks as Prometheus packs them. They are read by the
//! format's description; no other server has read them yet.

use exec::output::{Histogram, ResetHint};
use reqwest::StatusCode;
use schemas::model::{Label, METRIC_NAME};

use crate::chunks;
use crate::program::Program;
use crate::prometheus::write;
use crate::remote_read::{Labels, read_series};
use crate::script::series::{Item, Series};
use crate::script::write_request;
use crate::telemetry::{SECOND_NS, now_ns};

/// Samples of each series.
const POINTS: i64 = 200;

/// Milliseconds between two samples.
const STEP_MS: i64 = 5_000;

/// Whole counts that grow, with one more bucket from the middle on and a reset at three quarters.
fn whole(at: i64) -> Histogram {
    let since = if at >= POINTS * 3 / 4 { at - POINTS * 3 / 4 + 1 } else { at + 1 };
    let mut counts = vec![(-2, since), (-1, since * 3 + at % 7), (5, since * 2)];
    if at >= POINTS / 2 {
        counts.push((6, since));
    }
    Histogram {
        count: (counts.iter().map(|bucket| bucket.1).sum::<i64>() + since * 2) as f64,
        positive: counts.into_iter().map(|(index, count)| (index, count as f64)).collect(),
        negative: vec![(1, since as f64)],
        zero_count: since as f64,
        sum: since as f64 * 0.37,
        schema: 3,
        zero_threshold: 2.0_f64.powi(-128),
        ..Histogram::default()
    }
}

/// Counts with fractions, of a gauge.
fn fractions(at: i64) -> Histogram {
    let level = (at as f64 / 9.0).sin() + 1.5;
    Histogram {
        positive: vec![(0, level), (1, level * 2.25)],
        count: level * 3.75,
        zero_count: level * 0.5,
        sum: level,
        schema: 0,
        zero_threshold: 0.001,
        hint: ResetHint::Gauge,
        ..Histogram::default()
    }
}

fn request(first_ms: i64) -> Vec<u8> {
    let series = |name: &str, make: fn(i64) -> Histogram| Series {
        labels: [(METRIC_NAME, name), ("job", "shop")]
            .into_iter()
            .map(|(name, value)| Label::new(name, value))
            .collect(),
        items: (0..POINTS).map(|at| Item::Histogram(Box::new(make(at)), None)).collect(),
        starts: Vec::new(),
    };
    let series = [series("latency", whole), series("level", fractions)];
    write_request::encode((first_ms, STEP_MS), &series).unwrap().0
}

/// A series with all its histograms, and the kinds of its chunks.
type Packed = (Labels, Vec<(i64, Histogram)>, Vec<i32>);

/// The series of a metric.
async fn read(program: &Program, url: &str, name: &str, range: (i64, i64)) -> Vec<Packed> {
    let series = read_series(program, url, name, range).await;
    let unpacked = series.into_iter().map(|(labels, chunks)| {
        let mut samples = Vec::new();
        for chunk in &chunks {
            let found = chunks::histograms(chunk.kind, &chunk.data);
            let ends = (found[0].0, found[found.len() - 1].0);
            assert_eq!(ends, (chunk.min_time_ms, chunk.max_time_ms));
            samples.extend(found);
        }
        assert!(samples.is_sorted_by(|a, b| a.0 < b.0), "samples ascend in time");
        (labels, samples, chunks.iter().map(|chunk| chunk.kind).collect())
    });
    unpacked.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms_come_back_from_their_chunks() {
    let program = Program::start(&[]).await;
    let last_ms = (now_ns() / SECOND_NS) as i64 * 1_000;
    let first_ms = last_ms - POINTS * STEP_MS;
    let answer = write(&program, request(first_ms)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{}", answer.text().await.unwrap());
    let range = (first_ms, last_ms);
    let url = program.url("/prometheus/api/v1/read");
    let mut ours = Vec::new();
    for (name, kind) in [("latency", 2), ("level", 3)] {
        let found = read(&program, &url, name, range).await;
        let [(_, samples, kinds)] = &found[..] else { panic!("{name}: {} series", found.len()) };
        assert_eq!(samples.len(), POINTS as usize, "{name}");
        assert!(kinds.iter().all(|found| *found == kind), "{name}: {kinds:?}");
        ours.push(found);
    }
    let third = &ours[0][0].1[2].1;
    // 3, 9 + 2, 6 and as many on the other side.
    assert_eq!(third.positive, [(-2, 3.0), (-1, 11.0), (5, 6.0)]);
    assert_eq!((third.count, third.zero_count, third.sum), (26.0, 3.0, 3.0 * 0.37));
    assert_eq!(third.negative, [(1, 3.0)]);
}
