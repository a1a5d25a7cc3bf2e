//! Tenants never meet: two of them send alike, and neither finds a trace of the other, on no
//! path, in no state of the store, with no ticket.

use opentelemetry_proto::tonic::metrics::v1::{Exemplar, exemplar};
use prost::Message;
use reqwest::StatusCode;

use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// Two names of one length, so that one can be forged into a ticket of the other.
const TENANTS: [&str; 2] = ["blue", "pink"];

const TRACES: [u128; 2] = [0xb1, 0xf1];

/// Names that are none.
const NO_NAMES: &[&str] = &[
    "..",
    ".",
    "../blue",
    "a/b",
    "blue|pink",
    "blue|",
    "blue pink",
    "__mimir_cluster",
    "tenant=a",
];

async fn fill(program: &Program, base_ns: u64) {
    for (tenant, trace) in TENANTS.into_iter().zip(TRACES) {
        let name = |what: &str| format!("{tenant}_{what}");
        let mut record = telemetry::log(base_ns, &name("line"));
        record.attributes.push(telemetry::text(&name("key"), &name("word")));
        let logs = telemetry::logs(&name("service"), vec![record]).encode_to_vec();
        let attributes = vec![telemetry::text(&name("label"), &name("word"))];
        let mut point = telemetry::point(base_ns, 1.0, attributes);
        point.exemplars.push(Exemplar {
            filtered_attributes: vec![telemetry::text("who", &name("exemplar"))],
            time_unix_nano: base_ns,
            value: Some(exemplar::Value::AsDouble(1.0)),
            ..Exemplar::default()
        });
        let metric = telemetry::gauge(&name("value"), vec![point]);
        let metrics = telemetry::metrics(&name("service"), vec![metric]).encode_to_vec();
        let mut span = telemetry::span(trace, 1, 0, &name("span"), base_ns);
        span.attributes.push(telemetry::text(&name("key"), &name("word")));
        let traces = telemetry::spans(&name("service"), vec![span]).encode_to_vec();
        for (signal, body) in [("logs", logs), ("metrics", metrics), ("traces", traces)] {
            let answer = program.post_otlp(signal, body, &[("x-scope-orgid", tenant)]).await;
            assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text().await.unwrap());
        }
    }
}

