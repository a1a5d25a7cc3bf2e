//! The log as other engines read it, and what loading it gives.

use schemas::tables::TableLayout;
use serde_json::{Value, json};

use super::*;
use crate::{ErrorKind, Occupied, Segment};

pub(super) fn segment(path: &str) -> Segment {
    Segment {
        path: format!("metric_samples/{path}"),
        tenant: "a/b".into(),
        day: 20_778,
        bytes: 1234,
        rows: 10,
        min_time_ns: 5_000_000,
        max_time_ns: 7_000_000,
        key_ranges: vec![(-1, 2), (3, i64::MAX), (5, 7)],
        footer_bytes: 99,
        level: 1,
        crc32c: 0xdead_beef,
        deletes_applied: 4,
        created_ms: 1_700_000_000_123,
        occupied: Occupied::of_tag("3 1f a 1"),
    }
}

fn write(paths: &[&str], applied: u64) -> Change {
    Change {
        operation: Operation::Write,
        adds: paths.iter().map(|path| segment(path)).collect(),
        removes: Vec::new(),
        applied: Some(applied),
    }
}

fn compact(removes: &[&str], adds: &[&str]) -> Change {
    Change {
        operation: Operation::Compact,
        adds: adds.iter().map(|path| segment(path)).collect(),
        removes: removes.iter().map(|path| Arc::new(segment(path))).collect(),
        applied: None,
    }
}

/// The live segments, sorted.
async fn live(catalog: &Catalog) -> Vec<Segment> {
    let mut live: Vec<_> =
        catalog.lock().await.live().map(|segment| segment.as_ref().clone()).collect();
    live.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    live
}

async fn load(objects: &Objects, writer: &str) -> Catalog {
    Catalog::load(Table::MetricSamples, objects.clone(), writer.into()).await.unwrap()
}

