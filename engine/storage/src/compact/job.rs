//! A job: the inputs of one merge become one stored segment, which no commit names yet.
//!
//! ```text
//!  segments ─ Input ─▶ Merger ─ whole groups ─▶ repeats out ─▶ decimals ─▶ Writer ─▶ object
//! ```

use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use schemas::tables::{Table, TableLayout};
use tokio::runtime::Handle;

use super::input::{Input, views};
use super::merge::{self, Merger, Rows};
use super::plan::Merge;
use super::repeats;
use crate::objects::{Created, Objects, Upload};
use crate::promotion::Promoter;
use crate::segment::{self, Coding, Place, ROW_GROUP_BYTES_MAX, Writer, Written, arrow};
use crate::store::Shared;
use crate::{Budget, CompactionOptions, Deletes, Error, ErrorKind, Reservation, Segment, Use};

/// Rows that are written at once.
const BATCH_ROWS: usize = 32 << 10;

/// How long a merge waits at a time for a flush that runs.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it waits, at most, before it takes its next step all the same.
const PAUSES_MAX: u32 = 50;

/// What a job needs of the store.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) table: Table,
    /// All columns of the table in the lake of now.
    pub(super) layout: Arc<TableLayout>,
    pub(super) objects: Objects,
    pub(super) runtime: Handle,
    pub(super) shared: Arc<Shared>,
    pub(super) budget: Arc<Budget>,
    pub(super) options: CompactionOptions,
    pub(super) row_group_rows: usize,
    pub(super) writer: Arc<str>,
    /// Rows that are left out for good.
    pub(super) deletes: Deletes,
}

/// A merge that was done, but not committed.
#[derive(Debug)]
pub(super) struct Done {
    /// What was merged: all that was planned, or as much as memory allowed.
    pub(super) inputs: Vec<Arc<Segment>>,
    /// What it became; `None` if no row was left.
    pub(super) output: Option<Segment>,
    /// Rows that were left out because others tell the same.
    pub(super) repeated_rows: u64,
    /// Rows of each input that were left out because they are deleted.
    pub(super) deleted_rows: Vec<u64>,
}

/// Does a merge. Blocks: not for an async thread.
///
/// `Limit` if the memory budget has no room for it now.
pub(super) fn run(context: &Context, merge: &Merge) -> Result<Done, Error> {
    let (opened, _memory) = open(context, merge)?;
    let segments: Vec<Arc<Segment>> =
        opened.iter().map(|(segment, _)| Arc::clone(segment)).collect();
    let input_rows: u64 = segments.iter().map(|segment| segment.rows).sum();
    let schema = views(context.layout.schema());
    let deleted: Vec<Arc<AtomicU64>> = opened.iter().map(|_| Arc::default()).collect();
    let inputs = opened.into_iter().zip(&deleted);
    let inputs = inputs.map(|((of, input), deleted)| without_deleted(context, of, input, deleted));
    let mut merger = Merger::new(context.table, schema, inputs)?;
    let mut promoter = Promoter::merging(&context.layout, &segments);
    let mut writer = None;
    let (mut output_rows, mut repeated_rows) = (0, 0);
    while let Some(rows) = merger.next(BATCH_ROWS, repeats::group(context.table))? {
        wait_for_flush(context)?;
        let kept = without_repeats(context.table, &rows)?;
        repeated_rows += (rows.num_rows() - kept.num_rows()) as u64;
        output_rows += kept.num_rows() as u64;
        let stored = segment::stored(context.table, promoter.promote(&kept).map_err(arrow)?)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => {
                let coding = Coding::new(context.table, &stored, context.row_group_rows)
                    .for_level(merge.level);
                let schema = Arc::clone(context.layout.schema());
                let sink = Sink::new(context, &path(context, merge.level, &segments));
                writer.insert(Writer::new(context.table, schema, &coding, sink)?)
            }
        };
        writer.write(&stored)?;
    }
    let deleted_rows: Vec<u64> = deleted.iter().map(|rows| rows.load(Ordering::Relaxed)).collect();
    if input_rows != output_rows + repeated_rows + deleted_rows.iter().sum::<u64>() {
        let message = format!(
            "a merge of {input_rows} rows of {} gave {output_rows} and {repeated_rows} repeats",
            context.table.name()
        );
        return Err(Error::new(ErrorKind::Damaged, message));
    }
    let mut output = match writer {
        None => None,
        Some(writer) => Some(store(context, merge.level, &segments, writer.finish()?)?),
    };
    if let Some(output) = &mut output {
        output.occupied = promoter.occupied();
    }
    Ok(Done { inputs: segments, output, repeated_rows, deleted_rows })
}

