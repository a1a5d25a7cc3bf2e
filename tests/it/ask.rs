//! Sending and asking over HTTP; every answer must be a success unless a test looks itself.

use prost::Message;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::program::Program;
use crate::telemetry::SECOND_NS;

impl Program {
    /// Sends an OTLP request as protobuf; `signal` is `logs`, `metrics` or `traces`.
    pub(crate) async fn send(&self, signal: &str, request: &impl Message) {
        let answer = self.post_otlp(signal, request.encode_to_vec(), &[]).await;
        let status = answer.status();
        assert_eq!(status, StatusCode::OK, "{}", answer.text().await.unwrap());
    }

    /// What a path answers to a tenant, as JSON where it can; `None` sends no header.
    pub(crate) async fn as_tenant(
        &self,
        tenant: Option<&str>,
        path: &str,
        params: &[(&str, &str)],
    ) -> (StatusCode, String) {
        let mut request = self.http.get(self.url(path)).query(params);
        if let Some(tenant) = tenant {
            request = request.header("x-scope-orgid", tenant);
        }
        let answer = request.header("accept", "application/json").send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// Sends a body to an OTLP path with further headers; protobuf unless they say otherwise.
    pub(crate) async fn post_otlp(
        &self,
        signal: &str,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = self.http.post(self.url(&format!("/v1/{signal}"))).body(body);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/x-protobuf");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// The JSON that a path answers with.
    pub(crate) async fn get(&self, path: &str, params: &[(&str, &str)]) -> Value {
        let answer = self.http.get(self.url(path)).query(params).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path} {params:?}: {status} {text}\n{}", self.log());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// The result of an instant PromQL query at a time.
    pub(crate) async fn promql(&self, query: &str, time_ns: u64) -> Value {
        let time = seconds(time_ns);
        let params = [("query", query), ("time", &time)];
        let mut answer = self.get("/prometheus/api/v1/query", &params).await;
        assert_eq!(answer["status"], "success");
        sorted(answer["data"]["result"].take())
    }

    /// The result of a LogQL query over a range.
    pub(crate) async fn logql(&self, query: &str, start_ns: u64, end_ns: u64) -> Value {
        let (start, end) = (start_ns.to_string(), end_ns.to_string());
        let params =
            [("query", query), ("start", &start), ("end", &end), ("limit", "1000"), ("step", "60")];
        let mut answer = self.get("/loki/loki/api/v1/query_range", &params).await;
        assert_eq!(answer["status"], "success");
        sorted(answer["data"]["result"].take())
    }

    /// The traces that a TraceQL query finds in a range.
    pub(crate) async fn traceql(&self, query: &str, start_ns: u64, end_ns: u64) -> Value {
        let (start, end) = (start_ns / SECOND_NS, end_ns.div_ceil(SECOND_NS));
        let (start, end) = (start.to_string(), end.to_string());
        let params = [("q", query), ("start", &start), ("end", &end), ("limit", "100")];
        self.get("/tempo/api/search", &params).await["traces"].take()
    }

    /// The rows of a SQL statement.
    pub(crate) async fn sql(&self, statement: &str) -> Vec<Value> {
        let params = [("query", statement), ("format", "json")];
        match self.get("/sql", &params).await {
            Value::Array(rows) => rows,
            other => panic!("not an array of rows: {other}"),
        }
    }
}

/// Seconds since the epoch, as the Prometheus API takes them.
pub(crate) fn seconds(time_ns: u64) -> String {
    format!("{}.{:03}", time_ns / SECOND_NS, time_ns % SECOND_NS / 1_000_000)
}

/// The bodies of the records of a LogQL answer, sorted.
pub(crate) fn lines(streams: &Value) -> Vec<String> {
    let streams = streams.as_array().unwrap();
    let values = streams.iter().flat_map(|stream| stream["values"].as_array().unwrap());
    let mut lines: Vec<String> =
        values.map(|value| value[1].as_str().unwrap().to_owned()).collect();
    lines.sort();
    lines
}

/// Series and streams come in any order; tests compare them.
pub(crate) fn sorted(mut result: Value) -> Value {
    if let Value::Array(items) = &mut result {
        let labels = |item: &Value| format!("{}{}", item["metric"], item["stream"]);
        if items.iter().all(Value::is_object) {
            items.sort_by_key(labels);
        }
    }
    result
}
