//! Tenants: nothing of one is seen by another, and each has its limits.

use prost::Message as _;
use reqwest::StatusCode;
use serde_json::Value;

use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

impl Program {
    /// What a path answers to a tenant; `None` sends no header.
    async fn as_tenant(
        &self,
        tenant: Option<&str>,
        path: &str,
        params: &[(&str, &str)],
    ) -> (StatusCode, String) {
        let mut request = self.http.get(self.url(path)).query(params);
        if let Some(tenant) = tenant {
            request = request.header("x-scope-orgid", tenant);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }
}

/// Sends something of every signal that only this tenant has.
async fn fill(program: &Program, tenant: &str, trace: u128) {
    let now = now_ns();
    let headers = [("x-scope-orgid", tenant)];
    let mut record = telemetry::log(now, &format!("secret of {tenant}"));
    record.trace_id = trace.to_be_bytes().to_vec();
    let logs = telemetry::logs(&format!("service-{tenant}"), vec![record]);
    let points = vec![telemetry::point(now, 7.0, Vec::new())];
    let counter = telemetry::counter(&format!("things.{tenant}"), points);
    let metrics = telemetry::metrics(&format!("service-{tenant}"), vec![counter]);
    let span = telemetry::span(trace, 1, 0, &format!("act-{tenant}"), now);
    let spans = telemetry::spans(&format!("service-{tenant}"), vec![span]);
    for (signal, body) in [
        ("logs", logs.encode_to_vec()),
        ("metrics", metrics.encode_to_vec()),
        ("traces", spans.encode_to_vec()),
    ] {
        let answer = program.post_otlp(signal, body, &headers).await;
        assert_eq!(answer.status(), StatusCode::OK, "{signal} of {tenant}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_door_shows_another_tenants_data() {
    let program = Program::start(&["multi_tenancy=true", "storage.flush_interval=1s"]).await;
    fill(&program, "alpha", 0xa11).await;
    fill(&program, "beta", 0xbe7a).await;
    let (start, end) = (now_ns() - 3_600 * SECOND_NS, now_ns() + 60 * SECOND_NS);
    let (start_s, end_s) = ((start / SECOND_NS).to_string(), (end / SECOND_NS).to_string());
    let (start, end) = (start.to_string(), end.to_string());
    let prometheus = [("query", "{__name__=~\".+\"}"), ("match[]", "{__name__=~\".+\"}")];
    let loki = [("query", "{service_name=~\".+\"}"), ("start", &start), ("end", &end)];
    let tempo = [("q", "{}"), ("start", &start_s), ("end", &end_s)];
    let tables =
        ["logs", "spans", "metrics", "traces"].map(|table| format!("SELECT * FROM {table}"));
    let mut doors: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("/prometheus/api/v1/query", prometheus.to_vec()),
        ("/prometheus/api/v1/series", prometheus.to_vec()),
        ("/prometheus/api/v1/labels", Vec::new()),
        ("/prometheus/api/v1/label/__name__/values", Vec::new()),
        ("/prometheus/api/v1/metadata", Vec::new()),
        ("/loki/loki/api/v1/query_range", loki.to_vec()),
        ("/loki/loki/api/v1/series", loki.to_vec()),
        ("/loki/loki/api/v1/label/service_name/values", loki.to_vec()),
        ("/tempo/api/search", tempo.to_vec()),
        ("/tempo/api/v2/search/tag/resource.service.name/values", tempo.to_vec()),
        ("/tempo/api/traces/00000000000000000000000000000a11", Vec::new()),
    ];
    for statement in &tables {
        doors.push(("/sql", vec![("query", statement.as_str()), ("format", "json")]));
    }
    // From memory, then from segments.
    for _ in 0..2 {
        for (path, params) in &doors {
            let (_, own) = program.as_tenant(Some("alpha"), path, params).await;
            let (_, others) = program.as_tenant(Some("beta"), path, params).await;
            let by_id = path.contains("/traces/");
            assert!(own.contains("alpha"), "{path} {params:?}: {own}");
            assert!(!own.contains("beta"), "{path} {params:?}: {own}");
            assert!(by_id || others.contains("beta"), "{path} {params:?}: {others}");
            assert!(!others.contains("alpha"), "{path} {params:?}: {others}");
            let (status, stranger) = program.as_tenant(Some("gamma"), path, params).await;
            assert!(!stranger.contains("alpha") && !stranger.contains("beta"), "{stranger}");
            assert!(status.is_success() || status == StatusCode::NOT_FOUND, "{path}: {status}");
            let (status, _) = program.as_tenant(None, path, params).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            for name in ["../alpha", "alpha/", "..", "al%70ha", &"a".repeat(10_000)] {
                let (_, text) = program.as_tenant(Some(name), path, params).await;
                assert!(!text.contains("secret") && !text.contains("act-alpha"), "{name}: {text}");
            }
        }
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    }
    for statement in [
        "SELECT * FROM 'data/lake/logs'",
        "SELECT * FROM read_parquet('data/lake/logs/**')",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'data/lake/logs'",
        "SELECT * FROM information_schema.tables",
        "COPY (SELECT 1) TO 'out.parquet'",
    ] {
        let (_, text) = program.as_tenant(Some("beta"), "/sql", &[("query", statement)]).await;
        assert!(!text.contains("alpha"), "{statement}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_over_its_limits_is_told_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("siglake.toml");
    let config = "[limits]\nstreams_max = 2\n\
                  [tenants.slow]\nrecords_per_second = 1\nburst = \"1s\"\nquery_range_max = \"1h\"\n";
    std::fs::write(&file, config).unwrap();
    let file = file.to_str().unwrap();
    let program = Program::start_in(&["multi_tenancy=true"], &[("SIGLAKE_CONFIG", file)]).await;
    let send = async |tenant: &str, service: &str| {
        let logs = telemetry::logs(service, vec![telemetry::log(now_ns(), "line")]);
        let answer =
            program.post_otlp("logs", logs.encode_to_vec(), &[("x-scope-orgid", tenant)]).await;
        let (status, retry) = (answer.status(), answer.headers().contains_key("retry-after"));
        (status, retry, String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
    };
    assert_eq!(send("slow", "a").await.0, StatusCode::OK);
    let (status, retry, text) = send("slow", "a").await;
    assert_eq!((status, retry), (StatusCode::TOO_MANY_REQUESTS, true));
    let told = "Ingestion rate limit exceeded for user slow (limit: 1 records/sec)";
    assert!(text.contains(told), "{text}");
    for service in ["a", "b"] {
        assert_eq!(send("fast", service).await.2, "", "a full success says nothing");
    }
    let (status, _, text) = send("fast", "c").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("Maximum active stream limit exceeded"), "{text}");

    let now = now_ns() / SECOND_NS;
    let (start, end) = ((now - 7_200).to_string(), now.to_string());
    let params = [("query", "vector(1)"), ("start", &start), ("end", &end), ("step", "60")];
    let path = "/prometheus/api/v1/query_range";
    let (status, text) = program.as_tenant(Some("slow"), path, &params).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let answer: Value = serde_json::from_str(&text).unwrap();
    let told = "the query time range exceeds the limit (query length: 2h, limit: 1h)";
    assert_eq!(answer["error"], told);
    assert_eq!(program.as_tenant(Some("fast"), path, &params).await.0, StatusCode::OK);
}
