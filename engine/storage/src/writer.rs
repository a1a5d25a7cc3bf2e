//! The writer thread: the only one that writes the WAL and fills the memtable.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::store::{Frozen, Shared, closed};
use crate::wal::WalWriter;
use crate::{Error, ErrorKind, TableBatch, Write};

/// A group is written when it holds this many bytes, even if more requests wait.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// How often the thread looks for unsynced bytes when nothing comes in.
const IDLE: Duration = Duration::from_millis(100);

/// What the thread is asked to do.
pub(crate) enum Message {
    /// Store a request.
    Append {
        /// The request.
        write: Write,
        /// Its bytes, as counted in `Shared::queued_bytes`.
        bytes: usize,
        /// Told when it is durable and readable.
        done: oneshot::Sender<Result<(), Error>>,
    },
    /// Freeze the active memtable.
    Freeze {
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
    /// Starts the thread. The memtable may hold requests from `sequences.0` on; the first request
    /// that comes gets the number `sequences.1`.
    pub(crate) fn start(
        wal: WalWriter,
        sequences: (u64, u64),
        shared: Arc<Shared>,
    ) -> Result<Self, Error> {
        let (sender, receiver) = channel();
        let (first_active, next_sequence) = sequences;
        let writer = Writer { wal, shared, next_sequence, first_active };
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
}

struct Pending {
    write: Write,
    bytes: usize,
    done: oneshot::Sender<Result<(), Error>>,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        self.serve(receiver);
        if let Err(error) = self.wal.end_file() {
            tracing::error!(%error, "cannot end the write-ahead log");
        }
    }

    /// Does what is asked until it is asked to stop.
    fn serve(&mut self, receiver: &Receiver<Message>) {
        loop {
            let first = match receiver.recv_timeout(IDLE) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.wal.sync_if_due() {
                        tracing::error!(%error, "cannot sync the write-ahead log");
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut group = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next.take() {
                match message {
                    Message::Append { write, bytes, done } => {
                        self.add(Pending { write, bytes, done }, &mut group);
                        if self.wal.group_bytes() < GROUP_BYTES_MAX {
                            next = receiver.try_recv().ok();
                        }
                    }
                    Message::Freeze { done } => {
                        self.commit(&mut group);
                        // Whoever asked may have stopped waiting.
                        let _ = done.send(self.freeze());
                    }
                    Message::Stop => {
                        self.commit(&mut group);
                        return;
                    }
                }
            }
            self.commit(&mut group);
        }
    }

    /// Adds a request to the group, or refuses it.
    fn add(&mut self, pending: Pending, group: &mut Vec<Pending>) {
        let sequence = self.next_sequence + group.len() as u64;
        match self.wal.add(&pending.write.frame, sequence) {
            Ok(()) => group.push(pending),
            Err(error) => self.answer(pending, Err(error)),
        }
    }

    fn answer(&self, pending: Pending, answer: Result<(), Error>) {
        self.shared.queued_bytes.fetch_sub(pending.bytes, Ordering::Relaxed);
        // Whoever asked may have stopped waiting; the request is stored all the same.
        let _ = pending.done.send(answer);
    }

    /// Makes the group durable, then readable, then answers.
    fn commit(&mut self, group: &mut Vec<Pending>) {
        if group.is_empty() {
            return;
        }
        let bytes = self.wal.group_bytes() as u64;
        let committed = self.wal.commit();
        let counters = &self.shared.counters;
        let (sync_ns, syncs) = self.wal.syncs;
        counters.wal_sync_ns.store(sync_ns, Ordering::Relaxed);
        counters.wal_syncs.store(syncs, Ordering::Relaxed);
        if let Err(error) = committed {
            tracing::error!(%error, requests = group.len(), "cannot write the write-ahead log");
            for pending in group.drain(..) {
                self.answer(pending, Err(Error::new(error.kind(), error.to_string())));
            }
            return;
        }
        // Only now: the numbers of what failed are given again, so that the WAL has no gap.
        self.next_sequence += group.len() as u64;
        counters.wal_bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut answers = Vec::with_capacity(group.len());
        for pending in group.drain(..) {
            let inserted = self.insert(&pending.write);
            answers.push((pending, inserted));
        }
        for (pending, inserted) in answers {
            self.answer(pending, inserted);
        }
    }

    /// Makes a request readable. The index comes first: rows without labels would be lost to
    /// readers, labels without rows are harmless.
    fn insert(&self, write: &Write) -> Result<(), Error> {
        let tenant = &write.frame.tenant;
        let mut batches = Vec::with_capacity(write.batches.len());
        for batch in &write.batches {
            // Series and streams that another request has brought meanwhile are left out.
            let rows = self.shared.indexes.absorb(tenant, batch)?;
            batches.push(TableBatch { table: batch.table, rows });
        }
        let mut state = self.shared.state.write();
        for batch in &batches {
            state.active.add(tenant, batch)?;
            self.shared.counters.count_rows(batch);
        }
        if state.active_since.is_none() && !state.active.is_empty() {
            state.active_since = Some(Instant::now());
        }
        self.shared.full.notify_one();
        Ok(())
    }

    fn freeze(&mut self) -> Result<(), Error> {
        let mut state = self.shared.state.write();
        if state.active.is_empty() {
            return Ok(());
        }
        let wal_files = self.wal.end_file()?;
        let rows = std::mem::take(&mut state.active);
        state.active_since = None;
        let sequences = (self.first_active, self.next_sequence - 1);
        self.first_active = self.next_sequence;
        state.frozen.push(Frozen { rows, sequences, wal_files });
        Ok(())
    }
}
