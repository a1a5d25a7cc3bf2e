//! What is deleted, too old, damaged or lost: delete requests of every signal, retention,
//! verify, backup and restore, on the real binary.

use std::process::{Command, Output};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use serde_json::{Value, json};

use crate::ask::{lines, seconds};
use crate::program::{Program, binary};
use crate::telemetry::{self, SECOND_NS, now_ns};

const FAST: &[&str] = &[
    "api.admin=true",
    "removal.delete_cancel_period=0s",
    "removal.vacuum_grace=0s",
    "removal.vacuum_interval=1s",
];

/// Two log streams of two lines, two series of two samples and two traces, ten minutes ago.
async fn fill(program: &Program, from_ns: u64) {
    for (service, user) in [("shop", "alice"), ("bank", "bob")] {
        let line = |at| telemetry::log(from_ns + at * SECOND_NS, &format!("{user} did {at}"));
        program.send("logs", &telemetry::logs(service, (0..2).map(line).collect())).await;
        program.send("metrics", &visits(service, from_ns, 2)).await;
        let trace = u128::from(service.len() as u64 + u64::from(service.as_bytes()[0]));
        let span = telemetry::span(trace, 1, 0, "visit", from_ns);
        program.send("traces", &telemetry::spans(service, vec![span])).await;
    }
}

fn visits(service: &str, from_ns: u64, count: u64) -> ExportMetricsServiceRequest {
    let point = |at| telemetry::point(from_ns + at * SECOND_NS, 1.0, Vec::new());
    let points = (0..count).map(point).collect();
    telemetry::metrics(service, vec![telemetry::gauge("visits", points)])
}

async fn log_lines(program: &Program, from_ns: u64) -> Vec<String> {
    let query = r#"{service_name=~".+"}"#;
    let streams = program.logql(query, from_ns - SECOND_NS, now_ns()).await;
    lines(&streams)
}

async fn services_of_samples(program: &Program, from_ns: u64) -> Vec<String> {
    let query = "count_over_time(visits[1h])";
    let answer = program.promql(query, from_ns + 60 * SECOND_NS).await;
    let series = answer.as_array().cloned().unwrap_or_default();
    let name = |it: &Value| it["metric"]["service_name"].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<String> = series.iter().map(name).collect();
    names.sort();
    names
}

async fn spans(program: &Program) -> i64 {
    let rows = program.sql("SELECT count(*) AS n FROM spans").await;
    rows[0]["n"].as_i64().unwrap()
}

async fn post(program: &Program, path: &str, params: &[(&str, &str)]) -> (u16, String, String) {
    let response = program.http.post(program.url(path)).form(params).send().await.unwrap();
    let id = response.headers().get("x-delete-request-id");
    let id = id.map(|id| id.to_str().unwrap().to_owned()).unwrap_or_default();
    (response.status().as_u16(), id, response.text().await.unwrap())
}

async fn flush(program: &Program) {
    assert_eq!(post(program, "/api/v1/flush", &[]).await.0, 204);
}

