//! What Prometheus answers beside queries: searches, snapshots, headers, readiness, and who is told
//! to come back later.

use std::io::Read as _;

use prost::Message as _;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::ask::lines;
use crate::program::Program;
use crate::prometheus::{request, write};
use crate::telemetry::{self, SECOND_NS, now_ns};
use crate::tidy::root;

/// The lines of a search, each as JSON.
async fn search(program: &Program, endpoint: &str, params: &[(&str, &str)]) -> Vec<Value> {
    let url = program.url(&format!("/prometheus/api/v1/search/{endpoint}"));
    let answer = program.http.post(url).form(params).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson; charset=utf-8");
    let text = answer.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names that a search finds on its first line.
fn names(lines: &[Value]) -> Vec<&str> {
    let results = lines[0]["results"].as_array().unwrap();
    results.iter().map(|found| found["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_found_as_they_are_typed() {
    let program = Program::start(&["promql.search=true", "promql.search_results_max=150"]).await;
    let now_ms = (now_ns() / 1_000_000) as i64;
    let all = [
        r#"http_requests_total{job="api", instance="localhost:9090"} 1"#,
        r#"http_request_size{job="api", instance="localhost:9091"} 1"#,
        r#"process_cpu{job="worker"} 1"#,
    ];
    let answer = write(&program, request(now_ms - 1_000, 1_000, &all)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let end = json!({"status": "success", "has_more": false});
    let more = json!({"status": "success", "has_more": true});

    let found = search(&program, "metric_names", &[("search[]", "http_req")]).await;
    assert_eq!(names(&found), ["http_request_size", "http_requests_total"]);
    assert_eq!((found.len(), &found[1]), (2, &end));
    // Characters in order, the better one first.
    let params = [("search[]", "hrt"), ("sort_by", "score"), ("include_score", "true")];
    let found = search(&program, "metric_names", &params).await;
    assert_eq!(names(&found), ["http_requests_total", "http_request_size"]);
    let score = |at: usize| found[0]["results"][at]["score"].as_f64().unwrap();
    assert!(0.0 < score(1) && score(1) < score(0) && score(0) < 1.0, "{found:?}");
    let params = [("search[]", "PROC"), ("search[]", "size"), ("case_sensitive", "false")];
    let found = search(&program, "metric_names", &params).await;
    assert_eq!(names(&found), ["http_request_size", "process_cpu"]);
    let params = [("search[]", "htpp_request_size"), ("fuzz_alg", "jarowinkler")];
    assert_eq!(names(&search(&program, "metric_names", &params).await), Vec::<&str>::new());
    let params = [params[0], params[1], ("fuzz_threshold", "95")];
    let found = search(&program, "metric_names", &params).await;
    assert_eq!(names(&found), ["http_request_size"]);

    let found = search(&program, "label_names", &[("limit", "2")]).await;
    assert_eq!((names(&found), &found[1]), (vec!["__name__", "instance"], &more));
    let params = [("label", "instance"), ("match[]", "http_requests_total"), ("search[]", "90")];
    let found = search(&program, "label_values", &params).await;
    assert_eq!(found, [json!({"results": [{"name": "localhost:9090"}]}), end.clone()]);
    let params = [("label", "job"), ("sort_by", "alpha"), ("sort_dir", "dsc"), ("batch_size", "1")];
    let found = search(&program, "label_values", &params).await;
    let line = |name: &str| json!({"results": [{"name": name}]});
    assert_eq!(found, [line("worker"), line("api"), end.clone()]);
    let found = search(&program, "label_values", &[("label", "none")]).await;
    assert_eq!(found, [json!({"results": []}), end]);

    for (params, told) in [
        ("limit=151", "limit 151 exceeds the configured maximum"),
        ("match[]={", "invalid parameter \"match[]\""),
        ("start=2&end=1", "end timestamp must not be before start timestamp"),
        ("include_metadata=perhaps", "invalid include_metadata"),
    ] {
        let path = format!("/prometheus/api/v1/search/metric_names?{params}");
        let answer = program.http.get(program.url(&path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{params}");
        let answer: Value = answer.json().await.unwrap();
        let error = answer["error"].as_str().unwrap();
        assert!(answer["errorType"] == "bad_data" && error.contains(told), "{params}: {answer}");
    }
    let path = "/prometheus/api/v1/search/label_values";
    let answer = program.http.get(program.url(path)).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["error"], "missing required parameter \"label\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn found_metrics_have_their_metadata() {
    let program = Program::start(&["promql.search=true"]).await;
    let point = telemetry::point(now_ns(), 1.0, Vec::new());
    let mut metric = telemetry::gauge("queue_depth", vec![point]);
    metric.description = "Jobs that wait.".to_owned();
    program.send("metrics", &telemetry::metrics("shop", vec![metric])).await;
    let params = [("search[]", "queue"), ("include_metadata", "true")];
    let found = search(&program, "metric_names", &params).await;
    let result = &found[0]["results"][0];
    assert_eq!((&result["type"], &result["help"]), (&json!("gauge"), &json!("Jobs that wait.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_says_so() {
    let program = Program::start(&[]).await;
    for (method, path, told) in [
        (Method::GET, "search/metric_names", "search API disabled"),
        (Method::POST, "search/label_names", "search API disabled"),
        (Method::GET, "search/label_values?label=a", "search API disabled"),
        (Method::POST, "admin/tsdb/delete_series?match[]=up", "admin APIs disabled"),
        (Method::PUT, "admin/tsdb/clean_tombstones", "admin APIs disabled"),
        (Method::POST, "admin/tsdb/snapshot", "admin APIs disabled"),
    ] {
        let url = program.url(&format!("/prometheus/api/v1/{path}"));
        let answer = program.http.request(method, url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        let expected = json!({"status": "error", "errorType": "unavailable", "error": told});
        assert_eq!(answer.json::<Value>().await.unwrap(), expected, "{path}");
    }
    assert!(!program.data().join("snapshots").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_a_lake_of_its_own() {
    let mut program = Program::start(&["api.admin=true"]).await;
    let from_ns = now_ns() - 60 * SECOND_NS;
    let store = async |program: &Program, at: u64, line: &str| {
        let log = telemetry::log(from_ns + at * SECOND_NS, line);
        program.send("logs", &telemetry::logs("shop", vec![log])).await;
    };
    let snapshot = async |program: &Program, form: &[(&str, &str)]| {
        let url = program.url("/prometheus/api/v1/admin/tsdb/snapshot");
        let answer = program.http.put(url).form(form).send().await.unwrap();
        let status = answer.status();
        (status, answer.json::<Value>().await.unwrap())
    };
    store(&program, 0, "before").await;
    let (status, answer) = snapshot(&program, &[]).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let name = answer["data"]["name"].as_str().unwrap().to_owned();
    assert!(name.len() == "20260102T030405Z-0123456789abcdef".len(), "{name}");
    store(&program, 1, "after").await;
    // Without what is in memory only.
    let (_, answer) = snapshot(&program, &[("skip_head", "true")]).await;
    let second = answer["data"]["name"].as_str().unwrap().to_owned();
    assert_ne!(name, second);
    let (status, answer) = snapshot(&program, &[("skip_head", "perhaps")]).await;
    assert_eq!((status, &answer["errorType"]), (StatusCode::BAD_REQUEST, &json!("bad_data")));
    program.stop().await;
    for name in [name, second] {
        let folder = program.data().join("snapshots").join(name);
        let folder = folder.to_str().unwrap();
        let mut other = Program::prepare(&[]);
        let data = other.data().to_str().unwrap().to_owned();
        let told = program.command(&["restore", "--from", folder, "--data", &data]);
        assert!(told.contains("restored"), "{told}");
        other.start_again().await;
        let streams = other.logql(r#"{service_name="shop"}"#, from_ns - SECOND_NS, now_ns()).await;
        assert_eq!(lines(&streams), ["before"]);
    }
}

/// A whole JSON text, inflated by hand: the client is not told what the answer is packed in.
async fn inflated(answer: Response, encoding: &str) -> Value {
    assert_eq!(answer.headers()["content-encoding"], encoding);
    let vary = answer.headers().get_all("vary").iter().map(|value| value.to_str().unwrap());
    let vary: Vec<&str> = vary.collect();
    assert!(vary.iter().any(|it| it.eq_ignore_ascii_case("accept-encoding")), "{vary:?}");
    let body = answer.bytes().await.unwrap();
    let mut text = String::new();
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap(),
        _ => flate2::read::ZlibDecoder::new(&body[..]).read_to_string(&mut text).unwrap(),
    };
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_packed_as_clients_accept() {
    let program = Program::start(&[]).await;
    let url = program.url("/prometheus/api/v1/status/flags");
    let ask =
        |accepted: &'static str| program.http.get(&url).header("accept-encoding", accepted).send();
    let plain = ask("identity").await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    let plain: Value = plain.json().await.unwrap();
    for (accepted, encoding) in
        [("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate", "gzip")]
    {
        let answer = ask(accepted).await.unwrap();
        assert_eq!(inflated(answer, encoding).await, plain, "{accepted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_read() {
    let any = Program::start(&[]).await;
    let one = Program::start(&["promql.cors_origin=https://graphs.example"]).await;
    let none = Program::start(&["promql.cors_origin="]).await;
    let ask = async |program: &Program, method: Method, origin: &str| {
        let url = program.url("/prometheus/api/v1/query?query=1");
        let request = program.http.request(method, url).header("origin", origin);
        let answer = request.send().await.unwrap();
        let header =
            |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let vary: Vec<&str> =
            answer.headers().get_all("vary").iter().map(|it| it.to_str().unwrap()).collect();
        let varies = vary.contains(&"Origin");
        (answer.status(), header("access-control-allow-origin"), varies)
    };
    let graphs = "https://graphs.example";
    let (ok, no_content) = (StatusCode::OK, StatusCode::NO_CONTENT);
    let told = |origin: &str| Some(origin.to_owned());
    assert_eq!(ask(&any, Method::GET, graphs).await, (ok, told("*"), true));
    assert_eq!(ask(&any, Method::OPTIONS, graphs).await, (no_content, told("*"), true));
    assert_eq!(ask(&one, Method::GET, graphs).await, (ok, told(graphs), true));
    assert_eq!(ask(&one, Method::GET, "https://other.example").await, (ok, None, true));
    assert_eq!(ask(&none, Method::GET, graphs).await, (ok, None, false));
    assert_eq!(ask(&none, Method::OPTIONS, graphs).await, (no_content, None, false));
    // A request that is no page's gets no such headers.
    let url = any.url("/prometheus/api/v1/query?query=1");
    let answer = any.http.get(url).send().await.unwrap();
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    // Errors can be read, too.
    let url = any.url("/prometheus/api/v1/query?query=(");
    let answer = any.http.get(url).header("origin", graphs).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers()["access-control-allow-methods"], "GET, POST, OPTIONS");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_described_answers() {
    let program = Program::start(&[]).await;
    let answer = program.http.get(program.url("/prometheus/api/v1/openapi.yaml")).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/yaml");
    let text = answer.text().await.unwrap();
    let mut path = "";
    let mut asked = 0;
    for line in text.lines() {
        if let Some(found) = line.strip_prefix("  /") {
            path = found.trim_end_matches(':');
        }
        let method = match line {
            "    get:" => Method::GET,
            "    post:" => Method::POST,
            "    put:" => Method::PUT,
            _ => continue,
        };
        let path = path.replace("{name}", "job");
        let url = program.url(&format!("/prometheus/api/v1/{path}"));
        let answer = program.http.request(method.clone(), url).send().await.unwrap();
        let missing = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
        assert!(!missing.contains(&answer.status()), "{method} {path}: {}", answer.status());
        asked += 1;
    }
    // Whatever has a route is described.
    let file = root().join("frontends/api/src/prometheus/mod.rs");
    let source = std::fs::read_to_string(file).unwrap();
    for route in source.split("\"/api/v1/").skip(1) {
        let route = route.split('"').next().unwrap();
        assert!(text.contains(&format!("\n  /{route}:")) || route.ends_with("{name}"), "{route}");
    }
    assert!(asked > 40, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_metrics_are_shown_as_json() {
    let program = Program::start(&[]).await;
    let path = "/prometheus/api/v1/status/self_metrics";
    let all = program.get(path, &[]).await;
    let families = all["data"].as_array().unwrap();
    assert!(families.len() > 30, "{}", families.len());
    let kinds = ["COUNTER", "GAUGE", "HISTOGRAM"];
    for family in families {
        assert!(kinds.contains(&family["type"].as_str().unwrap()), "{family}");
        assert!(family["metric"].is_array() && family["help"].is_string(), "{family}");
    }
    let histogram = families.iter().find(|family| family["type"] == "HISTOGRAM").unwrap();
    let shown = &histogram["metric"][0]["histogram"];
    assert!(shown["sampleCount"].is_string() && shown["bucket"].is_array(), "{histogram}");
    let pattern = [("metric_name_pattern", "siglake_queries_.*|process_open_fds")];
    let some = program.get(path, &pattern).await;
    let names: Vec<&str> =
        some["data"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    let expected = ["siglake_queries_running", "siglake_queries_total", "process_open_fds"];
    assert_eq!(names, expected);
    let total = &some["data"][1]["metric"][0];
    assert!(total["counter"]["value"].is_number() && total["label"][0]["name"] == "language");
    let url = program.url(&format!("{path}?metric_name_pattern=("));
    let wrong = program.http.get(url).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    assert_eq!(wrong.json::<Value>().await.unwrap()["errorType"], "bad_data");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_answered_without_bodies() {
    let program = Program::start(&[]).await;
    for path in ["-/healthy", "-/ready", "metrics", "federate?match[]=up", "api/v1/labels"] {
        let url = program.url(&format!("/prometheus/{path}"));
        let answer = program.http.head(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert!(answer.bytes().await.unwrap().is_empty(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_too_much_is_told_when_to_come_back() {
    let settings = ["limits.records_per_second=10", "limits.burst=1s", "ingest.past_max=100000d"];
    let program = Program::start(&settings).await;
    let at = |n: i64| request(n * 10_000, 1_000, &["x 1+1x9"]);
    assert_eq!(write(&program, at(1)).await.status(), StatusCode::NO_CONTENT);
    let answer = write(&program, at(2)).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    // Remote write 2.0 tells on every path how much was written.
    assert_eq!(answer.headers()["x-prometheus-remote-write-samples-written"], "0");
    // Whoever waits as long is served.
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    assert_eq!(write(&program, at(2)).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_come_over_otlp_below_the_prometheus_api() {
    let program = Program::start(&[]).await;
    let at = now_ns();
    let metric = telemetry::gauge("queue.depth", vec![telemetry::point(at, 4.0, Vec::new())]);
    let body = telemetry::metrics("shop", vec![metric]).encode_to_vec();
    let post = async |body: Vec<u8>| {
        let url = program.url("/prometheus/api/v1/otlp/v1/metrics");
        let request = program.http.post(url).header("content-type", "application/x-protobuf");
        request.body(body).send().await.unwrap().status()
    };
    assert_eq!(post(body).await, StatusCode::OK);
    assert_eq!(post(vec![0xFF]).await, StatusCode::BAD_REQUEST);
    let found = program.promql(r#"{__name__=~"queue.depth"}"#, at).await;
    assert_eq!(found[0]["value"][1], "4", "{found}");
}
