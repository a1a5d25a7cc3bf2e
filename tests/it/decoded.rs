//! Samples read from pages of segments are bit for bit those that were sent, whatever they are.

use serde_json::Value;

use crate::ask::seconds;
use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// Series of each metric.
const SERIES: u64 = 12;
/// Samples of each series.
const SAMPLES: u64 = 700;

#[tokio::test(flavor = "multi_thread")]
async fn samples_of_segments_are_those_of_the_memtable() {
    // Row groups that end within series, and pages that are smaller than they are.
    let settings = ["storage.compaction.enabled=false", "storage.row_group_rows=5000"];
    let mut program = Program::start(&settings).await;
    let end_ns = now_ns() / SECOND_NS * SECOND_NS;
    let start_ns = end_ns - 3_600 * SECOND_NS;
    for part in 0..2 {
        let kinds = ["whole", "decimal", "float", "mixed", "scaled"].into_iter().zip(0..);
        let metrics = kinds.map(|(name, kind)| {
            let points = (0..SERIES).flat_map(|series| {
                (0..SAMPLES).map(move |at| {
                    let labels = vec![telemetry::int("number", series as i64)];
                    // Every second part lies between the samples of the first.
                    let jitter = if series % 3 == 0 { hash(at) % 900 } else { 0 };
                    let time_ns =
                        start_ns + (at * 5 + 2 * part) * SECOND_NS + jitter * SECOND_NS / 1000;
                    telemetry::point(time_ns, value(kind, series, at), labels)
                })
            });
            telemetry::gauge(name, points.collect())
        });
        program.send("metrics", &telemetry::metrics("checkout", metrics.collect())).await;
        let buffered = answers(&program, end_ns).await;
        // What was taken in is flushed at the end.
        assert!(program.stop().await.success(), "{}", program.log());
        program.start_again().await;
        let decoded = answers(&program, end_ns).await;
        assert_eq!(decoded, buffered, "cold, with {} segments", part + 1);
        assert_eq!(answers(&program, end_ns).await, buffered, "warm");
    }
}

/// Everything, parts of it in time, and few series, whose blocks are read alone.
async fn answers(program: &Program, end_ns: u64) -> Vec<Value> {
    let queries = [
        "{__name__=~\"float|whole\",number=\"7\"}[10m]",
        "scaled{number=~\"2|11\"}[3h]",
        "mixed[30m] offset 20m",
        "{__name__=~\"whole|decimal|float|mixed|scaled\"}[3h]",
        "sum by (number) (rate(whole[5m]))",
    ];
    let mut answers = Vec::new();
    for query in queries {
        let found = program.promql(query, end_ns).await;
        assert!(!found.as_array().unwrap().is_empty(), "{query} at {}", seconds(end_ns));
        answers.push(found);
    }
    answers
}

fn value(kind: u64, series: u64, at: u64) -> f64 {
    let random = hash(series * SAMPLES + at + kind * 1_000_003);
    let small = (random % 2000) as f64;
    match kind {
        0 => (at * (series + 1) * if at > 400 { 1 } else { 1000 }) as f64,
        1 => small / 100.0,
        2 => f64::from_bits(random >> 2),
        3 => match random % 50 {
            0 => f64::INFINITY,
            1 => f64::NAN,
            2 => -0.0,
            3 => f64::from_bits(random >> 2),
            _ => small,
        },
        // Another power of ten from time to time.
        _ => small / 10_f64.powi((at / 90 % 5) as i32),
    }
}

/// SplitMix64.
fn hash(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
