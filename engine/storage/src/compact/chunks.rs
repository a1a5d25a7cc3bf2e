//! Chunks: a remote Parquet object read a window at a time, in the order of its pages.
//!
//! A merge reads all columns of many objects side by side. Holding a row group of each would take
//! hundreds of megabytes, a request for each page thousands of requests; a window a column is
//! between the two: small column chunks are read whole, large ones in pieces.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

use crate::objects::Objects;
use crate::{Error, ErrorKind, Segment};

/// Bytes of a column chunk that are asked for at once, unless a page is longer.
pub(super) const WINDOW_BYTES: u64 = 512 << 10;

/// The column chunks of one object. Reading blocks: not for an async thread.
#[derive(Clone, Debug)]
pub(super) struct Chunks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    objects: Objects,
    runtime: Handle,
    path: String,
    bytes: u64,
    /// Column chunks by their place in the object, each with what is at hand of it.
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    start: u64,
    end: u64,
    window: Mutex<Window>,
}

/// Bytes from `start` on; empty if there are none.
#[derive(Clone, Debug, Default)]
struct Window {
    start: u64,
    bytes: Bytes,
}

/// Reads the metadata of a segment; page indexes are left out, a merge reads every page.
pub(super) fn metadata(
    objects: &Objects,
    runtime: &Handle,
    segment: &Segment,
) -> Result<ParquetMetaData, Error> {
    let start = segment.bytes.saturating_sub(segment.footer_bytes);
    let footer = runtime.block_on(objects.read_range(&segment.path, start..segment.bytes))?;
    let length = footer.len().saturating_sub(8);
    let read = parquet::file::metadata::ParquetMetaDataReader::decode_metadata(&footer[..length]);
    read.map_err(|error| damaged(&segment.path, error))
}

/// What is read of a segment is not what was written.
pub(super) fn damaged(
    path: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let error = error.into();
    Error::with_source(ErrorKind::Damaged, format!("{path}: {error}"), error)
}

impl Chunks {
    /// The column chunks of a segment.
    pub(super) fn new(
        objects: Objects,
        runtime: Handle,
        segment: &Segment,
        metadata: &ParquetMetaData,
    ) -> Self {
        let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
        let mut chunks: Vec<Chunk> = columns
            .map(|column| {
                let (start, length) = column.byte_range();
                Chunk { start, end: start + length, window: Mutex::default() }
            })
            .collect();
        chunks.sort_unstable_by_key(|chunk| chunk.start);
        let path = segment.path.clone();
        Self(Arc::new(Inner { objects, runtime, path, bytes: segment.bytes, chunks }))
    }
}

impl Inner {
    /// At least `length` bytes from `start` on, or up to the end of the column chunk; longer if
    /// more is at hand.
    fn read(&self, start: u64, length: u64) -> Result<Bytes, ParquetError> {
        let after = self.chunks.partition_point(|chunk| chunk.start <= start);
        let chunk = after.checked_sub(1).and_then(|at| self.chunks.get(at));
        let chunk = chunk.filter(|chunk| start < chunk.end).ok_or_else(|| {
            ParquetError::General(format!("{}: no column chunk at {start}", self.path))
        })?;
        let wanted = (start + length).min(chunk.end);
        let window = chunk.window.lock().clone();
        let window_end = window.start + window.bytes.len() as u64;
        let is_inside = (window.start..window_end).contains(&start);
        let held = if is_inside {
            window.bytes.slice(to_usize(start - window.start)..)
        } else {
            Bytes::new()
        };
        if start + held.len() as u64 >= wanted {
            return Ok(held);
        }
        let from = start + held.len() as u64;
        let to = wanted.max(from + WINDOW_BYTES).min(chunk.end);
        let read = self.runtime.block_on(self.objects.read_range(&self.path, from..to));
        let read = read.map_err(|error| ParquetError::External(error.into()))?;
        let bytes = if held.is_empty() {
            read
        } else {
            let mut joined = BytesMut::with_capacity(held.len() + read.len());
            joined.extend_from_slice(&held);
            joined.extend_from_slice(&read);
            joined.freeze()
        };
        // What lies behind is not asked for again; at the end nothing is worth keeping.
        let is_last = start + length >= chunk.end;
        let kept = if is_last { Window::default() } else { Window { start, bytes: bytes.clone() } };
        *chunk.window.lock() = kept;
        Ok(bytes)
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.bytes
    }
}

impl ChunkReader for Chunks {
    type T = At;

    fn get_read(&self, start: u64) -> Result<At, ParquetError> {
        Ok(At { inner: Arc::clone(&self.0), position: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.0.read(start, length as u64)?;
        if bytes.len() < length {
            let message = format!("{}: a page at {start} leaves its column", self.0.path);
            return Err(ParquetError::EOF(message));
        }
        Ok(bytes.slice(..length))
    }
}

/// Bytes from a position on.
#[derive(Debug)]
pub(super) struct At {
    inner: Arc<Inner>,
    position: u64,
}

impl Read for At {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(self.position, 1).map_err(io::Error::other)?;
        let length = bytes.len().min(into.len());
        into[..length].copy_from_slice(&bytes[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

/// Distances within one window.
fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
