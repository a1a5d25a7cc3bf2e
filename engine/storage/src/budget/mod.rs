//! One memory budget for everything that may grow: who asks for more than there is, is refused.
//!
//! ```text
//!  ├ floor ┼─ shared by all, first come ─────────────────────┤  of each use
//!  ┌───────┬────────┬───────┬───────┬────────────┬ ─ ─ ─ ─ ─ ┐
//!  │ingest │memtable│ index │ query │ compaction │   cache   │  bytes_max
//!  └───────┴────────┴───────┴───────┴────────────┴ ─ ─ ─ ─ ─ ┘
//! ```
//!
//! Each use has a *floor* that nobody else can take, so queries never starve ingest nor the other
//! way round, and a *cap* that it cannot pass even if all the rest is free. Between the two the
//! first who asks gets. Cached bytes have no floor: they are given up when somebody else asks.
//!
//! What is reserved is an estimate of what is held; the allocator holds some more. Therefore the
//! default budget is a part of the machine only, and [`Budget::watch`] measures the process and
//! refuses new work before the machine's limit is reached, whatever the estimates say.

mod machine;
mod reservation;
mod stats;
mod watch;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

pub use machine::{Machine, resident_bytes};
pub use reservation::Reservation;
pub use stats::{BudgetStats, UseStats};

use crate::{Error, ErrorKind};

/// Part of the machine's memory that the budget takes if nothing else is said, in per cent.
pub const DEFAULT_PERCENT: u8 = 60;

/// The smallest budget: below it not even one request and one query have room.
const BYTES_MIN: usize = 64 << 20;

/// Number of uses.
const USES: usize = Use::ALL.len();

/// What memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Use {
    /// Requests that are being received, inflated and decoded.
    Ingest,
    /// Rows that wait for the WAL, memtables, and their copies while a flush sorts and encodes.
    Memtable,
    /// Label indexes of series and streams.
    Index,
    /// Queries that run, with their answers.
    Query,
    /// Merges of segments.
    Compaction,
    /// Blocks of segments that are kept for the next reader.
    Cache,
}

impl Use {
    /// Every use, in a fixed order.
    pub const ALL: [Self; 6] =
        [Self::Ingest, Self::Memtable, Self::Index, Self::Query, Self::Compaction, Self::Cache];

    /// Snake-case name, as it stands in metric labels, configuration keys and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Memtable => "memtable",
            Self::Index => "index",
            Self::Query => "query",
            Self::Compaction => "compaction",
            Self::Cache => "cache",
        }
    }

    /// Whether a request for more can be told to come again: work that is new.
    fn is_new_work(self) -> bool {
        matches!(self, Self::Ingest | Self::Query)
    }
}

/// What a use may have of a budget, both in per cent of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Kept free for this use, whoever else asks.
    pub floor: u8,
    /// Most that this use may hold.
    pub cap: u8,
}

/// What each use may have of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares([Share; USES]);

impl Default for Shares {
    /// Floors of 60 per cent together, caps that leave room for the others' floors.
    fn default() -> Self {
        let share = |floor, cap| Share { floor, cap };
        Self([
            share(10, 30), // ingest
            share(20, 50), // memtable
            share(5, 35),  // index
            share(15, 50), // query
            share(10, 30), // compaction
            share(0, 25),  // cache
        ])
    }
}

impl Shares {
    /// The share of one use.
    pub fn of(&self, of: Use) -> Share {
        self.0[of as usize]
    }

    /// These shares with another cap for one use, in per cent; the floor sinks to it if it is
    /// higher.
    #[must_use]
    pub fn with_cap(mut self, of: Use, cap: u8) -> Self {
        let cap = cap.min(100);
        let share = &mut self.0[of as usize];
        *share = Share { floor: share.floor.min(cap), cap };
        self
    }
}

/// Somebody who holds memory that he can do without, such as a cache.
pub trait Reclaim: Send + Sync {
    /// Gives back up to `bytes` by dropping what is held, and shrinks the reservation of it.
    /// Called without locks of the budget; must not reserve.
    fn reclaim(&self, bytes: usize);
}

