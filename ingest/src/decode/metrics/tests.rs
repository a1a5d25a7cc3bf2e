//! Tests of metrics: series and samples as Prometheus would have them.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1 as proto;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use schemas::model::{Label, Labels, Signal};
use schemas::tables::{Table, columns};
use serde_json::{Value, json};

use super::STALE;
use crate::body::Format;
use crate::decode::tests::{NOW_NS, Place, attribute, decode_message, rows, string};
use crate::decode::{Decoded, decode};

const NOW_MS: i64 = NOW_NS / 1_000_000;

fn request(metrics: Vec<proto::Metric>) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![proto::ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![
                    string("service.name", "shop"),
                    string("service.namespace", "prod"),
                    string("service.instance.id", "i1"),
                ],
                ..Default::default()
            }),
            scope_metrics: vec![proto::ScopeMetrics { metrics, ..Default::default() }],
            schema_url: String::new(),
        }],
    }
}

fn metric(name: &str, unit: &str, data: Data) -> proto::Metric {
    proto::Metric {
        name: name.into(),
        unit: unit.into(),
        description: "help".into(),
        data: Some(data),
        ..Default::default()
    }
}

fn point(attributes: Vec<KeyValue>, value: f64) -> proto::NumberDataPoint {
    proto::NumberDataPoint {
        attributes,
        time_unix_nano: NOW_NS as u64,
        value: Some(Number::AsDouble(value)),
        ..Default::default()
    }
}

fn gauge(data_points: Vec<proto::NumberDataPoint>) -> Data {
    Data::Gauge(proto::Gauge { data_points })
}

fn histogram_point() -> proto::HistogramDataPoint {
    proto::HistogramDataPoint {
        attributes: vec![string("path", "/")],
        start_time_unix_nano: NOW_NS as u64 - 1_000_000,
        time_unix_nano: NOW_NS as u64,
        count: 6,
        sum: Some(12.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.005, 10.0],
        exemplars: vec![proto::Exemplar {
            filtered_attributes: vec![string("user", "u")],
            time_unix_nano: NOW_NS as u64 - 2_000_000,
            span_id: vec![2; 8],
            trace_id: vec![1; 16],
            value: Some(proto::exemplar::Value::AsDouble(7.0)),
        }],
        ..Default::default()
    }
}

fn histogram(data_points: Vec<proto::HistogramDataPoint>) -> Data {
    Data::Histogram(proto::Histogram { data_points, aggregation_temporality: 2 })
}

fn exponential_point() -> proto::ExponentialHistogramDataPoint {
    proto::ExponentialHistogramDataPoint {
        time_unix_nano: NOW_NS as u64,
        count: 3,
        sum: Some(10.0),
        scale: -1,
        zero_count: 1,
        positive: Some(proto::exponential_histogram_data_point::Buckets {
            offset: -2,
            bucket_counts: vec![0, 2],
        }),
        max: Some(5.0),
        zero_threshold: 0.25,
        ..Default::default()
    }
}

/// A request with something of everything.
pub(in crate::decode) fn small_request() -> ExportMetricsServiceRequest {
    let quantile = proto::summary_data_point::ValueAtQuantile { quantile: 0.5, value: 2.0 };
    let summary = proto::SummaryDataPoint {
        time_unix_nano: NOW_NS as u64,
        count: 4,
        sum: 8.0,
        quantile_values: vec![quantile],
        ..Default::default()
    };
    let sum = proto::Sum {
        data_points: vec![point(vec![string("a", "b")], 1.0)],
        aggregation_temporality: 1,
        is_monotonic: true,
    };
    let exponential = proto::ExponentialHistogram {
        data_points: vec![exponential_point()],
        aggregation_temporality: 2,
    };
    request(vec![
        metric("my.gauge", "1", gauge(vec![point(vec![], 1.5)])),
        metric("requests", "", Data::Sum(sum)),
        metric("rt", "s", histogram(vec![histogram_point()])),
        metric("exp", "", Data::ExponentialHistogram(exponential)),
        metric("lat", "ms", Data::Summary(proto::Summary { data_points: vec![summary] })),
    ])
}

