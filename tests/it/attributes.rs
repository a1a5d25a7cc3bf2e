//! Attributes that get columns: what is asked is answered the same before and after, and very
//! many keys cost no more than they may.

use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};
use serde_json::Value;

use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, int, now_ns, text};

/// Rows of each request.
const ROWS: u64 = 300;

fn other(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Attributes of a row: of all types, frequent and rare, one key with two types, odd keys.
fn attributes(row: u64) -> Vec<KeyValue> {
    let mut all = vec![
        text("cart.id", &format!("c{}", row % 7)),
        int("items", (row % 5) as i64),
        other("price", Any::DoubleValue((row % 4) as f64 / 2.0)),
        other("vip", Any::BoolValue(row.is_multiple_of(2))),
        text("odd key {}", "x"),
        text("Cart.ID", "case"),
        text("request", &format!("{row:x}-{}", row * 7919)),
        text("http.route", if row.is_multiple_of(3) { "/a" } else { "/b" }),
    ];
    // A value of another type now and then, an empty text, and none at all.
    all.push(if row.is_multiple_of(50) {
        text("code", "none")
    } else {
        int("code", 200 + (row % 3) as i64)
    });
    match row % 6 {
        0 => all.push(text("region", "")),
        1 => {}
        _ => all.push(text("region", "ä\"eu\\")),
    }
    if row.is_multiple_of(100) {
        all.push(text("rare", "r"));
    }
    all
}

async fn send(program: &Program, batch: u64, base_ns: u64) {
    let rows =
        || (0..ROWS).map(|at| (batch * ROWS + at, base_ns + (batch * ROWS + at) * 1_000_000));
    let records = rows().map(|(row, time_ns)| {
        let mut record = telemetry::log(time_ns, &format!("line {row}"));
        record.attributes = attributes(row);
        record
    });
    program.send("logs", &telemetry::logs("shop", records.collect())).await;
    let spans = rows().map(|(row, time_ns)| {
        let mut span = telemetry::span(u128::from(row / 10 + 1), row + 1, 0, "buy", time_ns);
        span.attributes = attributes(row);
        span
    });
    program.send("traces", &telemetry::spans("shop", spans.collect())).await;
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} did not come about");
}

/// Everything that is asked, with its answer.
async fn answers(program: &Program, base_ns: u64) -> Vec<(String, Value)> {
    // A step of a minute has its second point behind the last row.
    let (start, end) = (base_ns - SECOND_NS, base_ns + 60 * SECOND_NS);
    let mut answers = Vec::new();
    for query in [
        r#"{service_name="shop"} | rare="r""#,
        r#"{service_name="shop"} | cart_id="c3" | items="2""#,
        r#"{service_name="shop"} | code="none""#,
        r#"{service_name="shop"} | region="" | vip="true" | items > 3"#,
        r#"sum by (cart_id) (count_over_time({service_name="shop"} | code >= 201 | __error__="" [1m]))"#,
        r#"sum by (vip) (sum_over_time({service_name="shop"} | price!="0" | unwrap price [1m]))"#,
        r#"sum by (region, http_route) (count_over_time({service_name="shop"} [1m]))"#,
    ] {
        answers.push((query.to_owned(), program.logql(query, start, end).await));
    }
    for query in [
        r#"{ span.cart.id = "c3" && span.items = 2 }"#,
        r#"{ span.code = "none" }"#,
        "{ span.code > 201 }",
        r#"{ .vip = true && span.price >= 1 } | select(span.region, span.request)"#,
        r#"{ span.region != nil && span.rare = "r" }"#,
        r#"{ span.region = "" } | count() > 1"#,
        r#"{ span.price = 0.0 || span.Cart.ID = "no" }"#,
        r#"{ span.missing = 1 }"#,
    ] {
        let mut found = program.traceql(query, start, end).await;
        sort(&mut found);
        answers.push((query.to_owned(), found));
    }
    for statement in [
        "SELECT body, attributes FROM logs ORDER BY time",
        "SELECT span_id, attributes FROM spans ORDER BY time",
    ] {
        answers.push((statement.to_owned(), Value::Array(program.sql(statement).await)));
    }
    let (start, end) = ((start / SECOND_NS).to_string(), (end / SECOND_NS).to_string());
    let params = [("start", start.as_str()), ("end", end.as_str())];
    for path in [
        "/tempo/api/v2/search/tags",
        "/tempo/api/v2/search/tag/span.code/values",
        "/tempo/api/v2/search/tag/span.region/values",
        "/tempo/api/v2/search/tag/span.price/values",
        "/tempo/api/traces/00000000000000000000000000000002",
        "/tempo/api/traces/00000000000000000000000000000021",
    ] {
        let mut answer = program.get(path, &params).await;
        sort(&mut answer);
        answers.push((path.to_owned(), answer));
    }
    answers
}

