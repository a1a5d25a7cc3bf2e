//! What would fill the memory, on a machine of 1 GiB: each request ends in an answer or in an
//! error that names a limit, others go on, and the process lives.
//!
//! ```text
//!  a quiet client:   log ─▶ ack, log ─▶ ack, question ─▶ answer, …     all the time
//!  a loud one:       1.2 MB attributes · 2,000 fields · new series · everything at once, × 20
//!  afterwards:       VmHWM < 1 GiB, nothing reserved, the quiet client's records all there
//! ```
//!
//! The machine is made small by a control group, in which the kernel kills what holds more; the
//! program finds its limit there by itself. Where no group can be made, `memory.limit` tells it
//! what it may take for the machine's memory, and the peak of its resident memory, read from
//! `/proc`, is where a group would have killed it. Neither `ulimit -v` nor `ulimit -d` is used:
//! they count what the allocator has mapped, not what is in use. `SIGLAKE_MEMORY_FULL=1` does not
//! scale down what costs time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prost::Message;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use crate::cage::Cage;
use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns, text};

/// Memory of the machine.
const MACHINE_BYTES: u64 = 1 << 30;

/// Longest that a question may take to end in anything.
const QUESTION_MAX: Duration = Duration::from_secs(120);

/// What an error about memory or another limit says in one of its words.
const LIMIT_WORDS: [&str; 6] = ["limit", "memory", "max", "too many", "over ", "too long"];

/// Where the program answers.
#[derive(Clone, Debug)]
struct Target {
    http: reqwest::Client,
    base: String,
}

