//! SQL over memtable and segments: the same answers before and after a flush.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::pretty::pretty_format_batches;
use bytes::Bytes;
use futures::TryStreamExt;
use schemas::model::{Label, Labels, Signal};
use schemas::tables::{Table, columns};
use storage::{Decode, Frame, LabelIndex, Store, StoreOptions, TableBatch, Write};

use crate::operators::label_maps;
use crate::{Limits, Session};

/// A lake that is never replayed.
struct NoReplay;

impl Decode for NoReplay {
    fn decode(
        &self,
        _frame: &Frame,
        _series: &LabelIndex,
        _streams: &LabelIndex,
    ) -> Result<Vec<TableBatch>, Box<dyn std::error::Error + Send + Sync>> {
        Err("nothing is replayed in this test".into())
    }
}

/// Rows of a table from some of its columns; the others are null, zero or empty.
fn rows(table: Table, given: Vec<(&str, ArrayRef)>) -> TableBatch {
    let count = given[0].1.len();
    let schema = table.schema();
    let columns = schema.fields().iter().map(|field| {
        match given.iter().find(|(name, _)| name == field.name()) {
            Some((_, column)) => cast(column, field.data_type()).unwrap(),
            None if field.is_nullable() => new_null_array(field.data_type(), count),
            None => match field.data_type() {
                DataType::Int64 => Arc::new(Int64Array::from(vec![0; count])) as ArrayRef,
                DataType::Int32 => Arc::new(Int32Array::from(vec![0; count])),
                data_type => cast(&StringArray::from(vec![""; count]), data_type).unwrap(),
            },
        }
    });
    let rows = RecordBatch::try_new(table.schema(), columns.collect::<Vec<_>>()).unwrap();
    TableBatch { table, rows }
}

fn integers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn binary(values: &[&[u8]]) -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::try_from_iter(values.iter()).unwrap())
}

fn metrics() -> Vec<TableBatch> {
    let labels: Labels =
        [Label::new("__name__", "up"), Label::new("job", "api")].into_iter().collect();
    let id = labels.id();
    let series = vec![
        (columns::SERIES_ID, integers(&[id])),
        (columns::METRIC_NAME, texts(&["up"])),
        (columns::LABELS, label_maps([&labels].into_iter())),
        (columns::TYPE, texts(&["gauge"])),
    ];
    let samples = vec![
        (columns::SERIES_ID, integers(&[id, id])),
        (columns::TIME_MS, integers(&[2_000, 1_000])),
        (columns::VALUE, Arc::new(Float64Array::from(vec![2.0, 1.0])) as ArrayRef),
    ];
    vec![rows(Table::MetricSeries, series), rows(Table::MetricSamples, samples)]
}

fn logs() -> Vec<TableBatch> {
    let labels: Labels = [Label::new("service_name", "shop")].into_iter().collect();
    let streams = vec![
        (columns::STREAM_ID, integers(&[7])),
        (columns::LABELS, label_maps([&labels].into_iter())),
        (columns::SERVICE, texts(&["shop"])),
    ];
    let logs = vec![
        (columns::STREAM_ID, integers(&[7, 7])),
        (columns::TIME_NS, integers(&[20, 10])),
        (columns::BODY, texts(&["paid", "ordered"])),
        (columns::TRACE_ID, binary(&[&[2; 16], &[1; 16]])),
    ];
    vec![rows(Table::LogStreams, streams), rows(Table::Logs, logs)]
}

fn spans() -> Vec<TableBatch> {
    let spans = vec![
        (columns::TRACE_ID, binary(&[&[1; 16], &[1; 16]])),
        (columns::SPAN_ID, binary(&[&[1; 8], &[2; 8]])),
        (
            columns::PARENT_SPAN_ID,
            Arc::new(
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                    [None, Some([1_u8; 8])].into_iter(),
                    8,
                )
                .unwrap(),
            ) as ArrayRef,
        ),
        (columns::START_NS, integers(&[5, 6])),
        (columns::DURATION_NS, integers(&[100, 10])),
        (columns::SERVICE, texts(&["shop", "db"])),
        (columns::NAME, texts(&["buy", "select"])),
        (columns::KIND, Arc::new(Int32Array::from(vec![2, 3])) as ArrayRef),
        (columns::STATUS_CODE, Arc::new(Int32Array::from(vec![0, 2])) as ArrayRef),
    ];
    vec![rows(Table::Spans, spans)]
}

async fn append(store: &Store, signal: Signal, batches: Vec<TableBatch>) {
    let frame = Frame {
        tenant: Arc::from("t"),
        signal,
        encoding: 0,
        received_ns: 0,
        payload: Bytes::from_static(b"x"),
        notes: Bytes::new(),
        identity: None,
    };
    store.append(Write { frame, batches }).await.unwrap();
}

