//! The shop's metrics: measurements summed up and exported as OTLP, cumulative since the start.
//!
//! ```text
//!  Measurement ─▶ (place, instrument, attributes) ─▶ Sum | Buckets ─ export ─▶ ResourceMetrics
//! ```

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar, number_data_point,
};

use super::otlp::scope;
use super::shop::Place;

/// Bounds of latency buckets in seconds, as the semantic conventions advise.
const BOUNDS_S: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Exemplars that a data point keeps between two exports.
const EXEMPLARS_MAX: usize = 4;

/// What an instrument counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A sum that only grows.
    Counter,
    /// A sum that grows and shrinks; observed, not added up.
    UpDownCounter,
    /// The newest value.
    Gauge,
    /// A distribution over [`BOUNDS_S`].
    Histogram,
}

/// An instrument.
#[derive(Debug)]
pub(super) struct Instrument {
    /// Name after the semantic conventions.
    pub(super) name: &'static str,
    /// UCUM unit.
    pub(super) unit: &'static str,
    /// What it measures.
    pub(super) description: &'static str,
    /// What it counts.
    pub(super) kind: Kind,
}

/// One measurement.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    /// Where it was taken.
    pub(super) place: Place,
    /// By what.
    pub(super) instrument: &'static Instrument,
    /// When.
    pub(super) time_ns: u64,
    /// How much; for counters, what is added.
    pub(super) value: f64,
    /// What it is about.
    pub(super) attributes: Vec<KeyValue>,
    /// Trace and span during which it was taken, if any.
    pub(super) span: Option<([u8; 16], [u8; 8])>,
}

#[derive(Debug, Default)]
struct Point {
    attributes: Vec<KeyValue>,
    value: f64,
    count: u64,
    min: f64,
    max: f64,
    buckets: [u64; BOUNDS_S.len() + 1],
    exemplars: Vec<Exemplar>,
}

