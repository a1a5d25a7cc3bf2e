//! Actions: the lines of a commit, as the Delta protocol has them.

use bytes::Bytes;
use schemas::tables::{Table, columns, date_of_day};
use serde_json::{Map, Value, json};

use super::change::Change;
use super::schema::schema_string;
use crate::clock::now_ms;
use crate::{Error, ErrorKind, Segment};

/// What a line of a commit means to us.
#[derive(Debug)]
pub(super) enum Action {
    /// A segment is live from here on.
    Add(Segment),
    /// A path below the lake's root is not live any more.
    Remove(Removed),
    /// An application holds everything up to a version.
    Applied(String, u64),
    /// The table has this schema from here on, in the form of `schemaString`.
    Schema(String),
    /// Which commit this is; of ours no two are alike.
    Commit(String),
    /// Something that does not change what is live.
    Other,
}

/// An object that was live and that readers may still have open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Path in the object store.
    pub path: String,
    /// When it was removed, in milliseconds since 1970-01-01.
    pub removed_ms: i64,
    /// Size of the object; 0 if the log does not tell.
    pub bytes: u64,
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

/// A commit of `change`; `has_schema` says that the table has the schema of now, `id` tells the
/// commit apart from all others.
pub(super) fn commit(
    table: Table,
    change: &Change,
    application: &str,
    id: &str,
    has_schema: bool,
) -> Result<Bytes, Error> {
    let now_ms = now_ms();
    let is_append = change.removes.is_empty();
    let mut actions = vec![json!({"commitInfo": {
        "timestamp": now_ms,
        "operation": change.operation.name(),
        "operationParameters": {"mode": if is_append { "Append" } else { "Overwrite" }},
        "isBlindAppend": is_append,
        "engineInfo": "siglake",
        "txnId": id,
    }})];
    if let Some(applied) = change.applied {
        actions.push(json!({"txn": {
            "appId": application, "version": applied, "lastUpdated": now_ms,
        }}));
    }
    if !has_schema {
        // Columns are only ever added, so what was written before stays readable.
        actions.push(metadata(table)?);
    }
    let data_change = change.operation.changes_data();
    for segment in &change.removes {
        actions.push(remove(table, segment, now_ms, data_change)?);
    }
    for segment in &change.adds {
        actions.push(add(table, segment, data_change)?);
    }
    Ok(lines(&actions))
}

fn add(table: Table, segment: &Segment, data_change: bool) -> Result<Value, Error> {
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
        "partitionValues": partition_values(segment),
        "size": segment.bytes,
        "modificationTime": segment.created_ms,
        "dataChange": data_change,
        "stats": stats.to_string(),
        "tags": {
            "level": segment.level.to_string(),
            "day": segment.day.to_string(),
            "sort_key": key.columns.join(","),
            "key_ranges": json!(segment.key_ranges).to_string(),
            "min_time_ns": segment.min_time_ns.to_string(),
            "max_time_ns": segment.max_time_ns.to_string(),
            "footer_bytes": segment.footer_bytes.to_string(),
            "crc32c": segment.crc32c.to_string(),
            "deletes_applied": segment.deletes_applied.to_string(),
            "created_ms": segment.created_ms.to_string(),
        },
    }}))
}

fn remove(table: Table, segment: &Segment, now_ms: i64, data_change: bool) -> Result<Value, Error> {
    Ok(json!({"remove": {
        "path": relative(table, &segment.path)?,
        "deletionTimestamp": now_ms,
        "dataChange": data_change,
        "extendedFileMetadata": true,
        "partitionValues": partition_values(segment),
        "size": segment.bytes,
    }}))
}

fn partition_values(segment: &Segment) -> Value {
    json!({columns::TENANT: segment.tenant.as_ref(), columns::DATE: date_of_day(segment.day)})
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
            removed(table, remove)
                .map(Action::Remove)
                .ok_or_else(|| damaged("a remove without path"))?
        } else if let Some(metadata) = value.get("metaData") {
            let schema = metadata.get("schemaString").and_then(Value::as_str);
            Action::Schema(schema.unwrap_or_default().to_owned())
        } else if let Some(txn) = value.get("txn") {
            let app = txn.get("appId").and_then(Value::as_str).unwrap_or_default();
            let version = txn.get("version").and_then(Value::as_u64).unwrap_or_default();
            Action::Applied(app.to_owned(), version)
        } else if let Some(info) = value.get("commitInfo") {
            let id = info.get("txnId").and_then(Value::as_str).unwrap_or_default();
            Action::Commit(id.to_owned())
        } else {
            Action::Other
        };
        actions.push(action);
    }
    Ok(actions)
}

fn removed(table: &str, remove: &Value) -> Option<Removed> {
    let path = remove.get("path")?.as_str()?;
    let removed_ms = remove.get("deletionTimestamp").and_then(Value::as_i64);
    let bytes = remove.get("size").and_then(Value::as_u64);
    Some(Removed {
        path: format!("{table}/{path}"),
        removed_ms: removed_ms.unwrap_or_default(),
        bytes: bytes.unwrap_or_default(),
    })
}

fn segment(table: &str, add: &Value) -> Option<Segment> {
    let tags = add.get("tags")?;
    let tag = |name: &str| tags.get(name)?.as_str();
    // Tags that older writers did not know count as zero.
    let later = |name: &str| tag(name).unwrap_or("0");
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
        level: later("level").parse().ok()?,
        crc32c: later("crc32c").parse().ok()?,
        deletes_applied: later("deletes_applied").parse().ok()?,
        created_ms: later("created_ms").parse().ok()?,
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
