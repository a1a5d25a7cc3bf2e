//! Replay: the rows of the WAL that no segment holds, back into the memtable after a crash.
//!
//! ```text
//!  wal ─ groups ─▶ requests ─▶ workers: decode ─▶ in order: index, memtable ─▶ full? flush
//!        reader     │  ▲            (one a core)        │
//!                   └──┴──── bytes under way ◀──────────┘
//! ```
//!
//! Requests are decoded out of order and entered in order. What is under way is bounded, and when
//! full memtables take their part of the memory budget, the oldest are flushed before the log is
//! read to its end: memory does not depend on the length of the log. What has room is flushed when
//! requests are answered already.

use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use schemas::tables::Table;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::flush;
use crate::memtable::{Run, Since};
use crate::store::{Frozen, Shared, Store, TableBatch};
use crate::waiting::{self, Carried, Skips};
use crate::wal::{Log, Read};
use crate::{Decode, Error, ErrorKind, Frame};

/// Bytes of requests, as they stand in the WAL, that are under way at once.
const BYTES_UNDER_WAY: u32 = 8 << 20;

/// What a small request counts for, so that their number is bounded, too.
const REQUEST_BYTES_MIN: u32 = 8 << 10;

/// Bytes of requests that go from thread to thread at once: waking one costs as much as decoding
/// a small request.
const JOB_BYTES: u32 = 512 << 10;

/// Attempts to flush a full memtable before the start is given up.
const FLUSHES_MAX: u32 = 6;

/// Wait before the second attempt; doubled before each further one.
const FLUSH_BACKOFF: Duration = Duration::from_millis(250);

/// What the WAL ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Number of the last file.
    pub(crate) file: u64,
    /// First sequence number that the memtable may hold.
    pub(crate) first_active: u64,
    /// Sequence number of the next request.
    pub(crate) next: u64,
    /// Requests up to this number are in segments, but for what waits.
    pub(crate) settled: u64,
}

/// Requests on their way from the reader to a worker.
struct Job {
    /// Its place among all that are read.
    place: u64,
    file: u64,
    /// Sequence number of the first.
    first: u64,
    works: Vec<Work>,
    permit: OwnedSemaphorePermit,
}

/// What a worker has to decode.
enum Work {
    Request(Frame),
    /// The body of a group of rows that were carried over.
    Carried(Bytes),
}

/// Requests on their way from a worker to the memtable.
struct Done {
    file: u64,
    /// Sequence number of the first.
    first: u64,
    contents: Vec<Content>,
    _permit: OwnedSemaphorePermit,
}

/// What became of [`Work`].
enum Content {
    /// A request and its rows: none if segments or rows that were carried over hold them all.
    Request(Frame, Vec<TableBatch>),
    Carried(Carried),
}

type Answer = (u64, Result<Done, Error>);

/// Puts the rows of the WAL into the memtable, but for those that a table's segments hold.
/// `applied` is the sequence number up to which each table holds everything.
pub(crate) async fn replay(
    store: &Arc<Store>,
    log: Log,
    applied: HashMap<Table, u64>,
    decode: Arc<dyn Decode>,
) -> Result<End, Error> {
    let started = Instant::now();
    let highest = applied.values().copied().max().unwrap_or(0);
    let file = log.last_number;
    let carried = log.carried().next().filter(|(first, _)| log.first() == Some(*first));
    // Files before one that begins with what waits may be gone without a table's commit.
    let is_whole = carried.is_some_and(|(_, of)| of.settled <= highest);
    if let Some(first) = log.first().filter(|first| *first > highest + 1 && !is_whole) {
        let what = format!("requests {} to {}", highest + 1, first - 1);
        let folder = crate::recover::wal_folder(&store.options);
        let message = format!(
            "{}: {what} are neither in the WAL nor in segments: a file of the WAL was removed, \
             or this WAL belongs to another lake",
            folder.display()
        );
        return Err(Error::new(ErrorKind::Damaged, message));
    }
    let applied = Arc::new(applied);
    let skips = Arc::new(Skips::of(&log));
    let mut absorber = Absorber {
        store,
        applied: Arc::clone(&applied),
        skips: Arc::clone(&skips),
        first_active: None,
        last: 0,
        requests: 0,
        bytes: 0,
        flushing: None,
    };
    let (done, answers) = unbounded_channel();
    let shared = Arc::clone(&store.shared);
    let pipeline = Pipeline { shared, applied, skips, decode, done };
    let reading = tokio::task::spawn_blocking(move || pipeline.run(&log));
    let absorbed = absorber.absorb_all(answers).await;
    let read = reading.await.map_err(|error| {
        Error::with_source(ErrorKind::Internal, "reading the WAL was cut off", error)
    })?;
    absorbed?;
    read?;
    absorber.finish_flush().await?;
    if absorber.requests > 0 {
        let (requests, bytes) = (absorber.requests, absorber.bytes);
        let took_ms = started.elapsed().as_millis();
        tracing::info!(requests, bytes, took_ms, "replayed the write-ahead log");
    }
    let next = absorber.last.max(highest) + 1;
    let first_active = absorber.first_active.unwrap_or(next);
    Ok(End { file, first_active, next, settled: highest })
}