fn commit(dir: &std::path::Path, number: u64) -> Vec<Value> {
    let path = dir.join(format!("metric_samples/_delta_log/{number:020}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn commits_are_what_the_delta_protocol_says() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let catalog = load(&objects, "w1").await;
    catalog.lock().await.commit(&write(&["tenant=x/date=2026-11-21/s.parquet"], 17)).await.unwrap();

    let first = commit(dir.path(), 0);
    assert_eq!(first[0], json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
    let metadata = &first[1]["metaData"];
    assert_eq!(metadata["partitionColumns"], json!(["tenant", "date"]));
    assert_eq!(metadata["format"], json!({"provider": "parquet", "options": {}}));
    let schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    let field = |name: &str| {
        let fields = schema["fields"].as_array().unwrap().iter();
        fields.clone().find(|field| field["name"] == name).unwrap().clone()
    };
    assert_eq!(
        field("metric_id"),
        json!({"name": "metric_id", "type": "long", "nullable": false, "metadata": {}})
    );
    assert_eq!(field("value")["type"], "double");
    assert_eq!(field("tenant")["type"], "string");

    let second = commit(dir.path(), 1);
    let txn = &second[1]["txn"];
    assert_eq!((&txn["appId"], &txn["version"]), (&json!("siglake-wal-w1"), &json!(17)));
    let add = &second[2]["add"];
    assert_eq!(add["path"], "tenant=x/date=2026-11-21/s.parquet");
    assert_eq!(add["partitionValues"], json!({"tenant": "a/b", "date": "2026-11-21"}));
    assert_eq!((&add["size"], &add["dataChange"]), (&json!(1234), &json!(true)));
    let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(
        stats,
        json!({
            "numRecords": 10,
            "minValues": {"metric_id": -1, "series_id": 3, "time_ms": 5},
            "maxValues": {"metric_id": 2, "series_id": i64::MAX, "time_ms": 7},
            "nullCount": {"metric_id": 0, "series_id": 0, "time_ms": 0},
        })
    );
    let tags = add["tags"].as_object().unwrap();
    assert!(tags.values().all(Value::is_string), "tags map texts to texts");
}

#[test]
fn every_table_has_a_schema_in_deltas_types() {
    for table in Table::ALL {
        let schema: Value =
            serde_json::from_str(&schema::schema_string(TableLayout::starting(table)).unwrap())
                .unwrap();
        let fields = schema["fields"].as_array().unwrap();
        assert_eq!(fields.len(), table.schema().fields().len() + 2);
    }
    let schema: Value =
        serde_json::from_str(&schema::schema_string(TableLayout::starting(Table::Spans)).unwrap())
            .unwrap();
    let fields = schema["fields"].as_array().unwrap();
    let events = fields.iter().find(|field| field["name"] == "events").unwrap();
    assert_eq!(events["type"]["type"], "array");
    assert_eq!(events["type"]["elementType"]["type"], "struct");
    let trace_id = fields.iter().find(|field| field["name"] == "trace_id").unwrap();
    assert_eq!(trace_id["type"], "binary");
    let series = schema::schema_string(TableLayout::starting(Table::MetricSeries)).unwrap();
    assert!(series.contains(r#""type":"map""#));
}

#[tokio::test]
async fn loading_gives_the_live_segments_and_our_own_progress() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let ours = load(&objects, "w1").await;
    assert_eq!((live(&ours).await.len(), ours.lock().await.applied()), (0, 0));
    let theirs = load(&objects, "w2").await;
    ours.lock().await.commit(&write(&["a.parquet", "b.parquet"], 3)).await.unwrap();
    // They have not seen our commits and lose two numbers to them.
    theirs.lock().await.commit(&write(&["c.parquet"], 100)).await.unwrap();
    ours.lock().await.commit(&write(&["d.parquet"], 5)).await.unwrap();
    let loaded = load(&objects, "w1").await;
    assert_eq!(loaded.lock().await.applied(), 5);
    assert_eq!(live(&loaded).await, live(&ours).await);
    let paths: Vec<_> = live(&loaded).await.into_iter().map(|segment| segment.path).collect();
    let expected = ["a", "b", "c", "d"].map(|name| format!("metric_samples/{name}.parquet"));
    assert_eq!(paths, expected);
    assert_eq!(live(&loaded).await[0], segment("a.parquet"));

    assert_eq!(live(&theirs).await.len(), 3);
    assert_eq!(theirs.lock().await.tail().await.unwrap(), 1);
    assert_eq!(live(&theirs).await, live(&ours).await);

    let log = dir.path().join("metric_samples/_delta_log");
    std::fs::remove_file(log.join(format!("{:020}.json", 2))).unwrap();
    let gap = Catalog::load(Table::MetricSamples, objects, "w1".into()).await.unwrap_err();
    assert_eq!(gap.kind(), ErrorKind::Damaged);
}

#[tokio::test]
async fn what_is_gone_cannot_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let ours = load(&objects, "w1").await;
    ours.lock().await.commit(&write(&["a.parquet", "b.parquet"], 3)).await.unwrap();
    let theirs = load(&objects, "w2").await;
    let rewrite = compact(&["a.parquet", "b.parquet"], &["ab.parquet"]);
    let committed = theirs.lock().await.commit(&rewrite).await.unwrap();
    assert_eq!(committed, Committed { version: 2 });
    let mut late = rewrite.clone();
    late.adds = vec![segment("again.parquet")];
    let refused = ours.lock().await.commit(&late).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.to_string().contains("a.parquet"), "{refused}");
    // It has taken in what it lost to, and goes on from there.
    assert_eq!(live(&ours).await, [segment("ab.parquet")]);
    let log = ours.lock().await;
    assert_eq!(log.version(), Some(2));
    let deltas: Vec<_> = log.unpublished().iter().map(|delta| delta.is_ours).collect();
    assert_eq!(deltas, [true, false]);
    let mut removed: Vec<_> = log.removed().map(|removed| removed.path.as_str()).collect();
    removed.sort_unstable();
    assert_eq!(removed, ["metric_samples/a.parquet", "metric_samples/b.parquet"]);
    let line = &commit(dir.path(), 2)[1]["remove"];
    assert_eq!((&line["path"], &line["dataChange"]), (&json!("a.parquet"), &json!(false)));
    assert!(line["deletionTimestamp"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn tags_that_an_older_writer_did_not_know_count_as_zero() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    load(&objects, "w1").await.lock().await.commit(&write(&["a.parquet"], 1)).await.unwrap();
    let path = dir.path().join(format!("metric_samples/_delta_log/{:020}.json", 1));
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (tag, value) in [("level", "1"), ("crc32c", "3735928559"), ("deletes_applied", "4")] {
        text = text.replace(&format!(r#""{tag}":"{value}","#), "");
    }
    text = text.replace(r#""created_ms":"1700000000123","#, "");
    std::fs::write(&path, text).unwrap();
    let found = live(&load(&objects, "w1").await).await;
    let old =
        Segment { level: 0, crc32c: 0, deletes_applied: 0, created_ms: 0, ..segment("a.parquet") };
    assert_eq!(found, [old]);
}

#[tokio::test]
async fn a_table_of_an_older_schema_gets_the_new_one_once() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(dir.path()).unwrap();
    let catalog = load(&objects, "w1").await;
    catalog.lock().await.commit(&write(&["a.parquet"], 1)).await.unwrap();
    let path = dir.path().join(format!("metric_samples/_delta_log/{:020}.json", 0));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("series_id", "series_number")).unwrap();

    let catalog = load(&objects, "w1").await;
    catalog.lock().await.commit(&write(&["b.parquet"], 2)).await.unwrap();
    catalog.lock().await.commit(&write(&["c.parquet"], 3)).await.unwrap();
    let has_metadata =
        |number| commit(dir.path(), number).iter().any(|line| line.get("metaData").is_some());
    assert_eq!([1, 2, 3].map(has_metadata), [false, true, false]);
}

mod interleaved;
mod kept_short;
