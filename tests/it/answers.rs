//! Answers that turn out too long once they have begun: the client sees an error, never a short
//! answer that looks whole.

use prost::Message;
use reqwest::StatusCode;

use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// What is told of it.
const LIMIT: &str = "the answer is over the limit of 1000000 bytes";

/// Records, each of so many bytes: together far more than the first chunk of an answer.
const RECORDS: u64 = 3_000;
const RECORD_BYTES: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cut_off_is_an_error_to_its_client() {
    let program = Program::start(&["limits.answer_bytes=1000000"]).await;
    let base_ns = now_ns() - 600 * SECOND_NS;
    for first in (0..RECORDS).step_by(500) {
        let body = "x".repeat(RECORD_BYTES);
        let record = |at| telemetry::log(base_ns + at * 1_000_000, &format!("{at} {body}"));
        let request = telemetry::logs("long", (first..first + 500).map(record).collect());
        let answer = program.post_otlp("logs", request.encode_to_vec(), &[]).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let (start, end) = (base_ns.to_string(), now_ns().to_string());
    let loki = |limit| {
        let query = r#"{service_name="long"}"#;
        vec![("query", query), ("start", &start), ("end", &end), ("limit", limit)]
    };
    let path = "/loki/loki/api/v1/query_range";
    let sql = vec![("query", "SELECT body FROM logs"), ("format", "csv")];
    let mut cut_off = 0;
    for (path, params, is_short) in
        [(path, loki("100"), true), (path, loki("5000"), false), ("/sql", sql, false)]
    {
        for encoding in ["identity", "gzip"] {
            let request = program.http.get(program.url(path)).query(&params);
            let answer = request.header("accept-encoding", encoding).send().await.unwrap();
            let (status, body) = (answer.status(), answer.bytes().await);
            match body {
                Ok(_) if is_short => assert_eq!(status, StatusCode::OK, "{path} {encoding}"),
                // Too long already before the head was sent.
                Ok(told) if status == StatusCode::BAD_REQUEST => {
                    let told = String::from_utf8_lossy(&told);
                    assert!(encoding == "gzip" || told.contains(LIMIT), "{path}: {told}");
                }
                Err(_) if !is_short => cut_off += 1,
                body => panic!("{path} {encoding}: {status} {:?}", body.map(|it| it.len())),
            }
        }
    }
    assert!(cut_off > 0, "no answer had begun");
    assert!(program.log().contains(LIMIT), "{}", program.log());
}
