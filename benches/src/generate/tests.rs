//! The workloads are what they say they are, and the same for the same seed.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

use super::{Load, Signal};

const END_NS: u64 = 1_800_000_000 * 1_000_000_000;

fn all(signal: Signal, seed: u64) -> Vec<Load> {
    signal.generate(20_000, seed, END_NS).collect()
}

#[test]
fn a_seed_makes_the_same_requests() {
    for signal in Signal::LAYOUTS {
        let (one, two) = (all(signal, 1), all(signal, 1));
        assert!(one.iter().zip(&two).all(|(one, two)| one.body == two.body), "{signal:?}");
        assert!(one.windows(2).all(|pair| pair[0].time_ns <= pair[1].time_ns), "{signal:?}");
        assert_ne!(one[0].body, all(signal, 2)[0].body, "{signal:?}");
    }
}

#[test]
fn a_scrape_has_500_series() {
    for load in Signal::Metrics.generate(20_000, 7, END_NS) {
        let request = ExportMetricsServiceRequest::decode(load.body).unwrap();
        let points = |data: &Data| match data {
            Data::Sum(sum) => sum.data_points.len(),
            Data::Gauge(gauge) => gauge.data_points.len(),
            _ => 0,
        };
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let count: usize = metrics.iter().filter_map(|one| one.data.as_ref()).map(points).sum();
        assert_eq!((count, load.rows), (500, 500));
    }
}

#[test]
fn a_batch_of_logs_has_512_records_of_300_bytes() {
    let load = Signal::Logs.generate(512, 7, END_NS).next().unwrap();
    let request = ExportLogsServiceRequest::decode(load.body).unwrap();
    let mut lengths = Vec::new();
    for record in request.resource_logs.iter().flat_map(|one| &one.scope_logs[0].log_records) {
        assert_eq!(record.attributes.len(), 12);
        match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(Value::StringValue(line)) => lengths.push(line.len()),
            other => panic!("not a line: {other:?}"),
        }
    }
    assert_eq!(lengths.len(), 512);
    let mean = lengths.iter().sum::<usize>() / lengths.len();
    assert!((260..=340).contains(&mean), "{mean}");
}

#[test]
fn a_batch_of_traces_has_500_spans_of_11_attributes() {
    let load = Signal::Spans.generate(500, 7, END_NS).next().unwrap();
    let request = ExportTraceServiceRequest::decode(load.body).unwrap();
    let spans: Vec<_> =
        request.resource_spans.iter().flat_map(|one| &one.scope_spans[0].spans).collect();
    assert_eq!(spans.len(), 500);
    assert!(spans.iter().all(|span| span.attributes.len() == 11));
    assert_eq!(spans.iter().filter(|span| span.parent_span_id.is_empty()).count(), 50);
}