/// Sorts lists whose order says nothing.
fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            items.sort_by_key(Value::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(sort),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_change_no_answer() {
    let settings = ["storage.promotion.rows_min=200", "storage.flush_interval=1s"];
    let promoting = Program::start(&settings).await;
    let plain = Program::start(&["storage.promotion.columns_max=0"]).await;
    let base_ns = now_ns() / SECOND_NS * SECOND_NS - 30 * SECOND_NS;
    for program in [&promoting, &plain] {
        send(program, 0, base_ns).await;
    }
    let chosen = |table| format!("frequent attributes get columns table=\"{table}\"");
    until("a choice", async || {
        let log = promoting.log();
        log.contains(&chosen("logs")) && log.contains(&chosen("spans"))
    })
    .await;
    for program in [&promoting, &plain] {
        send(program, 1, base_ns).await;
    }
    for (table, column) in [("spans", "span.items"), ("logs", "log.items")] {
        let statement =
            format!("SELECT count(\"{column}\") AS new, count(*) AS all FROM lake.{table}");
        until("a segment with the column", async || {
            let rows = promoting.sql(&statement).await;
            rows[0]["all"] == 2 * ROWS && rows[0]["new"] == ROWS
        })
        .await;
    }
    for program in [&promoting, &plain] {
        send(program, 2, base_ns).await;
    }
    let expected = answers(&plain, base_ns).await;
    for (found, expected) in answers(&promoting, base_ns).await.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    let empty = expected.iter().filter(|(_, answer)| answer.as_array().is_some_and(Vec::is_empty));
    assert_eq!(empty.count(), 1, "all but one question have an answer: {expected:#?}");
}

/// Most memory that the program has held so far, in MiB.
fn peak_mib(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.child_id()));
    let status = status.unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse().ok());
    kib.unwrap_or(0_u64) / 1_024
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_keys_break_nothing() {
    break_nothing(2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_keys_break_nothing() {
    break_nothing(10_000).await;
}

/// Sends logs and spans with so many distinct attribute keys, in several segments, and asks for
/// them.
async fn break_nothing(keys: u64) {
    let settings = ["storage.promotion.rows_min=100", "storage.flush_interval=500ms"];
    let program = Program::start(&settings).await;
    let base_ns = now_ns() - 60 * SECOND_NS;
    send_wide(&program, keys, base_ns).await;
    until("a column", async || {
        let statement = "SELECT column_name FROM information_schema.columns \
                         WHERE table_name = 'spans' AND column_name = 'span.always'";
        !program.sql(statement).await.is_empty()
    })
    .await;
    let (start, end) = (base_ns - SECOND_NS, now_ns());
    let columns = program
        .sql(
            "SELECT count(*) AS n FROM information_schema.columns WHERE table_schema = 'lake' \
              AND table_name = 'spans' AND column_name LIKE 'span.%'",
        )
        .await;
    assert!(columns[0]["n"].as_u64().unwrap() <= 60, "{columns:?}");
    let range = ((start / SECOND_NS).to_string(), (end / SECOND_NS + 1).to_string());
    let params = [("start", range.0.as_str()), ("end", range.1.as_str()), ("limit", "1500")];
    let tags = program.get("/tempo/api/search/tags", &params).await;
    assert_eq!(tags["tagNames"].as_array().unwrap().len(), 1_500, "no more than asked for");
    let params = [params[0], params[1], ("limit", "20000")];
    let tags = program.get("/tempo/api/search/tags", &params).await;
    assert!(tags["tagNames"].as_array().unwrap().len() as u64 > keys * 9 / 10);
    let found = program.traceql(r#"{ span.key.5 = "value" && span.always = 0 }"#, start, end).await;
    assert!(!found.as_array().unwrap().is_empty());
    let query = r#"sum by (always) (count_over_time({service_name="shop"} | key_5="value" [5m]))"#;
    assert!(!program.logql(query, start, end).await.as_array().unwrap().is_empty());
    let lines = program.logql(r#"{service_name="shop"} | always="1""#, start, end).await;
    assert!(!lines.as_array().unwrap().is_empty());
    let peak = peak_mib(&program);
    assert!(peak < 1_024, "{peak} MiB were held");
}

/// Four requests of logs and four of spans, a flush between each two.
async fn send_wide(program: &Program, keys: u64, base_ns: u64) {
    for batch in 0..4_u64 {
        let wide = |row: u64| -> Vec<KeyValue> {
            let width = if row.is_multiple_of(50) { 500 } else { 100 };
            let keys = (0..width).map(|at| (row * 97 + at) % keys);
            let mut all: Vec<_> = keys.map(|key| text(&format!("key.{key}"), "value")).collect();
            all.push(int("always", row as i64 % 3));
            all
        };
        let rows = || (0..200).map(|at| (batch * 200 + at, base_ns + (batch * 200 + at) * 1_000));
        let records = rows().map(|(row, time_ns)| {
            let mut record = telemetry::log(time_ns, "wide");
            record.attributes = wide(row);
            record
        });
        program.send("logs", &telemetry::logs("shop", records.collect())).await;
        let spans = rows().map(|(row, time_ns)| {
            let mut span = telemetry::span(u128::from(row + 1), row + 1, 0, "wide", time_ns);
            span.attributes = wide(row);
            span
        });
        program.send("traces", &telemetry::spans("shop", spans.collect())).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}
