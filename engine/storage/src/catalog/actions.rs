//! Actions: the lines of a commit, as the Delta protocol has them.

use bytes::Bytes;
use schemas::tables::{Table, columns, date_of_day};
use serde_json::{Map, Value, json};

use super::schema::schema_string;
use crate::clock::now_ms;
use crate::{Error, ErrorKind, Segment};

/// What a line of a commit means to us.
#[derive(Debug)]
pub(super) enum Action {
    /// A segment is live from here on.
    Add(Segment),
    /// A path below the table's folder is not live any more.
    Remove(String),
    /// An application holds everything up to a version.
    Applied(String, u64),
    /// The table has this schema from here on, in the form of `schemaString`.
    Schema(String),
    /// Something that does not change what is live.
    Other,
}

/// The commit that makes a table.
pub(super) fn first_commit(table: Table) -> Result<Bytes, Error> {
    let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
    Ok(lines(&[protocol, metadata(table)?]))
}

/// What the table is, in the schema of now.
fn metadata(table: Table) -> Result<Value, Error> {
    Ok(json!({"metaData": {
        "id": table_id(table),
        "name": table.name(),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema_string(table)?,
        "partitionColumns": [columns::TENANT, columns::DATE],
        "configuration": {},
        "createdTime": 0,
    }}))
}

/// A commit that adds segments; `has_schema` says that the table has the schema of now.
pub(super) fn append_commit(
    table: Table,
    segments: &[Segment],
    application: &str,
    applied: u64,
    has_schema: bool,
) -> Result<Bytes, Error> {
    let now_ms = now_ms();
    let mut actions = vec![
        json!({"commitInfo": {
            "timestamp": now_ms, "operation": "WRITE", "engineInfo": "siglake",
            "operationParameters": {"mode": "Append"},
            "txnId": format!("{application}-{applied}"),
        }}),
        json!({"txn": {"appId": application, "version": applied, "lastUpdated": now_ms}}),
    ];
    if !has_schema {
        // Columns are only ever added, so what was written before stays readable.
        actions.push(metadata(table)?);
    }
    for segment in segments {
        actions.push(add(table, segment, now_ms)?);
    }
    Ok(lines(&actions))
}

fn add(table: Table, segment: &Segment, now_ms: i64) -> Result<Value, Error> {
    let path = relative(table, &segment.path)?;
    let key = table.sort_key();
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (name, range) in key.columns.iter().zip(&segment.key_ranges) {
        least.insert((*name).to_owned(), range.0.into());
        greatest.insert((*name).to_owned(), range.1.into());
        nulls.insert((*name).to_owned(), 0.into());
    }
    let stats = json!({
        "numRecords": segment.rows, "minValues": least, "maxValues": greatest, "nullCount": nulls,
    });
    Ok(json!({"add": {
        // Our paths hold nothing that the protocol would have encoded.
        "path": path,
        "partitionValues": {
            columns::TENANT: segment.tenant.as_ref(), columns::DATE: date_of_day(segment.day),
        },
        "size": segment.bytes,
        "modificationTime": now_ms,
        "dataChange": true,
        "stats": stats.to_string(),
        "tags": {
            "level": "0",
            "day": segment.day.to_string(),
            "sort_key": key.columns.join(","),
            "key_ranges": json!(segment.key_ranges).to_string(),
            "min_time_ns": segment.min_time_ns.to_string(),
            "max_time_ns": segment.max_time_ns.to_string(),
            "footer_bytes": segment.footer_bytes.to_string(),
        },
    }}))
}

/// A path below the table's folder.
fn relative(table: Table, path: &str) -> Result<&str, Error> {
    path.strip_prefix(table.name()).and_then(|path| path.strip_prefix('/')).ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("{path} is no segment of {}", table.name()))
    })
}

/// The actions of a commit.
pub(super) fn parse(path: &str, body: &Bytes) -> Result<Vec<Action>, Error> {
    let table = path.split('/').next().unwrap_or_default();
    let damaged = |what: &str| Error::new(ErrorKind::Damaged, format!("{path}: {what}"));
    let mut actions = Vec::new();
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let value: Value =
            serde_json::from_slice(line).map_err(|error| damaged(&error.to_string()))?;
        let action = if let Some(add) = value.get("add") {
            segment(table, add).map(Action::Add).ok_or_else(|| damaged("an add of another kind"))?
        } else if let Some(remove) = value.get("remove") {
            let path = remove.get("path").and_then(Value::as_str);
            let path = path.ok_or_else(|| damaged("a remove without path"))?;
            Action::Remove(path.to_owned())
        } else if let Some(metadata) = value.get("metaData") {
            let schema = metadata.get("schemaString").and_then(Value::as_str);
            Action::Schema(schema.unwrap_or_default().to_owned())
        } else if let Some(txn) = value.get("txn") {
            let app = txn.get("appId").and_then(Value::as_str).unwrap_or_default();
            let version = txn.get("version").and_then(Value::as_u64).unwrap_or_default();
            Action::Applied(app.to_owned(), version)
        } else {
            Action::Other
        };
        actions.push(action);
    }
    Ok(actions)
}

fn segment(table: &str, add: &Value) -> Option<Segment> {
    let tags = add.get("tags")?;
    let tag = |name: &str| tags.get(name)?.as_str();
    let stats: Value = serde_json::from_str(add.get("stats")?.as_str()?).ok()?;
    let path = add.get("path")?.as_str()?;
    Some(Segment {
        path: format!("{table}/{path}"),
        tenant: add.get("partitionValues")?.get(columns::TENANT)?.as_str()?.into(),
        day: tag("day")?.parse().ok()?,
        bytes: add.get("size")?.as_u64()?,
        rows: stats.get("numRecords")?.as_u64()?,
        min_time_ns: tag("min_time_ns")?.parse().ok()?,
        max_time_ns: tag("max_time_ns")?.parse().ok()?,
        key_ranges: serde_json::from_str(tag("key_ranges")?).ok()?,
        footer_bytes: tag("footer_bytes")?.parse().ok()?,
    })
}

fn lines(actions: &[Value]) -> Bytes {
    let mut body = String::new();
    for action in actions {
        body.push_str(&action.to_string());
        body.push('\n');
    }
    Bytes::from(body)
}

/// An id made of the table's name, so that two processes that both make it agree.
fn table_id(table: Table) -> String {
    let mut hex = String::new();
    for seed in ["siglake", "table"] {
        let name = schemas::model::Label::new(seed, table.name());
        let id: schemas::model::Labels = [name].into_iter().collect();
        hex.push_str(&format!("{:016x}", id.id()));
    }
    let parts = [&hex[0..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]];
    parts.join("-")
}
