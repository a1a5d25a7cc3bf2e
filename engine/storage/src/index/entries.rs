//! Entries: series and streams under their ordinals, with their labels as numbers of pairs.
//!
//! ```text
//!  id ─ table ─▶ ordinal ─ pages ─▶ Entry { id, metric_id, info, pairs } ─▶ names
//! ```

use std::sync::Arc;

use schemas::model::Labels;

use super::days::Days;
use super::infos::Infos;
use super::names::Names;
use super::pages::Pages;
use super::rows::{Kind, Rows};
use super::streams::Streams;
use super::table::Table;
use super::{SeriesEntry, StreamInfo};
use crate::{Error, ErrorKind, Reservation, Use};

/// Most entries of one index: the table keeps one number for itself.
const ENTRIES_MAX: usize = u32::MAX as usize - 1;

/// Memory that is reserved ahead, as a part of what is held: small indexes take little.
const AHEAD_PART: usize = 8;

/// Bounds of what is reserved ahead, in bytes.
const AHEAD_BYTES: (usize, usize) = (16 << 10, 1 << 20);

/// What the index holds; an entry's ordinal is its place in `entries`.
#[derive(Debug, Default)]
pub(super) struct Entries {
    entries: Pages<Entry>,
    /// Ordinals by id.
    table: Table,
    /// Ordinals of entries that are forgotten, to be given again.
    free: Vec<u32>,
    pub(super) names: Names,
    pub(super) days: Days,
    infos: Infos,
    streams: Streams,
    /// Memory of the pairs of all entries.
    pairs_bytes: usize,
    /// The part of the memory budget that stands for all this; `None` in tests.
    room: Option<Reservation>,
}

/// A series or a stream.
#[derive(Clone, Debug)]
struct Entry {
    id: i64,
    metric_id: i64,
    /// In order of their names; empty for a forgotten entry.
    pairs: Box<[u32]>,
    info: u32,
}

/// What becomes of an entry that is new while the memory budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is refused.
    WithinBudget,
    /// It is taken: it is durable already.
    Anyway,
}

impl Entries {
    /// No entry yet, with the reservation that is to grow with them.
    pub(super) fn within(room: Reservation) -> Self {
        Self { room: Some(room), ..Self::default() }
    }

