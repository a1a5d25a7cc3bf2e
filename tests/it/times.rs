//! Times: late, out of order, too old, too far ahead, and a server whose clock jumps.

use std::path::{Path, PathBuf};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;

use crate::clients::have;
use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

const MINUTE_NS: u64 = 60 * SECOND_NS;
const DAY_NS: u64 = 86_400 * SECOND_NS;

const SIGNALS: [&str; 3] = ["logs", "metrics", "traces"];

/// A request with a row at each time.
fn request(signal: &str, times: &[u64]) -> Vec<u8> {
    let times = times.iter().copied();
    match signal {
        "logs" => {
            let record = |time: u64| telemetry::log(time, &time.to_string());
            telemetry::logs("late", times.map(record).collect()).encode_to_vec()
        }
        "metrics" => {
            let points = times.map(|time| telemetry::point(time, 2.5, Vec::new())).collect();
            telemetry::metrics("late", vec![telemetry::gauge("late_value", points)]).encode_to_vec()
        }
        _ => {
            let span = |time: u64| telemetry::span(u128::from(time), time, 0, "late", time);
            telemetry::spans("late", times.map(span).collect()).encode_to_vec()
        }
    }
}

/// Days and numbers of rows that are stored of a signal.
async fn days(program: &Program, signal: &str) -> Vec<(u64, u64)> {
    let (table, time) = match signal {
        "logs" => ("logs", "time"),
        "metrics" => ("metrics WHERE metric_name = 'late_value'", "time"),
        _ => ("spans", "time"),
    };
    let day = format!("CAST(date_part('epoch', {time}) / 86400 AS BIGINT)");
    let statement =
        format!("SELECT {day} AS day, count(*) AS n FROM {table} GROUP BY 1 ORDER BY 1");
    let rows = program.sql(&statement).await;
    rows.iter().map(|row| (row["day"].as_u64().unwrap(), row["n"].as_u64().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn late_rows_are_stored_on_their_day_and_refused_ones_cost_nothing_else() {
    let mut program = Program::start(&[]).await;
    let now = now_ns();
    // Noon of the sixth day before this one, so that no row is near midnight.
    let late = (now / DAY_NS - 6) * DAY_NS + DAY_NS / 2;
    for signal in SIGNALS {
        let times = [
            now,
            late,
            now - 8 * DAY_NS,
            late - 5 * MINUTE_NS,
            now + 20 * MINUTE_NS,
            now - MINUTE_NS,
        ];
        let answer = program.post_otlp(signal, request(signal, &times), &[]).await;
        assert_eq!(answer.status(), 200, "{signal}");
        // The three answers have the same fields.
        let answer = ExportLogsServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
        let partial = answer.partial_success.expect("a partial success");
        assert_eq!(partial.rejected_log_records, 2, "{signal}");
        let text = partial.error_message;
        let subject = match signal {
            "logs" => "log record of service \"late\"",
            "metrics" => "data point of metric \"late_value\"",
            _ => "span \"late\"",
        };
        assert!(text.contains(subject), "{text}");
        assert!(text.contains("is too old, the oldest accepted is 20"), "{text}");
        assert!(text.contains("is too far ahead, the newest accepted is 20"), "{text}");
        // Older than everything before, of the same series and stream.
        let more = [late - 10 * MINUTE_NS, late - 20 * MINUTE_NS];
        let answer = program.post_otlp(signal, request(signal, &more), &[]).await;
        assert_eq!(answer.bytes().await.unwrap().len(), 0, "{signal}: a full success");
    }
    let today: Vec<(u64, u64)> = match (now - MINUTE_NS) / DAY_NS == now / DAY_NS {
        true => vec![(now / DAY_NS, 2)],
        false => vec![(now / DAY_NS - 1, 1), (now / DAY_NS, 1)],
    };
    let mut expected = vec![(late / DAY_NS, 4)];
    expected.extend(today);
    for is_flushed in [false, true] {
        if is_flushed {
            assert!(program.stop().await.success());
            program.start_again().await;
        }
        for signal in SIGNALS {
            assert_eq!(days(&program, signal).await, expected, "{signal}, flushed: {is_flushed}");
        }
        let at = |time| program.promql("late_value", time);
        assert_eq!(at(late - 12 * MINUTE_NS).await.as_array().unwrap().len(), 0);
        assert_eq!(at(late - 9 * MINUTE_NS).await.as_array().unwrap().len(), 1);
        assert_eq!(at(late).await.as_array().unwrap().len(), 1);
        let found =
            program.logql("{service_name=\"late\"}", late - DAY_NS / 4, late + SECOND_NS).await;
        assert_eq!(crate::ask::lines(&found).len(), 4);
        let traces = program.traceql("{name=\"late\"}", late - DAY_NS / 4, late + SECOND_NS).await;
        assert_eq!(traces.as_array().unwrap().len(), 4);
    }
}

/// The library that shows a program another time; `None`, told plainly, where it is not there.
fn faketime() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"];
    let mut files = folders.iter().map(|folder| Path::new(folder).join("libfaketimeMT.so.1"));
    let found = files.find(|file| file.exists());
    have(&found.ok_or_else(|| "libfaketime (Debian package libfaketime)".to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_breaks_nothing() {
    let Some(library) = faketime() else { return };
    let folder = tempfile::tempdir().unwrap();
    let offset = folder.path().join("offset");
    let set = |text: &str| std::fs::write(&offset, text).unwrap();
    set("+0");
    let environment = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let mut program = Program::start_in(&["storage.flush_interval=300ms"], &environment).await;
    let mut expected = 0;
    let first = request("logs", &[now_ns()]);
    // Hours forth and back, with a crash or a stop at each place.
    for (round, jump) in ["+0", "+5h", "-3h", "+26h", "-26h", "+1h"].into_iter().enumerate() {
        set(jump);
        let hours: i64 = jump.trim_end_matches('h').parse().unwrap();
        let seen = now_ns().checked_add_signed(hours * 3600 * SECOND_NS as i64).unwrap();
        for at in 0..3 {
            let body = request("logs", &[seen + at, seen - MINUTE_NS + at]);
            let answer = program.post_otlp("logs", body, &[]).await;
            assert_eq!(
                (answer.status(), answer.bytes().await.unwrap().len()),
                (200.try_into().unwrap(), 0),
                "{jump}"
            );
            expected += 2;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        if round == 0 {
            assert_eq!(program.post_otlp("logs", first.clone(), &[]).await.status(), 200);
            expected += 1;
        }
        if round % 2 == 0 {
            program.kill();
        } else {
            assert!(program.stop().await.success(), "{jump}\n{}", program.log());
        }
        program.start_again().await;
        let stored = program.sql("SELECT count(*) AS n FROM logs").await;
        assert_eq!(stored[0]["n"], expected, "{jump}");
        // What was sent in the first round is known, whatever the clock has shown since.
        assert_eq!(program.post_otlp("logs", first.clone(), &[]).await.status(), 200);
    }
}