async fn ask(session: &Session, tenant: &str, statement: &str) -> String {
    let output = session.sql(tenant, statement).await.unwrap();
    let batches: Vec<RecordBatch> = output.stream.try_collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

const QUESTIONS: &[(&str, &str)] = &[
    (
        "SELECT time, metric_name, job, value, labels FROM metrics ORDER BY time",
        "+---------------------+-------------+-----+-------+---------------------------+
| time                | metric_name | job | value | labels                    |
+---------------------+-------------+-----+-------+---------------------------+
| 1970-01-01T00:00:01 | up          | api | 1.0   | {__name__: up, job: api} |
| 1970-01-01T00:00:02 | up          | api | 2.0   | {__name__: up, job: api} |
+---------------------+-------------+-----+-------+---------------------------+",
    ),
    (
        "SELECT l.body, s.name, s.status FROM logs l JOIN spans s ON l.trace_id = s.trace_id \
         ORDER BY s.name",
        "+---------+--------+--------+
| body    | name   | status |
+---------+--------+--------+
| ordered | buy    | unset  |
| ordered | select | error  |
+---------+--------+--------+",
    ),
    (
        "SELECT root_service_name, root_name, duration_nano, spans, errors FROM traces",
        "+-------------------+-----------+---------------+-------+--------+
| root_service_name | root_name | duration_nano | spans | errors |
+-------------------+-----------+---------------+-------+--------+
| shop              | buy       | 100           | 2     | 1      |
+-------------------+-----------+---------------+-------+--------+",
    ),
    (
        "SELECT body FROM lake.logs WHERE time_unix_nano > 15",
        "+------+
| body |
+------+
| paid |
+------+",
    ),
];

/// Tables without regard to how wide their columns are drawn.
fn squeezed(table: &str) -> String {
    table.lines().filter(|line| line.starts_with('|')).map(|line| line.replace(' ', "")).collect()
}

#[tokio::test]
async fn answers_are_the_same_before_and_after_a_flush() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(folder.path()), Arc::new(NoReplay)).await.unwrap();
    append(&store, Signal::Metrics, metrics()).await;
    append(&store, Signal::Logs, logs()).await;
    append(&store, Signal::Traces, spans()).await;
    let session = Session::new(Arc::clone(&store), Limits::default()).unwrap();
    for flushed in [false, true] {
        if flushed {
            store.flush().await.unwrap();
            assert!(store.snapshot("t").table(Table::Logs).batches.is_empty());
        }
        for (question, expected) in QUESTIONS {
            let got = ask(&session, "t", question).await;
            assert_eq!(squeezed(&got), squeezed(expected), "flushed {flushed}: {question}\n{got}");
            assert!(!ask(&session, "other", question).await.contains("shop"));
        }
    }
}

#[tokio::test]
async fn statements_that_write_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(folder.path()), Arc::new(NoReplay)).await.unwrap();
    let session = Session::new(store, Limits::default()).unwrap();
    for statement in
        ["CREATE TABLE t (a INT)", "INSERT INTO lake.logs VALUES (1)", "SET a.b = 1", "SELEC"]
    {
        let error = session.sql("t", statement).await.unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{statement}: {error}");
    }
    assert_eq!(squeezed(&ask(&session, "t", "SELECT 1 AS one").await), "|one||1|");
    assert_eq!(session.sql_tables("t").await.unwrap().len(), 4);
}

/// A session over some log records, and the folder that they are in.
async fn over_logs() -> (tempfile::TempDir, Session) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(folder.path()), Arc::new(NoReplay)).await.unwrap();
    append(&store, Signal::Logs, logs()).await;
    let session = Session::new(store, Limits::default()).unwrap();
    (folder, session)
}

