//! Actions: the lines of a commit, as the Delta protocol has them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use schemas::tables::{Table, columns, date_of_day};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::change::Change;
use super::entry::{AddTexts, Tags, relative};
use crate::clock::now_ms;
use crate::{Error, ErrorKind, Segment};

/// Version of the protocol that a reader of our tables must know.
const READER_VERSION: i64 = 1;
/// Version of the protocol that a writer of our tables must know.
const WRITER_VERSION: i64 = 2;

/// What a line of a commit means to us.
#[derive(Debug)]
pub(super) enum Action {
    /// A segment is live from here on; whether it has rows that no segment had before.
    Add(Segment, bool),
    /// A segment is not live any more.
    Remove(Removed),
    /// An application holds everything up to a version.
    Applied(String, Applied),
    /// What the table is from here on; the object below `metaData`.
    Metadata(Value),
    /// What one must know to read and write the table; the object below `protocol`.
    Protocol(Value),
    /// Which commit this is; of ours no two are alike.
    Commit(String),
    /// Something that does not change what is live.
    Other,
}

/// How far an application's writes are in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// Everything up to this version is.
    pub(super) version: u64,
    /// When it was told, in milliseconds since 1970-01-01; 0 if unknown.
    pub(super) updated_ms: i64,
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
pub(super) fn first_commit(table: Table, schema: &str) -> Bytes {
    let protocol = json!({"protocol": {
        "minReaderVersion": READER_VERSION, "minWriterVersion": WRITER_VERSION,
    }});
    lines(&[protocol, metadata(table, schema)])
}

/// What the table is, with a schema in the form of `schemaString`.
fn metadata(table: Table, schema: &str) -> Value {
    json!({"metaData": {
        "id": table_id(table),
        "name": table.name(),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema,
        "partitionColumns": [columns::TENANT, columns::DATE],
        "configuration": {},
        "createdTime": 0,
    }})
}

/// A commit of `change`. `application` names our WAL, `id` tells the commit apart from all others,
/// `schema` is what the table's schema becomes, if it changes.
pub(super) fn commit(
    table: Table,
    change: &Change,
    application: &str,
    id: &str,
    schema: Option<&str>,
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
    if let Some(schema) = schema {
        // Columns are only ever added, so what was written before stays readable.
        actions.push(metadata(table, schema));
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
    let texts = AddTexts::of(table, segment)?;
    let tags: Map<String, Value> =
        texts.tags.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    Ok(json!({"add": {
        "path": texts.path,
        "partitionValues": {columns::TENANT: texts.tenant, columns::DATE: texts.date},
        "size": segment.bytes,
        "modificationTime": segment.created_ms,
        "dataChange": data_change,
        "stats": texts.stats,
        "tags": tags,
    }}))
}

fn remove(table: Table, segment: &Segment, now_ms: i64, data_change: bool) -> Result<Value, Error> {
    Ok(json!({"remove": {
        "path": relative(table, &segment.path)?,
        "deletionTimestamp": now_ms,
        "dataChange": data_change,
        "extendedFileMetadata": true,
        "partitionValues": {
            columns::TENANT: segment.tenant.as_ref(), columns::DATE: date_of_day(segment.day),
        },
        "size": segment.bytes,
    }}))
}

/// A line as other writers may write it, too: one of the fields is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow)]
    add: Option<Add<'a>>,
    #[serde(borrow)]
    remove: Option<Remove<'a>>,
    txn: Option<Txn>,
    meta_data: Option<Value>,
    protocol: Option<Value>,
    #[serde(borrow)]
    commit_info: Option<CommitInfo<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Add<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    partition_values: HashMap<String, Option<String>>,
    size: u64,
    #[serde(default)]
    data_change: bool,
    #[serde(borrow)]
    stats: Option<Cow<'a, str>>,
    tags: Option<HashMap<String, Option<String>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remove<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    deletion_timestamp: Option<i64>,
    size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
    version: u64,
    last_updated: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitInfo<'a> {
    #[serde(borrow)]
    txn_id: Option<Cow<'a, str>>,
}

/// The actions of a commit.
pub(super) fn parse(path: &str, body: &Bytes) -> Result<Vec<Action>, Error> {
    let table = path.split('/').next().unwrap_or_default();
    let mut actions = Vec::new();
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Line<'_> =
            serde_json::from_slice(line).map_err(|error| damaged(path, &error.to_string()))?;
        actions.push(action(table, path, line)?);
    }
    Ok(actions)
}

fn action(table: &str, path: &str, line: Line<'_>) -> Result<Action, Error> {
    if let Some(add) = line.add {
        let segment = segment(table, &add);
        let segment = segment.ok_or_else(|| damaged(path, "an add of another kind"))?;
        return Ok(Action::Add(segment, add.data_change));
    }
    if let Some(remove) = line.remove {
        return Ok(Action::Remove(Removed {
            path: format!("{table}/{}", remove.path),
            removed_ms: remove.deletion_timestamp.unwrap_or_default(),
            bytes: remove.size.unwrap_or_default(),
        }));
    }
    if let Some(txn) = line.txn {
        let updated_ms = txn.last_updated.unwrap_or_default();
        return Ok(Action::Applied(txn.app_id, Applied { version: txn.version, updated_ms }));
    }
    if let Some(protocol) = line.protocol {
        check_protocol(path, &protocol)?;
        return Ok(Action::Protocol(protocol));
    }
    if let Some(metadata) = line.meta_data {
        return Ok(Action::Metadata(metadata));
    }
    let id = line.commit_info.and_then(|info| info.txn_id);
    Ok(id.map_or(Action::Other, |id| Action::Commit(id.into_owned())))
}

/// Another engine may have turned something on that we do not know: then we can neither tell
/// which rows are there nor add any.
pub(super) fn check_protocol(path: &str, protocol: &Value) -> Result<(), Error> {
    let version = |name: &str| protocol.get(name).and_then(Value::as_i64).unwrap_or(i64::MAX);
    let (reader, writer) = (version("minReaderVersion"), version("minWriterVersion"));
    if reader <= READER_VERSION && writer <= WRITER_VERSION {
        return Ok(());
    }
    let message = format!(
        "{path}: the table asks for reader version {reader} and writer version {writer} of the \
         Delta protocol; known are {READER_VERSION} and {WRITER_VERSION}"
    );
    Err(Error::new(ErrorKind::Invalid, message))
}

fn segment(table: &str, add: &Add<'_>) -> Option<Segment> {
    let mut tags = Tags::default();
    for (name, value) in add.tags.as_ref()? {
        tags.set(name, value.as_deref()?);
    }
    let tenant: Arc<str> = add.partition_values.get(columns::TENANT)?.as_deref()?.into();
    tags.segment(format!("{table}/{}", add.path), tenant, add.size, add.stats.as_deref()?)
}

/// A commit or checkpoint does not hold what it must.
pub(super) fn damaged(path: &str, what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("{path}: {what}"))
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
