//! The Prometheus API with data behind it, as its clients use it; `tests/cases/api` has the exact
//! answers of a server without.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::program::Program;
use crate::script::{series, write_request};

/// Samples may lie in 1970.
const SETTINGS: [&str; 1] = ["ingest.past_max=100000d"];

/// A request of remote write 2.0 with series as test files describe them, the i-th sample of each
/// at `first_ms + i * interval_ms`.
pub(crate) fn request(first_ms: i64, interval_ms: i64, lines: &[&str]) -> Vec<u8> {
    let described = lines.iter().map(|line| match series::parse(line).unwrap() {
        series::Line::Series(series) => series,
        series::Line::Starts(_) => panic!("{line}: start times stand alone"),
    });
    let described: Vec<series::Series> = described.collect();
    write_request::encode((first_ms, interval_ms), &described).unwrap().0
}

pub(crate) async fn write(program: &Program, body: Vec<u8>) -> Response {
    let request = program.http.post(program.url("/prometheus/api/v1/write")).body(body);
    let message = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let request = request.header("content-type", message).header("content-encoding", "snappy");
    request.send().await.unwrap()
}

fn written(answer: &Response) -> [u64; 3] {
    ["samples", "histograms", "exemplars"].map(|kind| {
        let name = format!("x-prometheus-remote-write-{kind}-written");
        answer.headers()[&name].to_str().unwrap().parse().unwrap()
    })
}