/// Waits until a request has come so far.
async fn reached(program: &Program, number: u64, state: &str) -> Value {
    for _ in 0..150 {
        let shown = program.get(&format!("/api/v1/deletes/{number}"), &[]).await;
        if shown["state"] == state {
            return shown;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("request {number} is not {state}: {}", program.log());
}

fn siglake(args: &[&str]) -> Output {
    Command::new(binary()).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_rows_are_hidden_at_once_and_then_gone() {
    let mut program = Program::start(FAST).await;
    let from_ns = now_ns() - 600 * SECOND_NS;
    fill(&program, from_ns).await;
    flush(&program).await;
    // In segments and in memory alike.
    let later_ns = from_ns + 60 * SECOND_NS;
    program
        .send("logs", &telemetry::logs("shop", vec![telemetry::log(later_ns, "alice came back")]))
        .await;

    let (start, end) = (seconds(from_ns - SECOND_NS), seconds(now_ns()));
    let range = [("start", start.as_str()), ("end", end.as_str())];
    let with = |more: &[(&'static str, &'static str)]| [&range[..], more].concat();
    let query = [("query", r#"{service_name="shop"} |= "alice""#)];
    let (status, id, body) = post(&program, "/loki/loki/api/v1/delete", &with(&query)).await;
    assert_eq!((status, id.as_str()), (204, "1"), "{body}");
    assert_eq!(log_lines(&program, from_ns).await, ["bob did 0", "bob did 1"]);

    let path = "/prometheus/api/v1/admin/tsdb/delete_series";
    let (status, _, body) =
        post(&program, path, &[("match[]", r#"visits{service_name="shop"}"#)]).await;
    assert_eq!(status, 204, "{body}");
    assert_eq!(services_of_samples(&program, from_ns).await, ["bank"]);
    let params = [("match[]", "visits")];
    let names = program.get("/prometheus/api/v1/label/service_name/values", &params).await;
    assert_eq!(names["data"], json!(["bank"]));

    let query = [("signal", "traces"), ("query", r#"{ resource.service.name = "shop" }"#)];
    let (status, _, body) = post(&program, "/api/v1/deletes", &query).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(spans(&program).await, 1);

    // What comes afterwards is kept, though it equals what was deleted.
    program.send("metrics", &visits("shop", from_ns, 1)).await;
    assert_eq!(services_of_samples(&program, from_ns).await, ["bank", "shop"]);

    for number in 1..=3 {
        let shown = reached(&program, number, "gone").await;
        assert!(shown["rows"].as_u64().unwrap() > 0, "{shown}");
        let objects = shown["objects"].as_array().unwrap();
        assert!(objects.iter().all(|object| object["is_there"] == false), "{shown}");
    }
    program.kill();
    program.start_again().await;
    assert_eq!(log_lines(&program, from_ns).await, ["bob did 0", "bob did 1"]);
    assert_eq!(services_of_samples(&program, from_ns).await, ["bank", "shop"]);
    assert_eq!(spans(&program).await, 1);
    let data = program.data();
    let verified = siglake(&["verify", "--data", data.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified));
    let listed = siglake(&["deletes", "list", "--url", &program.url("")]);
    assert_eq!(text(&listed).lines().count(), 3, "{}", text(&listed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_can_be_cancelled_and_a_wrong_one_is_refused() {
    let program = Program::start(&["removal.delete_cancel_period=1h"]).await;
    let from_ns = now_ns() - 600 * SECOND_NS;
    fill(&program, from_ns).await;
    let start = seconds(from_ns - SECOND_NS);
    for (params, told) in [
        (vec![("start", start.as_str())], "query not set"),
        (vec![("query", r#"{a="b"}"#)], "start time not set"),
        (vec![("query", r#"{a="b"}"#), ("start", "9999999999")], "deletes in the future"),
        (
            vec![("query", r#"{a="b"}"#), ("start", &start), ("end", &start)],
            "greater than or equal",
        ),
        (vec![("query", r#"{a="b"} | json"#), ("start", &start)], "can be deleted by"),
        (vec![("query", r#"{a=~".*"}"#), ("start", &start)], ""),
    ] {
        let (status, _, body) = post(&program, "/loki/loki/api/v1/delete", &params).await;
        assert_eq!(status, 400, "{params:?}: {body}");
        assert!(body.contains(told), "{body}");
    }
    let path = "/prometheus/api/v1/admin/tsdb/delete_series";
    let (status, _, body) = post(&program, path, &[("match[]", "visits")]).await;
    assert_eq!(status, 500);
    assert!(body.contains("admin APIs disabled"), "{body}");

    let params = [("query", r#"{service_name="shop"}"#), ("start", &start)];
    assert_eq!(post(&program, "/loki/loki/api/v1/delete", &params).await.0, 204);
    assert_eq!(log_lines(&program, from_ns).await.len(), 2);
    let list = program.get("/loki/loki/api/v1/delete", &[]).await;
    assert_eq!((&list[0]["request_id"], &list[0]["status"]), (&json!("1"), &json!("received")));
    let cancel = |id: &str| {
        program
            .http
            .delete(program.url(&format!("/loki/loki/api/v1/delete?request_id={id}")))
            .send()
    };
    assert_eq!(cancel("1").await.unwrap().status(), 204);
    assert_eq!(cancel("7").await.unwrap().status(), 404);
    assert_eq!(log_lines(&program, from_ns).await.len(), 4);
    let list = program.get("/loki/loki/api/v1/delete", &[]).await;
    assert_eq!(list, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_beyond_its_retention_is_hidden_and_goes() {
    let streams = r#"retention.stream=[{selector='{service_name="shop"}',period="5m"}]"#;
    let mut settings = FAST.to_vec();
    settings.extend([streams, "retention.interval=1s", "retention.traces=5m"]);
    let program = Program::start(&settings).await;
    let from_ns = now_ns() - 600 * SECOND_NS;
    fill(&program, from_ns).await;
    assert_eq!(log_lines(&program, from_ns).await, ["bob did 0", "bob did 1"]);
    assert_eq!(spans(&program).await, 0);
    assert_eq!(services_of_samples(&program, from_ns).await, ["bank", "shop"]);
    flush(&program).await;
    assert_eq!(log_lines(&program, from_ns).await, ["bob did 0", "bob did 1"]);
    let rows = async || {
        let verified = siglake(&["verify", "--json", "--data", program.data().to_str().unwrap()]);
        let sums = text(&verified).lines().last().unwrap_or_default().to_owned();
        let sums: Value = serde_json::from_str(&sums).unwrap();
        assert_eq!(sums["damages"], 0, "{}", text(&verified));
        sums["rows"].as_u64().unwrap()
    };
    // Two lines and their streams, four samples and their series are left.
    for _ in 0..100 {
        if rows().await == 2 + 2 + 4 + 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{} rows are left: {}", rows().await, program.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_elsewhere_and_damage_is_named() {
    let mut program = Program::start(FAST).await;
    let from_ns = now_ns() - 600 * SECOND_NS;
    fill(&program, from_ns).await;
    flush(&program).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = program.data().to_str().unwrap().to_owned();
    let backup = || siglake(&["backup", "--data", &data, "--to", &at("backup")]);
    let first = backup();
    assert!(first.status.success(), "{}", text(&first));
    // Nothing new: nothing is copied again.
    let again = text(&backup());
    assert!(again.contains("; 0 of 0B copied") || again.contains("; 0 of"), "{again}");
    let verified = siglake(&["verify", "--backup", &at("backup")]);
    assert!(verified.status.success(), "{}", text(&verified));

    let restored = siglake(&["restore", "--from", &at("backup"), "--data", &at("restored")]);
    assert!(restored.status.success(), "{}", text(&restored));
    let refused = siglake(&["restore", "--from", &at("backup"), "--data", &at("restored")]);
    assert!(text(&refused).contains("not empty"), "{}", text(&refused));
    let lines = log_lines(&program, from_ns).await;
    program.stop().await;
    for name in ["lake", "wal", "dedup", "writer"] {
        let _ = std::fs::remove_dir_all(program.data().join(name));
        let _ = std::fs::remove_file(program.data().join(name));
    }
    let moved = format!("{}/lake", at("restored"));
    std::fs::rename(moved, program.data().join("lake")).unwrap();
    program.start_again().await;
    assert_eq!(log_lines(&program, from_ns).await, lines);
    assert_eq!(services_of_samples(&program, from_ns).await, ["bank", "shop"]);
    program.stop().await;

    let segment = segment_of(&program.data().join("lake/logs"));
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let verified = siglake(&["verify", "--data", &data]);
    assert_eq!(verified.status.code(), Some(1), "{}", text(&verified));
    assert!(text(&verified).contains("its checksum is"), "{}", text(&verified));
    std::fs::remove_file(&segment).unwrap();
    let verified = siglake(&["verify", "--data", &data]);
    assert!(text(&verified).contains("is missing"), "{}", text(&verified));
    let nowhere = siglake(&["verify", "--data", &at("nowhere")]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere));
}

fn segment_of(folder: &std::path::Path) -> std::path::PathBuf {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            return segment_of(&path);
        }
        if path.extension().is_some_and(|extension| extension == "parquet") {
            return path;
        }
    }
    panic!("no segment in {}", folder.display());
}