/// Labels of a series → its samples, `job`, `instance` and `service_name` left out.
fn samples(decoded: &Decoded) -> BTreeMap<String, Vec<(i64, f64)>> {
    let mut labels_of = BTreeMap::new();
    for row in rows(decoded, Table::MetricSeries) {
        let pairs = row["labels"].as_object().unwrap();
        let labels: Labels = pairs
            .iter()
            .map(|(name, value)| Label::new(name.as_str(), value.as_str().unwrap()))
            .collect();
        assert_eq!(row["series_id"], labels.id(), "ids are those of the labels: {row}");
        assert_eq!(row["metric_name"], labels.value("__name__"));
        let base = ["job", "instance", "service_name"];
        let shown = labels.filter(|label| !base.contains(&label.name.as_ref()));
        labels_of.insert(labels.id(), shown.to_string());
    }
    let mut samples: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    if let Some(batch) = decoded.batches.iter().find(|batch| batch.table == Table::MetricSamples) {
        let column = |name: &str| batch.rows.column_by_name(name).unwrap();
        let ids = column(columns::SERIES_ID).as_primitive::<Int64Type>();
        let times = column(columns::TIME_MS).as_primitive::<Int64Type>();
        let values = column(columns::VALUE).as_primitive::<Float64Type>();
        for i in 0..batch.rows.num_rows() {
            let labels = labels_of[&ids.value(i)].clone();
            samples.entry(labels).or_default().push((times.value(i) - NOW_MS, values.value(i)));
        }
    }
    samples
}

fn one(labels: &str, value: f64) -> (String, Vec<(i64, f64)>) {
    (labels.to_owned(), vec![(0, value)])
}