#[tokio::test]
async fn statements_that_make_too_much_are_refused() {
    let (_folder, session) = over_logs().await;
    let nested = |select: &str, depth: usize| {
        let open = format!("SELECT {select} AS x FROM (").repeat(depth);
        // Without the alias DataFusion takes equal projections for one.
        format!("{open}SELECT body AS x FROM logs{}", ") t".repeat(depth))
    };
    for (statement, told) in [
        ("SELECT repeat('a', 2000000000)".to_owned(), "repeat makes over 134217728 bytes"),
        ("SELECT repeat(body, 100000000) FROM logs".to_owned(), "repeat makes over"),
        ("SELECT repeat(repeat(body, 10000), 10000) FROM logs".to_owned(), "repeat makes over"),
        ("SELECT lpad(body, 2000000000) FROM logs".to_owned(), "lpad makes over"),
        (
            "SELECT replace(repeat(body, 10000), 'd', repeat(body, 9000)) FROM logs".to_owned(),
            "replace makes over",
        ),
        (
            "SELECT regexp_replace(repeat(body, 10000), '.', repeat(body, 9000), 'g') FROM logs"
                .to_owned(),
            "regexp_replace makes over",
        ),
        (nested("x || x || x || x", 14), "|| makes over"),
        (nested("x || '-' || x || x", 18), "|| makes over"),
        (nested("concat(x, x, x, x)", 14), "concat makes over"),
        (nested("[x, x, x, x]", 14), "make_array makes over"),
        (
            nested("encode(encode(encode(encode(x, 'hex'), 'hex'), 'hex'), 'hex')", 8),
            "encode makes over",
        ),
    ] {
        let shown: String = statement.chars().take(60).collect();
        let error = match session.sql("t", &statement).await {
            Err(error) => error,
            Ok(output) => output.stream.try_collect::<Vec<_>>().await.expect_err(&shown),
        };
        assert_eq!(error.kind(), crate::ErrorKind::Limit, "{shown}: {error}");
        assert!(error.to_string().contains(told), "{shown}: {error}");
    }
}

/// A text with a link behind it, so many times.
fn chain(first: &str, link: &str, count: usize) -> String {
    format!("{first}{}", link.repeat(count))
}

#[tokio::test]
async fn long_statements_are_refused() {
    let (_folder, session) = over_logs().await;
    let tables = vec!["logs"; 300].join(", ");
    // Each names the one before four times.
    let ctes: Vec<String> = (1..20)
        .map(|at| {
            format!("c{at} AS (SELECT a.x FROM {})", vec![format!("c{} a", at - 1); 4].join(", "))
        })
        .collect();
    for (statement, told) in [
        (
            chain("SELECT 1", " + 1", 100_000 / 2),
            "a statement of 50000 operators is over the limit",
        ),
        (chain("SELECT body", " || body", 1_001) + " FROM logs", "1001 operators"),
        (chain("SELECT 1 WHERE 1 = 1", " OR 1 = 2", 5_000), "operators"),
        (chain("SELECT 1", "::int", 5_000), "5000 operators"),
        (chain("SELECT 1", " IS NULL", 5_000), "5000 operators"),
        (chain("SELECT 1", " UNION ALL SELECT 1", 5_000), "subqueries and joins"),
        (chain("SELECT 1 FROM logs", " CROSS JOIN logs", 300), "subqueries and joins"),
        (format!("SELECT 1 FROM {tables}"), "300 relations"),
        (format!("WITH c0 AS (SELECT 1 AS x), {} SELECT 1 FROM c19", ctes.join(", ")), "relations"),
        (format!("SELECT '{}'", "x".repeat(300_000)), "bytes"),
    ] {
        let shown: String = statement.chars().take(60).collect();
        let error = session.sql("t", &statement).await.map(|_| ()).expect_err(&shown);
        assert_eq!(error.kind(), crate::ErrorKind::Limit, "{shown}: {error}");
        assert!(error.to_string().contains(told), "{shown}: {error}");
    }
}

#[tokio::test]
async fn what_is_within_the_limits_is_answered() {
    let (_folder, session) = over_logs().await;
    // What is just within the limits has stack enough.
    for (statement, expected) in [
        (chain("SELECT 1", " + 1", 300) + " AS n", "|n||301|"),
        (
            chain("SELECT length(body", " || body", 999) + ") AS n FROM logs ORDER BY 1",
            "|n||4000||7000|",
        ),
        (
            chain("SELECT count(*) AS n FROM (SELECT 1", " UNION ALL SELECT 1", 98) + ") t",
            "|n||99|",
        ),
    ] {
        let shown: String = statement.chars().take(60).collect();
        assert_eq!(squeezed(&ask(&session, "t", &statement).await), expected, "{shown}");
    }
    for statement in ["SELECT range(0, 10)", "SELECT array_repeat('a', 10)"] {
        let error = session.sql("t", statement).await.unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{statement}: {error}");
    }
    let statement = "SELECT body || '-' || 1 || (NULL || 'x') AS n, body || '-' || service_name \
                     FROM logs ORDER BY 2";
    let found = ask(&session, "t", statement).await;
    assert!(squeezed(&found).ends_with("||ordered-shop|||paid-shop|"), "{found}");
    assert!(found.contains("body || "), "the column is called as before: {found}");
    let found =
        ask(&session, "t", "SELECT [body, 'b'] AS a, value AS v FROM logs, range(2, 3)").await;
    assert!(found.contains("[paid, b]") && found.contains("| 2 |"), "{found}");
    // A width below zero is none.
    let found =
        ask(&session, "t", "SELECT lpad(body, length(body) - 5) AS l FROM logs ORDER BY 1").await;
    assert_eq!(squeezed(&found), "|l||||or|", "{found}");
}
