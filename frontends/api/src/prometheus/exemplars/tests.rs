//! The exact text of an answer.

use exec::Exemplar;
use schemas::model::{Label, Labels};

use super::encode;

#[test]
fn exemplars_are_written_as_prometheus_writes_them() {
    assert_eq!(encode(&[]), "[]");
    let labels: Labels =
        [Label::new("__name__", "a_bucket"), Label::new("le", "1")].into_iter().collect();
    let exemplar = |time_ms, trace_id, span_id| Exemplar {
        time_ms,
        value: 0.5,
        trace_id,
        span_id,
        attributes: Vec::new(),
    };
    let with_attributes = Exemplar {
        attributes: vec![("user_id".to_owned(), "a\"b".to_owned())],
        ..exemplar(2_000, None, None)
    };
    let found = [(labels, vec![exemplar(1_500, Some([1; 16]), Some([2; 8])), with_attributes])];
    assert_eq!(
        encode(&found),
        concat!(
            r#"[{"seriesLabels":{"__name__":"a_bucket","le":"1"},"exemplars":["#,
            r#"{"labels":{"trace_id":"01010101010101010101010101010101","#,
            r#""span_id":"0202020202020202"},"value":"0.5","timestamp":1.500},"#,
            r#"{"labels":{"user_id":"a\"b"},"value":"0.5","timestamp":2}]}]"#
        )
    );
}
