//! Batches in types that every client reads.
//!
//! ```text
//!  Utf8View, LargeUtf8, Dictionary(_, Utf8)  ─▶  Utf8
//!  BinaryView, LargeBinary                   ─▶  Binary
//!  Timestamp(s | ms | µs)                    ─▶  Timestamp(ns)
//! ```
//!
//! Grafana's plugin is built on an Arrow that has no views and reads the values of a timestamp as
//! nanoseconds whatever its unit says. Lists, maps and structs keep their shape; their items
//! change likewise.

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatchOptions;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tonic::Status;

use crate::error::Error;

/// What DoGet answers with.
pub(crate) type FlightStream = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// The schema a client is told for a schema of the engine.
pub(crate) fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A batch of the engine in the types of `schema`, which is its [`plain_schema`].
///
/// The declared schema wins over the batch's own in whether a column may be null: clients
/// compare it with the one in the `FlightInfo`.
pub(crate) fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Error> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        columns.push(cast(column, field.data_type())?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// The answer of a query as Flight messages.
pub(crate) fn query_stream(output: exec::QueryOutput, schema: SchemaRef) -> FlightStream {
    let declared = Arc::clone(&schema);
    let batches = output.stream.map(move |batch| {
        let batch = batch.map_err(Error::from)?;
        Ok(plain_batch(&batch, &declared)?)
    });
    let messages = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Box::pin(messages.map_err(Status::from))
}

/// One batch of metadata as Flight messages.
pub(crate) fn batch_stream(batch: RecordBatch) -> FlightStream {
    let schema = batch.schema();
    let batches = stream::iter([Ok(batch)]);
    let messages = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Box::pin(messages.map_err(Status::from))
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain_type(field.data_type());
    if plain == *field.data_type() {
        return Arc::clone(field);
    }
    Arc::new(Field::clone(field).with_data_type(plain))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            DataType::List(plain_field(item))
        }
        DataType::FixedSizeList(item, length) => {
            DataType::FixedSizeList(plain_field(item), *length)
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(plain_field(entries), *sorted),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
