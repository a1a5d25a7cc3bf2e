//! The writer thread: the only one that writes the WAL and fills the memtable.

mod freeze;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::indexes::HeldIndexes;
use crate::memtable::Since;
use crate::replay::End;
use crate::store::{Shared, closed};
use crate::waiting::Waits;
use crate::wal::WalWriter;
use crate::{Appended, Error, ErrorKind, Identity, TableBatch, Write};

/// A group is written when it holds this many bytes, even if more requests wait.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// How often the thread looks for unsynced bytes when nothing comes in.
const IDLE: Duration = Duration::from_millis(100);

/// How often it is told that the WAL still fails.
const FAILURE_TOLD_EACH: Duration = Duration::from_secs(10);

/// What the thread is asked to do.
pub(crate) enum Message {
    /// Store a request.
    Append {
        /// The request.
        write: Write,
        /// Its bytes, as counted in `Shared::buffered`.
        bytes: usize,
        /// Where its labels have a place.
        held: HeldIndexes,
        /// Told when it is durable and readable.
        done: oneshot::Sender<Result<Appended, Error>>,
    },
    /// Freeze the active memtable.
    Freeze {
        /// Whether tenants that could wait are frozen, too.
        all: bool,
        /// Told when it is done.
        done: oneshot::Sender<Result<(), Error>>,
    },
    /// End the thread.
    Stop,
}

