//! Metric families as JSON, as Protobuf's mapping makes it of `io.prometheus.client.MetricFamily`:
//! what Prometheus answers at `status/self_metrics`.
//!
//! ```text
//!  {"name":"…","help":"…","type":"COUNTER",
//!   "metric":[{"label":[{"name":"a","value":"b"}],"counter":{"value":12}}]}
//! ```

use serde_json::{Map, Value, json};

use super::text::{Family, Kind, Sample};

/// Families, in order.
pub(super) fn json(families: &[Family]) -> Value {
    families.iter().map(family).collect()
}

fn family(family: &Family) -> Value {
    let (kind, metrics) = match family.kind {
        Kind::Counter => ("COUNTER", numbers(family, "counter")),
        Kind::Gauge => ("GAUGE", numbers(family, "gauge")),
        Kind::Histogram => ("HISTOGRAM", histograms(family)),
    };
    json!({"name": family.name, "help": family.help, "type": kind, "metric": metrics})
}

fn numbers(family: &Family, field: &str) -> Vec<Value> {
    let metric = |sample: &Sample| {
        let labels: Vec<&(String, String)> = sample.labels.iter().collect();
        metric(&labels, field, json!({"value": sample.value}))
    };
    family.samples.iter().map(metric).collect()
}

/// One for each set of labels but for `le`; sets follow one another.
fn histograms(family: &Family) -> Vec<Value> {
    let labels_of = |sample: &'_ Sample| -> Vec<(String, String)> {
        sample.labels.iter().filter(|label| label.0 != "le").cloned().collect()
    };
    let same = family.samples.chunk_by(|a, b| labels_of(a) == labels_of(b));
    let histogram = |samples: &[Sample]| {
        let (mut fields, mut buckets) = (Map::new(), Vec::new());
        for sample in samples {
            // Whole numbers of 64 bits are texts in this mapping.
            let count = || Value::from(sample.value.to_string());
            match sample.labels.iter().find(|label| label.0 == "le") {
                Some((_, bound)) => {
                    // There is no bucket of infinity: the count tells it.
                    if let Some(bound) = bound.parse().ok().filter(|bound: &f64| bound.is_finite())
                    {
                        buckets.push(json!({"cumulativeCount": count(), "upperBound": bound}));
                    }
                }
                None if sample.name.ends_with("_sum") => {
                    fields.insert("sampleSum".to_owned(), sample.value.into());
                }
                None => {
                    fields.insert("sampleCount".to_owned(), count());
                }
            }
        }
        fields.insert("bucket".to_owned(), buckets.into());
        let labels = samples.first().map(labels_of).unwrap_or_default();
        metric(&labels.iter().collect::<Vec<_>>(), "histogram", fields.into())
    };
    same.map(histogram).collect()
}

fn metric(labels: &[&(String, String)], field: &str, value: Value) -> Value {
    let label = |(name, value): &&(String, String)| json!({"name": name, "value": value});
    let labels: Vec<Value> = labels.iter().map(label).collect();
    let mut metric = Map::new();
    if !labels.is_empty() {
        metric.insert("label".to_owned(), labels.into());
    }
    metric.insert(field.to_owned(), value);
    metric.into()
}