/// The reader and the workers.
struct Pipeline {
    shared: Arc<Shared>,
    applied: Arc<HashMap<Table, u64>>,
    skips: Arc<Skips>,
    decode: Arc<dyn Decode>,
    done: UnboundedSender<Answer>,
}

impl Pipeline {
    fn run(self, log: &Log) -> Result<(), Error> {
        let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        // What waits is bounded by its bytes.
        let (jobs, waiting) = sync_channel(workers);
        let waiting = Mutex::new(waiting);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| self.work(&waiting));
            }
            let read = self.read(log, &jobs);
            drop(jobs);
            read
        })
    }

    fn read(&self, log: &Log, jobs: &SyncSender<Job>) -> Result<(), Error> {
        let under_way = Arc::new(Semaphore::new(BYTES_UNDER_WAY as usize));
        let mut place = 0;
        log.read(|read| {
            let (file, mut first, works) = match read {
                Read::Requests { file, first, frames } => {
                    (file, first, frames.into_iter().map(Work::Request).collect())
                }
                Read::Carried { file, sequence, body } => {
                    (file, sequence, vec![Work::Carried(body)])
                }
                Read::Lost { first, requests } => {
                    tracing::error!(first, requests, "requests were given up by a set-aside file");
                    return Ok(());
                }
            };
            let mut works = works.into_iter().peekable();
            while works.peek().is_some() {
                let (works, bytes) = take_job(&mut works);
                let room = Arc::clone(&under_way).acquire_many_owned(bytes);
                let Ok(permit) = futures::executor::block_on(room) else {
                    return Err(cut_off());
                };
                let following = first + works.len() as u64;
                let job = Job { place, file, first, works, permit };
                (place, first) = (place + 1, following);
                // The workers end early only if the memtable takes no more.
                jobs.send(job).map_err(|_| cut_off())?;
            }
            Ok(())
        })
    }

    fn work(&self, waiting: &Mutex<Receiver<Job>>) {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = next else { return };
            let place = job.place;
            if self.done.send((place, self.decode(job))).is_err() {
                return;
            }
        }
    }

    fn decode(&self, job: Job) -> Result<Done, Error> {
        let Job { file, first, works, permit, .. } = job;
        let decoded = (first..).zip(works).map(|(sequence, work)| match work {
            Work::Carried(body) => Ok(Content::Carried(waiting::decode(&body)?)),
            Work::Request(frame) => {
                let batches = self.decode_request(sequence, &frame)?;
                Ok(Content::Request(frame, batches))
            }
        });
        let contents = decoded.collect::<Result<_, Error>>()?;
        Ok(Done { file, first, contents, _permit: permit })
    }

    fn decode_request(&self, sequence: u64, frame: &Frame) -> Result<Vec<TableBatch>, Error> {
        let is_applied = self.applied.values().all(|applied| sequence <= *applied);
        if is_applied || self.skips.covers(&frame.tenant, sequence) {
            return Ok(Vec::new());
        }
        let series = self.shared.indexes.series(&frame.tenant);
        let streams = self.shared.indexes.streams(&frame.tenant);
        self.decode.decode(frame, &series, &streams).map_err(|error| {
            let message = format!("request {sequence} of the WAL cannot be decoded: {error}");
            Error::with_source(ErrorKind::Damaged, message, error)
        })
    }
}

impl Work {
    /// What it counts for.
    fn bytes(&self) -> u32 {
        let bytes = match self {
            Self::Request(frame) => frame.payload.len(),
            Self::Carried(body) => body.len(),
        };
        u32::try_from(bytes).unwrap_or(u32::MAX).clamp(REQUEST_BYTES_MIN, BYTES_UNDER_WAY)
    }
}

/// Takes the first of what is left, and what follows it up to [`JOB_BYTES`]; with the bytes that
/// all of it counts for.
fn take_job(left: &mut Peekable<impl Iterator<Item = Work>>) -> (Vec<Work>, u32) {
    let (mut works, mut bytes) = (Vec::new(), 0);
    while let Some(work) = left.next_if(|next| bytes == 0 || bytes + next.bytes() <= JOB_BYTES) {
        bytes += work.bytes();
        works.push(work);
    }
    (works, bytes)
}

fn cut_off() -> Error {
    Error::new(ErrorKind::Internal, "the replay of the WAL was cut off")
}

/// Enters decoded requests in their order.
struct Absorber<'s> {
    store: &'s Arc<Store>,
    applied: Arc<HashMap<Table, u64>>,
    skips: Arc<Skips>,
    first_active: Option<u64>,
    /// Sequence number of what was entered last; segments may be ahead of it.
    last: u64,
    requests: u64,
    bytes: u64,
    flushing: Option<tokio::task::JoinHandle<Result<(), Error>>>,
}

