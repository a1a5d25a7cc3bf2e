//! Freezing: the active memtable takes no more rows, but for those of tenants that wait.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Writer;
use crate::memtable::Memtable;
use crate::store::Frozen;
use crate::waiting::{self, Summary};
use crate::{Error, ErrorKind};

impl Writer {
    /// Freezes the active memtable: all of it, or what is due.
    ///
    /// Nothing has changed on an error, which the disk is to blame for.
    pub(super) fn freeze(&mut self, all: bool) -> Result<(), Error> {
        let now = self.shared.now();
        let (mut waiting, has_due, body) = {
            let state = self.shared.state.read();
            let active = &state.active;
            if active.is_empty() {
                return Ok(());
            }
            let waiting = if all { HashSet::new() } else { self.waits.waiting(active, now) };
            let has_due = active.held().keys().any(|tenant| !waiting.contains(tenant));
            let settled = if has_due { self.next_sequence - 1 } else { self.settled };
            (waiting.clone(), has_due, body_of(active, &waiting, settled))
        };
        let wal_files = self.wal.end_file();
        let last = self.next_sequence - 1;
        if !waiting.is_empty() {
            let carried = body.and_then(|body| self.wal.carry(&body, self.next_sequence));
            if let Err(error) = carried {
                tracing::warn!(%error, "rows of small tenants cannot wait: they are flushed");
                waiting.clear();
            }
        }
        if waiting.is_empty() {
            // A group that was refused and is on the disk all the same would stand for rows that
            // are in segments soon.
            self.wal.remove_refused()?;
        } else {
            self.next_sequence += 1;
        }
        if has_due || waiting.is_empty() {
            self.settled = last;
        }
        let mut state = self.shared.state.write();
        let carried = state.active.split_off(&waiting);
        let rows = std::mem::replace(&mut state.active, carried);
        state.active_since = (!state.active.is_empty()).then_some(now);
        let sequences = (self.first_active, last);
        self.first_active = last + 1;
        let identities = Arc::new(std::mem::take(&mut *self.shared.unflushed.lock()));
        state.frozen.push(Frozen { rows, sequences, wal_files, identities, is_replayed: false });
        drop(state);
        let counters = &self.shared.counters;
        let written = counters.wal_bytes.load(Ordering::Relaxed);
        counters.wal_bytes_frozen.store(written, Ordering::Relaxed);
        Ok(())
    }
}

fn body_of(active: &Memtable, waiting: &HashSet<Arc<str>>, settled: u64) -> Result<Vec<u8>, Error> {
    let held = active.held();
    let tenants = waiting.iter().map(|tenant| {
        let held = held.get(tenant).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("{tenant} has no rows that could wait"))
        })?;
        Ok((Arc::clone(tenant), held.since.sequence))
    });
    let tenants = tenants.collect::<Result<Vec<_>, Error>>()?;
    waiting::encode(&Summary { settled, tenants }, &active.runs(waiting))
}
