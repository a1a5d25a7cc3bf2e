//! Carried rows: how they lie in the WAL, and which requests they stand for.
//!
//! ```text
//!  summary   bytes u32 │ settled u64 │ tenants u32 │ per tenant: length u8, name, since u64
//!  runs      count u32 │ per run: tenant u32, table u8, seen u64, rows u32
//!  tables    per table with rows: table u8, bytes u64, an Arrow stream of one batch
//! ```
//!
//! Numbers are little-endian. The rows of a table lie in the order of its runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::compute::{concat_batches, take_record_batch};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use schemas::tables::Table;

use crate::memtable::Run;
use crate::wal::Log;
use crate::{Error, ErrorKind, TableBatch};

/// What a group of carried rows stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Requests up to this number are in segments, but for what this or another group holds.
    pub(crate) settled: u64,
    /// The tenants, each with the first request whose rows of it are here.
    pub(crate) tenants: Vec<(Arc<str>, u64)>,
}

/// Rows that were carried over.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    /// The rows, each run with the first request that it has rows of.
    pub(crate) runs: Vec<(Run, u64)>,
}

/// Requests that a replay passes over, since their rows were carried over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skips(HashMap<Arc<str>, Vec<(u64, u64)>>);

impl Skips {
    /// Those that the groups of a log stand for.
    pub(crate) fn of(log: &Log) -> Self {
        let mut skips = Self::default();
        for (sequence, summary) in log.carried() {
            for (tenant, since) in &summary.tenants {
                let ranges = skips.0.entry(Arc::clone(tenant)).or_default();
                ranges.push((*since, sequence));
            }
        }
        skips
    }

    /// Whether a later group stands for what a request, or a group, has of a tenant.
    pub(crate) fn covers(&self, tenant: &str, sequence: u64) -> bool {
        let ranges = self.0.get(tenant).into_iter().flatten();
        ranges.into_iter().any(|(since, until)| (*since..*until).contains(&sequence))
    }
}

/// The body of a group.
pub(crate) fn encode(summary: &Summary, runs: &[Run]) -> Result<Vec<u8>, Error> {
    let mut body = vec![0; 4];
    body.extend_from_slice(&summary.settled.to_le_bytes());
    body.extend_from_slice(&small(summary.tenants.len())?);
    let mut places = HashMap::new();
    for (place, (tenant, since)) in summary.tenants.iter().enumerate() {
        places.insert(Arc::clone(tenant), place);
        body.push(u8::try_from(tenant.len()).map_err(|_| too_large("a tenant's name"))?);
        body.extend_from_slice(tenant.as_bytes());
        body.extend_from_slice(&since.to_le_bytes());
    }
    let bytes = small(body.len())?;
    body[..4].copy_from_slice(&bytes);
    body.extend_from_slice(&small(runs.len())?);
    let mut tables: BTreeMap<u8, Vec<&RecordBatch>> = BTreeMap::new();
    for run in runs {
        let place = places.get(&run.tenant).copied().unwrap_or(usize::MAX);
        body.extend_from_slice(&small(place)?);
        body.push(number_of(run.batch.table));
        body.extend_from_slice(&run.seen.to_le_bytes());
        body.extend_from_slice(&small(run.batch.rows.num_rows())?);
        tables.entry(number_of(run.batch.table)).or_default().push(&run.batch.rows);
    }
    for (number, batches) in tables {
        let stream = stream_of(&batches).map_err(|error| {
            Error::with_source(ErrorKind::Internal, "rows cannot be carried over", error)
        })?;
        body.push(number);
        body.extend_from_slice(&(stream.len() as u64).to_le_bytes());
        body.extend_from_slice(&stream);
    }
    Ok(body)
}

