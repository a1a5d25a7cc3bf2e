//! What a server says of itself.

use exec::{Cardinality, MetricStatistics};
use schemas::model::Label;

use super::*;

#[test]
fn statistics_are_lists_of_names_and_values() {
    let statistics = MetricStatistics {
        cardinality: Cardinality {
            series: 3,
            label_pairs: 4,
            series_by_metric: vec![("up".into(), 2), ("x".into(), 1)],
            values_by_name: vec![("__name__".into(), 2)],
            bytes_by_name: Vec::new(),
            series_by_pair: vec![(Label::new("job", "a\"b"), 3)],
        },
        segments: 1,
        times_ns: Some((5_000_000, 7_999_999)),
    };
    assert_eq!(
        write_statistics(&statistics),
        concat!(
            r#"{"headStats":{"numSeries":3,"numLabelPairs":4,"chunkCount":1,"minTime":5,"#,
            r#""maxTime":7},"seriesCountByMetricName":[{"name":"up","value":2},"#,
            r#"{"name":"x","value":1}],"labelValueCountByLabelName":"#,
            r#"[{"name":"__name__","value":2}],"memoryInBytesByLabelName":[],"#,
            r#""seriesCountByLabelValuePair":[{"name":"job=a\"b","value":3}]}"#
        )
    );
}

#[test]
fn numbers_are_refused_in_prometheus_words() {
    let params = Params::parse(&[b"limit=x&other=-1"]).unwrap();
    assert_eq!(number(&params, "limit").unwrap_err().to_string(), "limit must be a number");
    assert_eq!(number(&params, "other").unwrap(), Some(-1));
    assert_eq!(number(&params, "absent").unwrap(), None);
}
