//! What was asked of the object store, counted where it is asked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What is asked of an object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Bytes of an object.
    Get,
    /// A whole object, a part of one, or the word that all parts are there.
    Put,
    /// A page of names.
    List,
    /// Removal of an object.
    Delete,
    /// Size of an object.
    Head,
}

impl RequestKind {
    /// Every operation, in the order of [`ObjectStats::operations`].
    pub const ALL: [Self; 5] = [Self::Get, Self::Put, Self::List, Self::Delete, Self::Head];

    /// Snake-case name, as it stands in metric labels and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Head => "head",
        }
    }
}

/// Counters of one operation, since the lake was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationStats {
    /// Requests sent, each attempt counted.
    pub requests: u64,
    /// Attempts after the first of a request.
    pub retries: u64,
    /// Requests given up; an answer such as "there is no such object" is no error.
    pub errors: u64,
    /// Bytes of objects received or sent, each attempt that succeeded counted.
    pub bytes: u64,
    /// Time from each attempt's start to its answer, in nanoseconds.
    pub wait_ns: u64,
}

/// Counters of the object store, or of the local disk in its place, since the lake was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectStats {
    /// By operation, in the order of [`RequestKind::ALL`].
    pub operations: [OperationStats; 5],
}

impl ObjectStats {
    /// The counters of one operation.
    pub fn of(&self, operation: RequestKind) -> OperationStats {
        self.operations[operation as usize]
    }
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    retries: AtomicU64,
    errors: AtomicU64,
    bytes: AtomicU64,
    wait_ns: AtomicU64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(super) struct Meter {
    operations: [Counters; 5],
}

impl Meter {
    /// An attempt was answered, whatever the answer.
    pub(super) fn attempt(&self, operation: RequestKind, took: Duration) {
        let counters = &self.operations[operation as usize];
        counters.requests.fetch_add(1, Ordering::Relaxed);
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counters.wait_ns.fetch_add(took_ns, Ordering::Relaxed);
    }

    /// A further attempt will be made.
    pub(super) fn retry(&self, operation: RequestKind) {
        self.operations[operation as usize].retries.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was given up.
    pub(super) fn error(&self, operation: RequestKind) {
        self.operations[operation as usize].errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes have come or gone.
    pub(super) fn moved(&self, operation: RequestKind, bytes: u64) {
        self.operations[operation as usize].bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The counters of now.
    pub(super) fn read(&self) -> ObjectStats {
        let operations = std::array::from_fn(|at| {
            let counters = &self.operations[at];
            let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            OperationStats {
                requests: load(&counters.requests),
                retries: load(&counters.retries),
                errors: load(&counters.errors),
                bytes: load(&counters.bytes),
                wait_ns: load(&counters.wait_ns),
            }
        });
        ObjectStats { operations }
    }
}
