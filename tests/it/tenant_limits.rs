//! What a tenant may send and ask, and what it is told beyond its limits.

use std::time::Duration;

use prost::Message as _;
use reqwest::StatusCode;
use serde_json::Value;

use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

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

/// Asks the running program to read its configuration again.
fn hang_up(program: &Program) {
    let id = program.child_id().to_string();
    let sent = std::process::Command::new("kill").args(["-HUP", &id]).status().unwrap();
    assert!(sent.success());
}

/// Path, parameters, and what a refusal says; empty: there is none.
type Asked<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

/// Sends a request in the name of a tenant, and returns what the answer says.
async fn send_as(program: &Program, tenant: &str, signal: &str, body: Vec<u8>) -> String {
    let answer = program.post_otlp(signal, body, &[("x-scope-orgid", tenant)]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned()
}

/// Records and spans of two tenants, in segments; of a third metrics that are refused.
async fn fill(program: &Program, now: u64) {
    for tenant in ["tight", "free"] {
        for service in ["a", "b"] {
            let logs = telemetry::logs(service, vec![telemetry::log(now, "short")]);
            send_as(program, tenant, "logs", logs.encode_to_vec()).await;
            let spans = telemetry::spans(service, vec![telemetry::span(7, 1, 0, "visit", now)]);
            send_as(program, tenant, "traces", spans.encode_to_vec()).await;
        }
        let long = telemetry::logs("a", vec![telemetry::log(now, &"x".repeat(21))]);
        let told = send_as(program, tenant, "logs", long.encode_to_vec()).await;
        assert_eq!(told.is_empty(), tenant == "free", "{told}");
        let flushed = program.http.post(program.url("/api/v1/flush"));
        let flushed = flushed.header("x-scope-orgid", tenant).send().await.unwrap();
        assert_eq!(flushed.status(), StatusCode::NO_CONTENT);
    }
    for tenant in ["bare", "free"] {
        let point = vec![telemetry::point(now, 1.0, Vec::new())];
        let gauge = telemetry::metrics("a", vec![telemetry::gauge("up_for", point)]);
        let told = send_as(program, tenant, "metrics", gauge.encode_to_vec()).await;
        // Its name and its service are more labels than one.
        assert_eq!(told.contains("label"), tenant == "bare", "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_door_of_a_tenant_obeys_its_limits_and_they_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("siglake.toml");
    let tight = "[tenants.tight]\nquery_bytes = 1\nlog_records_max = 3\nquery_range_max = \"2h\"\n\
                 line_bytes = 20\n[tenants.bare]\nlabels_max = 1\n";
    std::fs::write(&file, tight).unwrap();
    let settings = ["multi_tenancy=true", "api.admin=true"];
    let environment = [("SIGLAKE_CONFIG", file.to_str().unwrap())];
    let program = Program::start_in(&settings, &environment).await;
    let now = now_ns();
    fill(&program, now).await;
    let (from, to) = ((now / SECOND_NS - 60).to_string(), (now / SECOND_NS + 60).to_string());
    let long_ago = (now / SECOND_NS - 3 * 3_600).to_string();
    let (loki, tempo) = ("/loki/loki/api/v1/query_range", "/tempo/api/search");
    let logs = |limit: &'static str| {
        [("query", r#"{service_name=~".+"}"#), ("limit", limit), ("start", &*from), ("end", &*to)]
    };
    let too_many = "would read too many bytes (query: ";
    let over = "range specified by start and end exceeds 2h0m0s. received start=";
    let asked: [Asked<'_>; 6] = [
        (loki, &logs("2"), too_many),
        (loki, &logs("4"), "max entries limit per query exceeded, limit > max_entries_limit_per_"),
        ("/sql", &[("query", "SELECT body FROM logs")], too_many),
        (tempo, &[("q", "{}"), ("start", &long_ago), ("end", &to)], over),
        (tempo, &[("q", "{}"), ("start", &from), ("end", &to)], too_many),
        ("/loki/loki/api/v1/labels", &[("start", &from), ("end", &to)], ""),
    ];
    for (path, params, told) in asked {
        let (status, text) = program.as_tenant(Some("tight"), path, params).await;
        assert_eq!(status.is_success(), told.is_empty(), "{path} {params:?}: {text}");
        assert!(text.contains(told), "{path} {params:?}: {text}");
        let (status, text) = program.as_tenant(Some("free"), path, params).await;
        assert_eq!(status, StatusCode::OK, "{path} {params:?}: {text}");
    }
    // What is wrong stays out; what is right holds from then on.
    std::fs::write(&file, "[tenants.\"a|b\"]\nqueries_max = 1\n").unwrap();
    hang_up(&program);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(program.as_tenant(Some("tight"), loki, &logs("2")).await.0, StatusCode::BAD_REQUEST);
    assert!(program.log().contains("the configuration is not read again"), "{}", program.log());
    std::fs::write(&file, "[tenants.free]\nanswer_bytes = 40\n").unwrap();
    hang_up(&program);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if program.as_tenant(Some("tight"), loki, &logs("4")).await.0.is_success() {
            break;
        }
    }
    let (status, text) = program.as_tenant(Some("tight"), loki, &logs("4")).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let (status, text) = program.as_tenant(Some("free"), loki, &logs("4")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("the answer is over the limit of 40 bytes"), "{text}");
}