impl Absorber<'_> {
    async fn absorb_all(&mut self, mut answers: UnboundedReceiver<Answer>) -> Result<(), Error> {
        let mut early: BTreeMap<u64, Result<Done, Error>> = BTreeMap::new();
        let mut next = 0;
        while let Some((place, answer)) = answers.recv().await {
            early.insert(place, answer);
            while let Some(answer) = early.remove(&next) {
                next += 1;
                let Done { file, first, contents, _permit } = answer?;
                for (sequence, content) in (first..).zip(contents) {
                    self.absorb(sequence, content)?;
                    self.flush_if_full(file).await?;
                }
                self.store.shared.settle();
            }
        }
        Ok(())
    }

    fn absorb(&mut self, sequence: u64, content: Content) -> Result<(), Error> {
        let shared = &self.store.shared;
        self.last = sequence;
        match content {
            Content::Request(frame, batches) => {
                self.requests += 1;
                self.bytes += frame.payload.len() as u64;
                let seen = shared.seen_at(frame.received_ns);
                let mut is_stored = true;
                for batch in batches {
                    let run = Run { tenant: Arc::clone(&frame.tenant), batch, seen };
                    is_stored &= self.enter(sequence, sequence, run)?;
                }
                if let Some(identity) = frame.identity.filter(|_| is_stored) {
                    let generation = shared.dedup.insert(identity);
                    let known = generation.map(|generation| (generation, identity));
                    shared.unflushed.lock().extend(known);
                }
            }
            Content::Carried(carried) => {
                for (run, since) in carried.runs {
                    // A later group may stand for this one.
                    if !self.skips.covers(&run.tenant, sequence) {
                        self.enter(sequence, since, run)?;
                    }
                }
            }
        }
        self.first_active.get_or_insert(sequence);
        Ok(())
    }

    /// Enters rows of a request, or of requests from `since` on; whether they could be.
    fn enter(&self, sequence: u64, since: u64, run: Run) -> Result<bool, Error> {
        let shared = &self.store.shared;
        let Run { tenant, batch, seen } = run;
        let rows = match shared.absorb(&tenant, &batch, seen) {
            Ok(rows) => rows,
            // What was acknowledged must not be left out for lack of room.
            Err(error) if error.kind() != ErrorKind::Invalid => return Err(error),
            Err(error) => {
                // Refused when it came in, too: its sender was told, others go on.
                tracing::error!(sequence, %error, "rows of the WAL are left out");
                return Ok(false);
            }
        };
        let batch = TableBatch { table: batch.table, rows };
        if sequence > self.applied.get(&batch.table).copied().unwrap_or(0) {
            let now = shared.now();
            let mut state = shared.state.write();
            state.active.note(&tenant, Since { sequence: since, at: now });
            state.active.add(&tenant, &batch, seen)?;
            state.active_since.get_or_insert(now);
        }
        Ok(true)
    }

    /// Freezes a memtable that is full. The oldest is flushed, while the log is read on, only if
    /// there is no room for more.
    async fn flush_if_full(&mut self, file: u64) -> Result<(), Error> {
        let options = &self.store.options;
        if self.store.shared.state.read().active.bytes < options.memtable_bytes_max {
            return Ok(());
        }
        let held = {
            let mut state = self.store.shared.state.write();
            let rows = std::mem::take(&mut state.active);
            state.active_since = None;
            let sequences = (self.first_active.take().unwrap_or(self.last), self.last);
            let identities = std::mem::take(&mut *self.store.shared.unflushed.lock());
            let identities = Arc::new(identities);
            // The file that is being read may hold more.
            let wal_files = file.saturating_sub(1);
            let frozen = Frozen { rows, sequences, wal_files, identities, is_replayed: true };
            state.frozen.push(frozen);
            state.memtable_bytes()
        };
        if held + options.memtable_bytes_max > options.replayed_bytes_max {
            self.finish_flush().await?;
            let store = Arc::clone(self.store);
            self.flushing = Some(tokio::spawn(async move { flush_patiently(&store).await }));
        }
        Ok(())
    }

    async fn finish_flush(&mut self) -> Result<(), Error> {
        let Some(flushing) = self.flushing.take() else { return Ok(()) };
        flushing.await.map_err(|error| {
            Error::with_source(ErrorKind::Internal, "a flush was cut off", error)
        })?
    }
}

/// Flushes the oldest memtable, in several attempts: there is no way to start without it.
async fn flush_patiently(store: &Store) -> Result<(), Error> {
    let mut wait = FLUSH_BACKOFF;
    for attempt in 1.. {
        match flush::flush_oldest(store).await {
            Ok(()) => return Ok(()),
            Err(error) if attempt >= FLUSHES_MAX => return Err(error),
            Err(error) => {
                tracing::error!(%error, attempt, "cannot flush while replaying the WAL");
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
        }
    }
    unreachable!("the loop returns at the last attempt")
}
