//! Memory of queries: each query has a pool of its own, and all pools draw on the one budget.
//!
//! ```text
//!  operator ─ Held ─▶ pool of the query (cap of one query) ─▶ storage::Budget (Use::Query)
//! ```
//!
//! DataFusion's operators reserve in the same pool; those that can spill do so when it refuses.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
    UnboundedMemoryPool,
};
use parking_lot::Mutex;
use storage::{Budget, Reservation, Use};

use crate::error::from_datafusion;
use crate::{Error, ErrorKind};

/// Consumers that an error about exhausted memory names.
const CONSUMERS_NAMED: usize = 5;

/// The memory of one query.
#[derive(Clone, Debug)]
pub struct QueryMemory {
    pool: Arc<dyn MemoryPool>,
    /// What is held until the query ends.
    kept: Arc<Mutex<Vec<Held>>>,
}

impl Default for QueryMemory {
    /// Memory without a limit, for answers that come from no store.
    fn default() -> Self {
        Self::of(&(Arc::new(UnboundedMemoryPool::default()) as Arc<dyn MemoryPool>))
    }
}

impl QueryMemory {
    /// Memory for one query: at most `bytes_max`, and at most half of what all queries may hold.
    pub(crate) fn within(budget: &Arc<Budget>, bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(budget.cap(Use::Query) / 2);
        let pool = QueryPool {
            fair: FairSpillPool::new(bytes_max),
            bytes_max,
            held: Mutex::new(budget.reservation(Use::Query)),
        };
        let named = NonZeroUsize::new(CONSUMERS_NAMED).expect("it is not zero");
        Self::of(&(Arc::new(TrackConsumersPool::new(pool, named)) as Arc<dyn MemoryPool>))
    }

    /// The memory behind a pool.
    pub(crate) fn of(pool: &Arc<dyn MemoryPool>) -> Self {
        Self { pool: Arc::clone(pool), kept: Arc::default() }
    }

    pub(crate) fn pool(&self) -> Arc<dyn MemoryPool> {
        Arc::clone(&self.pool)
    }

    /// Holds a part of it until the query ends.
    pub(crate) fn keep(&self, held: Held) {
        self.kept.lock().push(held);
    }

    /// A part of it that holds nothing yet; `what` is told if memory runs out.
    pub fn hold(&self, what: &'static str) -> Held {
        Held { reservation: MemoryConsumer::new(what).register(&self.pool) }
    }
}

/// A part of a query's memory, given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    reservation: MemoryReservation,
}

impl Held {
    /// Takes `bytes` more; `Limit` if the query or all queries have no more left.
    pub fn grow(&self, bytes: usize) -> Result<(), Error> {
        self.reservation.try_grow(bytes).map_err(from_datafusion)
    }

    /// Grows or shrinks to `bytes`; errors are those of [`Self::grow`].
    pub fn resize(&self, bytes: usize) -> Result<(), Error> {
        self.reservation.try_resize(bytes).map_err(from_datafusion)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.reservation.size()
    }
}

/// The pool of one query.
struct QueryPool {
    /// Keeps the query within its own limit and shares it out among its operators.
    fair: FairSpillPool,
    bytes_max: usize,
    held: Mutex<Reservation>,
}

impl fmt::Debug for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryPool").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query(limit: {} bytes)", self.bytes_max)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.fair.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.fair.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.fair.grow(reservation, additional);
        self.held.lock().grow_anyway(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.fair.shrink(reservation, shrink);
        self.held.lock().shrink(shrink);
    }

    fn try_grow(
        &self,
        reservation: &MemoryReservation,
        additional: usize,
    ) -> datafusion::error::Result<()> {
        self.fair.try_grow(reservation, additional)?;
        let grown = self.held.lock().grow(additional);
        grown.map_err(|error| {
            self.fair.shrink(reservation, additional);
            match error.kind() {
                // Operators that can spill do so when they see this one.
                storage::ErrorKind::Limit => DataFusionError::ResourcesExhausted(error.to_string()),
                _ => {
                    let message = error.to_string();
                    Error::with_source(ErrorKind::Unavailable, message, error).into()
                }
            }
        })
    }

    fn reserved(&self) -> usize {
        self.fair.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes_max)
    }
}

#[cfg(test)]
mod tests;
