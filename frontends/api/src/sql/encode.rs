//! Tables as JSON, CSV and Arrow's IPC stream.

use arrow::csv;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{JsonArray, WriterBuilder};
use arrow::record_batch::RecordBatch;

use crate::error::{Error, ErrorKind};
use crate::respond::{Encode, End};

/// An array of objects, one a row; nulls are written.
#[derive(Debug)]
pub(super) struct Json {
    rows: Counted,
}

impl Json {
    pub(super) fn new(rows_max: usize) -> Self {
        Self { rows: Counted::new(rows_max) }
    }
}

impl Encode for Json {
    type Buffer = Vec<u8>;

    fn open(&mut self, out: &mut Vec<u8>) {
        out.push(b'[');
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Error> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let is_first = self.rows.count == 0;
        self.rows.add(rows)?;
        let builder = WriterBuilder::new().with_explicit_nulls(true);
        let mut writer = builder.build::<_, JsonArray>(Vec::new());
        writer.write(rows).map_err(|error| unwritable(&error))?;
        writer.finish()?;
        // The writer makes an array of its own, of which the items are wanted.
        let array = writer.into_inner();
        let items = array.strip_prefix(b"[").and_then(|items| items.strip_suffix(b"]"));
        if !is_first {
            out.push(b',');
        }
        out.extend_from_slice(items.unwrap_or_default());
        Ok(())
    }

    fn close(&mut self, _end: &End, out: &mut Vec<u8>) {
        out.push(b']');
    }
}

/// A header and lines.
#[derive(Debug)]
pub(super) struct Csv {
    schema: SchemaRef,
    rows: Counted,
}

impl Csv {
    pub(super) fn new(schema: SchemaRef, rows_max: usize) -> Self {
        Self { schema, rows: Counted::new(rows_max) }
    }
}

impl Encode for Csv {
    type Buffer = Vec<u8>;

    fn open(&mut self, out: &mut Vec<u8>) {
        let mut writer = csv::WriterBuilder::new().with_header(true).build(out);
        // Without rows only the header is written, and a Vec takes all that is.
        let _ = writer.write(&RecordBatch::new_empty(SchemaRef::clone(&self.schema)));
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Error> {
        self.rows.add(rows)?;
        let mut writer = csv::WriterBuilder::new().with_header(false).build(out);
        writer.write(rows).map_err(|error| unwritable(&error))
    }

    fn close(&mut self, _end: &End, _out: &mut Vec<u8>) {}
}

/// Arrow's IPC stream.
pub(super) struct ArrowStream {
    writer: StreamWriter<Vec<u8>>,
}

impl ArrowStream {
    pub(super) fn new(schema: &Schema) -> Result<Self, Error> {
        Ok(Self { writer: StreamWriter::try_new(Vec::new(), schema)? })
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        out.append(self.writer.get_mut());
    }
}

impl Encode for ArrowStream {
    type Buffer = Vec<u8>;

    fn open(&mut self, out: &mut Vec<u8>) {
        self.take(out);
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Error> {
        self.writer.write(rows)?;
        self.take(out);
        Ok(())
    }

    fn close(&mut self, _end: &End, out: &mut Vec<u8>) {
        // Only the end mark is left to write, and a Vec takes it.
        let _ = self.writer.finish();
        self.take(out);
    }
}

/// Rows written so far, and how many there may be.
#[derive(Debug)]
struct Counted {
    count: usize,
    max: usize,
}

impl Counted {
    fn new(max: usize) -> Self {
        Self { count: 0, max }
    }

    fn add(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        self.count += rows.num_rows();
        if self.count > self.max {
            let max = self.max;
            return Err(Error::limit(format!("the answer has over {max} rows, the limit")));
        }
        Ok(())
    }
}

/// A column that a format has no form for.
fn unwritable(error: &arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Execution, format!("the answer cannot be written: {error}"))
}

#[cfg(test)]
mod tests;
