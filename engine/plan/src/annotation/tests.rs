//! The texts, as Prometheus gives them.

use super::{Annotation, ForcedMonotonicity, HistogramOperation, Position, Remark, SampleType};

fn text(remark: Remark) -> String {
    Annotation { remark, at: Position { line: 1, column: 19 } }.to_string()
}

#[test]
fn numbers_are_written_as_go_does() {
    for (number, written) in [
        (1.1, "1.1"),
        (-1.0, "-1"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (123_456.0, "123456"),
        (1_234_567.0, "1.234567e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
    ] {
        let expected = format!(
            "PromQL warning: quantile value should be between 0 and 1, got {written} (1:19)"
        );
        assert_eq!(text(Remark::InvalidQuantile(number)), expected);
    }
}

#[test]
fn names_are_quoted_or_left_out() {
    assert_eq!(
        text(Remark::MixedClassicNative("a\"b\n".to_owned())),
        "PromQL warning: vector contains a mix of classic and native histograms for metric name \
         \"a\\\"b\\n\" (1:19)"
    );
    assert_eq!(
        text(Remark::MixedClassicNative(String::new())),
        "PromQL warning: vector contains a mix of classic and native histograms (1:19)"
    );
    assert_eq!(
        text(Remark::NotCounter(String::new())),
        "PromQL warning: this native histogram metric is not a counter: \"\" (1:19)"
    );
    assert_eq!(
        text(Remark::IncompatibleTypes {
            left: SampleType::Float,
            operator: "/",
            right: SampleType::Histogram
        }),
        "PromQL info: incompatible sample types encountered for binary operator \"/\": float / \
         histogram (1:19)"
    );
    assert_eq!(
        text(Remark::ConflictingCounterResets(HistogramOperation::Addition)),
        "PromQL warning: conflicting counter resets during histogram addition (1:19)"
    );
}

#[test]
fn lifted_buckets_of_a_metric_are_told_together() {
    let forced = |time_ms, bound_min, bound_max, difference_max| {
        Remark::ForcedMonotonicity(ForcedMonotonicity {
            metric: "series_1".to_owned(),
            bound_min,
            bound_max,
            difference_max,
            samples: 1,
            first_ms: time_ms,
            last_ms: time_ms,
        })
    };
    let mut remark = forced(1_735_084_800_000, 5.0, 50.0, 5.5);
    for other in
        [forced(1_703_462_400_000, 10.0, 100.0, 10.0), forced(1_733_011_200_000, 2.5, 75.0, 7.5)]
    {
        assert_eq!(remark.key(), other.key());
        remark.merge(&other);
    }
    assert_eq!(
        text(remark),
        "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see \
         https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for \
         metric name \"series_1\", from buckets 2.5 to 100, with a max diff of 10, over 3 samples \
         from 2023-12-25T00:00:00Z to 2024-12-25T00:00:00Z (1:19)"
    );
}