impl Target {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn post_otlp(&self, signal: &str, body: Vec<u8>) -> reqwest::Response {
        let request = self.http.post(self.url(&format!("/v1/{signal}"))).body(body);
        request.header("content-type", "application/x-protobuf").send().await.unwrap()
    }
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
struct Scale {
    series: u64,
    logs: u64,
    spans: u64,
}

fn scale() -> Scale {
    if std::env::var_os("SIGLAKE_MEMORY_FULL").is_some() {
        Scale { series: 400_000, logs: 1_000_000, spans: 400 }
    } else {
        Scale { series: 20_000, logs: 20_000, spans: 20 }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_machine_is_never_filled() {
    let cage = Cage::new(MACHINE_BYTES);
    let limit = match &cage {
        Some(_) => "memory.limit=0".to_owned(),
        None => format!("memory.limit={MACHINE_BYTES}"),
    };
    eprintln!("{}", if cage.is_some() { "the kernel enforces it" } else { "no control group" });
    let mut program =
        Program::start_caged(&[&limit, "storage.flush_interval=5s"], cage.as_ref()).await;
    let target = Target { http: program.http.clone(), base: program.url("") };
    let stop = Arc::new(AtomicBool::new(false));
    let quiet = tokio::spawn(quiet_client(target.clone(), Arc::clone(&stop)));
    let scale = scale();
    let base_ns = now_ns() - 3_600 * SECOND_NS;
    large_attributes(&target, scale, base_ns).await;
    many_fields(&target, base_ns).await;
    unique_records(&target, scale, base_ns).await;
    dense_records(&target, scale, base_ns).await;
    new_series(&target, scale, base_ns).await;
    for question in questions(base_ns) {
        ask(target.clone(), question).await;
    }
    let mut asked = JoinSet::new();
    for question in questions(base_ns).into_iter().cycle().take(20) {
        asked.spawn(ask(target.clone(), question));
    }
    asked.join_all().await;
    stop.store(true, Ordering::Relaxed);
    let written = quiet.await.unwrap();
    assert!(program.lives(), "{}", program.log());
    assert_eq!(cage.as_ref().map_or(0, Cage::kills), 0);
    let found = program.sql("SELECT count(*) AS n FROM logs WHERE service_name = 'quiet'").await;
    assert_eq!(found[0]["n"].as_u64(), Some(written), "{found:?}");
    let peak = program.peak_resident_bytes();
    let used = settled(&target).await;
    eprintln!("peak {} MiB, reserved at the end:\n{used}", peak.unwrap_or(0) >> 20);
    assert!(used.contains(&format!("siglake_memory_machine_bytes {MACHINE_BYTES}")), "{used}");
    assert!(peak.is_none_or(|peak| peak < MACHINE_BYTES), "{peak:?} bytes\n{}", program.log());
}

/// What the program says it holds, once no query holds anything any more.
async fn settled(program: &Target) -> String {
    let asked = Instant::now();
    loop {
        let metrics = program.http.get(program.url("/metrics")).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let used: Vec<&str> =
            metrics.lines().filter(|line| line.starts_with("siglake_memory_")).collect();
        if used.contains(&r#"siglake_memory_used_bytes{use="query"} 0"#)
            && used.contains(&r#"siglake_memory_used_bytes{use="ingest"} 0"#)
        {
            return used.join("\n");
        }
        assert!(asked.elapsed() < Duration::from_secs(20), "memory is kept: {}", used.join("\n"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sends a record and asks a small question again and again; tells how many records were sent.
async fn quiet_client(program: Target, stop: Arc<AtomicBool>) -> u64 {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let request = telemetry::logs("quiet", vec![telemetry::log(now_ns(), "still here")]);
        let mut attempts = 0;
        // Whoever is told to come again does so, as an OpenTelemetry SDK does.
        while !is_taken(&program, "logs", request.encode_to_vec()).await {
            attempts += 1;
            assert!(attempts < 100, "a small request is never taken");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        written += 1;
        let params = [("query", "vector(1)")];
        let asked = program.http.get(program.url("/prometheus/api/v1/query")).query(&params);
        let status = asked.send().await.unwrap().status();
        let told_to_wait = status == StatusCode::SERVICE_UNAVAILABLE;
        assert!(status.is_success() || told_to_wait, "a small question: {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    written
}

/// Whether a request is stored; `false` if it is to be sent again.
async fn is_taken(program: &Target, signal: &str, body: Vec<u8>) -> bool {
    let answer = program.post_otlp(signal, body).await;
    let status = answer.status();
    let again = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    assert!(
        status == StatusCode::OK || again.contains(&status),
        "{signal}: {status} {}",
        answer.text().await.unwrap()
    );
    status == StatusCode::OK
}

/// Sends what may be refused for a while; gives up after a minute, which is an answer, too.
async fn send_patiently(program: &Target, signal: &str, request: &impl Message) -> bool {
    let began = Instant::now();
    let body = request.encode_to_vec();
    while !is_taken(program, signal, body.clone()).await {
        if began.elapsed() > Duration::from_secs(60) {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    true
}

/// Spans with 1.2 MB of attributes, and one attribute of 1.2 MB, which is over its own limit.
async fn large_attributes(program: &Target, scale: Scale, base_ns: u64) {
    for at in 0..scale.spans {
        let mut span = telemetry::span(u128::from(at + 1), at + 1, 0, "gen_ai", base_ns + at);
        let value = |part: u64| format!("{at}-{part}-").repeat(40_000);
        span.attributes =
            (0..5).map(|part| text(&format!("prompt.{part}"), &value(part))).collect();
        send_patiently(program, "traces", &telemetry::spans("loud", vec![span])).await;
    }
    let mut span = telemetry::span(7_777, 7_777, 0, "gen_ai", base_ns);
    span.attributes = vec![text("prompt", &"x".repeat(1_200_000))];
    let request = telemetry::spans("loud", vec![span]).encode_to_vec();
    let answer = program.post_otlp("traces", request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let told = String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned();
    assert!(told.contains("prompt") && told.contains("limit"), "{told}");
}

/// Records with 2,000 attributes, which are over their limit, and with 2,000 fields in JSON.
async fn many_fields(program: &Target, base_ns: u64) {
    let mut record = telemetry::log(base_ns, "wide");
    record.attributes = (0..2_000).map(|at| text(&format!("field.{at}"), "value")).collect();
    let request = telemetry::logs("loud", vec![record]).encode_to_vec();
    let answer = program.post_otlp("logs", request).await;
    let told = String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned();
    assert!(told.contains("2000 attributes") || told.contains("512"), "{told}");
    for batch in 0..4 {
        let records = (0..50).map(|at| {
            let fields: Vec<String> =
                (0..2_000).map(|field| format!(r#""field_{field}":"{batch}-{at}""#)).collect();
            telemetry::log(base_ns + batch * 50 + at, &format!("{{{}}}", fields.join(",")))
        });
        send_patiently(program, "logs", &telemetry::logs("wide", records.collect())).await;
    }
}

/// Records that are all different, over a week.
async fn unique_records(program: &Target, scale: Scale, base_ns: u64) {
    let spread_ns = 6 * 86_400 * SECOND_NS / scale.logs;
    for first in (0..scale.logs).step_by(1_000) {
        let records = (first..first + 1_000).map(|at| {
            let id = u128::from(at).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
            let body = format!("request {id:032x} took {at} us {}", "and more ".repeat(30));
            telemetry::log(base_ns - at * spread_ns, &body)
        });
        send_patiently(program, "logs", &telemetry::logs("loud", records.collect())).await;
    }
}

/// Records of a few minutes, in many segments that a search for a word reads side by side.
async fn dense_records(program: &Target, scale: Scale, base_ns: u64) {
    let step_ns = 300 * SECOND_NS / scale.logs;
    for first in (0..scale.logs).step_by(1_000) {
        let records = (first..first + 1_000).map(|at| {
            let body = format!("GET /{} took {at} us {}", at % 97, "as ever ".repeat(35));
            telemetry::log(base_ns + at * step_ns, &body)
        });
        send_patiently(program, "logs", &telemetry::logs("dense", records.collect())).await;
    }
}

/// Series that are all new.
async fn new_series(program: &Target, scale: Scale, base_ns: u64) {
    for first in (0..scale.series).step_by(2_000) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let point = |at: u64| {
            let labels = vec![
                text("pod", &format!("shop-7d9f8b6c5-{at:08x}")),
                text("node", &format!("ip-10-0-{}.internal", at % 500)),
                text("namespace", &format!("team-{}", at % 20)),
            ];
            telemetry::point(base_ns + at, at as f64, labels)
        };
        let points = (first..first + 2_000).map(point).collect();
        let request = telemetry::metrics("loud", vec![telemetry::gauge("loud_value", points)]);
        send_patiently(program, "metrics", &request).await;
    }
}

/// A question: its path and its parameters.
type Question = (&'static str, Vec<(&'static str, String)>);

fn questions(base_ns: u64) -> Vec<Question> {
    let seconds = |ns: u64| (ns / SECOND_NS).to_string();
    let week_ago = base_ns - 7 * 86_400 * SECOND_NS;
    let range = |query: &str| {
        let (start, end) = (seconds(base_ns - 3_600 * SECOND_NS), seconds(now_ns()));
        vec![("query", query.to_owned()), ("start", start), ("end", end), ("step", "60".to_owned())]
    };
    let week = |query: &str| {
        let (start, end) = (week_ago.to_string(), now_ns().to_string());
        vec![
            ("query", query.to_owned()),
            ("start", start),
            ("end", end),
            ("limit", "5000".to_owned()),
            ("step", "3600".to_owned()),
        ]
    };
    let search = vec![
        ("q", r#"{ span."prompt.0" =~ ".*" }"#.to_owned()),
        ("start", seconds(week_ago)),
        ("end", seconds(now_ns())),
        ("limit", "1000".to_owned()),
    ];
    let sql = |statement: &str| vec![("query", statement.to_owned()), ("format", "json".into())];
    vec![
        ("/prometheus/api/v1/query_range", range(r#"{__name__=~".+"}"#)),
        ("/prometheus/api/v1/query_range", range("sum by (pod) (rate(loud_value[5m])) > 0")),
        ("/prometheus/api/v1/query_range", range("loud_value * on (pod) loud_value")),
        ("/prometheus/api/v1/series", vec![("match[]", r#"{__name__=~".+"}"#.to_owned())]),
        ("/loki/loki/api/v1/query_range", week(r#"{service_name=~".+"}"#)),
        ("/loki/loki/api/v1/query_range", week(r#"{service_name="wide"} | json"#)),
        (
            "/loki/loki/api/v1/query_range",
            week(
                r#"sum by (id) (count_over_time({service_name="loud"} | pattern "request <id> " [1h]))"#,
            ),
        ),
        (
            "/loki/loki/api/v1/query_range",
            range(r#"sum(count_over_time({service_name="dense"} |= "took" [5m]))"#),
        ),
        ("/loki/loki/api/v1/query_range", range(r#"{service_name="dense"} |= "as ever""#)),
        ("/sql", sql("SELECT body, count(*) AS n FROM logs GROUP BY body ORDER BY n DESC, body")),
        ("/sql", sql("SELECT * FROM lake.series ORDER BY series_id")),
        ("/tempo/api/traces/0123456789abcdef0123456789abcdef", Vec::new()),
        ("/tempo/api/search", search),
    ]
}

/// Asks, and reads the answer to its end: a success, or an error that says what limit it met.
async fn ask(program: Target, (path, params): Question) {
    let began = Instant::now();
    let client = reqwest::Client::builder().timeout(QUESTION_MAX).build().unwrap();
    let answer = client.get(program.url(path)).query(&params).send().await;
    let answer = answer.unwrap_or_else(|error| panic!("{path} {params:?}: {error:?}"));
    let status = answer.status();
    // An answer may be cut short after it has begun; that is how HTTP tells an error then.
    let body = answer.bytes().await;
    let bytes = body.as_ref().map_or(0, bytes::Bytes::len);
    let told = body.map_or_else(
        |_| "cut short".to_owned(),
        |body| String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned(),
    );
    eprintln!("{status} {bytes} bytes in {:?} {path} {:?}", began.elapsed(), params.first());
    if status.is_success() || path.contains("/traces/") && status == StatusCode::NOT_FOUND {
        return;
    }
    let allowed = [400, 422, 429, 503, 504].contains(&status.as_u16());
    let is_clear = LIMIT_WORDS.iter().any(|word| told.contains(word));
    assert!(allowed && is_clear, "{path} {params:?}: {status} {told}");
    eprintln!("    {told}");
}
