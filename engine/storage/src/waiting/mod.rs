//! Waiting: the rows of small tenants stay out of segments until these are worth their cost.
//!
//! ```text
//!  freeze ─▶ which tenants are due? ── due ─────▶ frozen memtable ─▶ segments ─▶ WAL removed
//!                     │
//!                     └── they wait ─▶ one group at the head of the next WAL file
//!                                  └─▶ the next active memtable, as they are
//! ```
//!
//! A lake of a thousand small tenants would otherwise get a thousand segments a table with each
//! flush. A tenant waits if it has few bytes, none of them is old, and there are many tenants; it
//! is due when it has enough, or when its oldest row is old enough.
//!
//! *Exactly once.* A table's commit says that the table holds all requests up to a number. That
//! stays true because rows that wait take a number of their own: before the memtable is frozen they
//! are written to the WAL again, as one group with the number behind the last request, and the
//! group says for each tenant from which request on it stands for its rows. A replay passes over
//! the requests of a tenant that a later group stands for, so whatever a crash leaves of
//! older files, each row comes back from one place:
//!
//! - crash before the group is whole: nothing of it counts, and no commit was made that needs it;
//! - crash before, between or after the tables' commits: the frozen tenants come from the older
//!   files as far as commits do not cover them, the waiting ones from the group;
//! - the next freeze carries them again or flushes them: the newest group counts, and the commits
//!   that cover a group's number cover its rows.
//!
//! Rows that were made for a request are carried, not the request: what it was decoded to is
//! settled, and a table's rows share one set of columns, so the group is small.
//!
//! *Bounds.* What waits takes a quarter of a memtable at most; beyond, the largest tenants are
//! flushed. The WAL holds what the memtables hold: when it has grown by as much as a memtable may
//! take, a freeze carries what waits on and the files behind are removed, even if no tenant is due.
//! Each time a memtable is frozen the WAL writes what waits once more: a quarter on top of what
//! came in, at worst. Other processes and other engines see the rows of a waiting tenant up to
//! `flush_tenant_age_max` later; queries of this process see them at once.

mod carried;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::carried::{Carried, Skips, Summary, decode, encode, summary};
use crate::StoreOptions;
use crate::memtable::{Held, Memtable};

/// What waits takes one of so many parts of a memtable.
const WAITING_PART: usize = 4;

/// Which tenants wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    tenants_min: usize,
    bytes_min: usize,
    age_max: Duration,
    bytes_max: usize,
    /// Bytes by which the WAL may grow while everybody waits.
    pub(crate) wal_bytes_max: u64,
}

impl Waits {
    /// As the options say.
    pub(crate) fn of(options: &StoreOptions) -> Self {
        Self {
            tenants_min: options.flush_tenants_min,
            bytes_min: options.flush_tenant_bytes_min,
            age_max: options.flush_tenant_age_max,
            bytes_max: options.memtable_bytes_max / WAITING_PART,
            wal_bytes_max: options.memtable_bytes_max as u64,
        }
    }

    /// Whether any tenant of a memtable is due.
    pub(crate) fn is_due(&self, memtable: &Memtable, now: Instant) -> bool {
        let held = memtable.held();
        held.len() < self.tenants_min || held.values().any(|held| !self.waits(held, now))
    }

    /// The tenants of a memtable that wait.
    pub(crate) fn waiting(&self, memtable: &Memtable, now: Instant) -> HashSet<Arc<str>> {
        let held = memtable.held();
        if held.len() < self.tenants_min {
            return HashSet::new();
        }
        let mut small: Vec<_> =
            held.into_iter().filter(|(_, held)| self.waits(held, now)).collect();
        small.sort_by_key(|(_, held)| held.bytes);
        let mut bytes = 0;
        let fits = |(_, held): &(_, Held)| {
            bytes += held.bytes;
            bytes <= self.bytes_max
        };
        small.into_iter().take_while(fits).map(|(tenant, _)| tenant).collect()
    }

    fn waits(&self, held: &Held, now: Instant) -> bool {
        let age = now.saturating_duration_since(held.since.at);
        held.bytes < self.bytes_min && age < self.age_max
    }
}

#[cfg(test)]
mod tests;