fn stream_of(batches: &[&RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let rows = concat_batches(&first.schema(), batches.iter().copied())?;
    let mut stream = Vec::with_capacity(rows.get_array_memory_size());
    let mut writer = StreamWriter::try_new(&mut stream, &rows.schema())?;
    writer.write(&rows)?;
    writer.finish()?;
    drop(writer);
    Ok(stream)
}

/// What a body stands for; `None` if it is not what [`encode`] makes.
pub(crate) fn summary(body: &[u8]) -> Option<Summary> {
    let mut reader = Reader { body, at: 4 };
    let settled = reader.u64()?;
    let count = reader.u32()?;
    let mut tenants = Vec::new();
    for _ in 0..count {
        let length = usize::from(reader.u8()?);
        let name = str::from_utf8(reader.bytes(length)?).ok()?;
        tenants.push((Arc::from(name), reader.u64()?));
    }
    Some(Summary { settled, tenants })
}

/// The rows of a body whose checksum holds.
pub(crate) fn decode(body: &[u8]) -> Result<Carried, Error> {
    let (of, heads, streams) = parts(body).ok_or_else(|| damaged(None))?;
    let mut tables = HashMap::new();
    for (number, stream) in streams {
        let table = table_of(number).ok_or_else(|| damaged(None))?;
        let rows = read_stream(stream, table).map_err(|error| damaged(Some(error)))?;
        tables.insert(table, (rows, 0_u64));
    }
    let mut runs = Vec::with_capacity(heads.len());
    for head in heads {
        let tenant = of.tenants.get(head.tenant as usize);
        let table = table_of(head.table);
        let (Some((tenant, since)), Some(table)) = (tenant, table) else {
            return Err(damaged(None));
        };
        let Some((rows, at)) = tables.get_mut(&table) else { return Err(damaged(None)) };
        let end = *at + u64::from(head.rows);
        if end > rows.num_rows() as u64 {
            return Err(damaged(None));
        }
        // Copies: a slice would hold, and be counted as, the rows of all tenants.
        let places = UInt64Array::from_iter_values(*at..end);
        let rows = take_record_batch(rows, &places).map_err(|error| damaged(Some(error)))?;
        *at = end;
        let batch = TableBatch { table, rows };
        runs.push((Run { tenant: Arc::clone(tenant), batch, seen: head.seen }, *since));
    }
    Ok(Carried { runs })
}

fn read_stream(stream: &[u8], table: Table) -> Result<RecordBatch, ArrowError> {
    let schema = table.schema();
    let batches = StreamReader::try_new(stream, None)?.collect::<Result<Vec<_>, _>>()?;
    let Some(first) = batches.first() else { return Ok(RecordBatch::new_empty(schema)) };
    let rows = concat_batches(&first.schema(), &batches)?;
    // Written by a version whose table had other columns.
    crate::fit(&rows, &schema)
}

/// What is told of a run before its rows.
struct Head {
    tenant: u32,
    table: u8,
    seen: u64,
    rows: u32,
}

type Parts<'b> = (Summary, Vec<Head>, Vec<(u8, &'b [u8])>);

fn parts(body: &[u8]) -> Option<Parts<'_>> {
    let of = summary(body)?;
    let mut reader = Reader { body, at: 0 };
    reader.at = reader.u32()? as usize;
    let count = reader.u32()?;
    let mut heads = Vec::new();
    for _ in 0..count {
        let (tenant, table) = (reader.u32()?, reader.u8()?);
        heads.push(Head { tenant, table, seen: reader.u64()?, rows: reader.u32()? });
    }
    let mut streams = Vec::new();
    while reader.at < body.len() {
        let number = reader.u8()?;
        let bytes = usize::try_from(reader.u64()?).ok()?;
        streams.push((number, reader.bytes(bytes)?));
    }
    Some((of, heads, streams))
}

struct Reader<'b> {
    body: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let bytes = self.body.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }
}

/// The number of a table in the WAL, which never changes.
fn number_of(table: Table) -> u8 {
    match table {
        Table::MetricSamples => 1,
        Table::MetricHistograms => 2,
        Table::MetricSeries => 3,
        Table::Exemplars => 4,
        Table::Logs => 5,
        Table::LogStreams => 6,
        Table::Spans => 7,
    }
}

fn table_of(number: u8) -> Option<Table> {
    Table::ALL.into_iter().find(|table| number_of(*table) == number)
}

fn small(number: usize) -> Result<[u8; 4], Error> {
    u32::try_from(number).map(u32::to_le_bytes).map_err(|_| too_large("what waits"))
}

fn too_large(what: &str) -> Error {
    Error::new(ErrorKind::Limit, format!("{what} is too large to be carried over"))
}

fn damaged(cause: Option<ArrowError>) -> Error {
    let message = "rows that were carried over cannot be read";
    match cause {
        Some(error) => Error::with_source(ErrorKind::Damaged, message, error),
        None => Error::new(ErrorKind::Damaged, message),
    }
}