/// The rows of an input that are not deleted; `deleted` counts the others.
fn without_deleted(
    context: &Context,
    segment: Arc<Segment>,
    input: Input,
    deleted: &Arc<AtomicU64>,
) -> Rows {
    let (table, deletes) = (context.table, context.deletes.clone());
    if !deletes.applies(table, &segment) {
        return Box::new(input);
    }
    let deleted = Arc::clone(deleted);
    Box::new(input.map(move |rows| {
        let rows = rows?;
        let Some(mask) = deletes.keep(table, &segment, &rows)? else { return Ok(rows) };
        let kept = filter_record_batch(&rows, &mask).map_err(arrow)?;
        deleted.fetch_add((rows.num_rows() - kept.num_rows()) as u64, Ordering::Relaxed);
        Ok(kept)
    }))
}

type Opened = Vec<(Arc<Segment>, Input)>;

/// Opens as many inputs as memory allows, those written first first.
fn open(context: &Context, merge: &Merge) -> Result<(Opened, Reservation), Error> {
    let mut memory_bytes = ROW_GROUP_BYTES_MAX + 4 * merge::BATCH_BYTES;
    let mut opened = Vec::new();
    let mut reservation = context.budget.reservation(Use::Compaction);
    let columns = views(context.layout.schema());
    for segment in &merge.inputs {
        let input = Input::open(context, &columns, segment)?;
        memory_bytes += input.memory_bytes;
        let is_over = memory_bytes > context.options.memory_bytes_max && opened.len() >= 2;
        if is_over || !reservation_grows(&mut reservation, memory_bytes, opened.len())? {
            break;
        }
        opened.push((Arc::clone(segment), input));
    }
    opened.sort_by(|a, b| written(&a.0).cmp(&written(&b.0)));
    Ok((opened, reservation))
}

/// Whether there is room; an error if there is none for two inputs.
fn reservation_grows(
    reservation: &mut Reservation,
    bytes: usize,
    opened: usize,
) -> Result<bool, Error> {
    match reservation.grow(bytes.saturating_sub(reservation.bytes())) {
        Ok(()) => Ok(true),
        Err(_) if opened >= 2 => Ok(false),
        Err(error) => Err(error),
    }
}

fn without_repeats(table: Table, rows: &RecordBatch) -> Result<RecordBatch, Error> {
    match repeats::keep(table, rows)? {
        None => Ok(rows.clone()),
        Some(kept) => filter_record_batch(rows, &kept).map_err(arrow),
    }
}

/// Flushes go first: what they write is what ingest waits for. An error if the store closes.
fn wait_for_flush(context: &Context) -> Result<(), Error> {
    for _ in 0..PAUSES_MAX {
        if context.shared.counters.compaction.is_stopped() {
            return Err(Error::new(ErrorKind::Unavailable, "the store is closing"));
        }
        if !context.shared.counters.is_flushing.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    std::thread::yield_now();
    Ok(())
}

/// Where bytes of a segment go: an upload, which leaves nothing if it is not finished.
#[derive(Debug)]
struct Sink {
    upload: Upload,
    path: String,
    runtime: Handle,
}

impl Sink {
    fn new(context: &Context, path: &str) -> Self {
        let upload = context.objects.upload(path);
        Self { upload, path: path.to_owned(), runtime: context.runtime.clone() }
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.runtime.block_on(self.upload.write(bytes)).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes the object appear.
fn store(
    context: &Context,
    level: u8,
    inputs: &[Arc<Segment>],
    written: Written<Sink>,
) -> Result<Segment, Error> {
    let Written { sink, facts } = written;
    let uploaded = context.runtime.block_on(sink.upload.finish())?;
    if uploaded.created == Created::Exists || uploaded.crc32c != facts.crc32c {
        let message = format!("{}: not the object that was written", sink.path);
        return Err(Error::new(ErrorKind::Internal, message));
    }
    let mut segment = segment::describe(&place(context, inputs), sink.path, facts);
    segment.level = level;
    segment.deletes_applied = context.deletes.newest();
    Ok(segment)
}

/// The place of all inputs.
fn place(context: &Context, inputs: &[Arc<Segment>]) -> Place {
    let first = inputs.first();
    Place {
        table: context.table,
        tenant: first.map(|first| Arc::clone(&first.tenant)).unwrap_or_default(),
        day: first.map_or(0, |first| first.day),
    }
}

/// A path that nobody else uses; it tells when the newest rows were written.
fn path(context: &Context, level: u8, inputs: &[Arc<Segment>]) -> String {
    let newest = inputs.iter().map(|segment| written(segment).0).max().unwrap_or(0);
    let unique = std::hash::RandomState::new().hash_one(newest);
    let name = format!("{level}-{newest:013}-{unique:016x}-{}", context.writer);
    place(context, inputs).path(&name)
}

/// Orders segments by when their newest rows were written, in milliseconds: a flushed segment's
/// own time, of a merged one that of its inputs, which its name tells.
fn written(segment: &Segment) -> (i64, &str) {
    let name = segment.path.rsplit('/').next().unwrap_or_default();
    let newest = (segment.level > 0).then(|| name.split('-').nth(1)?.parse().ok()).flatten();
    (newest.unwrap_or(segment.created_ms), &segment.path)
}
