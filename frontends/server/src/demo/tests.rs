//! Tests of the generated telemetry: it is the same for the same seed, and it hangs together.

use std::collections::{HashMap, HashSet};

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::generate::{observe, second};
use super::meters::Meters;
use super::otlp::SECOND_NS;
use super::story::Recorded;
use super::traffic::{conditions, count_of, rng_of};
use super::{Demo, Duration, Options, read_marker};
use crate::config::{Config, Settings};
use crate::serve::Server;
use crate::threads::Places;

const NOON_S: u64 = 1_760_011_200;

fn minute(seed: u64) -> Recorded {
    let mut all = Recorded::default();
    for at in NOON_S..NOON_S + 60 {
        let recorded = second(seed, 6.0, at);
        all.spans.extend(recorded.spans);
        all.logs.extend(recorded.logs);
        all.measurements.extend(recorded.measurements);
    }
    all
}

#[test]
fn the_same_seed_makes_the_same_telemetry() {
    let (one, two, other) = (minute(7), minute(7), minute(8));
    assert!(one.spans.len() > 500, "{}", one.spans.len());
    assert_eq!(one.spans, two.spans);
    assert_eq!(one.logs, two.logs);
    assert_eq!(one.measurements.len(), two.measurements.len());
    assert_ne!(one.spans, other.spans);
}

#[test]
fn every_span_lies_within_its_parent_of_the_same_trace() {
    let recorded = minute(7);
    let by_id: HashMap<&[u8], &Span> =
        recorded.spans.iter().map(|(_, span)| (span.span_id.as_slice(), span)).collect();
    assert_eq!(by_id.len(), recorded.spans.len(), "span ids are unique");
    for (_, span) in &recorded.spans {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{}", span.name);
        if span.parent_span_id.is_empty() {
            continue;
        }
        let parent = by_id[span.parent_span_id.as_slice()];
        assert_eq!(parent.trace_id, span.trace_id);
        assert!(parent.start_time_unix_nano <= span.start_time_unix_nano, "{}", span.name);
        assert!(parent.end_time_unix_nano >= span.end_time_unix_nano, "{}", span.name);
    }
}

#[test]
fn every_trace_has_one_root_and_links_lead_to_senders() {
    let recorded = minute(7);
    let mut roots: HashMap<&[u8], u32> = HashMap::new();
    let ids: HashSet<&[u8]> = recorded.spans.iter().map(|(_, s)| s.span_id.as_slice()).collect();
    let mut links = 0;
    for (_, span) in &recorded.spans {
        let root = u32::from(span.parent_span_id.is_empty());
        *roots.entry(&span.trace_id).or_default() += root;
        for link in &span.links {
            links += 1;
            assert!(ids.contains(link.span_id.as_slice()));
            assert_ne!(link.trace_id, span.trace_id);
        }
    }
    assert!(roots.values().all(|count| *count == 1));
    assert!(links > 10, "{links}");
}

#[test]
fn logs_name_a_span_of_their_service_and_carry_the_trace_in_the_line() {
    let recorded = minute(7);
    let spans: HashMap<&[u8], _> =
        recorded.spans.iter().map(|(place, s)| (s.span_id.as_slice(), (place, s))).collect();
    assert!(recorded.logs.len() > 200);
    for (place, record) in &recorded.logs {
        let (span_place, span) = spans[record.span_id.as_slice()];
        assert_eq!(span_place, place);
        assert_eq!(span.trace_id, record.trace_id);
        let body = format!("{:?}", record.body);
        assert!(body.contains(&hex::encode(&record.trace_id)), "{body}");
    }
}

#[test]
fn counters_only_grow_and_buckets_add_up() {
    let mut meters = Meters::new(NOON_S * SECOND_NS);
    let mut last: HashMap<String, u64> = HashMap::new();
    let mut exemplars = 0;
    for at in NOON_S..NOON_S + 30 {
        for measurement in second(7, 6.0, at).measurements {
            meters.record(measurement);
        }
        for measurement in observe(7, 6.0, at) {
            meters.record(measurement);
        }
        for resource in meters.export((at + 1) * SECOND_NS) {
            let id = format!("{:?}", resource.resource);
            for metric in &resource.scope_metrics[0].metrics {
                let Some(Data::Histogram(histogram)) = &metric.data else { continue };
                for point in &histogram.data_points {
                    assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
                    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                    let key = format!("{id}{}{:?}", metric.name, point.attributes);
                    let before = last.insert(key, point.count).unwrap_or(0);
                    assert!(before <= point.count);
                    exemplars += point.exemplars.len();
                }
            }
        }
    }
    assert!(exemplars > 0);
}

#[test]
fn traffic_has_a_day_and_bad_spells() {
    let day: Vec<_> = (0..86_400).map(|s| conditions(7, 4.0, NOON_S + s)).collect();
    let rate = |at: usize| day[at].requests;
    assert!(rate(0) > 2.0 * rate(43_200), "noon is busier than midnight");
    let slow = day.iter().filter(|c| c.database_slowness > 1.0).count();
    let failing = day.iter().filter(|c| c.payment_failure > 0.1).count();
    assert!((8_000..20_000).contains(&slow), "{slow}");
    assert!((4_000..12_000).contains(&failing), "{failing}");
}

#[test]
fn counts_have_the_mean_asked_for() {
    for mean in [0.5, 4.0, 100.0] {
        let mut rng = rng_of(1, 2);
        let total: u32 = (0..4000).map(|_| count_of(mean, &mut rng)).sum();
        let measured = f64::from(total) / 4000.0;
        assert!((measured - mean).abs() < mean * 0.08 + 0.02, "{mean}: {measured}");
    }
}

/// The value of a sample of our own metrics.
fn sample(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn a_server_stores_all_of_it() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut settings = Settings::defaults();
    let data = dir.path().join("data");
    let flags = [
        ("data", data.to_str().unwrap()),
        ("listen", "127.0.0.1:0"),
        ("ports.otlp_grpc", ""),
        ("ports.otlp_http", ""),
    ];
    settings.merge_flags(flags).unwrap();
    let config = Config::new(&settings);
    let server = Server::start(&config, Places::here()).await.unwrap();
    let marker = data.join("demo.sent");
    let options = Options {
        url: server.url(),
        seed: 7,
        rate: 6.0,
        backfill: Duration::from_secs(90),
        marker: marker.clone(),
    };
    let mut demo = Demo::new(options.clone()).unwrap();
    demo.backfill().await.unwrap();
    assert_eq!(demo.emitter.rejected, 0);
    let answer = reqwest::get(format!("{}/metrics", server.url())).await.unwrap();
    let text = answer.text().await.unwrap();
    for signal in ["metrics", "logs", "traces"] {
        let labels = format!("{{tenant=\"default\",signal=\"{signal}\"}}");
        let of = |name: &str| sample(&text, &format!("{name}{labels}"));
        assert!(of("siglake_ingest_rows_stored_total") > 50.0, "{text}");
        assert_eq!(of("siglake_ingest_rows_rejected_total"), 0.0, "{text}");
    }
    // Begun again, it goes on where it was.
    let again = Demo::new(options).unwrap();
    assert!(again.next_s > read_marker(&marker).unwrap());
    assert!(again.next_s >= demo.next_s);
    server.stop(&config).await.unwrap();
}
