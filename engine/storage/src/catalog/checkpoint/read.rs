//! Reading a checkpoint, ours or that of another engine that kept our tags.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, MapArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use schemas::tables::columns;
use serde_json::{Map, Value, json};

use super::super::actions::{Action, Applied, Removed, check_protocol, damaged};
use super::super::entry::Tags;
use super::CHECKSUM_KEY;
use crate::{Error, ErrorKind};

/// Actions that are decoded at once.
const BATCH_ROWS: usize = 8192;

/// The actions of a checkpoint; `Damaged` if it is not what it must be.
pub(in crate::catalog) fn read(path: &str, bytes: Bytes) -> Result<Vec<Action>, Error> {
    let failed = |error: parquet::errors::ParquetError| damaged(path, &error.to_string());
    // What another engine has told Arrow of its columns is of no use to us.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options)
        .map_err(failed)?;
    check(path, &bytes, &builder)?;
    let mut reading = Reading {
        path,
        table: path.split('/').next().unwrap_or_default(),
        tenants: HashMap::new(),
        actions: Vec::new(),
    };
    for batch in builder.with_batch_size(BATCH_ROWS).build().map_err(failed)? {
        let batch = batch.map_err(|error| damaged(path, &error.to_string()))?;
        reading.batch(&batch)?;
    }
    let is = |kind: fn(&Action) -> bool| reading.actions.iter().any(kind);
    if !is(|action| matches!(action, Action::Protocol(_)))
        || !is(|action| matches!(action, Action::Metadata(_)))
    {
        return Err(damaged(path, "protocol or metaData is missing"));
    }
    Ok(reading.actions)
}

/// Compares the bytes before the footer with the checksum in it; others' checkpoints have none.
fn check(
    path: &str,
    bytes: &Bytes,
    builder: &ParquetRecordBatchReaderBuilder<Bytes>,
) -> Result<(), Error> {
    let metadata = builder.metadata();
    let entries = metadata.file_metadata().key_value_metadata();
    let found = entries.into_iter().flatten().find(|entry| entry.key == CHECKSUM_KEY);
    let Some(checksum) = found.and_then(|entry| entry.value.as_ref()) else { return Ok(()) };
    let ends = metadata.row_groups().iter().flat_map(|group| group.columns()).map(|column| {
        let (start, length) = column.byte_range();
        start.saturating_add(length)
    });
    let end = usize::try_from(ends.max().unwrap_or(0)).unwrap_or(usize::MAX);
    let data = bytes.get(..end).ok_or_else(|| damaged(path, "it is cut off"))?;
    if crc32c::crc32c(data).to_string() == *checksum {
        return Ok(());
    }
    Err(damaged(path, "its bytes are not those of its checksum"))
}

struct Reading<'a> {
    path: &'a str,
    table: &'a str,
    /// Each name once, as segments share it.
    tenants: HashMap<String, Arc<str>>,
    actions: Vec<Action>,
}

