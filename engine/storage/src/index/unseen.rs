//! Entries beyond the days on which they were seen: what delete requests ask about and take back.

use schemas::model::CompiledMatcher;

use super::bits::Bits;
use super::entries::Admission;
use super::select::Reader;
use super::{LabelIndex, REMOVED_PER_LOCK, SeriesEntry};
use crate::Error;
use arrow::record_batch::RecordBatch;

impl LabelIndex {
    /// The ids that every matcher accepts, whenever and whether or not they were seen.
    pub(crate) fn ids(&self, matchers: &[CompiledMatcher]) -> Vec<i64> {
        let _ordinals = self.ordinals.read();
        let mut reader = Reader::new(&self.entries);
        let selected: Bits = reader.select_ever(matchers);
        selected.iter().filter_map(|ordinal| reader.step().id_of(ordinal)).collect()
    }

    /// The entry of `id`, whether or not it was seen.
    pub(crate) fn entry_ever(&self, id: i64) -> Option<SeriesEntry> {
        let entries = self.entries.read();
        entries.ordinal(id).map(|ordinal| entries.series_entry(ordinal))
    }

    /// Forgets that entries were seen on the days that `gone` accepts: what comes of them there
    /// later is new again. The entries themselves stay.
    pub(crate) fn unsee(&self, ids: impl IntoIterator<Item = i64>, gone: impl Fn(i32) -> bool) {
        let ids: Vec<i64> = ids.into_iter().collect();
        for ids in ids.chunks(REMOVED_PER_LOCK) {
            let mut entries = self.entries.write();
            for id in ids {
                if let Some(ordinal) = entries.ordinal(*id) {
                    entries.days.remove(ordinal, &gone);
                }
            }
            self.generation.advance();
            entries.settle();
        }
    }

    /// Gives rows a place without noting that they were seen.
    pub(crate) fn enter_unseen(&self, batch: &RecordBatch) -> Result<(), Error> {
        let _ordinals = self.ordinals.read();
        self.enter(batch, Admission::Anyway).map(|_| ())
    }
}
