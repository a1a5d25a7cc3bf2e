//! Row groups that another writer has made: without an index of their pages, in other encodings,
//! or without the columns of decimals. The general reader of Parquet makes arrays of them, which
//! are packed as any others; that is slower, and the same samples come out.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector,
};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use schemas::tables::columns;

use super::Runs;
use super::directory::Directory;
use super::pages::{Run, extend};
use super::runs::Given;
use super::segment::{Open, from_parquet, position, reader, rows_of, too_wide};
use crate::error::from_datafusion;
use crate::operators::power_of_ten;
use crate::{Error, ErrorKind};

/// Rows of a block.
const BLOCK_ROWS: usize = 64 << 10;

impl Open {
    /// Where series are in a row group.
    pub(super) async fn general_directory(&self, group: usize) -> Result<Directory, Error> {
        let rows = rows_of(self.metadata.row_group(group))?;
        let names = [columns::METRIC_ID, columns::SERIES_ID];
        let mut batches = self.general_rows(group, &names, None)?;
        let mut found: [Vec<Run>; 2] = Default::default();
        let mut row = 0;
        while let Some(batch) = batches.try_next().await? {
            for (name, runs) in names.into_iter().zip(&mut found) {
                let ids = whole::<Int64Type>(&batch, name)?;
                for (at, id) in (row + 1..).zip(ids.values()) {
                    extend(runs, at, *id);
                }
            }
            row += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
        }
        let [metrics, series] = found;
        let starts: Vec<u32> = (0..rows).step_by(BLOCK_ROWS).collect();
        self.ordered(Directory::new(&metrics, &series, &starts, rows))
    }

    /// Reads blocks of a row group, which ascend.
    pub(super) async fn general_blocks(
        &self,
        group: usize,
        directory: &Arc<Directory>,
        blocks: &[u32],
    ) -> Result<RowBlocks, Error> {
        let rows: Vec<Range<u32>> = blocks.iter().map(|block| directory.rows(*block)).collect();
        let names =
            [columns::TIME_MS, columns::VALUE, columns::VALUE_MANTISSA, columns::VALUE_EXPONENT];
        let mut batches = self.general_rows(group, &names, Some(selection(&rows)))?;
        let (mut times, mut values) = (Vec::new(), Vec::new());
        while let Some(batch) = batches.try_next().await? {
            times.extend_from_slice(whole::<Int64Type>(&batch, columns::TIME_MS)?.values());
            push_values(&batch, &mut values)?;
        }
        let wanted: usize = rows.iter().map(ExactSizeIterator::len).sum();
        if times.len() != wanted || values.len() != wanted {
            let message = format!("segment {} has other rows than it says", self.path);
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let blocks = blocks.to_vec();
        Ok(RowBlocks { directory: Arc::clone(directory), blocks, times, values, done: 0, row: 0 })
    }

    /// Some columns of a row group, those that it has, of all rows or of those selected.
    fn general_rows(
        &self,
        group: usize,
        names: &[&str],
        selection: Option<RowSelection>,
    ) -> Result<BoxStream<'static, Result<RecordBatch, Error>>, Error> {
        let of_group = self.metadata.row_group(group);
        let places: Vec<usize> =
            names.iter().filter_map(|name| position(of_group, name).ok()).collect();
        let bytes = places.iter().map(|place| of_group.column(*place).compressed_size());
        self.source.bytes_read.add(bytes.map(|bytes| u64::try_from(bytes).unwrap_or(0)).sum())?;
        let metadata =
            ArrowReaderMetadata::try_new(Arc::clone(&self.metadata), ArrowReaderOptions::new())
                .map_err(from_parquet)?;
        let reader = reader(&self.source, self.path.as_ref(), self.length, None)?;
        let mask = ProjectionMask::leaves(metadata.parquet_schema(), places);
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata)
            .with_projection(mask)
            .with_row_groups(vec![group]);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let stream = builder.build().map_err(from_parquet)?;
        Ok(Box::pin(stream.map_err(from_parquet)))
    }
}

/// Ranges of rows, which ascend, as what is skipped and what is taken.
fn selection(rows: &[Range<u32>]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut row = 0;
    for range in rows {
        if range.start > row {
            selectors.push(RowSelector::skip((range.start - row) as usize));
        }
        selectors.push(RowSelector::select(range.len()));
        row = range.end;
    }
    selectors.into()
}

/// A column that has a value in every row.
fn whole<T: ArrowPrimitiveType>(
    batch: &RecordBatch,
    name: &str,
) -> Result<PrimitiveArray<T>, Error> {
    let found = optional::<T>(batch, name)?.filter(|array| array.null_count() == 0);
    found.ok_or_else(|| {
        let message = format!("a segment of samples without {name} in each row");
        Error::new(ErrorKind::Internal, message)
    })
}

/// A column that may be absent.
fn optional<T: ArrowPrimitiveType>(
    batch: &RecordBatch,
    name: &str,
) -> Result<Option<PrimitiveArray<T>>, Error> {
    let Some(array) = batch.column_by_name(name) else { return Ok(None) };
    let array = cast(array, &T::DATA_TYPE).map_err(|error| from_datafusion(error.into()))?;
    Ok(Some(array.as_primitive::<T>().clone()))
}

/// Adds the numbers of rows: decimals where there are, else values.
fn push_values(batch: &RecordBatch, to: &mut Vec<f64>) -> Result<(), Error> {
    let values: Option<Float64Array> = optional::<Float64Type>(batch, columns::VALUE)?;
    let mantissas = optional::<Int64Type>(batch, columns::VALUE_MANTISSA)?;
    let exponents = optional::<Int32Type>(batch, columns::VALUE_EXPONENT)?;
    let decimals = mantissas.as_ref().zip(exponents.as_ref());
    for row in 0..batch.num_rows() {
        let decimal = decimals.filter(|(_, exponents)| exponents.is_valid(row));
        let number = match (decimal, &values) {
            (Some((mantissas, exponents)), _) => {
                mantissas.value(row) as f64 / power_of_ten(exponents.value(row))
            }
            (None, Some(values)) if values.is_valid(row) => values.value(row),
            _ => {
                let message = "a segment of samples with a row without a number";
                return Err(Error::new(ErrorKind::Internal, message));
            }
        };
        to.push(number);
    }
    Ok(())
}

/// Blocks of a row group whose rows are in memory; they are packed in order.
pub(super) struct RowBlocks {
    directory: Arc<Directory>,
    blocks: Vec<u32>,
    /// Of the rows of all blocks, one after the other.
    times: Vec<i64>,
    values: Vec<f64>,
    /// Blocks that were passed, and their rows.
    done: usize,
    row: usize,
}

impl RowBlocks {
    /// Memory that they hold, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.times.capacity() * size_of::<i64>() + self.values.capacity() * size_of::<f64>()
    }

    /// Packs a block, which comes after those packed before.
    pub(super) fn pack(&mut self, block: u32, runs: &mut Runs) -> Result<Runs, Error> {
        while let Some(passed) = self.blocks.get(self.done).filter(|passed| **passed < block) {
            self.row += self.directory.rows(*passed).len();
            self.done += 1;
        }
        let rows = self.directory.rows(block);
        for (key, of_series) in self.directory.series(rows.clone()) {
            let place = |row: u32| self.row + (row - rows.start) as usize;
            let within = place(of_series.start)..place(of_series.end);
            let given = Given::Numbers(&self.values[within.clone()]);
            if !runs.push(key, &self.times[within], given) {
                return Err(too_wide());
            }
        }
        Ok(runs.take_packed())
    }
}

#[cfg(test)]
mod tests;
