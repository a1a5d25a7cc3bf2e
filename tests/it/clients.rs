//! The clients that people have: OpenTelemetry's SDK for Python, promtool, pyarrow.
//!
//! Where Python or promtool cannot be had, these tests say so and pass; with `CI=true` they fail.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::ask::{lines, seconds};
use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};
use crate::tidy::root;

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_sends_and_a_person_asks() {
    let Some(python) = python() else { return };
    let program = Program::start(&[]).await;
    let script = root().join("tests/clients/send.py");
    let mut traces = Vec::new();
    for protocol in ["grpc", "http"] {
        let printed = run(&python, &[script.to_str().unwrap(), protocol, &program.url("")]);
        traces.push(printed.trim().to_owned());
    }
    let now = now_ns();
    let since = now - 600 * SECOND_NS;

    let counts = program.promql("otel_request_count_total", now).await;
    let values: Vec<&str> =
        counts.as_array().unwrap().iter().filter_map(|one| one["value"][1].as_str()).collect();
    assert_eq!(values, ["5", "5"], "once over gRPC, once over HTTP: {counts}");
    let rate = "sum by (service_name) (rate(otel_response_time_histogram_bucket[5m]))";
    let rate = program.promql(rate, now).await;
    assert_eq!(rate[0]["metric"]["service_name"], "my-application", "{rate}");
    let value: f64 = rate[0]["value"][1].as_str().unwrap().parse().unwrap();
    assert!(value > 0.0, "{rate}");

    let said = "{service_name=\"my-application\"} |= \"Request processed\"";
    let said = program.logql(said, since, now).await;
    assert_eq!(lines(&said), ["Request processed", "Request processed"]);

    let failed = "{ resource.service.name = \"my-application\" && status = error }";
    let failed = program.traceql(failed, since, now).await;
    assert_eq!(failed.as_array().unwrap().len(), 2, "{failed}");
    for trace in &traces {
        let url = program.url(&format!("/tempo/api/traces/{trace}"));
        let answer =
            program.http.get(url).header("accept", "application/json").send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert_eq!(text.matches("\"spanId\"").count(), 2, "{trace}: {text}");
    }

    let join = "SELECT l.body, s.name, s.trace_id FROM logs l \
                JOIN spans s ON l.trace_id = s.trace_id WHERE s.status = 'error'";
    let rows = program.sql(join).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    for row in rows {
        assert_eq!(row["name"], "query database");
        assert!(traces.iter().any(|trace| row["trace_id"] == trace.as_str()), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_asks_as_of_any_prometheus() {
    let Some(promtool) = promtool() else { return };
    let program = Program::start(&[]).await;
    let now = now_ns();
    let times = [now - 60 * SECOND_NS, now - 30 * SECOND_NS, now];
    let points = (0_u32..)
        .zip(times)
        .map(|(step, time)| telemetry::point(time, f64::from(step) * 30.0, Vec::new()));
    let counter = telemetry::counter("work.done", points.collect());
    program.send("metrics", &telemetry::metrics("worker", vec![counter])).await;

    let url = program.url("/prometheus");
    let instant = run(&promtool, &["query", "instant", &url, "work_done_total"]);
    assert!(instant.contains("work_done_total{") && instant.contains("=> 60"), "{instant}");
    let (start, end) = (seconds(now - 60 * SECOND_NS), seconds(now));
    let start = format!("--start={start}");
    let end = format!("--end={end}");
    let range = run(
        &promtool,
        &["query", "range", &start, &end, "--step=30s", &url, "sum by (job) (work_done_total)"],
    );
    assert!(range.contains("job=\"worker\"") && range.contains("60 @["), "{range}");
    let labels = run(&promtool, &["query", "labels", &url, "__name__"]);
    assert!(labels.lines().any(|line| line == "work_done_total"), "{labels}");
    let series = run(&promtool, &["query", "series", "--match=work_done_total", &url]);
    assert!(series.contains("work_done_total"), "{series}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pyarrow_speaks_flight_sql() {
    let Some(python) = python() else { return };
    let program = Program::start(&[]).await;
    let mut record = telemetry::log(now_ns(), "over flight");
    record.trace_id = 7_u128.to_be_bytes().to_vec();
    program.send("logs", &telemetry::logs("flyer", vec![record])).await;
    program
        .send("traces", &telemetry::spans("flyer", vec![telemetry::span(7, 1, 0, "fly", now_ns())]))
        .await;

    let script = root().join("tests/clients/flight.py");
    let address = program.address();
    let ask = |arguments: &[&str]| -> Vec<Value> {
        let all = [&[script.to_str().unwrap(), &address], arguments].concat();
        run(&python, &all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let one = ask(&["sql", "select 1 as one"]);
    assert_eq!(one[0]["one"], 1);
    let join = "SELECT l.time, l.service_name, l.body, s.name FROM logs l \
                JOIN spans s ON l.trace_id = s.trace_id";
    let rows = ask(&["sql", join]);
    assert_eq!((&rows[0]["body"], &rows[0]["name"]), (&"over flight".into(), &"fly".into()));
    assert_eq!(rows[0]["service_name"], "flyer");
    assert_eq!(ask(&["prepared", join]), rows);
    let everything = ask(&["sql", "SELECT * FROM spans"]);
    assert_eq!(everything.len(), 1);
    let tables = ask(&["tables"]);
    let names: Vec<&str> = tables.iter().filter_map(|row| row["table_name"].as_str()).collect();
    for name in ["logs", "metrics", "spans", "traces"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

/// What a client program prints; it must succeed.
pub(crate) fn run(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {arguments:?}: {errors}", program.display());
    String::from_utf8(output.stdout).unwrap()
}

/// A Python with the packages of `clients/requirements.txt`, installed once beside the build.
pub(crate) fn python() -> Option<PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    have(PYTHON.get_or_init(install_python))
}

fn install_python() -> Result<PathBuf, String> {
    // target/<profile>/deps/it-<hash>
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(3).unwrap().join("clients-venv");
    let python = folder.join("bin/python");
    let requirements = root().join("tests/clients/requirements.txt");
    // Its scripts name the folder, so a copy of it elsewhere is of no use.
    let mut wanted = std::fs::read_to_string(&requirements).unwrap();
    wanted.push_str(&format!("\n# {}\n", folder.display()));
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    let call = |program: &Path, arguments: &[&str]| -> Result<(), String> {
        let output = Command::new(program).args(arguments).output();
        let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(format!("{arguments:?}: {errors}")) }
    };
    call(Path::new("python3"), &["-m", "venv", "--clear", folder.to_str().unwrap()])?;
    let requirements = requirements.to_str().unwrap();
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements];
    call(&python, &pip)?;
    std::fs::write(&installed, wanted).unwrap();
    Ok(python)
}

fn promtool() -> Option<PathBuf> {
    let found = Command::new("promtool").arg("--version").output();
    have(&match found {
        Ok(_) => Ok(PathBuf::from("promtool")),
        Err(error) => Err(format!("promtool (Debian package prometheus): {error}")),
    })
}

/// Says what is missing; on CI nothing may be.
pub(crate) fn have(found: &Result<PathBuf, String>) -> Option<PathBuf> {
    match found {
        Ok(path) => Some(path.clone()),
        Err(missing) => {
            let ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!ci, "missing: {missing}");
            eprintln!("skipped, because this is missing: {missing}");
            None
        }
    }
}
