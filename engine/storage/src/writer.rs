//! The writer thread: the only one that writes the WAL and fills the memtable.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::store::{Frozen, Shared};
use crate::wal::WalWriter;
use crate::{Error, ErrorKind, Write};

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

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: Sender<Message>,
}

impl Queue {
    /// Starts the thread; `next_sequence` is the number of the first request.
    pub(crate) fn start(
        wal: WalWriter,
        next_sequence: u64,
        shared: Arc<Shared>,
    ) -> Result<Self, Error> {
        let (sender, receiver) = channel();
        let writer = Writer { wal, shared, next_sequence, first_active: next_sequence };
        std::thread::Builder::new()
            .name("wal".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| {
                Error::with_source(ErrorKind::Unavailable, "cannot start a thread", error)
            })?;
        Ok(Self { sender })
    }

    /// Hands a message over; fails if the thread has ended.
    pub(crate) fn send(&self, message: Message) -> Result<(), SendError<Message>> {
        self.sender.send(message)
    }

    /// Ends the thread after what was sent before.
    pub(crate) fn stop(&self) {
        // A thread that has ended already is what is wanted.
        let _ = self.send(Message::Stop);
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
    fn add(&mut self, pending: Pending, group: &mut Vec<(u64, Pending)>) {
        match self.wal.add(&pending.write.frame, self.next_sequence) {
            Ok(()) => {
                group.push((self.next_sequence, pending));
                self.next_sequence += 1;
            }
            Err(error) => self.answer(pending, Err(error)),
        }
    }

    fn answer(&self, pending: Pending, answer: Result<(), Error>) {
        self.shared.queued_bytes.fetch_sub(pending.bytes, Ordering::Relaxed);
        // Whoever asked may have stopped waiting; the request is stored all the same.
        let _ = pending.done.send(answer);
    }

    /// Makes the group durable, then readable, then answers.
    fn commit(&mut self, group: &mut Vec<(u64, Pending)>) {
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
            for (_, pending) in group.drain(..) {
                self.answer(pending, Err(Error::new(error.kind(), error.to_string())));
            }
            return;
        }
        counters.wal_bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut answers = Vec::with_capacity(group.len());
        for (_, pending) in group.drain(..) {
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
        for batch in &write.batches {
            self.shared.indexes.absorb(tenant, batch)?;
        }
        let mut state = self.shared.state.write();
        for batch in &write.batches {
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
