//! Inputs: the rows of one segment, lazily, in the form that the merge works on.
//!
//! Texts are read as views, which share the pages they lie in: copying a row copies 16 bytes a
//! text. Samples get their values back, because a decimal exponent holds for one run of one
//! segment. Columns that a segment of an older schema has not are null.

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetMetaData;
use schemas::tables::Table;
use tokio::runtime::Handle;

use super::chunks::{self, Chunks, WINDOW_BYTES};
use super::job::Context;
use crate::objects::Objects;
use crate::segment::{self, arrow};
use crate::{Error, Segment};

/// Rows that are decoded at once, at most.
const BATCH_ROWS_MAX: usize = 8192;
/// Bytes of decoded rows, about: rows of long texts come in smaller batches.
const BATCH_BYTES: u64 = 1 << 20;

/// The rows of one segment, in order. Reading blocks: not for an async thread.
#[derive(Debug)]
pub(super) struct Input {
    segment: Arc<Segment>,
    table: Table,
    columns: SchemaRef,
    reader: ParquetRecordBatchReader,
    /// Memory that it holds while it is read, in bytes, about.
    pub(super) memory_bytes: usize,
}

/// The columns that a merge works on: those that are written, but texts as views.
pub(super) fn views(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        DataType::Dictionary(_, values) if **values == DataType::Utf8 => {
            Arc::new(Field::new(field.name(), DataType::Utf8View, field.is_nullable()))
        }
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl Input {
    /// Opens a segment: reads its metadata, and no row yet. `columns` are those of [`views`].
    pub(super) fn open(
        context: &Context,
        columns: &SchemaRef,
        segment: &Arc<Segment>,
    ) -> Result<Self, Error> {
        let (reader, metadata) = reader(&context.objects, &context.runtime, segment, |_| true)?;
        let memory_bytes = memory_bytes(segment, &metadata);
        Ok(Self {
            segment: Arc::clone(segment),
            table: context.table,
            columns: Arc::clone(columns),
            reader,
            memory_bytes,
        })
    }

    fn align(&self, rows: &RecordBatch) -> Result<RecordBatch, Error> {
        let schema = Arc::clone(&self.columns);
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            columns.push(match rows.column_by_name(field.name()) {
                Some(column) => Arc::clone(column),
                None => new_null_array(field.data_type(), rows.num_rows()),
            });
        }
        let rows = RecordBatch::try_new(schema, columns).map_err(arrow)?;
        segment::unstored(self.table, rows)
    }
}

/// The rows of a segment, with those of its columns that are wanted. Reading blocks.
pub(crate) fn reader(
    objects: &Objects,
    runtime: &Handle,
    segment: &Segment,
    wanted: impl Fn(&str) -> bool,
) -> Result<(ParquetRecordBatchReader, Arc<ParquetMetaData>), Error> {
    let damaged = |error| chunks::damaged(&segment.path, error);
    let metadata = Arc::new(chunks::metadata(objects, runtime, segment)?);
    let chunks = Chunks::new(objects.clone(), runtime.clone(), segment, &metadata);
    let stored = ArrowReaderMetadata::try_new(Arc::clone(&metadata), Default::default());
    let schema = views(stored.map_err(damaged)?.schema());
    let fields = schema.fields().iter().enumerate();
    let roots: Vec<usize> =
        fields.filter(|(_, field)| wanted(field.name())).map(|(at, _)| at).collect();
    let mask = ProjectionMask::roots(metadata.file_metadata().schema_descr(), roots);
    let options = ArrowReaderOptions::new().with_schema(schema);
    let arrow = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options).map_err(damaged)?;
    let rows = batch_rows(&metadata);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, arrow);
    let reader = builder.with_batch_size(rows).with_projection(mask).build().map_err(damaged)?;
    Ok((reader, metadata))
}

impl Iterator for Input {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.reader.next()?;
        Some(
            rows.map_err(|error| failed(&self.segment.path, error))
                .and_then(|rows| self.align(&rows)),
        )
    }
}

/// The store did not answer, or the bytes are damaged.
pub(crate) fn failed(path: &str, error: arrow::error::ArrowError) -> Error {
    match segment::kind_of_cause(&error) {
        Some(kind) => Error::with_source(kind, format!("{path}: {error}"), error),
        None => chunks::damaged(path, error),
    }
}

fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let groups = metadata.row_groups().iter();
    let row_bytes = groups
        .map(|group| group.total_byte_size().max(0) as u64 / group.num_rows().max(1) as u64)
        .max()
        .unwrap_or(0);
    usize::try_from(BATCH_BYTES / row_bytes.max(1)).unwrap_or(1).clamp(16, BATCH_ROWS_MAX)
}

/// A window and a decoded page for each column, two batches, and the metadata.
fn memory_bytes(segment: &Segment, metadata: &ParquetMetaData) -> usize {
    let group = |group: &parquet::file::metadata::RowGroupMetaData| -> u64 {
        let columns = group.columns().iter();
        columns
            .map(|column| {
                let window = (column.compressed_size().max(0) as u64).min(WINDOW_BYTES);
                let page = (column.uncompressed_size().max(0) as u64).min(2 * WINDOW_BYTES);
                window + page
            })
            .sum()
    };
    let groups = metadata.row_groups().iter().map(group).max().unwrap_or(0);
    let bytes = groups + 2 * BATCH_BYTES + 4 * segment.footer_bytes;
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