/// The way to the thread. Dropping it ends the thread and waits for that.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Queue {
    /// Starts the thread behind a log that was replayed.
    pub(crate) fn start(
        wal: WalWriter,
        end: End,
        waits: Waits,
        shared: Arc<Shared>,
    ) -> Result<Self, Error> {
        let (sender, receiver) = channel();
        let writer = Writer {
            wal,
            shared,
            waits,
            next_sequence: end.next,
            first_active: end.first_active,
            settled: end.settled,
            failure_told: None,
        };
        let thread = std::thread::Builder::new()
            .name("wal".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| {
                Error::with_source(ErrorKind::Unavailable, "cannot start a thread", error)
            })?;
        Ok(Self { sender, thread: Mutex::new(Some(thread)) })
    }

    /// Hands a message over; fails if the thread has ended.
    pub(crate) fn send(&self, message: Message) -> Result<(), Error> {
        self.sender.send(message).map_err(|_| closed())
    }

    /// Ends the thread after what was sent before, and waits for that.
    pub(crate) fn stop(&self) {
        // A thread that has ended already is what is wanted.
        let _ = self.send(Message::Stop);
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the WAL has panicked");
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Writer {
    wal: WalWriter,
    shared: Arc<Shared>,
    next_sequence: u64,
    /// The first sequence number that the active memtable may hold.
    first_active: u64,
    /// What [`waiting::Summary::settled`](crate::waiting::Summary) tells.
    settled: u64,
    waits: Waits,
    /// When it was last told that the WAL fails; `None` while it does not.
    failure_told: Option<Instant>,
}

struct Pending {
    write: Write,
    bytes: usize,
    _held: HeldIndexes,
    done: oneshot::Sender<Result<Appended, Error>>,
}

/// Requests that are written and acknowledged together.
#[derive(Default)]
struct Group {
    requests: Vec<Pending>,
    /// Places in `requests`, by the hashes of those that have an identity.
    places: AHashMap<u128, usize>,
    /// Requests that equal one of the group, with its place: they share its fate.
    twins: Vec<(Pending, usize)>,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        self.serve(receiver);
        self.wal.end_file();
    }

    /// Does what is asked until it is asked to stop.
    fn serve(&mut self, receiver: &Receiver<Message>) {
        loop {
            let first = match receiver.recv_timeout(IDLE) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.wal.sync_if_due() {
                        self.watch(Some(&error));
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut group = Group::default();
            let mut next = Some(first);
            while let Some(message) = next.take() {
                match message {
                    Message::Append { write, bytes, held, done } => {
                        self.add(Pending { write, bytes, _held: held, done }, &mut group);
                        if self.wal.group_bytes() < GROUP_BYTES_MAX {
                            next = receiver.try_recv().ok();
                        }
                    }
                    Message::Freeze { all, done } => {
                        self.commit(&mut group);
                        let frozen = self.freeze(all);
                        // Whoever asked may have stopped waiting.
                        let _ = done.send(frozen);
                    }
                    Message::Stop => {
                        self.commit(&mut group);
                        return;
                    }
                }
            }
            self.commit(&mut group);
            self.shared.settle();
        }
    }

    /// Adds a request to the group, unless it is known or refused.
    fn add(&mut self, pending: Pending, group: &mut Group) {
        let identity = pending.write.frame.identity;
        if let Some(known) = identity.and_then(|of| self.shared.dedup.get(of.hash)) {
            self.answer(pending, Ok(Appended::Duplicate(known)));
            return;
        }
        if let Some(twin) = identity.and_then(|of| group.places.get(&of.hash)) {
            group.twins.push((pending, *twin));
            return;
        }
        if let Err(error) = self.wal.add(&pending.write.frame) {
            self.answer(pending, Err(error));
            return;
        }
        if let Some(identity) = identity {
            group.places.insert(identity.hash, group.requests.len());
        }
        group.requests.push(pending);
    }

    fn answer(&self, pending: Pending, answer: Result<Appended, Error>) {
        self.shared.buffered.leave(pending.bytes);
        // Whoever asked may have stopped waiting; the request is stored all the same.
        let _ = pending.done.send(answer);
    }

    /// Makes the group durable, then readable, then answers.
    fn commit(&mut self, group: &mut Group) {
        let Group { requests, twins, .. } = std::mem::take(group);
        if requests.is_empty() {
            return;
        }
        let bytes = self.wal.group_bytes() as u64;
        let committed = self.wal.commit(self.next_sequence);
        let shared = Arc::clone(&self.shared);
        let counters = &shared.counters;
        let (sync_ns, syncs) = self.wal.syncs;
        counters.wal_sync_ns.store(sync_ns, Ordering::Relaxed);
        counters.wal_syncs.store(syncs, Ordering::Relaxed);
        self.watch(committed.as_ref().err());
        if let Err(error) = committed {
            counters.wal_errors.fetch_add(1, Ordering::Relaxed);
            for pending in requests.into_iter().chain(twins.into_iter().map(|twin| twin.0)) {
                self.answer(pending, Err(Error::new(error.kind(), error.to_string())));
            }
            return;
        }
        // Only now: the numbers of what failed are given again, so that the WAL has no gap.
        self.next_sequence += requests.len() as u64;
        counters.wal_bytes.fetch_add(bytes, Ordering::Relaxed);
        let first = self.next_sequence - requests.len() as u64;
        let inserted: Vec<Result<(), Error>> = (first..)
            .zip(&requests)
            .map(|(sequence, pending)| self.insert(&pending.write, sequence))
            .collect();
        for (pending, place) in twins {
            let answer = match (&inserted[place], requests[place].write.frame.identity) {
                (Ok(()), Some(identity)) => Ok(Appended::Duplicate(identity)),
                (Ok(()), None) => Ok(Appended::Stored),
                (Err(error), _) => Err(Error::new(error.kind(), error.to_string())),
            };
            self.answer(pending, answer);
        }
        for (pending, inserted) in requests.into_iter().zip(inserted) {
            self.answer(pending, inserted.map(|()| Appended::Stored));
        }
    }

    /// Tells when the WAL begins and ceases to fail, and now and then in between.
    fn watch(&mut self, error: Option<&Error>) {
        if self.wal.take_failed() {
            // What the disk has of the file that failed is not known: segments are safer.
            self.shared.flush_wanted.store(true, Ordering::Relaxed);
            self.shared.full.notify_one();
        }
        match (error, self.failure_told) {
            (None, None) => {}
            (None, Some(_)) => {
                tracing::info!("the write-ahead log takes requests again");
                self.failure_told = None;
            }
            (Some(_), Some(told)) if told.elapsed() < FAILURE_TOLD_EACH => {}
            (Some(error), _) => {
                tracing::error!(%error, "cannot write the write-ahead log; requests are refused");
                self.failure_told = Some(Instant::now());
            }
        }
    }

    /// Makes a request readable. The index comes first: rows without labels would be lost to
    /// readers, labels without rows are harmless.
    fn insert(&self, write: &Write, sequence: u64) -> Result<(), Error> {
        let tenant = &write.frame.tenant;
        let seen = self.shared.seen_at(write.frame.received_ns);
        let mut batches = Vec::with_capacity(write.batches.len());
        for batch in &write.batches {
            // Series and streams that another request has brought meanwhile are left out.
            let rows = self.shared.absorb(tenant, batch, seen)?;
            batches.push(TableBatch { table: batch.table, rows });
        }
        let now = self.shared.now();
        let mut state = self.shared.state.write();
        state.active.note(tenant, Since { sequence, at: now });
        for batch in &batches {
            state.active.add(tenant, batch, seen)?;
            self.shared.counters.count_rows(batch);
        }
        if state.active_since.is_none() && !state.active.is_empty() {
            state.active_since = Some(now);
        }
        drop(state);
        if let Some(identity) = write.frame.identity {
            self.remember(identity);
        }
        self.shared.full.notify_one();
        Ok(())
    }

    /// From here on the request is known.
    fn remember(&self, identity: Identity) {
        let generation = self.shared.dedup.insert(identity);
        self.shared.unflushed.lock().extend(generation.map(|generation| (generation, identity)));
    }
}
