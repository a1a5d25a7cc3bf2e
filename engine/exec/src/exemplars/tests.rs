//! Exemplars over memtable and segments: the same answers before and after a flush.

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Float64Array, Int64Array, StringArray, new_null_array,
};
use arrow::compute::cast;
use bytes::Bytes;
use schemas::model::{Label, MatchOp, Matcher, Selector};
use storage::{Decode, Frame, LabelIndex, Store, StoreOptions, TableBatch, Write};

use super::*;
use crate::Limits;
use crate::operators::label_maps;

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

/// Rows of a table from some of its columns; the others are null or zero.
fn rows(table: Table, given: Vec<(&str, ArrayRef)>) -> TableBatch {
    let count = given[0].1.len();
    let schema = table.schema();
    let columns = schema.fields().iter().map(|field| {
        match given.iter().find(|(name, _)| name == field.name()) {
            Some((_, column)) => cast(column, field.data_type()).unwrap(),
            None if field.is_nullable() => new_null_array(field.data_type(), count),
            None => integers(vec![0; count]),
        }
    });
    let rows = RecordBatch::try_new(table.schema(), columns.collect::<Vec<_>>()).unwrap();
    TableBatch { table, rows }
}

fn integers(values: Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

fn bucket(le: &str) -> Labels {
    [Label::new("__name__", "a_bucket"), Label::new("le", le)].into_iter().collect()
}

fn ids<const N: usize>(ids: &[Option<[u8; N]>]) -> ArrayRef {
    let ids = ids.iter().copied();
    Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, N as i32).unwrap())
}

/// `(le, time_ms, trace, attributes)` of each exemplar; its value is the time in seconds.
const EXEMPLARS: [(&str, i64, Option<u8>, Option<&str>); 4] = [
    ("1", 3_000, Some(3), None),
    ("1", 1_000, Some(1), Some(r#"{"user.id":7,"trace_id":"mine","ok":true}"#)),
    ("0.5", 2_000, None, None),
    ("0.5", 9_000, Some(9), None),
];

async fn store(folder: &std::path::Path, more_series: usize) -> Arc<Store> {
    let store = Store::open(StoreOptions::new(folder), Arc::new(NoReplay)).await.unwrap();
    let more = (0..more_series).map(|le| bucket(&format!("{}", le + 100)));
    let series: Vec<Labels> = [bucket("1"), bucket("0.5")].into_iter().chain(more).collect();
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a_bucket"; series.len()]));
    let types: ArrayRef = Arc::new(StringArray::from(vec!["histogram"; series.len()]));
    let table = vec![
        (columns::SERIES_ID, integers(series.iter().map(Labels::id).collect())),
        (columns::METRIC_NAME, names),
        (columns::LABELS, label_maps(series.iter())),
        (columns::TYPE, types),
    ];
    let of = EXEMPLARS;
    let values: Vec<f64> = of.iter().map(|row| row.1 as f64 / 1e3).collect();
    let traces: Vec<_> = of.iter().map(|row| row.2.map(|id| [id; 16])).collect();
    let spans: Vec<_> = of.iter().map(|row| row.2.map(|id| [id; 8])).collect();
    let attributes: StringArray = of.iter().map(|row| row.3).collect();
    let exemplars = vec![
        (columns::SERIES_ID, integers(of.iter().map(|row| bucket(row.0).id()).collect())),
        (columns::TIME_MS, integers(of.iter().map(|row| row.1).collect())),
        (columns::VALUE, Arc::new(Float64Array::from(values)) as ArrayRef),
        (columns::TRACE_ID, ids(&traces)),
        (columns::SPAN_ID, ids(&spans)),
        (columns::ATTRIBUTES, Arc::new(attributes)),
    ];
    let batches = vec![rows(Table::MetricSeries, table), rows(Table::Exemplars, exemplars)];
    let frame = Frame {
        tenant: Arc::from("t"),
        signal: Signal::Metrics,
        encoding: 0,
        received_ns: 0,
        payload: Bytes::from_static(b"x"),
        notes: Bytes::new(),
        identity: None,
    };
    store.append(Write { frame, batches }).await.unwrap();
    store
}

/// `le`, times and traces of what a selector finds within some milliseconds.
async fn found(
    session: &Session,
    tenant: &str,
    le: &str,
    range_ms: (i64, i64),
) -> Vec<(String, Vec<Exemplar>)> {
    let range =
        TimeRange { start_ns: range_ms.0 * NANOS_PER_MILLI, end_ns: range_ms.1 * NANOS_PER_MILLI };
    let name = Matcher::new("__name__", MatchOp::Equal, "a_bucket");
    let matchers = vec![name, Matcher::new("le", MatchOp::Regex, le)];
    // The scan's own range is that of the query's steps, which do not count.
    let selector =
        Selector { signal: Signal::Metrics, matchers, range: TimeRange { start_ns: 0, end_ns: 1 } };
    let query = Query::new(Node::Scan(Scan { selector }), None);
    let found = session.exemplars(tenant, &query, range).await.unwrap();
    let le_of = |labels: &Labels| labels.get("le").unwrap().to_owned();
    found.into_iter().map(|(labels, exemplars)| (le_of(&labels), exemplars)).collect()
}

fn exemplar(time_ms: i64, id: Option<u8>, attributes: &[(&str, &str)]) -> Exemplar {
    Exemplar {
        time_ms,
        value: time_ms as f64 / 1e3,
        trace_id: id.map(|id| [id; 16]),
        span_id: id.map(|id| [id; 8]),
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

#[tokio::test]
async fn exemplars_are_the_same_before_and_after_a_flush() {
    let one = exemplar(1_000, Some(1), &[("ok", "true"), ("user_id", "7")]);
    let (two, three) = (exemplar(2_000, None, &[]), exemplar(3_000, Some(3), &[]));
    // With more series than a predicate lists, rows are told apart after decoding.
    for more_series in [0, LISTED_SERIES_MAX] {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), more_series).await;
        let session = Session::new(Arc::clone(&store), Limits::default()).unwrap();
        for flushed in [false, true] {
            if flushed {
                store.flush().await.unwrap();
                assert!(store.snapshot("t").table(Table::Exemplars).batches.is_empty());
            }
            let all = found(&session, "t", ".*", (0, 9_000)).await;
            let expected = [
                ("0.5".to_owned(), vec![two.clone()]),
                ("1".to_owned(), vec![one.clone(), three.clone()]),
            ];
            assert_eq!(all, expected, "flushed {flushed}, {more_series} more series");
            let some = found(&session, "t", "1", (1_000, 3_000)).await;
            assert_eq!(some, [("1".to_owned(), vec![one.clone()])], "flushed {flushed}");
            assert_eq!(found(&session, "t", "1", (5_000, 5_000)).await, []);
            assert_eq!(found(&session, "t", "2", (0, 9_000)).await, []);
            assert_eq!(found(&session, "other", ".*", (0, 9_000)).await, []);
        }
    }
}
