//! Work: taking away what is hidden, and telling so.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::tables::Table;
use serde_json::json;

use super::{DeletePhase, Tracked};
use crate::clock::now_ms;
use crate::{DeleteState, Error, Operation, Segment, Store};

/// What was done for a request, as far as it is done.
#[derive(Clone, Debug)]
pub struct DeleteReport {
    /// The request and how far it has come.
    pub state: DeleteState,
    /// Objects that had rows which it covers, and that were replaced.
    pub replaced: Vec<Replaced>,
    /// Segments that may still have such rows.
    pub waiting: u64,
    /// When no live segment had such rows any more, in milliseconds since 1970-01-01.
    pub rewritten_ms: Option<i64>,
    /// When the replaced objects were deleted, in milliseconds since 1970-01-01.
    pub gone_ms: Option<i64>,
}

/// An object that had rows which a request covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its path in the lake.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Rows that were taken out of it, for this request and others that were done with it.
    pub rows: u64,
    /// Whether the object is still there, waiting for the grace period to pass.
    pub is_there: bool,
}

impl Store {
    /// Works at the requests that can be worked at: rewrites segments, and notes what is done.
    /// How many segments were rewritten.
    pub async fn work_deletes(&self) -> Result<usize, Error> {
        self.tail_deletes().await?;
        self.follow_deletes().await?;
        let known = Arc::clone(&self.shared.state.read().deletes);
        let now = now_ms();
        let ready =
            |it: &&Tracked| it.phase != DeletePhase::Cancelled && it.request.cancel_until_ms <= now;
        let ready: Vec<&Tracked> = known.iter().filter(ready).collect();
        let is_buffered = |it: &&Tracked| it.phase == DeletePhase::Masked && self.buffers_older(it);
        if ready.iter().any(is_buffered) {
            // What is not in segments yet must be gone from the WAL, too.
            self.flush().await?;
        }
        let mut rewritten = 0;
        for tracked in &ready {
            let (done, left) = self.rewrite_for(tracked).await?;
            rewritten += done;
            if left == 0 && tracked.phase == DeletePhase::Masked {
                self.note_rewritten(tracked).await?;
            }
        }
        self.note_gone(&ready).await?;
        self.follow_deletes().await?;
        Ok(rewritten)
    }

    /// What was done for a request of a tenant, or of any tenant; `None` if there is none.
    pub async fn delete_report(
        &self,
        tenant: Option<&str>,
        number: u64,
    ) -> Result<Option<DeleteReport>, Error> {
        let known = Arc::clone(&self.shared.state.read().deletes);
        let of = |it: &&Tracked| tenant.is_none_or(|of| it.request.spec.tenant.as_ref() == of);
        let Some(tracked) = known.get(number).filter(of) else { return Ok(None) };
        let mut replaced = self.delete_log.replaced(number).await?;
        for object in &mut replaced {
            object.is_there = self.objects.head(&object.path).await?.is_some();
        }
        let report = self.delete_log.report(number).await?;
        let gone = self.delete_log.gone(number).await?;
        Ok(Some(DeleteReport {
            state: DeleteState { request: Arc::clone(&tracked.request), phase: tracked.phase },
            replaced,
            waiting: self.candidates(tracked).len() as u64,
            rewritten_ms: report.and_then(|report| report["rewritten_ms"].as_i64()),
            gone_ms: gone.and_then(|gone| gone["gone_ms"].as_i64()),
        }))
    }

    /// Notes which of some segments have rows that requests cover, before they are replaced: if
    /// the process dies in between, the note names an object that is there, which does no harm.
    pub(crate) async fn note_replaced(
        &self,
        table: Table,
        inputs: &[Arc<Segment>],
        rows: &[u64],
    ) -> Result<(), Error> {
        let known = Arc::clone(&self.shared.state.read().deletes);
        for (segment, rows) in inputs.iter().zip(rows).filter(|(_, rows)| **rows > 0) {
            let covering = known
                .iter()
                .filter(|it| it.concerns(&segment.tenant, table.signal()) && it.may_cover(segment));
            for tracked in covering {
                self.delete_log.note_replaced(tracked.request.number, segment, *rows).await?;
            }
        }
        Ok(())
    }