    /// Number of ordinals, those of forgotten entries included.
    pub(super) fn ordinals(&self) -> usize {
        self.entries.len()
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(super) fn ordinal(&self, id: i64) -> Option<u32> {
        self.table.find(hash(id), |ordinal| self.entries[ordinal].id == id)
    }

    /// The id of an entry; `None` if its place is free.
    pub(super) fn id_of(&self, ordinal: u32) -> Option<i64> {
        let id = self.entries[ordinal].id;
        // A removed entry keeps its id, but is not found by it any more.
        (self.ordinal(id) == Some(ordinal)).then_some(id)
    }

    /// `(metric_id, id)` of an entry.
    pub(super) fn key(&self, ordinal: u32) -> (i64, i64) {
        let entry = &self.entries[ordinal];
        (entry.metric_id, entry.id)
    }

    /// The labels of an entry, in order of their names.
    pub(super) fn pairs(&self, ordinal: u32) -> &[u32] {
        &self.entries[ordinal].pairs
    }

    /// Whether an entry is of delta temporality.
    pub(super) fn is_delta(&self, ordinal: u32) -> bool {
        self.infos.get(self.entries[ordinal].info).is_delta()
    }

    /// The pair of an entry with the name of this number.
    pub(super) fn pair_of(&self, ordinal: u32, name: u32) -> Option<u32> {
        let mut pairs = self.entries[ordinal].pairs.iter().copied();
        pairs.find(|pair| self.names.name_of(*pair) == name)
    }

    pub(super) fn stream(&self, ordinal: u32) -> Option<Arc<StreamInfo>> {
        self.streams.get(ordinal)
    }

    pub(super) fn info(&self, ordinal: u32) -> Arc<super::SeriesInfo> {
        Arc::clone(self.infos.get(self.entries[ordinal].info))
    }

    pub(super) fn series_entry(&self, ordinal: u32) -> SeriesEntry {
        let entry = &self.entries[ordinal];
        SeriesEntry {
            id: entry.id,
            metric_id: entry.metric_id,
            labels: self.labels(entry),
            info: Arc::clone(self.infos.get(entry.info)),
        }
    }

    fn labels(&self, entry: &Entry) -> Labels {
        Labels::from_sorted(entry.pairs.iter().map(|pair| self.names.label(*pair)))
    }

    /// The place of a row's id; `Invalid` if the id belongs to other labels, `Limit` if there is
    /// no room for a new one. `near` is the ordinal of an entry that may have similar labels.
    pub(super) fn enter(
        &mut self,
        rows: &Rows<'_>,
        row: usize,
        near: Option<u32>,
        admission: Admission,
    ) -> Result<u32, Error> {
        let id = rows.id(row);
        let labels = rows.labels(row);
        if let Some(ordinal) = self.ordinal(id) {
            self.check(ordinal, rows, row, &labels)?;
            if let Kind::Series { .. } = rows.kind {
                // A metric's description may change: the newest one is told.
                let info = self.infos.replace(self.entries[ordinal].info, rows, row);
                self.entries[ordinal].info = info;
            }
            return Ok(ordinal);
        }
        self.admit(admission)?;
        let metric_id = match &rows.kind {
            Kind::Series { metric_id, .. } => metric_id.value(row),
            Kind::Streams(_) => 0,
        };
        let info = self.infos.enter(rows, row);
        let ordinal = self.place(Entry { id, metric_id, pairs: Box::default(), info });
        if let Kind::Streams(columns) = &rows.kind {
            self.streams.insert(ordinal, columns, row);
        }
        let mut pairs = Vec::with_capacity(labels.len());
        for (at, label) in labels.into_iter().enumerate() {
            let near = near.and_then(|near| self.entries[near].pairs.get(at).copied());
            pairs.push(self.names.add(label, near, ordinal));
        }
        self.pairs_bytes += pairs.len() * size_of::<u32>();
        self.entries[ordinal].pairs = pairs.into();
        Ok(ordinal)
    }

    fn place(&mut self, entry: Entry) -> u32 {
        let id = entry.id;
        let ordinal = match self.free.pop() {
            Some(ordinal) => {
                self.entries[ordinal] = entry;
                ordinal
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        let Self { entries, table, .. } = self;
        table.insert(hash(id), ordinal, |ordinal| hash(entries[ordinal].id));
        ordinal
    }

    /// Removes an entry with everything that only it has.
    pub(super) fn remove(&mut self, ordinal: u32) {
        let entry = &mut self.entries[ordinal];
        let pairs = std::mem::take(&mut entry.pairs);
        let (id, info) = (entry.id, entry.info);
        self.pairs_bytes -= pairs.len() * size_of::<u32>();
        for pair in pairs {
            self.names.remove(pair, ordinal);
        }
        self.infos.leave(info);
        self.streams.remove(ordinal);
        let Self { entries, table, .. } = self;
        table.remove(hash(id), ordinal, |ordinal| hash(entries[ordinal].id));
        self.free.push(ordinal);
    }

    /// Makes sure that a new entry has room.
    fn admit(&mut self, admission: Admission) -> Result<(), Error> {
        if self.len() >= ENTRIES_MAX {
            let message = format!("index holds {ENTRIES_MAX} entries, the most it can");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let held = self.bytes_of_entries();
        let Some(room) = &mut self.room else { return Ok(()) };
        if held < room.bytes() {
            return Ok(());
        }
        match admission {
            Admission::WithinBudget => room.resize(held + ahead(held)),
            Admission::Anyway => {
                room.resize_anyway(held + ahead(held));
                Ok(())
            }
        }
    }

    /// Whether there is room for new entries.
    pub(super) fn check_room(&self) -> Result<(), Error> {
        let Some(room) = &self.room else { return Ok(()) };
        let held = self.bytes_of_entries();
        if held < room.bytes() {
            return Ok(());
        }
        room.budget().check(Use::Index, held + ahead(held) - room.bytes())
    }

    /// Brings the reservation in line with what is held.
    pub(super) fn settle(&mut self) {
        let held = self.bytes();
        let Some(room) = &mut self.room else { return };
        let wanted = held + ahead(held);
        let is_right = (held..wanted + ahead(held)).contains(&room.bytes());
        if !is_right && room.resize(wanted).is_err() {
            room.resize_anyway(held);
        }
    }

    /// Memory of everything, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes_of_entries() + self.infos.bytes() + self.streams.bytes() + self.days.bytes()
    }

    fn bytes_of_entries(&self) -> usize {
        self.entries.bytes()
            + self.table.bytes()
            + self.free.capacity() * size_of::<u32>()
            + self.pairs_bytes
            + self.names.bytes()
    }

    fn check(
        &self,
        ordinal: u32,
        rows: &Rows<'_>,
        row: usize,
        labels: &[(&str, &str)],
    ) -> Result<(), Error> {
        let entry = &self.entries[ordinal];
        let known = entry.pairs.iter().map(|pair| self.names.texts(*pair));
        let is_same = known.eq(labels.iter().copied())
            && match &rows.kind {
                Kind::Streams(columns) => self.streams.is_same(ordinal, columns, row),
                Kind::Series { .. } => true,
            };
        if is_same {
            return Ok(());
        }
        let message = format!(
            "id {:016x} of {:?} belongs to {} already: their hashes collide",
            entry.id,
            labels,
            self.labels(entry)
        );
        Err(Error::new(ErrorKind::Invalid, message))
    }
}

/// What is reserved beyond `held` bytes.
fn ahead(held: usize) -> usize {
    let (least, most) = AHEAD_BYTES;
    (held / AHEAD_PART).clamp(least, most)
}

/// Ids are hashes, but whoever sends may have chosen them: the bits are mixed again.
fn hash(id: i64) -> u64 {
    (id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}
