//! What a query returns: a kind that fixes the columns, and a stream of batches.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::stream::BoxStream;
use schemas::model::StepGrid;

pub use crate::histogram::{Bounded, Bucket, CUSTOM_BOUNDS, Conflict, Histogram, ResetHint};
use crate::memory::QueryMemory;
use crate::{Annotations, Error, ErrorKind};

/// Column names of outputs that are not columns of a table.
pub mod columns {
    /// `Series`: FixedSizeList<Float64> of as many items as the grid has steps; null: no value.
    pub const VALUES: &str = "values";
    /// `Series`: the steps that have a native histogram in place of a number, read by
    /// [`super::histograms`].
    pub const HISTOGRAMS: &str = "histograms";
    /// `Streams`: Map<Utf8, Utf8>, the stream labels of the record.
    pub const STREAM: &str = "stream";
    /// `Streams`: Map<Utf8, Utf8>, structured metadata.
    pub const METADATA: &str = "metadata";
    /// `Streams`: Map<Utf8, Utf8>, parsed and formatted labels.
    pub const PARSED: &str = "parsed";
    /// `Streams`: Utf8, the line after the pipeline.
    pub const LINE: &str = "line";
    /// `Traces`: Utf8, nullable: service of the root span.
    pub const ROOT_SERVICE_NAME: &str = "root_service_name";
    /// `Traces`: Utf8, nullable: name of the root span.
    pub const ROOT_NAME: &str = "root_name";
    /// `Traces`: Int64: number of spans that matched.
    pub const MATCHED: &str = "matched";
    /// `Traces`: List<Struct{span_id FixedSizeBinary(8), name Utf8, start_time_unix_nano Int64,
    /// duration_nano Int64, attributes Utf8}>: matched spans, oldest first; `attributes` is a JSON
    /// object (form of `schemas::tables::columns::ATTRIBUTES`) of what the query asked about,
    /// keyed by attribute key or intrinsic name.
    pub const SPANS: &str = "spans";
    /// `Traces`: List<Struct{service_name Utf8, spans Int64, errors Int64}>, all of the trace.
    pub const SERVICES: &str = "services";
    /// `Names`: Utf8: a label name, a value, or an attribute key.
    pub const NAME: &str = "name";
    /// `Names` of attribute keys: Utf8: the scope's name.
    pub const SCOPE: &str = "scope";
    /// `Names` of attribute or intrinsic values: Utf8: `string int float bool duration keyword`.
    pub const TYPE: &str = "type";
}

/// The native histograms of a row of a `Series` output, with their steps, ascending.
pub fn histograms(rows: &RecordBatch, row: usize) -> Vec<(u32, Histogram)> {
    let column = rows.column_by_name(columns::HISTOGRAMS).and_then(|c| c.as_list_opt::<i32>());
    column.map_or_else(Vec::new, |column| crate::tiles::histograms::read(column, row))
}

/// Which columns the batches have. Names are in [`columns`] and `schemas::tables::columns`.
#[derive(Clone, Debug)]
pub enum OutputKind {
    /// One row a series: `labels` Map<Utf8, Utf8> sorted by name, `values`, `histograms`.
    Series {
        /// The steps that `values` are of.
        grid: StepGrid,
    },
    /// One row: `values`, at each step a value.
    Scalar {
        /// The steps that `values` are of.
        grid: StepGrid,
    },
    /// One row a log record, in the direction asked for: `time_unix_nano` Int64, `line`, `stream`,
    /// `metadata`, `parsed`.
    Streams,
    /// One row a trace, newest first: `trace_id` FixedSizeBinary(16), `root_service_name`,
    /// `root_name`, `start_time_unix_nano` Int64, `duration_nano` Int64, `matched`, `spans`,
    /// `services`.
    Traces,
    /// One row a span: the columns of `Table::Spans`.
    Spans,
    /// One row a name: `name`, or `scope` and `name`, or `type` and `name`, or `labels`.
    Names,
    /// One row: `name`, a constant text.
    Text,
    /// The columns of a SQL statement.
    Table(SchemaRef),
}

/// What a query used, readable while it runs and complete when its stream has ended.
#[derive(Debug, Default)]
pub struct QueryStats {
    /// Samples, records or spans read from storage.
    pub rows_read: AtomicU64,
    /// Bytes of segments read, as they are stored; footers are not counted.
    pub bytes_read: BytesRead,
    /// Segments opened.
    pub segments_read: AtomicU64,
    /// Segments left out by their statistics.
    pub segments_pruned: AtomicU64,
}

impl QueryStats {
    /// Nothing is read yet, and no more than so many bytes may be; 0: any number.
    pub(crate) fn within(bytes_max: u64) -> Self {
        let bytes_read = BytesRead { read: Arc::default(), bytes_max };
        Self { bytes_read, ..Self::default() }
    }
}

/// Bytes that a query has read, and how many it may.
#[derive(Clone, Debug, Default)]
pub struct BytesRead {
    read: Arc<AtomicU64>,
    /// 0: any number.
    bytes_max: u64,
}

impl BytesRead {
    /// Bytes read so far.
    pub fn load(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Counts bytes that are about to be read; `Limit` if they are too many.
    pub(crate) fn add(&self, bytes: u64) -> Result<(), Error> {
        let read = self.read.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if self.bytes_max == 0 || read <= self.bytes_max {
            return Ok(());
        }
        let message = format!(
            "the query would read too many bytes (query: {}, limit: {}); consider adding more \
             specific stream selectors or reduce the time range of the query",
            in_units(read),
            in_units(self.bytes_max)
        );
        Err(Error::new(ErrorKind::Limit, message))
    }
}

/// Bytes as Loki writes them: `1.5 MiB`.
fn in_units(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1024.0 && unit + 1 < units.len() {
        (amount, unit) = (amount / 1024.0, unit + 1);
    }
    if unit > 0 && amount < 10.0 {
        format!("{amount:.1} {}", units[unit])
    } else {
        format!("{amount:.0} {}", units[unit])
    }
}

/// The answer to a query. Dropping it cancels the query.
pub struct QueryOutput {
    /// Which columns the batches have.
    pub kind: OutputKind,
    /// The batches; may be empty. Ends after the first error.
    pub stream: BoxStream<'static, Result<RecordBatch, Error>>,
    /// What the query used.
    pub stats: Arc<QueryStats>,
    /// The query's memory; whoever holds the answer takes it from here.
    pub memory: QueryMemory,
    /// Remarks on doubtful parts of the query, complete when the stream has ended.
    pub annotations: Arc<Annotations>,
}

impl fmt::Debug for QueryOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryOutput").field("kind", &self.kind).finish_non_exhaustive()
    }
}
