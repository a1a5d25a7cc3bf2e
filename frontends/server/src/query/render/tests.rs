//! Tests of answers as tables.

use serde_json::json;

use super::*;

fn render(form: Form, answer: &Value) -> String {
    super::render(form, answer, Vec::new())
}

#[test]
fn vectors_are_one_row_a_series() {
    let answer = json!({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"__name__": "up", "job": "a"}, "value": [1.5, "1"]},
        {"metric": {}, "value": [1.5, "2.5"]},
    ]}, "warnings": ["careful"]});
    let text = render(Form::Results, &answer);
    assert_eq!(
        text,
        "series       value\nup{job=\"a\"}      1\n{}             2.5\nnote: careful\n"
    );
}

#[test]
fn matrices_are_one_column_an_instant() {
    let answer = json!({"data": {"resultType": "matrix", "result": [
        {"metric": {"a": "1"}, "values": [[0, "1"], [60, "2"]]},
        {"metric": {"a": "2"}, "values": [[60, "3"]]},
    ]}});
    let text = render(Form::Results, &answer);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["series", "00:00:00", "00:01:00"]);
    assert!(lines[2].ends_with("                 3"), "{text}");
}

#[test]
fn log_records_of_all_streams_are_in_order_of_time() {
    let answer = json!({"data": {"resultType": "streams", "result": [
        {"stream": {"s": "a"}, "values": [["3000000000", "third"], ["1000000000", "first"]]},
        {"stream": {"s": "b"}, "values": [["2000000000", "second", {}]]},
    ]}});
    let text = render(Form::Results, &answer);
    let order: Vec<_> = text.lines().skip(1).map(|l| l.rsplit("  ").next().unwrap()).collect();
    assert_eq!(order, ["first", "second", "third"]);
}

#[test]
fn log_records_show_service_and_level_instead_of_all_labels() {
    let answer = json!({"data": {"resultType": "streams", "result": [{
        "stream": {"service_name": "order", "detected_level": "error", "pod": "x"},
        "values": [["0", "failed"]],
    }]}});
    let text = render(Form::Results, &answer);
    assert!(text.ends_with("1970-01-01T00:00:00.000Z  error  order    failed\n"), "{text}");
}

#[test]
fn numbers_are_rounded_for_readers() {
    let short = |text: &str| number(&json!(text));
    assert_eq!(short("2.4272195238095238"), "2.42722");
    assert_eq!(short("1795238496621100073"), "1795240000000000000");
    assert_eq!(short("0.000000123456789"), "0.000000123457");
    assert_eq!(short("1.23456789e-40"), "1.23457e-40");
    assert_eq!(short("+Inf"), "+Inf");
    assert_eq!(short("42"), "42");
}

#[test]
fn scalars_and_texts_stand_alone() {
    let answer = json!({"data": {"resultType": "scalar", "result": [1, "42"]}});
    assert_eq!(render(Form::Results, &answer), "42\n");
}

#[test]
fn traces_and_trace_metrics_are_tables() {
    let answer = json!({"traces": [{"traceID": "ab", "rootServiceName": "gw",
        "rootTraceName": "GET /", "startTimeUnixNano": "1000000000", "durationMs": 12,
        "spanSets": [{"matched": 2}]}]});
    let text = render(Form::Traces, &answer);
    assert!(text.contains("ab     1970-01-01T00:00:01.000Z  12  gw       GET /      2"), "{text}");
    let answer = json!({"series": [{"labels": [{"key": "a", "value": {"stringValue": "b"}}],
        "samples": [{"timestampMs": "1000", "value": 2.5}]}]});
    assert!(render(Form::TraceSeries, &answer).contains("{a=\"b\"}       2.5"));
}

#[test]
fn sql_rows_are_read_in_both_forms() {
    let objects = json!([{"a": 1, "b": "x"}, {"a": 2}]);
    let lists = json!({"columns": ["a", "b"], "rows": [[1, "x"], [2, null]]});
    assert_eq!(render(Form::Rows, &objects), render(Form::Rows, &lists));
    assert_eq!(render(Form::Rows, &json!({})), "(nothing found)\n");
    let columns = vec!["b".to_owned(), "a".to_owned()];
    let text = super::render(Form::Rows, &objects, columns);
    assert_eq!(text, "b  a\nx  1\n   2\n");
}

#[test]
fn answers_of_another_shape_do_not_panic() {
    for form in [Form::Results, Form::Traces, Form::TraceSeries, Form::Rows] {
        for answer in [json!(null), json!([1]), json!({"data": 1, "traces": {}, "series": "x"})] {
            render(form, &answer);
        }
    }
}
