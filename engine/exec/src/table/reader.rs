//! Readers of segments whose bytes are taken from the query's memory.
//!
//! A reader fetches the columns of a row group at once, first those of the predicate, then the
//! others, and decodes them batch by batch. DataFusion reserves nothing for that, and a row group
//! of logs can be tens of megabytes, so the bytes of the two newest fetches are held here until
//! the next one, or until the reader is dropped. To them comes what a batch of their columns
//! takes when it is decoded: few rows with long texts that compress well are small on disk only.
//!
//! Columns that are both filtered by and wanted are kept decoded until their row group is done, as
//! far as a bound allows, which is held here for as long as the reader is open. Parquet's own bound
//! is 100 MiB a reader: a search for a word over ten segments would take a gigabyte.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;

use crate::Error;
use crate::memory::{Held, QueryMemory};
use crate::output::BytesRead;

/// Decoded batches on their way and buffers of decoders, of one open segment.
const DECODING_BYTES: usize = 512 << 10;

/// Rows of decoded batches that are under way at once: one is decoded, one is filtered.
const ROWS_DECODED: u64 = 2 * 8192;

/// Decoded columns that one reader keeps from its filters for its answer, at most: what is beyond is
/// decoded twice.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// All readers of a scan keep one of so many parts of the query's memory.
const KEPT_PART: usize = 16;

/// Bytes of decoded columns that each of so many readers may keep.
pub(super) fn kept_bytes(memory: &dyn MemoryPool, readers: usize) -> usize {
    let all = match memory.memory_limit() {
        MemoryLimit::Finite(bytes) => bytes / KEPT_PART,
        _ => usize::MAX,
    };
    KEPT_BYTES_MAX.min(all / readers.max(1))
}

/// Makes readers that hold memory of the query.
pub(super) struct HeldReaders {
    inner: CachedParquetFileReaderFactory,
    memory: QueryMemory,
    read: BytesRead,
    /// What each reader holds from its beginning to its end.
    fixed_bytes: usize,
}

impl fmt::Debug for HeldReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldReaders")
    }
}

impl HeldReaders {
    /// Readers like those of `inner`, each of which keeps `kept_bytes` of decoded columns; what
    /// they read is counted in `read`.
    pub(super) fn new(
        inner: CachedParquetFileReaderFactory,
        memory: QueryMemory,
        read: BytesRead,
        kept_bytes: usize,
    ) -> Self {
        Self { inner, memory, read, fixed_bytes: DECODING_BYTES + kept_bytes }
    }
}

impl ParquetFileReaderFactory for HeldReaders {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        let inner = self.inner.create_reader(partition, file, metadata_size_hint, metrics)?;
        let held = self.memory.hold("segments");
        let fixed_bytes = self.fixed_bytes;
        held.grow(fixed_bytes)?;
        let read = self.read.clone();
        let newest_bytes = 0;
        Ok(Box::new(HeldReader { inner, held, read, fixed_bytes, newest_bytes, metadata: None }))
    }
}

struct HeldReader {
    inner: Box<dyn AsyncFileReader + Send>,
    held: Held,
    read: BytesRead,
    /// Bytes held from the beginning to the end.
    fixed_bytes: usize,
    /// Bytes of the newest fetch.
    newest_bytes: usize,
    metadata: Option<Arc<ParquetMetaData>>,
}

impl HeldReader {
    fn fetch(&mut self, ranges: &[Range<u64>]) -> Result<()> {
        let external = |error: Error| ParquetError::External(Box::new(error));
        self.read.add(ranges.iter().map(length).sum()).map_err(external)?;
        let bytes: u64 = ranges.iter().map(|range| self.decoded_bytes(range) + length(range)).sum();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX / 4);
        let held = self.fixed_bytes + self.newest_bytes + bytes;
        self.newest_bytes = bytes;
        self.held.resize(held).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

impl HeldReader {
    /// What batches of the columns in a range take, as far as they lie in it.
    fn decoded_bytes(&self, range: &Range<u64>) -> u64 {
        let Some(metadata) = &self.metadata else { return 0 };
        let mut bytes = 0;
        for group in metadata.row_groups() {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
            for column in group.columns() {
                let (start, length) = column.byte_range();
                let within = range.end.min(start + length).saturating_sub(range.start.max(start));
                if within > 0 {
                    let whole = u64::try_from(column.uncompressed_size()).unwrap_or(0);
                    let decoded = whole.saturating_mul(rows.min(ROWS_DECODED)) / rows;
                    bytes += 2 * decoded.saturating_mul(within) / length.max(1);
                }
            }
        }
        bytes
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

impl AsyncFileReader for HeldReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        if let Err(error) = self.fetch(std::slice::from_ref(&range)) {
            return Box::pin(std::future::ready(Err(error)));
        }
        self.inner.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        if let Err(error) = self.fetch(&ranges) {
            return Box::pin(std::future::ready(Err(error)));
        }
        self.inner.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        Box::pin(async move {
            let metadata = self.inner.get_metadata(options).await?;
            self.metadata = Some(Arc::clone(&metadata));
            Ok(metadata)
        })
    }
}
