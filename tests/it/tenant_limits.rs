//! What a tenant may send and ask, and what it is told beyond its limits.

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
