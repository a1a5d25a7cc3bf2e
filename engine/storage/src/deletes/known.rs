//! Known requests: all that a process has heard of, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::HashSet;
use arrow::array::RecordBatch;
use parking_lot::RwLock;
use schemas::model::{NANOS_PER_MILLI, Signal, TimestampNs};

use super::select::Selection;
use super::{DeleteLog, DeleteRequest};
use crate::{Error, Segment};

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletePhase {
    /// Its rows are hidden; it can be cancelled until then.
    Masked,
    /// It was cancelled before anything was taken away.
    Cancelled,
    /// No live segment has a row that it covers.
    Rewritten,
    /// The objects that had such rows are deleted, too.
    Gone,
}

impl DeletePhase {
    /// The phase as it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Cancelled => "cancelled",
            Self::Rewritten => "rewritten",
            Self::Gone => "gone",
        }
    }
}

/// A request and how far it has come.
#[derive(Clone, Debug)]
pub struct DeleteState {
    /// The request.
    pub request: Arc<DeleteRequest>,
    /// How far it has come, as far as this process knows.
    pub phase: DeletePhase,
}

/// A request that this process knows.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    pub(crate) request: Arc<DeleteRequest>,
    pub(super) selection: Arc<Selection>,
    /// What is received from then on is not covered, by the clock of this process.
    pub(crate) known_ns: TimestampNs,
    pub(crate) phase: DeletePhase,
    /// Hashes of the paths of segments that were found to have no row that it covers.
    clean: Arc<RwLock<HashSet<u64>>>,
}

impl Tracked {
    /// A request; `Invalid` if its selectors are none.
    pub(crate) fn new(request: DeleteRequest, phase: DeletePhase) -> Result<Self, Error> {
        let selection = Selection::compile(request.spec.signal, &request.spec.selectors)?;
        Ok(Self {
            known_ns: request.created_ms.saturating_mul(NANOS_PER_MILLI),
            request: Arc::new(request),
            selection: Arc::new(selection),
            phase,
            clean: Arc::default(),
        })
    }

    /// Whether rows of this tenant and signal may be covered.
    pub(crate) fn concerns(&self, tenant: &str, signal: Signal) -> bool {
        self.phase != DeletePhase::Cancelled
            && self.request.spec.signal == signal
            && self.request.spec.tenant.as_ref() == tenant
    }

    /// Whether a segment of its tenant and signal may have rows that it covers.
    pub(crate) fn may_cover(&self, segment: &Segment) -> bool {
        self.request.number > segment.deletes_applied
            && self.request.spec.range.overlaps(segment.min_time_ns, segment.max_time_ns)
            && !self.clean.read().contains(&hash(&segment.path))
    }

    /// Forgets what was found clean, so that it is looked at again.
    pub(crate) fn forget_clean(&self) {
        self.clean.write().clear();
    }

    /// Notes that a segment has no row that it covers: segments never change.
    pub(crate) fn note_clean(&self, path: &str) {
        self.clean.write().insert(hash(path));
    }
}

/// All requests that a process has heard of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// By number, without gaps from 1 on.
    requests: Vec<Tracked>,
}

impl Known {
    /// All requests of a log.
    pub(crate) async fn load(log: &DeleteLog) -> Result<Self, Error> {
        let mut known = Self::default();
        while let Some(tracked) = log.read(known.newest() + 1).await? {
            known.push(tracked);
        }
        Ok(known)
    }

    /// Number of the newest request; 0 if there is none.
    pub(crate) fn newest(&self) -> u64 {
        self.requests.len() as u64
    }

    /// Leaves only finished requests in force, and all their segments to be looked at.
    pub(crate) fn keep_finished(&mut self) {
        for tracked in &mut self.requests {
            if tracked.phase == DeletePhase::Masked {
                tracked.phase = DeletePhase::Cancelled;
            }
            tracked.forget_clean();
        }
    }

    /// All requests, by number.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Tracked> {
        self.requests.iter()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Tracked> {
        self.requests.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// Adds the next request; false if it is known or not the next one.
    pub(crate) fn push(&mut self, tracked: Tracked) -> bool {
        let is_next = tracked.request.number == self.newest() + 1;
        if is_next {
            self.requests.push(tracked);
        }
        is_next
    }

    pub(crate) fn change(&mut self, number: u64, change: impl FnOnce(&mut Tracked)) {
        let at = number.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        if let Some(tracked) = at.and_then(|at| self.requests.get_mut(at)) {
            change(tracked);
        }
    }

    /// The newest request that does not cover what is received at this time.
    pub(crate) fn seen_at(&self, received_ns: TimestampNs) -> u64 {
        let later = self.requests.iter().rev().take_while(|it| it.known_ns > received_ns).count();
        self.newest() - later as u64
    }

    /// Batches of a memtable by the newest request that has nothing to do with them: mostly one
    /// part, more only while there is a request that covers older ones and not newer ones.
    pub(crate) fn parts(
        &self,
        tenant: &str,
        signal: Signal,
        batches: Vec<(u64, RecordBatch)>,
    ) -> BTreeMap<u64, Vec<RecordBatch>> {
        let mut parts: BTreeMap<u64, Vec<RecordBatch>> = BTreeMap::new();
        for (seen, rows) in batches {
            parts.entry(self.settled(tenant, signal, seen)).or_default().push(rows);
        }
        parts
    }

    /// The newest request that has nothing to do with rows that know requests up to `seen`.
    pub(crate) fn settled(&self, tenant: &str, signal: Signal, seen: u64) -> u64 {
        let later = self.requests.iter().skip(usize::try_from(seen).unwrap_or(usize::MAX));
        let mut concerning = later.filter(|it| it.concerns(tenant, signal));
        concerning.next().map_or(self.newest(), |first| first.request.number - 1)
    }
}

fn hash(path: &str) -> u64 {
    ahash::RandomState::with_seeds(1, 2, 3, 4).hash_one(path)
}