async fn filled(lines: &[&str]) -> Program {
    let program = Program::start(&SETTINGS).await;
    let answer = write(&program, request(0, 10_000, lines)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{}", answer.text().await.unwrap());
    program
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_values_have_limits_and_escapes() {
    let program = filled(&[
        r#"up{job="a", instance="1"} 1x10"#,
        r#"up{job="b", instance="2"} 1x10"#,
        r#"{"http.requests", "host.name"="x y", job="a"} 0+1x10"#,
        r#"late{job="c"} _x200000 1"#,
    ])
    .await;
    let truncated = json!(["results truncated due to limit"]);
    let get = async |path: &str, params: &[(&str, &str)]| {
        let mut answer = program.get(&format!("/prometheus/api/v1/{path}"), params).await;
        (answer["data"].take(), answer["warnings"].take())
    };
    let none = Value::Null;
    for (path, params, data, warnings) in [
        ("label/job/values", vec![], json!(["a", "b", "c"]), &none),
        ("label/job/values", vec![("limit", "2")], json!(["a", "b"]), &truncated),
        ("label/job/values", vec![("limit", "3")], json!(["a", "b", "c"]), &none),
        ("label/job/values", vec![("limit", "0")], json!(["a", "b", "c"]), &none),
        (
            "label/job/values",
            vec![("match[]", "up{job!=\"a\"}"), ("match[]", "late")],
            json!(["b", "c"]),
            &none,
        ),
        // Days are told apart: the late sample lies on another one.
        ("label/job/values", vec![("start", "0"), ("end", "100")], json!(["a", "b"]), &none),
        ("label/job/values", vec![("start", "5"), ("end", "1")], json!([]), &none),
        ("label/U__host_2e_name/values", vec![], json!(["x y"]), &none),
        ("label/host.name/values", vec![], json!(["x y"]), &none),
        ("label/__name__/values", vec![], json!(["http.requests", "late", "up"]), &none),
        ("labels", vec![("limit", "2")], json!(["__name__", "host.name"]), &truncated),
        (
            "series",
            vec![("match[]", "up"), ("limit", "1")],
            json!([{"__name__": "up", "instance": "1", "job": "a"}]),
            &truncated,
        ),
        (
            "series",
            vec![("match[]", r#"{"http.requests"}"#)],
            json!([{"__name__": "http.requests", "host.name": "x y", "job": "a"}]),
            &none,
        ),
        (
            "query",
            vec![("query", "up"), ("time", "50"), ("limit", "1")],
            json!({"resultType": "vector", "result":
                [{"metric": {"__name__": "up", "instance": "1", "job": "a"}, "value": [50, "1"]}]}),
            &truncated,
        ),
        // A lookback of its own, and none that reaches back so far.
        (
            "query",
            vec![("query", "count(up)"), ("time", "400"), ("lookback_delta", "600")],
            json!({"resultType": "vector", "result": [{"metric": {}, "value": [400, "2"]}]}),
            &none,
        ),
        (
            "query",
            vec![("query", "count(up)"), ("time", "400"), ("lookback_delta", "4m")],
            json!({"resultType": "vector", "result": []}),
            &none,
        ),
    ] {
        let (got, warned) = get(path, &params).await;
        assert_eq!((&got, &warned), (&data, warnings), "{path} {params:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drilldown_asks_about_all_series() {
    let lines: Vec<String> = (0..50).map(|at| format!("m{}{{n=\"{at}\"}} 1x10", at % 5)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let program = filled(&lines).await;
    for (query, count) in [
        (
            r#"group by (__name__) ({__name__!=""}) unless (group by (__name__) ({__name__!=""} offset 1m))"#,
            5,
        ),
        (r#"count({__name__!=""}) by (__name__)"#, 5),
        (r#"sum(count_over_time({__name__=~"m.", n!=""}[1m]))"#, 1),
        ("ALERTS{alertname=\"x\"}", 0),
        ("ALERTS_FOR_STATE", 0),
    ] {
        // A POST whose parameters are in the URL, and parameters that nobody knows.
        let url = program.url("/prometheus/api/v1/query");
        let params = [("query", query), ("time", "30"), ("partial_response", "true")];
        let post = program.http.post(url).query(&params).send().await.unwrap();
        let answer: Value = post.json().await.unwrap();
        let result = answer["data"]["result"].as_array();
        assert_eq!(result.map(Vec::len), Some(count), "{query}: {answer}");
    }
    let limited = [("limit", "2")];
    let statistics = program.get("/prometheus/api/v1/status/tsdb", &limited).await;
    let data = &statistics["data"];
    assert_eq!(data["headStats"]["numSeries"], 50);
    let metrics = json!([{"name": "m0", "value": 10}, {"name": "m1", "value": 10}]);
    assert_eq!(data["seriesCountByMetricName"], metrics);
    let values = json!([{"name": "n", "value": 50}, {"name": "__name__", "value": 5}]);
    assert_eq!(data["labelValueCountByLabelName"], values);
}

#[tokio::test(flavor = "multi_thread")]
async fn federation_tells_the_newest_samples() {
    let program = Program::start(&[]).await;
    let now_ms = (crate::telemetry::now_ns() / 1_000_000) as i64;
    let lines = [
        r#"up{job="a"} 1 0"#,
        r#"up{job="gone"} 1 stale"#,
        r#"{"odd.name", job="b"} 2.5 1e21"#,
        r#"other{instance="i"} 7"#,
    ];
    let answer = write(&program, request(now_ms - 5_000, 1_000, &lines)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let federate = async |accept: &str, selectors: &[&str]| {
        let params: Vec<(&str, &str)> = selectors.iter().map(|one| ("match[]", *one)).collect();
        let request = program.http.get(program.url("/prometheus/federate")).query(&params);
        let answer = request.header("accept", accept).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status(), kind, answer.text().await.unwrap())
    };
    let (status, kind, text) = federate("*/*", &["up", r#"{"odd.name"}"#, r#"{job="a"}"#]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(kind.starts_with("text/plain; version=0.0.4; charset=utf-8"), "{kind}");
    let time = now_ms - 4_000;
    let expected = format!(
        "# TYPE odd_name untyped\nodd_name{{instance=\"\",job=\"b\"}} 1e+21 {time}\n\
         # TYPE up untyped\nup{{instance=\"\",job=\"a\"}} 0 {time}\n"
    );
    assert_eq!(text, expected);
    let modern = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1";
    let (_, kind, text) = federate(modern, &[r#"{"odd.name"}"#]).await;
    assert!(kind.contains("version=1.0.0") && kind.contains("escaping=allow-utf-8"), "{kind}");
    assert!(text.contains("{\"odd.name\",instance=\"\",job=\"b\"} 1e+21"), "{text}");
    assert_eq!(federate("*/*", &[]).await.2, "");
    let (status, _, text) = federate("*/*", &["up{"]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.starts_with("1:"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_write_is_stored_once() {
    let program = Program::start(&SETTINGS).await;
    let lines = [r#"x{a="1"} 1+1x4"#, r#"h{a="1"} {{schema:0 count:3 sum:4 buckets:[1 2]}}x2"#];
    let body = request(0, 10_000, &lines);
    for turn in 0..3 {
        let answer = write(&program, body.clone()).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "turn {turn}");
        assert_eq!(written(&answer), [5, 3, 0], "turn {turn}");
    }
    for (table, rows) in [("metric_samples", 5), ("metric_histograms", 3)] {
        let found = program.sql(&format!("SELECT count(*) AS n FROM lake.{table}")).await;
        assert_eq!(found[0]["n"], rows, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_say_who_must_send_again() {
    let program = Program::start(&["ingest.body_bytes=64KiB"]).await;
    let now_ms = (crate::telemetry::now_ns() / 1_000_000) as i64;
    let hour_ms = 3_600_000;
    // One sample is now, the other one an hour ahead: part of it is stored, and never the rest.
    let answer = write(&program, request(now_ms, hour_ms, &[r#"x{a="1"} 1 2"#])).await;
    assert_eq!((answer.status(), written(&answer)), (StatusCode::BAD_REQUEST, [1, 0, 0]));
    let told = answer.text().await.unwrap();
    assert!(told.starts_with("1 samples are not stored: "), "{told}");
    // A histogram that makes no sense.
    let answer = write(
        &program,
        request(now_ms, 1_000, &["h {{schema:-53 custom_values:[2 1] count:1 buckets:[1]}}"]),
    )
    .await;
    assert_eq!((answer.status(), written(&answer)), (StatusCode::BAD_REQUEST, [0, 0, 0]));
    // Too long for this server, however often it is sent.
    let lines: Vec<String> = (0..20_000_u64)
        .map(|at| format!("x{{a=\"{:x}\"}} 1", at.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let answer = write(&program, request(now_ms, 1_000, &lines)).await;
    assert_eq!((answer.status(), written(&answer)), (StatusCode::PAYLOAD_TOO_LARGE, [0, 0, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_vector_is_shown_as_it_is_stored() {
    let program = filled(&[
        r#"x{a="1"} 0+1x5"#,
        r#"x{a="2"} 1 stale 3 _ {{count:2 sum:3 buckets:[2]}}"#,
        r#"x{a="3"} stale stale"#,
    ])
    .await;
    let ask = async |query: &str, limit: &str| {
        let params = [("query", query), ("time", "50.001"), ("limit", limit)];
        let mut answer = program.get("/prometheus/api/v1/query", &params).await;
        assert_eq!(answer["data"]["resultType"], "matrix", "{answer}");
        (answer["data"]["result"].take(), answer["warnings"].take())
    };
    let labels = |a: &str| json!({"__name__": "x", "a": a});
    let first = json!({"metric": labels("1"), "values": [[30, "3"], [40, "4"]]});
    let second = json!({
        "metric": labels("2"),
        "histograms": [[40, {"count": "2", "sum": "3", "buckets": [[0, "0.5", "1", "2"]]}]],
    });
    // Its start does not belong to a range.
    let (result, warnings) = ask("(x[20s] offset 10001ms)", "").await;
    assert_eq!((result, warnings), (json!([first, second]), Value::Null));
    let (result, warnings) = ask("x[20s] offset 10001ms", "1").await;
    assert_eq!((result, warnings), (json!([first]), json!(["results truncated due to limit"])));
    let (result, _) = ask("x{a=\"1\"}[40s:15s]", "").await;
    let steps = json!([[15, "1"], [30, "3"], [45, "4"]]);
    assert_eq!(result, json!([{"metric": labels("1"), "values": steps}]));
    let (result, _) = ask("x{a=\"3\"}[1h]", "").await;
    assert_eq!(result, json!([]));
    let params = [("query", "x[1m]"), ("start", "0"), ("end", "1"), ("step", "1")];
    let request = program.http.get(program.url("/prometheus/api/v1/query_range")).query(&params);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let why = "invalid parameter \"query\": invalid expression type \"range vector\" for range \
               query, must be Scalar or instant Vector";
    assert_eq!(answer["error"], why);
}
