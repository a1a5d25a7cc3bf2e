//! The merge: many sorted inputs become one, run by run.
//!
//! ```text
//!  a │1 1 1 4 4│ 7 …        the input with the least key gives all rows before the least key of
//!  b │2 2 3│ 8 …            the others as one slice; slices become a batch column by column
//!  c │5│ 6 9 …              ▶ a[0..3] b[0..3] a[3..5] c[0..1] …
//! ```
//!
//! Samples of a series lie together in every input, so a slice holds all that an input has of a
//! series, and the columns but the key's are not looked at. Rows of equal keys come in the order
//! of the inputs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::{Array, ArrayData, MutableArrayData, RecordBatch, make_array, new_null_array};
use arrow::datatypes::SchemaRef;
use schemas::tables::Table;

use crate::segment::{Key, Keys, arrow};
use crate::{Error, ErrorKind};

/// Rows of an input, in order.
pub(super) type Rows = Box<dyn Iterator<Item = Result<RecordBatch, Error>> + Send>;

/// Bytes of a merged batch, about.
pub(super) const BATCH_BYTES: usize = 8 << 20;

/// Rows of one group that are kept together, at most.
const GROUP_ROWS_MAX: usize = 1 << 20;

/// Merges inputs.
pub(super) struct Merger {
    table: Table,
    schema: SchemaRef,
    cursors: Vec<Cursor>,
    /// The next key of each input that has rows left, least first; then the input's place.
    heads: BinaryHeap<Reverse<(Key, usize)>>,
    pieces: Pieces,
}

/// Where an input is read.
struct Cursor {
    input: Rows,
    batch: Option<(RecordBatch, Keys)>,
    row: usize,
    /// Place of the batch among the sources of the pieces, once it is there.
    source: Option<usize>,
}

/// Slices of batches that will be one batch.
#[derive(Default)]
struct Pieces {
    /// Each with the bytes of one of its rows, about.
    sources: Vec<(RecordBatch, usize)>,
    slices: Vec<(usize, usize, usize)>,
    rows: usize,
    bytes: usize,
}

impl Merger {
    /// Merges `inputs`, each in the order of the table's sort key and in columns of `schema`.
    pub(super) fn new(
        table: Table,
        schema: SchemaRef,
        inputs: impl IntoIterator<Item = Rows>,
    ) -> Result<Self, Error> {
        let cursors = inputs.into_iter().map(Cursor::new).collect();
        let (heads, pieces) = (BinaryHeap::new(), Pieces::default());
        let mut merger = Self { table, schema, cursors, heads, pieces };
        for at in 0..merger.cursors.len() {
            merger.refill(at)?;
        }
        Ok(merger)
    }

    /// The next rows, `rows` of them unless they are long; `None` at the end.
    ///
    /// Rows whose first `group` key columns are the same come in one batch, unless there are
    /// more than a million of them or they are long; 0 if that does not matter.
    pub(super) fn next(
        &mut self,
        mut rows: usize,
        group: usize,
    ) -> Result<Option<RecordBatch>, Error> {
        loop {
            self.fill(rows)?;
            let is_full = self.pieces.bytes >= BATCH_BYTES || rows >= GROUP_ROWS_MAX;
            if self.pieces.rows == 0 {
                return Ok(None);
            }
            let batch = std::mem::take(&mut self.pieces).gather(&self.schema)?;
            if group == 0 || self.heads.is_empty() {
                return Ok(Some(batch));
            }
            let start = self.start_of_last_group(&batch, group)?;
            if start == 0 && is_full {
                return Ok(Some(batch));
            }
            // The last group may go on: it is the beginning of the next batch.
            let source = self.pieces.source(&batch);
            self.pieces.push(source, start, batch.num_rows());
            if start > 0 {
                return Ok(Some(batch.slice(0, start)));
            }
            rows *= 2;
        }
    }

    fn start_of_last_group(&self, batch: &RecordBatch, group: usize) -> Result<usize, Error> {
        let keys = Keys::of(self.table, batch)?;
        let last = keys.len() - 1;
        Ok((0..last).rev().find(|row| !keys.is_same(group, *row, last)).map_or(0, |row| row + 1))
    }

    /// Adds pieces until there are `rows_max` rows or enough bytes, or no input has any left.
    fn fill(&mut self, rows_max: usize) -> Result<(), Error> {
        while self.pieces.rows < rows_max && self.pieces.bytes < BATCH_BYTES {
            let Some(Reverse((_, at))) = self.heads.pop() else { break };
            let bound = self.heads.peek().map(|Reverse(head)| *head);
            let cursor = &mut self.cursors[at];
            let (batch, keys) = cursor.batch.as_ref().ok_or_else(lost)?;
            let end = match bound {
                None => keys.len(),
                Some((key, of)) => keys.seek(cursor.row, &key, at < of),
            };
            let end = end.min(cursor.row + rows_max - self.pieces.rows);
            let source = *cursor.source.get_or_insert_with(|| self.pieces.source(batch));
            self.pieces.push(source, cursor.row, end);
            cursor.row = end;
            if end < keys.len() {
                self.heads.push(Reverse((keys.at(end), at)));
            } else {
                self.refill(at)?;
            }
        }
        for cursor in &mut self.cursors {
            cursor.source = None;
        }
        Ok(())
    }

    /// Takes the next batch of an input whose last one is used up.
    fn refill(&mut self, at: usize) -> Result<(), Error> {
        let cursor = &mut self.cursors[at];
        (cursor.batch, cursor.source, cursor.row) = (None, None, 0);
        for rows in cursor.input.by_ref() {
            let rows = rows?;
            if rows.num_rows() > 0 {
                let keys = Keys::of(self.table, &rows)?;
                self.heads.push(Reverse((keys.at(0), at)));
                cursor.batch = Some((rows, keys));
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Cursor {
    fn new(input: Rows) -> Self {
        Self { input, batch: None, row: 0, source: None }
    }
}

impl Pieces {
    fn source(&mut self, batch: &RecordBatch) -> usize {
        // Views share buffers with others, so this overestimates, which is the safe side.
        let row_bytes = batch.get_array_memory_size() / batch.num_rows().max(1);
        self.sources.push((batch.clone(), row_bytes));
        self.sources.len() - 1
    }

    fn push(&mut self, source: usize, start: usize, end: usize) {
        self.rows += end - start;
        self.bytes += self.sources[source].1 * (end - start);
        self.slices.push((source, start, end));
    }

    fn gather(self, schema: &SchemaRef) -> Result<RecordBatch, Error> {
        if let [(source, start, end)] = self.slices[..] {
            return Ok(self.sources[source].0.slice(start, end - start));
        }
        let mut columns = Vec::with_capacity(schema.fields().len());
        for at in 0..schema.fields().len() {
            let data: Vec<ArrayData> =
                self.sources.iter().map(|(source, _)| source.column(at).to_data()).collect();
            if data.iter().all(|data| data.null_count() == data.len()) {
                columns.push(new_null_array(schema.field(at).data_type(), self.rows));
                continue;
            }
            let mut column = MutableArrayData::new(data.iter().collect(), false, self.rows);
            for (source, start, end) in &self.slices {
                column.try_extend(*source, *start, *end).map_err(arrow)?;
            }
            columns.push(make_array(column.freeze()));
        }
        RecordBatch::try_new(SchemaRef::clone(schema), columns).map_err(arrow)
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Internal, "an input of a merge has a key and no rows")
}

#[cfg(test)]
mod tests;