impl Reading<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let column = |name: &str| batch.column_by_name(name).and_then(|of| of.as_struct_opt());
        if let Some(of) = column("protocol") {
            self.protocols(of)?;
        }
        if let Some(of) = column("metaData") {
            self.metadata(of)?;
        }
        if let Some(of) = column("txn") {
            self.applied(of)?;
        }
        if let Some(of) = column("remove") {
            self.removes(of)?;
        }
        let adds = column("add").ok_or_else(|| damaged(self.path, "no column add"))?;
        self.adds(adds)
    }

    fn protocols(&mut self, of: &StructArray) -> Result<(), Error> {
        for row in rows(of) {
            let version = |name: &str| {
                let column = of.column_by_name(name)?.as_primitive_opt::<Int32Type>()?;
                column.is_valid(row).then(|| column.value(row))
            };
            let versions = version("minReaderVersion").zip(version("minWriterVersion"));
            let (reader, writer) = versions.ok_or_else(|| self.odd("protocol"))?;
            let protocol = json!({"minReaderVersion": reader, "minWriterVersion": writer});
            check_protocol(self.path, &protocol)?;
            self.actions.push(Action::Protocol(protocol));
        }
        Ok(())
    }

    fn metadata(&mut self, of: &StructArray) -> Result<(), Error> {
        for row in rows(of) {
            let text = |name: &str| -> Result<Option<&str>, Error> {
                let column = self.texts(of, name)?;
                Ok(column.is_valid(row).then(|| column.value(row)))
            };
            let format = of.column_by_name("format").and_then(|of| of.as_struct_opt());
            let format = format.ok_or_else(|| self.odd("metaData.format"))?;
            let partitions = of.column_by_name("partitionColumns");
            let partitions = partitions.and_then(|of| of.as_list_opt::<i32>());
            let partitions = partitions.ok_or_else(|| self.odd("metaData.partitionColumns"))?;
            let partitions = partitions.value(row);
            let partitions = partitions.as_string_opt::<i32>();
            let partitions = partitions.ok_or_else(|| self.odd("metaData.partitionColumns"))?;
            let provider = self.texts(format, "provider")?;
            let created = self.integers(of, "createdTime")?;
            let mut metadata = json!({
                "id": text("id")?,
                "name": text("name")?,
                "format": {
                    "provider": provider.value(row),
                    "options": object(self.map(format, "options")?, row),
                },
                "schemaString": text("schemaString")?,
                "partitionColumns": partitions.iter().flatten().collect::<Vec<_>>(),
                "configuration": object(self.map(of, "configuration")?, row),
                "createdTime": created.is_valid(row).then(|| created.value(row)),
            });
            if let Some(description) = text("description")? {
                metadata["description"] = description.into();
            }
            self.actions.push(Action::Metadata(metadata));
        }
        Ok(())
    }

    fn applied(&mut self, of: &StructArray) -> Result<(), Error> {
        let names = self.texts(of, "appId")?;
        let versions = self.integers(of, "version")?;
        let updated = of.column_by_name("lastUpdated");
        let updated = updated.and_then(|of| of.as_primitive_opt::<Int64Type>());
        for row in rows(of) {
            let version = u64::try_from(versions.value(row)).unwrap_or_default();
            let updated_ms = updated.map_or(0, |updated| updated.value(row));
            let applied = Applied { version, updated_ms };
            self.actions.push(Action::Applied(names.value(row).to_owned(), applied));
        }
        Ok(())
    }

    fn removes(&mut self, of: &StructArray) -> Result<(), Error> {
        let paths = self.texts(of, "path")?;
        let removed = self.integers(of, "deletionTimestamp")?;
        let sizes = of.column_by_name("size");
        let sizes = sizes.and_then(|of| of.as_primitive_opt::<Int64Type>());
        for row in rows(of) {
            let bytes = sizes.map_or(0, |sizes| sizes.value(row));
            self.actions.push(Action::Remove(Removed {
                path: format!("{}/{}", self.table, paths.value(row)),
                removed_ms: removed.value(row),
                bytes: u64::try_from(bytes).unwrap_or_default(),
            }));
        }
        Ok(())
    }

    fn adds(&mut self, of: &StructArray) -> Result<(), Error> {
        let mut rows = rows(of).peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let paths = self.texts(of, "path")?;
        let sizes = self.integers(of, "size")?;
        let stats = self.texts(of, "stats")?;
        let partitions = self.map(of, "partitionValues")?;
        let tags = self.map(of, "tags")?;
        for row in rows {
            let mut known = Tags::default();
            entries(tags, row, |name, value| known.set(name, value));
            let mut tenant = None;
            entries(partitions, row, |name, value| {
                if name == columns::TENANT {
                    tenant = Some(value);
                }
            });
            let segment = tenant.and_then(|tenant| {
                let path = format!("{}/{}", self.table, paths.value(row));
                let bytes = u64::try_from(sizes.value(row)).ok()?;
                known.segment(path, shared(&mut self.tenants, tenant), bytes, stats.value(row))
            });
            let segment = segment.ok_or_else(|| damaged(self.path, "an add of another kind"))?;
            self.actions.push(Action::Add(segment, false));
        }
        Ok(())
    }

    fn texts<'b>(&self, of: &'b StructArray, name: &str) -> Result<&'b StringArray, Error> {
        let column = of.column_by_name(name).and_then(|of| of.as_string_opt::<i32>());
        column.ok_or_else(|| self.odd(name))
    }

    fn integers<'b>(
        &self,
        of: &'b StructArray,
        name: &str,
    ) -> Result<&'b arrow::array::Int64Array, Error> {
        let column = of.column_by_name(name).and_then(|of| of.as_primitive_opt::<Int64Type>());
        column.ok_or_else(|| self.odd(name))
    }

    fn map<'b>(&self, of: &'b StructArray, name: &str) -> Result<&'b MapArray, Error> {
        let column = of.column_by_name(name).and_then(|of| of.as_map_opt());
        let column = column.filter(|map| {
            map.keys().as_string_opt::<i32>().is_some()
                && map.values().as_string_opt::<i32>().is_some()
        });
        column.ok_or_else(|| self.odd(name))
    }

    fn odd(&self, column: &str) -> Error {
        Error::new(ErrorKind::Damaged, format!("{}: no such column {column}", self.path))
    }
}

/// The rows in which an action is of this kind.
fn rows(of: &StructArray) -> impl Iterator<Item = usize> {
    (0..of.len()).filter(|row| of.is_valid(*row))
}

/// Walks over the entries of a map of texts that have values.
fn entries<'a>(of: &'a MapArray, row: usize, mut take: impl FnMut(&'a str, &'a str)) {
    let (keys, values) = (of.keys().as_string::<i32>(), of.values().as_string::<i32>());
    let range = of.value_offsets()[row]..of.value_offsets()[row + 1];
    for at in range.filter_map(|at| usize::try_from(at).ok()) {
        if values.is_valid(at) {
            take(keys.value(at), values.value(at));
        }
    }
}

fn object(of: &MapArray, row: usize) -> Value {
    let mut object = Map::new();
    entries(of, row, |name, value| {
        object.insert(name.to_owned(), value.into());
    });
    Value::Object(object)
}

fn shared(names: &mut HashMap<String, Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return Arc::clone(known);
    }
    let shared: Arc<str> = name.into();
    names.insert(name.to_owned(), Arc::clone(&shared));
    shared
}
