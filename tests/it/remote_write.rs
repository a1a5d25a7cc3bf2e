//! Prometheus remote write: from a real Prometheus, and answers as the specifications say.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::clients::have;
use crate::program::{Program, free_port};
use crate::remote_read::read_chunks;
use crate::telemetry::{SECOND_NS, now_ns};

/// How long Prometheus may take to scrape and to send.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);

/// A running Prometheus, killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts a Prometheus with a configuration and waits until it answers.
    pub(crate) async fn start(config: &str) -> Option<Self> {
        let found = Command::new("prometheus").arg("--version").output();
        have(
            &found
                .map(|_| "prometheus".into())
                .map_err(|error| format!("prometheus (Debian package prometheus): {error}")),
        )?;
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let prometheus = Self { child, port, _folder: folder };
        let started = Instant::now();
        loop {
            let ready = reqwest::get(prometheus.url("/-/ready")).await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Some(prometheus);
            }
            assert!(started.elapsed() < ARRIVAL_MAX, "prometheus does not become ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `http://127.0.0.1:port`, followed by `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The JSON that a path answers with.
    pub(crate) async fn get(
        &self,
        program: &Program,
        path: &str,
        params: &[(&str, &str)],
    ) -> Value {
        let request = program.http.get(self.url(path)).query(params);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The result of an instant query, as `Program::promql` gives it.
    pub(crate) async fn promql(&self, program: &Program, query: &str, time_ns: u64) -> Value {
        let time = crate::ask::seconds(time_ns);
        let params = [("query", query), ("time", &time)];
        let mut answer = self.get(program, "/api/v1/query", &params).await;
        crate::ask::sorted(answer["data"]["result"].take())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already, and there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_writes_what_it_scrapes() {
    let program = Program::start(&[]).await;
    let config = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs:\n\
         - job_name: siglake\n  \
           static_configs: [{{targets: ['{}']}}]\n\
         remote_write:\n\
         - url: {}\n  \
           queue_config: {{batch_send_deadline: 200ms}}\n",
        program.address(),
        program.url("/prometheus/api/v1/write"),
    );
    let Some(prometheus) = Prometheus::start(&config).await else { return };
    let started = Instant::now();
    let at = loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let at = now_ns() - 2 * SECOND_NS;
        let arrived = program.promql("count_over_time(up[1m]) >= 3", at).await;
        if arrived.as_array().is_some_and(|series| !series.is_empty()) {
            break at;
        }
        assert!(started.elapsed() < ARRIVAL_MAX, "nothing arrives\n{}", program.log());
    };
    for query in [
        "up",
        "{job=\"siglake\"}",
        "count by (__name__) ({job=\"siglake\"})",
        "timestamp(up)",
        "sum(scrape_samples_scraped)",
    ] {
        let (theirs, ours) =
            (prometheus.promql(&program, query, at).await, program.promql(query, at).await);
        assert_eq!(theirs, ours, "{query}");
        assert!(ours.as_array().is_some_and(|series| !series.is_empty()), "{query}: {ours}");
    }
    // And both send the same samples in chunks.
    let range = (0, (at / 1_000_000) as i64);
    for name in ["up", "scrape_samples_scraped", "process_resident_memory_bytes"] {
        let urls = [prometheus.url("/api/v1/read"), program.url("/prometheus/api/v1/read")];
        let theirs = read_chunks(&program, &urls[0], name, range).await;
        let ours = read_chunks(&program, &urls[1], name, range).await;
        assert_eq!(theirs, ours, "{name}");
        assert!(theirs.iter().any(|series| series.1.len() >= 2), "{name}: {theirs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_are_answered_as_they_expect() {
    let program = Program::start(&[]).await;
    let empty = vec![0];
    let post = |content_type: &'static str, encoding: &'static str, body: Vec<u8>| {
        let request = program.http.post(program.url("/prometheus/api/v1/write"));
        request
            .header("content-type", content_type)
            .header("content-encoding", encoding)
            .body(body)
            .send()
    };
    let one = "application/x-protobuf";
    let two = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let written = |answer: &Response| {
        let name = "x-prometheus-remote-write-samples-written";
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let answer = post(one, "snappy", empty.clone()).await.unwrap();
    assert_eq!((answer.status(), written(&answer)), (StatusCode::NO_CONTENT, None));
    let answer = post(two, "snappy", empty.clone()).await.unwrap();
    assert_eq!((answer.status(), written(&answer)), (StatusCode::NO_CONTENT, Some("0".into())));
    // A block that says it holds three bytes and holds none.
    let answer = post(two, "snappy", vec![3]).await.unwrap();
    assert_eq!((answer.status(), written(&answer)), (StatusCode::BAD_REQUEST, Some("0".into())));
    let answer = post(two, "gzip", empty.clone()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let answer = post("application/json", "snappy", empty.clone()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let other = "application/x-protobuf;proto=io.prometheus.write.v3.Request";
    let answer = post(other, "snappy", empty).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