/// Paths and parameters that tell a tenant all that it has.
fn everything(base_ns: u64) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let seconds = |offset: i64| (base_ns / SECOND_NS).saturating_add_signed(offset).to_string();
    let range = || vec![("start", seconds(-600)), ("end", seconds(60))];
    let with = |name: &'static str, value: &str| {
        let mut params = range();
        params.push((name, value.to_owned()));
        params
    };
    let instant = |query: &str| vec![("query", query.to_owned()), ("time", seconds(1))];
    let sql = |query: &str| vec![("query", query.to_owned()), ("format", "json".to_owned())];
    let all = r#"{__name__=~".+"}"#;
    let streams = r#"{service_name=~".+"}"#;
    vec![
        ("/prometheus/api/v1/query", instant(all)),
        ("/prometheus/api/v1/labels", range()),
        ("/prometheus/api/v1/label/__name__/values", range()),
        ("/prometheus/api/v1/label/service_name/values", range()),
        ("/prometheus/api/v1/series", with("match[]", all)),
        ("/prometheus/api/v1/metadata", Vec::new()),
        ("/prometheus/api/v1/query_exemplars", with("query", all)),
        ("/loki/api/v1/query_range", with("query", streams)),
        ("/loki/api/v1/label/service_name/values", range()),
        ("/loki/api/v1/series", with("match[]", streams)),
        ("/loki/api/v1/index/volume", with("query", streams)),
        ("/tempo/api/search", with("q", "{}")),
        ("/tempo/api/search/tag/service.name/values", range()),
        ("/tempo/api/v2/search/tag/resource.service.name/values", range()),
        ("/tempo/api/search/tags", range()),
        ("/sql", sql("SELECT * FROM logs")),
        ("/sql", sql("SELECT * FROM metrics")),
        ("/sql", sql("SELECT * FROM spans")),
        ("/sql", sql("SELECT * FROM traces")),
        ("/sql", sql("SELECT * FROM lake.logs")),
        ("/sql", sql("SELECT * FROM siglake.lake.series")),
        ("/sql", sql("SELECT * FROM lake.streams")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_what_another_tenant_has() {
    let mut program = Program::start(&["multi_tenancy=true"]).await;
    let base_ns = now_ns() - 60 * SECOND_NS;
    fill(&program, base_ns).await;
    // From the memtable, then from segments and indexes that were read again.
    for _ in 0..2 {
        for (path, params) in everything(base_ns) {
            let params: Vec<(&str, &str)> =
                params.iter().map(|(name, value)| (*name, value.as_str())).collect();
            // Both twice and in turn: whatever one warms, the other must not see.
            for (own, other) in
                [(0, 1), (1, 0), (0, 1), (1, 0)].map(|(own, other)| (TENANTS[own], TENANTS[other]))
            {
                let (status, text) = program.as_tenant(Some(own), path, &params).await;
                assert_eq!(status, StatusCode::OK, "{own} {path} {params:?}: {text}");
                assert!(text.contains(own), "{own} finds itself at {path} {params:?}: {text}");
                assert!(!text.contains(other), "{own} finds {other} at {path}: {text}");
            }
            let (_, text) = program.as_tenant(Some("nobody"), path, &params).await;
            let told = TENANTS.iter().any(|tenant| text.contains(tenant));
            assert!(!told, "nobody finds something at {path} {params:?}: {text}");
            let (status, text) = program.as_tenant(None, path, &params).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {text}");
            let told = if path == "/sql" { r#"{"error":"no org id"}"# } else { "no org id" };
            assert_eq!(text.trim(), told, "{path}");
        }
        for (at, tenant) in TENANTS.into_iter().enumerate() {
            for path in ["/tempo/api/traces/", "/tempo/api/v2/traces/"] {
                let own = format!("{path}{:032x}", TRACES[at]);
                let (status, text) = program.as_tenant(Some(tenant), &own, &[]).await;
                assert!(status.is_success() && text.contains(tenant), "{own}: {status} {text}");
                let foreign = format!("{path}{:032x}", TRACES[1 - at]);
                let (_, text) = program.as_tenant(Some(tenant), &foreign, &[]).await;
                assert!(!text.contains(TENANTS[1 - at]), "{foreign}: {text}");
            }
        }
        assert!(program.stop().await.success());
        program.start_again().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_reaches_nothing_but_the_tenants_tables() {
    let program = Program::start(&["multi_tenancy=true"]).await;
    fill(&program, now_ns() - 60 * SECOND_NS).await;
    let file = program.data().join("secret.csv");
    std::fs::write(&file, "a\nblue_file\n").unwrap();
    let file = file.to_str().unwrap();
    for statement in [
        format!("SELECT * FROM '{file}'"),
        format!("SELECT * FROM \"{file}\""),
        format!("SELECT * FROM read_csv('{file}')"),
        format!("SELECT * FROM read_parquet('{file}')"),
        format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{file}'"),
        format!("COPY (SELECT 1) TO '{file}'"),
        "CREATE TABLE t AS SELECT 1".to_owned(),
        "CREATE VIEW v AS SELECT * FROM logs".to_owned(),
        "DROP TABLE lake.logs".to_owned(),
        "INSERT INTO lake.logs SELECT * FROM lake.logs".to_owned(),
        "SET datafusion.catalog.default_schema = 'blue'".to_owned(),
        "SELECT * FROM blue.logs".to_owned(),
        "SELECT * FROM \"tenant=blue\".public.logs".to_owned(),
    ] {
        let params = [("query", statement.as_str())];
        let (status, text) = program.as_tenant(Some("pink"), "/sql", &params).await;
        assert!(status.is_client_error(), "{statement}: {status} {text}");
        assert!(!text.contains("blue_"), "{statement}: {text}");
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "a\nblue_file\n");
    for table in ["tables", "columns", "views", "schemata", "df_settings"] {
        let statement = format!("SELECT * FROM information_schema.{table}");
        let params = [("query", statement.as_str()), ("format", "json")];
        let (_, text) = program.as_tenant(Some("pink"), "/sql", &params).await;
        assert!(!text.contains("blue"), "{statement}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_one_tenants_or_refused_at_every_door() {
    let program = Program::start(&["multi_tenancy=true"]).await;
    let long = "x".repeat(4_000);
    let names = NO_NAMES.iter().copied().chain([long.as_str()]);
    let body = telemetry::logs("s", vec![telemetry::log(now_ns(), "x")]).encode_to_vec();
    for name in names {
        for path in ["/prometheus/api/v1/labels", "/loki/api/v1/labels", "/tempo/api/search/tags"] {
            let (status, text) = program.as_tenant(Some(name), path, &[]).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{name:.30} {path}: {text:.200}");
        }
        let params = [("query", "SELECT 1")];
        let (status, text) = program.as_tenant(Some(name), "/sql", &params).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name:.30}: {text:.200}");
        let headers = [("x-scope-orgid", name)];
        let answer = program.post_otlp("logs", body.clone(), &headers).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{name:.30}");
        let url = program.url("/prometheus/api/v1/write");
        let write = program.http.post(url).header("x-scope-orgid", name).body("x");
        assert_eq!(write.send().await.unwrap().status(), StatusCode::BAD_REQUEST, "{name:.30}");
    }
    let answer = program.post_otlp("logs", body, &[]).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tenants_the_header_is_ignored() {
    let program = Program::start(&[]).await;
    let body = telemetry::logs("s", vec![telemetry::log(now_ns(), "x")]).encode_to_vec();
    let headers = [("x-scope-orgid", "../blue|pink")];
    assert_eq!(program.post_otlp("logs", body, &headers).await.status(), StatusCode::OK);
    let rows = program.sql("SELECT body FROM logs").await;
    assert_eq!((rows.len(), &rows[0]["body"]), (1, &"x".into()));
}