/// The memory of the process, given out in reservations.
pub struct Budget {
    bytes_max: usize,
    machine: Machine,
    floors: [usize; USES],
    caps: [usize; USES],
    held: Mutex<Held>,
    reclaim: RwLock<Vec<Weak<dyn Reclaim>>>,
    /// Set while the process holds so much of the machine that nothing new is begun.
    is_pressed: AtomicBool,
    /// Set while it holds so much that what is under way gets no more either.
    is_full: AtomicBool,
}

/// What is given out.
#[derive(Clone, Debug, Default)]
struct Held {
    total: usize,
    total_peak: usize,
    used: [usize; USES],
    peak: [usize; USES],
    refused: [u64; USES],
}

/// Why a reservation was refused.
enum Refusal {
    /// The use would pass its cap.
    Cap,
    /// The budget has not so much left, the floors of others aside.
    Total,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held.lock().clone();
        f.debug_struct("Budget").field("bytes_max", &self.bytes_max).field("held", &held).finish()
    }
}

impl Budget {
    /// A budget of `bytes_max`, 64 MiB at least.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Self::with_shares(bytes_max, Shares::default(), Machine::unlimited())
    }

    /// [`DEFAULT_PERCENT`] of what the machine, its control groups and its resource limits leave
    /// to this process.
    pub fn of_machine() -> Arc<Self> {
        let machine = Machine::detect();
        Self::with_shares(machine.percent(DEFAULT_PERCENT), Shares::default(), machine)
    }

    /// A budget of `bytes_max`, 64 MiB at least, on a machine whose limit [`Self::watch`] keeps
    /// an eye on.
    pub fn with_shares(bytes_max: usize, shares: Shares, machine: Machine) -> Arc<Self> {
        let bytes_max = bytes_max.max(BYTES_MIN);
        let part = |percent: u8| bytes_max / 100 * usize::from(percent.min(100));
        Arc::new(Self {
            bytes_max,
            machine,
            floors: Use::ALL.map(|of| part(shares.of(of).floor)),
            caps: Use::ALL.map(|of| part(shares.of(of).cap)),
            held: Mutex::default(),
            reclaim: RwLock::default(),
            is_pressed: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
        })
    }

    /// All that may be held, in bytes.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Most that one use may hold, in bytes.
    pub fn cap(&self, of: Use) -> usize {
        self.caps[of as usize]
    }

    /// What one use holds now, in bytes.
    pub fn used(&self, of: Use) -> usize {
        self.held.lock().used[of as usize]
    }

    /// Takes `bytes` for a use; they are given back when the reservation is dropped.
    ///
    /// `Limit` if the use or the whole budget has not so much left, `Unavailable` if the process
    /// is so near to the machine's limit that requests and queries get no more.
    pub fn reserve(self: &Arc<Self>, of: Use, bytes: usize) -> Result<Reservation, Error> {
        let mut reservation = self.reservation(of);
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// Whether a use could take `bytes` now; errors are those of [`Self::reserve`].
    pub fn check(&self, of: Use, bytes: usize) -> Result<(), Error> {
        self.take(of, bytes)?;
        self.give(of, bytes);
        Ok(())
    }

    /// A reservation of nothing yet.
    pub fn reservation(self: &Arc<Self>, of: Use) -> Reservation {
        Reservation::empty(Arc::clone(self), of)
    }

    /// Asks `holder` to give up memory when somebody is about to be refused.
    pub fn reclaim_from(&self, holder: Weak<dyn Reclaim>) {
        let mut holders = self.reclaim.write();
        holders.retain(|holder| holder.strong_count() > 0);
        holders.push(holder);
    }

    /// `Unavailable` while the process holds so much of the machine that nothing new is begun.
    pub fn check_pressure(&self) -> Result<(), Error> {
        match self.is_pressed.load(Ordering::Relaxed) {
            true => Err(self.full()),
            false => Ok(()),
        }
    }

    fn full(&self) -> Error {
        let message = format!(
            "the process holds nearly all of the {} that the machine leaves it; \
             no new work is begun until memory is free again",
            mib(self.machine.bytes)
        );
        Error::new(ErrorKind::Unavailable, message)
    }

    /// Takes `bytes`, after asking those who can give up some.
    fn take(&self, of: Use, bytes: usize) -> Result<(), Error> {
        if of.is_new_work() && bytes > 0 && self.is_full.load(Ordering::Relaxed) {
            return Err(self.full());
        }
        let first = self.held.lock().take(of, bytes, self);
        let refusal = match first {
            Ok(()) => return Ok(()),
            Err(Refusal::Total) if of != Use::Cache => {
                self.ask_for(bytes);
                match self.held.lock().take(of, bytes, self) {
                    Ok(()) => return Ok(()),
                    Err(refusal) => refusal,
                }
            }
            Err(refusal) => refusal,
        };
        let mut held = self.held.lock();
        held.refused[of as usize] += 1;
        Err(Error::new(ErrorKind::Limit, self.describe(&held, of, bytes, &refusal)))
    }

    /// Takes `bytes` though they may be over the limit: for what exists already.
    fn take_anyway(&self, of: Use, bytes: usize) {
        self.held.lock().add(of, bytes);
    }

    fn give(&self, of: Use, bytes: usize) {
        let mut held = self.held.lock();
        held.used[of as usize] -= bytes;
        held.total -= bytes;
    }

    fn ask_for(&self, bytes: usize) {
        let holders: Vec<_> = self.reclaim.read().iter().filter_map(Weak::upgrade).collect();
        for holder in holders {
            holder.reclaim(bytes);
        }
    }

    /// What is kept free for others than `of`.
    fn kept_for_others(&self, held: &Held, of: Use) -> usize {
        let others = Use::ALL.into_iter().filter(|other| *other != of).map(|other| other as usize);
        others.map(|other| self.floors[other].saturating_sub(held.used[other])).sum()
    }

    fn describe(&self, held: &Held, of: Use, bytes: usize, refusal: &Refusal) -> String {
        let (asked, used, name) = (mib(bytes), mib(held.used[of as usize]), of.name());
        if let Refusal::Cap = refusal {
            let cap = mib(self.caps[of as usize]);
            return format!(
                "memory budget: {name} holds {used} and asks for {asked} more, over its limit of \
                 {cap} (memory.{name})"
            );
        }
        let by_use: Vec<String> = Use::ALL
            .into_iter()
            .map(|of| format!("{} {}", of.name(), mib(held.used[of as usize])))
            .collect();
        format!(
            "memory budget: {name} asks for {asked} more, but {} of the limit of {} \
             (memory.budget) are in use ({}) and {} are kept for the other uses",
            mib(held.total),
            mib(self.bytes_max),
            by_use.join(", "),
            mib(self.kept_for_others(held, of)),
        )
    }
}

impl Held {
    fn take(&mut self, of: Use, bytes: usize, budget: &Budget) -> Result<(), Refusal> {
        let used = self.used[of as usize].saturating_add(bytes);
        if used > budget.caps[of as usize] {
            return Err(Refusal::Cap);
        }
        // What is taken out of one's own floor is always there, unless somebody holds more than
        // he may: then everybody waits until that is given back.
        let total = self.total.saturating_add(bytes);
        if total.saturating_add(budget.kept_for_others(self, of)) > budget.bytes_max {
            return Err(Refusal::Total);
        }
        self.add(of, bytes);
        Ok(())
    }

    fn add(&mut self, of: Use, bytes: usize) {
        let at = of as usize;
        self.used[at] += bytes;
        self.total += bytes;
        self.peak[at] = self.peak[at].max(self.used[at]);
        self.total_peak = self.total_peak.max(self.total);
    }
}

/// Bytes as people read them in messages.
pub(crate) fn mib(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests;
