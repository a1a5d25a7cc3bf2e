//! Arrival: how requests come into a process, and rows past them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, filter_record_batch, not};
use schemas::model::{Signal, TimestampNs};
use schemas::tables::Table;

use super::select::failed;
use super::{DeletePhase, Deletes, Known, Tracked, covers_day};
use crate::clock::now_ns;
use crate::store::Shared;
use crate::{Error, LabelIndex, Segment, TableBatch};

impl Shared {
    /// What a tenant must not see.
    pub(crate) fn deletes(&self, known: &Known, tenant: &str) -> Deletes {
        let indexes = (self.indexes.series(tenant), self.indexes.streams(tenant));
        Deletes::of(known, &self.policy, tenant, indexes)
    }

    /// The newest request that does not cover what is received at this time.
    pub(crate) fn seen_at(&self, received_ns: TimestampNs) -> u64 {
        self.state.read().deletes.seen_at(received_ns)
    }

    /// Adds rows of the series and stream tables to the index, but does not show those that are
    /// hidden already. Returns the rows that are to be kept: of series and streams those that were
    /// not known for their day, of other tables all.
    pub(crate) fn absorb(
        &self,
        tenant: &Arc<str>,
        batch: &TableBatch,
        seen: u64,
    ) -> Result<RecordBatch, Error> {
        let by_label = matches!(batch.table, Table::MetricSeries | Table::LogStreams);
        let known = Arc::clone(&self.state.read().deletes);
        if !by_label || known.settled(tenant, batch.table.signal(), seen) == known.newest() {
            return self.indexes.absorb(tenant, batch);
        }
        let view = self.deletes(&known, tenant);
        let Some(mask) = view.keep_buffered(batch.table, seen, &batch.rows)? else {
            return self.indexes.absorb(tenant, batch);
        };
        let rest = not(&mask).map_err(failed)?;
        let hidden = filter_record_batch(&batch.rows, &rest).map_err(failed)?;
        let rows = filter_record_batch(&batch.rows, &mask).map_err(failed)?;
        let seen = TableBatch { table: batch.table, rows };
        self.indexes.enter_unseen(tenant, batch.table, &hidden)?;
        let new = self.indexes.absorb(tenant, &seen)?;
        concat_batches(&batch.rows.schema(), [&new, &hidden]).map_err(failed)
    }

    /// Adds rows of a segment of the series and stream tables to the index: unseen if they are
    /// hidden.
    pub(crate) fn absorb_segment(
        &self,
        table: Table,
        segment: &Segment,
        rows: &RecordBatch,
    ) -> Result<(), Error> {
        let known = Arc::clone(&self.state.read().deletes);
        let mask = match known.newest() {
            0 => None,
            _ => self.deletes(&known, &segment.tenant).keep(table, segment, rows)?,
        };
        let mut visible = TableBatch { table, rows: rows.clone() };
        if let Some(mask) = mask {
            let hidden = not(&mask).map_err(failed)?;
            let hidden = filter_record_batch(rows, &hidden).map_err(failed)?;
            self.indexes.enter_unseen(&segment.tenant, table, &hidden)?;
            visible.rows = filter_record_batch(rows, &mask).map_err(failed)?;
        }
        self.indexes.absorb(&segment.tenant, &visible).map(|_| ())
    }

    /// Takes in a request that is durable: from here on its rows are hidden.
    ///
    /// Until it is wholly taken in, everything that is received counts as covered: a sample that
    /// was decoded while its series was known must not outlive the series.
    pub(crate) fn learn(&self, mut tracked: Tracked) {
        let number = tracked.request.number;
        tracked.known_ns = i64::MAX;
        let unseen = (tracked.phase != DeletePhase::Cancelled).then(|| tracked.clone());
        if !Arc::make_mut(&mut self.state.write().deletes).push(tracked) {
            return;
        }
        if let Some(tracked) = unseen {
            self.unsee(&tracked);
        }
        let known_ns = now_ns();
        let mut state = self.state.write();
        Arc::make_mut(&mut state.deletes).change(number, |it| it.known_ns = known_ns);
    }

    /// Takes in how far a request has come.
    pub(crate) fn follow(&self, tracked: &Tracked) {
        let number = tracked.request.number;
        let mut state = self.state.write();
        Arc::make_mut(&mut state.deletes).change(number, |it| it.phase = tracked.phase);
    }

    fn unsee(&self, tracked: &Tracked) {
        let spec = &tracked.request.spec;
        let index: Arc<LabelIndex> = match spec.signal {
            Signal::Metrics => self.indexes.series(&spec.tenant),
            Signal::Logs => self.indexes.streams(&spec.tenant),
            Signal::Traces => return,
        };
        let ids = tracked.selection.unconditional_ids(&index);
        index.unsee(ids, |day| covers_day(&spec.range, day));
    }
}