#[test]
fn every_kind_has_its_series() {
    let decoded = decode_message(Signal::Metrics, &small_request());
    assert_eq!((decoded.received, decoded.rejections.count()), (5, 0));
    let expected = BTreeMap::from([
        one(r#"{__name__="my_gauge_ratio"}"#, 1.5),
        one(r#"{__name__="requests_total", a="b"}"#, 1.0),
        one(r#"{__name__="rt_seconds_bucket", le="0.005", path="/"}"#, 1.0),
        one(r#"{__name__="rt_seconds_bucket", le="10", path="/"}"#, 3.0),
        one(r#"{__name__="rt_seconds_bucket", le="+Inf", path="/"}"#, 6.0),
        one(r#"{__name__="rt_seconds_count", path="/"}"#, 6.0),
        one(r#"{__name__="rt_seconds_sum", path="/"}"#, 12.5),
        one(r#"{__name__="lat_milliseconds", quantile="0.5"}"#, 2.0),
        one(r#"{__name__="lat_milliseconds_count"}"#, 4.0),
        one(r#"{__name__="lat_milliseconds_sum"}"#, 8.0),
    ]);
    assert_eq!(samples(&decoded), expected);
}

#[test]
fn series_tell_their_metadata() {
    let decoded = decode_message(Signal::Metrics, &small_request());
    let series = rows(&decoded, Table::MetricSeries);
    let find = |name: &str| series.iter().find(|row| row["metric_name"] == name).unwrap();
    let counter = find("requests_total");
    assert_eq!((&counter["type"], &counter["temporality"]), (&json!("counter"), &json!("delta")));
    assert_eq!((&counter["help"], counter.get("unit")), (&json!("help"), None));
    let gauge = find("my_gauge_ratio");
    assert_eq!((&gauge["type"], gauge.get("temporality")), (&json!("gauge"), None));
    assert_eq!(
        gauge["labels"],
        json!({ "__name__": "my_gauge_ratio", "job": "prod/shop", "instance": "i1",
                "service_name": "shop" })
    );
    assert_eq!(find("rt_seconds_bucket")["type"], "histogram");
    assert_eq!(find("lat_milliseconds")["type"], "summary");
    assert_eq!(find("exp")["type"], "exponential_histogram");
}

#[test]
fn exponential_histograms_keep_their_buckets() {
    let decoded = decode_message(Signal::Metrics, &small_request());
    let mut row = rows(&decoded, Table::MetricHistograms).remove(0);
    for id in ["series_id", "metric_id"] {
        assert!(row.as_object_mut().unwrap().remove(id).is_some());
    }
    let expected = json!({
        "time_ms": NOW_MS, "count": 3, "sum": 10.0, "max": 5.0, "scale": -1,
        "zero_threshold": 0.25, "zero_count": 1, "positive_offset": -2, "positive_counts": [0, 2],
        "negative_offset": 0, "negative_counts": [], "flags": 0,
    });
    assert_eq!(row, expected);
}

#[test]
fn exemplars_belong_to_the_bucket_they_fell_into() {
    let decoded = decode_message(Signal::Metrics, &small_request());
    let exemplar = rows(&decoded, Table::Exemplars).remove(0);
    let series = rows(&decoded, Table::MetricSeries);
    let bucket = series.iter().find(|row| row["series_id"] == exemplar["series_id"]).unwrap();
    assert_eq!(bucket["labels"]["le"], "10");
    assert_eq!((&exemplar["time_ms"], &exemplar["value"]), (&json!(NOW_MS - 2), &json!(7.0)));
    assert_eq!(exemplar["trace_id"], "01".repeat(16));
    assert_eq!(exemplar["attributes"], r#"{"user":"u"}"#);
}

#[test]
fn a_point_without_a_recorded_value_is_a_stale_marker() {
    let mut stale = point(vec![], 1.0);
    stale.value = None;
    stale.flags = 1;
    let stale_histogram =
        proto::HistogramDataPoint { time_unix_nano: NOW_NS as u64, flags: 1, ..Default::default() };
    let request = request(vec![
        metric("g", "", gauge(vec![stale])),
        metric("h", "", histogram(vec![stale_histogram])),
    ]);
    let made = samples(&decode_message(Signal::Metrics, &request));
    assert_eq!(made.len(), 4, "{made:?}");
    for values in made.values() {
        assert_eq!(values[0].1.to_bits(), STALE.to_bits());
    }
}

#[test]
fn labels_hold_against_each_other_as_in_prometheus() {
    let attributes = vec![
        string("job", "lost"),
        string("service.name", "won"),
        string("__name__", "lost"),
        string("a.b", "2"),
        string("a-b", "1"),
        string("empty", ""),
        attribute("code", Any::IntValue(200)),
    ];
    let request = request(vec![metric("g", "", gauge(vec![point(attributes, 1.0)]))]);
    let series = rows(&decode_message(Signal::Metrics, &request), Table::MetricSeries);
    assert_eq!(
        series[0]["labels"],
        json!({ "__name__": "g", "job": "prod/shop", "instance": "i1", "service_name": "won",
                "a_b": "1;2", "code": "200" })
    );
}

#[test]
fn points_of_changing_shape_have_their_own_labels() {
    let points = vec![
        point(vec![string("a", "1"), string("b", "2")], 1.0),
        point(vec![string("a", "3"), string("b", "4")], 2.0),
        point(vec![string("b", "4"), string("a", "3")], 3.0),
        point(vec![string("b", "5")], 4.0),
        point(vec![string("a", ""), string("b", "5")], 5.0),
        point(vec![], 6.0),
    ];
    let made =
        samples(&decode_message(Signal::Metrics, &request(vec![metric("g", "", gauge(points))])));
    let expected = BTreeMap::from([
        one(r#"{__name__="g", a="1", b="2"}"#, 1.0),
        (r#"{__name__="g", a="3", b="4"}"#.to_owned(), vec![(0, 2.0), (0, 3.0)]),
        (r#"{__name__="g", b="5"}"#.to_owned(), vec![(0, 4.0), (0, 5.0)]),
        one(r#"{__name__="g"}"#, 6.0),
    ]);
    assert_eq!(made, expected);
}

#[test]
fn known_series_make_no_rows() {
    let request = small_request();
    let first = decode_message(Signal::Metrics, &request);
    let place = Place::default();
    let batch = first.batches.iter().find(|batch| batch.table == Table::MetricSeries).unwrap();
    place.series.absorb(&batch.rows).unwrap();
    let context = place.context();
    let again =
        decode(Signal::Metrics, Format::Protobuf, &request.encode_to_vec(), &context).unwrap();
    assert!(rows(&again, Table::MetricSeries).is_empty());
    assert_eq!(rows(&again, Table::MetricSamples), rows(&first, Table::MetricSamples));
}

#[test]
fn target_info_tells_the_rest_of_the_resource() {
    let mut later = point(vec![], 1.0);
    later.time_unix_nano -= 310_000_000_000;
    let mut request = request(vec![metric("g", "", gauge(vec![later, point(vec![], 2.0)]))]);
    let resource = request.resource_metrics[0].resource.as_mut().unwrap();
    resource.attributes.push(string("host.name", "h1"));
    let decoded = decode_message(Signal::Metrics, &request);
    let made = samples(&decoded);
    let info = &made[r#"{__name__="target_info", host_name="h1"}"#];
    assert_eq!(info, &[(-310_000, 1.0), (-160_000, 1.0), (-10_000, 1.0), (0, 1.0)]);
    assert_eq!((decoded.received, decoded.rejections.count()), (2, 0));

    request.resource_metrics[0].scope_metrics[0].metrics.clear();
    let nothing = decode_message(Signal::Metrics, &request);
    assert!(nothing.batches.is_empty());
}

#[test]
fn points_that_make_no_sense_are_rejected_alone() {
    let broken = |change: fn(&mut proto::HistogramDataPoint)| {
        let mut point = histogram_point();
        change(&mut point);
        point
    };
    let points = vec![
        histogram_point(),
        broken(|point| point.explicit_bounds = vec![10.0, 10.0]),
        broken(|point| point.explicit_bounds = vec![1.0, f64::NAN]),
        broken(|point| point.bucket_counts = vec![1]),
        broken(|point| point.time_unix_nano = 0),
    ];
    let mut valueless = point(vec![], 0.0);
    valueless.value = None;
    let unspecified = proto::Sum { data_points: vec![point(vec![], 1.0)], ..Default::default() };
    let request = request(vec![
        metric("h", "", histogram(points)),
        metric("g", "", gauge(vec![valueless, point(vec![], 2.0)])),
        metric("s", "", Data::Sum(unspecified)),
        metric("...", "", gauge(vec![point(vec![], 2.0)])),
    ]);
    let decoded = decode_message(Signal::Metrics, &request);
    assert_eq!((decoded.received, decoded.rejections.count()), (9, 7));
    let made: Vec<String> = samples(&decoded).into_keys().collect();
    assert_eq!(made.len(), 6, "{made:?}");
}

#[test]
fn a_name_that_cannot_be_kept_is_looked_at_once() {
    // Looked at for each point it would take minutes.
    let name = "x".repeat(1 << 20);
    let points = vec![point(vec![], 1.0); 50_000];
    let request = request(vec![metric(&name, "", gauge(points))]);
    let began = std::time::Instant::now();
    let decoded = decode_message(Signal::Metrics, &request);
    assert_eq!((decoded.received, decoded.rejections.count()), (50_000, 50_000));
    assert!(samples(&decoded).is_empty());
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn a_last_bound_of_infinity_is_the_last_bucket() {
    let mut point = histogram_point();
    point.explicit_bounds = vec![1.0, f64::INFINITY];
    point.exemplars.clear();
    let made = samples(&decode_message(
        Signal::Metrics,
        &request(vec![metric("h", "", histogram(vec![point]))]),
    ));
    let buckets: Vec<&String> = made.keys().filter(|name| name.contains("_bucket")).collect();
    assert_eq!(buckets.len(), 2, "{made:?}");
}

#[test]
fn numbers_of_the_wire_are_read_exactly() {
    let mut int = point(vec![], 0.0);
    int.value = Some(Number::AsInt(-3));
    int.start_time_unix_nano = NOW_NS as u64 - 5_000_000;
    let decoded =
        decode_message(Signal::Metrics, &request(vec![metric("g", "", gauge(vec![int]))]));
    let row: Value = rows(&decoded, Table::MetricSamples).remove(0);
    assert_eq!((&row["value"], &row["start_time_ms"]), (&json!(-3.0), &json!(NOW_MS - 5)));
    let batch = decoded.batches.iter().find(|batch| batch.table == Table::MetricSamples).unwrap();
    let starts = batch.rows.column_by_name(columns::START_TIME_MS).unwrap();
    assert_eq!(starts.null_count(), 0);
}

/// The same names and attributes under two resources and as several kinds, over two days.
fn entangled_request() -> ExportMetricsServiceRequest {
    let points = |shift: u64| -> Vec<proto::NumberDataPoint> {
        let mut points = vec![
            point(vec![], 1.0),
            point(vec![string("a", "1"), string("b", "2")], 2.0),
            point(vec![string("b", "2"), string("a", "1")], 3.0),
            point(vec![string("le", "10"), string("path", "/")], 4.0),
            point(vec![string("a", "1"), string("a", "2")], 5.0),
        ];
        points.iter_mut().for_each(|point| point.time_unix_nano -= shift);
        points
    };
    let mut unsummed = histogram_point();
    unsummed.sum = None;
    let mut stale = histogram_point();
    stale.flags = 1;
    let mut others = histogram_point();
    others.explicit_bounds = vec![0.0, 7.0];
    let sum = proto::Sum { data_points: points(0), aggregation_temporality: 2, is_monotonic: true };
    let exponential = |attributes: Vec<KeyValue>| {
        let mut point = exponential_point();
        point.attributes = attributes;
        point
    };
    let summary = |attributes: Vec<KeyValue>, quantiles: &[f64]| proto::SummaryDataPoint {
        attributes,
        time_unix_nano: NOW_NS as u64,
        count: 4,
        sum: 8.0,
        quantile_values: quantiles
            .iter()
            .map(|quantile| proto::summary_data_point::ValueAtQuantile {
                quantile: *quantile,
                value: 2.0,
            })
            .collect(),
        ..Default::default()
    };
    let summaries = vec![
        summary(vec![], &[0.5, 0.9]),
        summary(vec![string("a", "1"), string("b", "2")], &[0.9]),
        summary(vec![string("b", "2"), string("a", "1")], &[0.9, 0.99, 0.0, -0.0]),
        // What tells the counts apart from quantiles is a NaN.
        summary(vec![string("c", "1")], &[f64::from_bits(u64::MAX), f64::NAN, 1.0, f64::INFINITY]),
    ];
    let metrics = vec![
        metric("s", "", Data::Summary(proto::Summary { data_points: summaries })),
        metric("h", "", histogram(vec![unsummed, histogram_point(), stale, others])),
        metric("h_bucket", "", gauge(points(0))),
        metric("g", "", gauge(points(86_400_000_000_000))),
        metric("g", "", gauge(points(0))),
        metric("g", "", Data::Sum(sum)),
        metric(
            "e",
            "",
            Data::ExponentialHistogram(proto::ExponentialHistogram {
                data_points: vec![
                    exponential(vec![]),
                    exponential(vec![string("a", "1"), string("b", "2")]),
                    exponential(vec![string("b", "2"), string("a", "1")]),
                ],
                aggregation_temporality: 2,
            }),
        ),
    ];
    let mut request = request(metrics);
    let mut other = request.resource_metrics[0].clone();
    other.resource.as_mut().unwrap().attributes.pop();
    request.resource_metrics.push(other);
    request
}

#[test]
fn series_that_came_before_are_the_same_whether_or_not_that_is_remembered() {
    let request = entangled_request().encode_to_vec();
    let decode_again = |place: &Place| {
        decode(Signal::Metrics, Format::Protobuf, &request, &place.context()).unwrap()
    };
    let place = Place::default();
    let fresh = decode_again(&Place::default());
    let tables = [Table::MetricSamples, Table::Exemplars, Table::MetricHistograms];
    let all = rows(&fresh, Table::MetricSeries).len();
    let entries = |decoded: &Decoded| {
        let found = decoded.batches.iter().find(|batch| batch.table == Table::MetricSeries);
        found.map(|batch| batch.rows.clone())
    };
    for round in 0..4 {
        let again = decode_again(&place);
        for table in tables {
            assert_eq!(rows(&again, table), rows(&fresh, table), "round {round} {table:?}");
        }
        let made = entries(&again);
        assert_eq!(made.is_some(), round == 0, "all series are new or known");
        made.into_iter().for_each(|rows| place.series.absorb(&rows).unwrap());
    }
    // What the index forgets is made again, though the labels are remembered.
    place.series.forget_before(i32::MAX);
    let again = decode_again(&place);
    assert_eq!(rows(&again, Table::MetricSeries).len(), all);
    assert_eq!(rows(&again, Table::MetricSamples), rows(&fresh, Table::MetricSamples));
}