type PointKey = (&'static str, String);

/// The state of all instruments of all places. The number of points is bounded by the routes,
/// methods and statuses of the shop.
#[derive(Debug)]
pub(super) struct Meters {
    start_ns: u64,
    points: BTreeMap<Place, BTreeMap<PointKey, (&'static Instrument, Point)>>,
}

impl Meters {
    /// Instruments of processes that started at `start_ns`.
    pub(super) fn new(start_ns: u64) -> Self {
        Self { start_ns, points: BTreeMap::new() }
    }

    /// Takes over a measurement.
    pub(super) fn record(&mut self, measurement: Measurement) {
        let Measurement { place, instrument, time_ns, value, attributes, span } = measurement;
        let key = (instrument.name, attributes_key(&attributes));
        let points = self.points.entry(place).or_default();
        let (_, point) = points.entry(key).or_insert_with(|| {
            let point = Point { attributes, min: f64::MAX, max: f64::MIN, ..Point::default() };
            (instrument, point)
        });
        match instrument.kind {
            Kind::Counter => point.value += value,
            Kind::UpDownCounter | Kind::Gauge => point.value = value,
            Kind::Histogram => {
                point.value += value;
                point.count += 1;
                point.min = point.min.min(value);
                point.max = point.max.max(value);
                point.buckets[BOUNDS_S.partition_point(|bound| *bound < value)] += 1;
                if let Some((trace_id, span_id)) = span {
                    point.keep_exemplar(time_ns, value, &trace_id, &span_id);
                }
            }
        }
    }

    /// All points as of `time_ns`, one message a place.
    pub(super) fn export(&mut self, time_ns: u64) -> Vec<ResourceMetrics> {
        let start_ns = self.start_ns;
        let mut exported = Vec::new();
        for (place, points) in &mut self.points {
            let mut metrics: Vec<Metric> = Vec::new();
            for (instrument, point) in points.values_mut() {
                if metrics.last().is_none_or(|metric| metric.name != instrument.name) {
                    metrics.push(empty_metric(instrument));
                }
                let metric = metrics.last_mut().expect("pushed above if there was none");
                point.export_into(metric, start_ns, time_ns);
            }
            exported.push(ResourceMetrics {
                resource: Some(place.resource()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope()),
                    metrics,
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            });
        }
        exported
    }
}

impl Point {
    fn keep_exemplar(&mut self, time_ns: u64, value: f64, trace_id: &[u8], span_id: &[u8]) {
        let exemplar = Exemplar {
            time_unix_nano: time_ns,
            trace_id: trace_id.to_vec(),
            span_id: span_id.to_vec(),
            value: Some(exemplar::Value::AsDouble(value)),
            ..Exemplar::default()
        };
        if self.exemplars.len() < EXEMPLARS_MAX {
            self.exemplars.push(exemplar);
            return;
        }
        // The slowest are the ones worth looking at: the fastest makes room.
        let fastest = self.exemplars.iter_mut().min_by(|a, b| amount(a).total_cmp(&amount(b)));
        if let Some(fastest) = fastest
            && amount(fastest) < value
        {
            *fastest = exemplar;
        }
    }

    fn export_into(&mut self, metric: &mut Metric, start_ns: u64, time_ns: u64) {
        match &mut metric.data {
            Some(Data::Histogram(histogram)) => {
                histogram.data_points.push(self.histogram_point(start_ns, time_ns));
            }
            Some(Data::Sum(sum)) => {
                sum.data_points.push(self.number_point(start_ns, time_ns, sum.is_monotonic));
            }
            Some(Data::Gauge(gauge)) => {
                gauge.data_points.push(self.number_point(0, time_ns, false))
            }
            _ => {}
        }
    }

    fn number_point(&self, start_ns: u64, time_ns: u64, monotonic: bool) -> NumberDataPoint {
        let value = if monotonic && self.value.fract() == 0.0 {
            number_data_point::Value::AsInt(self.value as i64)
        } else {
            number_data_point::Value::AsDouble(self.value)
        };
        NumberDataPoint {
            attributes: self.attributes.clone(),
            start_time_unix_nano: start_ns,
            time_unix_nano: time_ns,
            value: Some(value),
            ..NumberDataPoint::default()
        }
    }

    fn histogram_point(&mut self, start_ns: u64, time_ns: u64) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.attributes.clone(),
            start_time_unix_nano: start_ns,
            time_unix_nano: time_ns,
            count: self.count,
            sum: Some(self.value),
            bucket_counts: self.buckets.to_vec(),
            explicit_bounds: BOUNDS_S.to_vec(),
            exemplars: std::mem::take(&mut self.exemplars),
            min: Some(self.min),
            max: Some(self.max),
            ..HistogramDataPoint::default()
        }
    }
}

fn empty_metric(instrument: &Instrument) -> Metric {
    let temporality = AggregationTemporality::Cumulative as i32;
    let data = match instrument.kind {
        Kind::Gauge => Data::Gauge(Gauge::default()),
        Kind::Histogram => Data::Histogram(Histogram {
            aggregation_temporality: temporality,
            ..Histogram::default()
        }),
        Kind::Counter | Kind::UpDownCounter => Data::Sum(Sum {
            aggregation_temporality: temporality,
            is_monotonic: instrument.kind == Kind::Counter,
            ..Sum::default()
        }),
    };
    Metric {
        name: instrument.name.to_owned(),
        description: instrument.description.to_owned(),
        unit: instrument.unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn attributes_key(attributes: &[KeyValue]) -> String {
    let mut key = String::new();
    for attribute in attributes {
        key.push_str(&attribute.key);
        key.push('=');
        match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(any_value::Value::StringValue(text)) => key.push_str(text),
            Some(any_value::Value::IntValue(number)) => key.push_str(&number.to_string()),
            other => key.push_str(&format!("{other:?}")),
        }
        key.push('\n');
    }
    key
}

fn amount(exemplar: &Exemplar) -> f64 {
    match exemplar.value {
        Some(exemplar::Value::AsDouble(value)) => value,
        Some(exemplar::Value::AsInt(value)) => value as f64,
        None => 0.0,
    }
}