    /// The live segments that may have rows which a request covers.
    fn candidates(&self, tracked: &Tracked) -> Vec<(Table, Arc<Segment>)> {
        let spec = &tracked.request.spec;
        let state = self.shared.state.read();
        let mut found = Vec::new();
        for table in Table::ALL.into_iter().filter(|table| table.signal() == spec.signal) {
            let Some(live) = state.segments.get(&table) else { continue };
            let segments = live.tenant(&spec.tenant).in_range(&spec.range);
            let may_cover = segments.into_iter().filter(|segment| tracked.may_cover(segment));
            found.extend(may_cover.map(|segment| (table, segment)));
        }
        found
    }

    /// Whether a memtable has rows that a request may cover.
    fn buffers_older(&self, tracked: &Tracked) -> bool {
        let spec = &tracked.request.spec;
        let state = self.shared.state.read();
        let memtables = state.frozen.iter().map(|frozen| &frozen.rows).chain([&state.active]);
        let mut tables = memtables.flat_map(|memtable| {
            let of_signal = Table::ALL.into_iter().filter(|it| it.signal() == spec.signal);
            of_signal.flat_map(|table| memtable.batches(&spec.tenant, table))
        });
        tables.any(|(seen, _)| seen < tracked.request.number)
    }

    /// Rewrites what a request covers; how many segments were rewritten, and how many are left
    /// for another time.
    async fn rewrite_for(&self, tracked: &Tracked) -> Result<(usize, usize), Error> {
        let (mut done, mut left) = (0, 0);
        for (table, segment) in self.candidates(tracked) {
            let deletes = self.deletes_of(&segment.tenant);
            let only = deletes.only(tracked);
            if self.hidden_rows(table, &segment, &only).await? == 0 {
                tracked.note_clean(&segment.path);
            } else if !deletes.may_apply(table, &segment, now_ms()) {
                // A later request that can be cancelled covers rows, too.
                left += 1;
            } else {
                let rows = self.rewrite(table, &segment, &deletes, Operation::Delete).await?;
                tracing::info!(
                    number = tracked.request.number,
                    path = segment.path,
                    rows,
                    "deleted rows of a segment"
                );
                done += 1;
            }
        }
        // What somebody else has replaced meanwhile is looked at again.
        left += self.candidates(tracked).len().saturating_sub(left);
        Ok((done, left))
    }

    async fn note_rewritten(&self, tracked: &Tracked) -> Result<(), Error> {
        let number = tracked.request.number;
        let replaced = self.delete_log.replaced(number).await?;
        let sum = |of: fn(&Replaced) -> u64| replaced.iter().map(of).sum::<u64>();
        let mut versions = BTreeMap::new();
        for table in Table::ALL {
            versions.insert(table.name(), self.version(table).await?);
        }
        let clean: Vec<String> = self.clean_paths(tracked);
        let report = json!({
            "number": number,
            "rewritten_ms": now_ms(),
            "segments": replaced.len(),
            "rows": sum(|it| it.rows),
            "bytes": sum(|it| it.bytes),
            "versions": versions,
            "clean": clean,
        });
        self.delete_log.rewritten(number, &report).await
    }

    /// Live segments that were looked at and had no row which a request covers.
    fn clean_paths(&self, tracked: &Tracked) -> Vec<String> {
        let spec = &tracked.request.spec;
        let state = self.shared.state.read();
        let tables = Table::ALL.into_iter().filter(|table| table.signal() == spec.signal);
        let segments = tables.filter_map(|table| state.segments.get(&table));
        let segments = segments.flat_map(|live| live.tenant(&spec.tenant).in_range(&spec.range));
        let older = segments.filter(|it| it.deletes_applied < tracked.request.number);
        older.map(|segment| segment.path.clone()).collect()
    }

    /// Notes which rewritten requests have none of their objects left.
    async fn note_gone(&self, requests: &[&Tracked]) -> Result<(), Error> {
        for tracked in requests.iter().filter(|it| it.phase == DeletePhase::Rewritten) {
            let number = tracked.request.number;
            let mut is_there = false;
            for object in self.delete_log.replaced(number).await? {
                is_there |= self.objects.head(&object.path).await?.is_some();
            }
            if !is_there && !self.buffers_older(tracked) {
                let note = json!({"number": number, "gone_ms": now_ms()});
                self.delete_log.note_gone(number, &note).await?;
            }
        }
        Ok(())
    }
}
