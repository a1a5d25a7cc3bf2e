//! Tests of the server's own metrics.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use schemas::model::Signal;

use super::*;

fn stats() -> EngineStats {
    let languages = api::Language::ALL.map(|language| api::LanguageStats {
        language,
        answered: 5,
        refused: 1,
        failed: 0,
        cancelled: 2,
        duration: Duration::from_millis(1500),
        rows_read: 10,
        bytes_read: 20,
    });
    let signal = ingest::SignalStats {
        requests: 3,
        deduplicated_requests: 1,
        bytes: 400,
        received_rows: 16,
        stored_rows: 10,
        rejected_rows: 2,
        deduplicated_rows: 4,
    };
    EngineStats {
        ingest: ingest::IngestStats {
            tenants: vec![ingest::TenantStats {
                tenant: "t".into(),
                signals: Signal::ALL.iter().map(|of| (*of, signal)).collect(),
            }],
            refused: vec![("limit", 4)],
            rejected: vec![("too_old", 2)],
            inflight_bytes: 7,
        },
        store: storage::StoreStats {
            wal_sync_ns: 2_500_000_000,
            budget: storage::BudgetStats { resident_bytes: 4096, ..Default::default() },
            ..Default::default()
        },
        usage: vec![storage::TenantUsage {
            tenant: "t".into(),
            segment_bytes: 77,
            ..Default::default()
        }],
        api: api::ApiStats { running: 1, languages: languages.into() },
    }
}

fn rendered() -> String {
    let process =
        ProcessStats { resident_bytes: Some(1024), cpu_seconds: Some(0.5), open_files: Some(9) };
    text::text(&families(&stats(), &process))
}

#[test]
fn samples_carry_their_values_and_labels() {
    let text = rendered();
    for line in [
        "siglake_tenant_segment_bytes{tenant=\"t\"} 77",
        "siglake_ingest_rows_received_total{tenant=\"t\",signal=\"logs\"} 16",
        "siglake_ingest_rows_deduplicated_total{tenant=\"t\",signal=\"traces\"} 4",
        "siglake_ingest_requests_refused_total{kind=\"limit\"} 4",
        "siglake_wal_sync_seconds_total 2.5",
        "siglake_queries_total{language=\"promql\",outcome=\"cancelled\"} 2",
        "siglake_query_seconds_total{language=\"sql\"} 1.5",
        "siglake_store_rows_total{table=\"spans\"} 0",
        "process_resident_memory_bytes 1024",
        "siglake_memory_resident_bytes 4096",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[test]
fn every_family_is_described_once_and_stands_together() {
    let text = rendered();
    let mut kinds: HashMap<&str, &str> = HashMap::new();
    let mut helped: HashSet<&str> = HashSet::new();
    let mut current = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name), "{name} is described twice");
            assert!(help.ends_with('.'), "{help}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            kinds.insert(name, kind);
            current = name;
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            let part = name.strip_prefix(current).unwrap_or(name);
            let is_part = kinds.get(current) == Some(&"histogram")
                && matches!(part, "_bucket" | "_sum" | "_count");
            assert!(name == current || is_part, "{name} outside of its family {current}");
            let value = line.rsplit(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    for (name, kind) in kinds {
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} {kind}");
    }
}

#[test]
fn label_values_are_escaped() {
    let mut out = Writer::default();
    out.family("m", Kind::Gauge, "a\nb");
    out.sample("m", &[("l", "a\"b\\c\nd")], 1.0);
    let expected = "# HELP m a\\nb\n# TYPE m gauge\nm{l=\"a\\\"b\\\\c\\nd\"} 1\n";
    assert_eq!(text::text(&out.finish()), expected);
}

#[test]
fn histograms_are_shown_by_their_other_labels() {
    let mut out = Writer::default();
    out.family("h", Kind::Histogram, "help");
    for (label, count) in [("a", 1.0), ("b", 4.0)] {
        let of = ("l", label);
        out.sample("h_bucket", &[of, ("le", "0.5")], count);
        out.sample("h_bucket", &[of, ("le", "+Inf")], count + 1.0);
        out.sample("h_sum", &[of], 2.5);
        out.sample("h_count", &[of], count + 1.0);
    }
    let one = |label: &str, bucket: &str, count: &str| {
        serde_json::json!({"label": [{"name": "l", "value": label}], "histogram": {
            "bucket": [{"cumulativeCount": bucket, "upperBound": 0.5}],
            "sampleCount": count, "sampleSum": 2.5}})
    };
    let metrics = [one("a", "1", "2"), one("b", "4", "5")];
    let family = serde_json::json!([
        {"name": "h", "help": "help", "type": "HISTOGRAM", "metric": metrics}
    ]);
    assert_eq!(json::json(&out.finish()), family);
}

#[test]
fn process_files_are_read() {
    assert_eq!(process::resident_bytes("Name:\tx\nVmRSS:\t  2048 kB\n"), Some(2_097_152));
    assert_eq!(process::resident_bytes("Name:\tx\n"), None);
    let stat = "12 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
    assert_eq!(process::cpu_seconds(stat), Some(2.0));
    assert_eq!(process::cpu_seconds(""), None);
}
