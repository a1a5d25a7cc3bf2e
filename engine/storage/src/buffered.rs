//! Memory of rows that are not yet in segments: what waits for the WAL, memtables, and the copies
//! that a flush makes of them.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Budget, Error, Reservation, Use};

/// Copies of a table's rows while a flush puts them together, sorts and encodes them. Samples take
/// as much only where each series has one or two.
pub(crate) const FLUSH_COPIES: usize = 3;

/// Memtables are flushed at this part of what all buffered rows may hold: there is room then for
/// an active one, one that is being flushed, and the copies of that.
const MEMTABLE_PART: usize = 6;

/// The smallest memtable that is worth flushing for its size, in bytes.
const MEMTABLE_BYTES_MIN: usize = 1 << 20;

/// The size at which memtables are flushed, given what is wanted.
pub(crate) fn memtable_bytes_max(wanted: usize, budget: &Budget) -> usize {
    wanted.min((budget.cap(Use::Memtable) / MEMTABLE_PART).max(MEMTABLE_BYTES_MIN))
}

/// The part of what all buffered rows may hold that a replay fills: the rest is for what comes in
/// then, and for the copies of flushes.
const REPLAYED_PART: usize = 2;

/// What memtables may hold that are filled from the WAL, given what is wanted.
pub(crate) fn replayed_bytes_max(wanted: usize, budget: &Budget) -> usize {
    wanted.min(budget.cap(Use::Memtable) / REPLAYED_PART)
}

/// Counts what is buffered, within the memory budget.
#[derive(Debug, Default)]
pub(crate) struct Buffered(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// `None` in tests.
    room: Option<Reservation>,
    /// Bytes of requests that wait for the WAL.
    queued: usize,
    /// Bytes of copies.
    copies: usize,
}

/// Copies of rows, given back when they are dropped.
#[derive(Debug)]
pub(crate) struct Copies {
    of: Arc<Buffered>,
    bytes: usize,
}

impl Buffered {
    /// Nothing is buffered yet.
    pub(crate) fn within(budget: &Arc<Budget>) -> Self {
        let room = Some(budget.reservation(Use::Memtable));
        Self(Mutex::new(Inner { room, ..Inner::default() }))
    }

    /// A request of `bytes` waits for the WAL; `Limit` if there is no memory for it.
    pub(crate) fn enter(&self, bytes: usize) -> Result<(), Error> {
        let mut inner = self.0.lock();
        if let Some(room) = &mut inner.room {
            room.grow(bytes)?;
        }
        inner.queued += bytes;
        Ok(())
    }

    /// A request of `bytes` waits no more. Its memory is settled later.
    pub(crate) fn leave(&self, bytes: usize) {
        self.0.lock().queued -= bytes;
    }

    /// Bytes of requests that wait for the WAL.
    pub(crate) fn queued(&self) -> usize {
        self.0.lock().queued
    }

    /// Copies of rows are made; that cannot be refused, for only they make room.
    pub(crate) fn copy(self: &Arc<Self>, bytes: usize) -> Copies {
        let mut inner = self.0.lock();
        inner.copies += bytes;
        if let Some(room) = &mut inner.room {
            room.grow_anyway(bytes);
        }
        Copies { of: Arc::clone(self), bytes }
    }

    /// Brings the reservation in line with what is held, memtables included.
    pub(crate) fn settle(&self, memtable_bytes: impl FnOnce() -> usize) {
        let mut inner = self.0.lock();
        let held = inner.queued + inner.copies + memtable_bytes();
        if let Some(room) = &mut inner.room {
            room.resize_anyway(held);
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        let mut inner = self.of.0.lock();
        inner.copies -= self.bytes;
        let bytes = self.bytes;
        if let Some(room) = &mut inner.room {
            room.shrink(bytes);
        }
    }
}
