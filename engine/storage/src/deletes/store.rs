//! What the store offers to those who delete.

use std::sync::Arc;

use schemas::model::Signal;
use schemas::tables::Table;

use super::{DeletePhase, DeleteSpec, DeleteState, Deletes, Tracked};
use crate::clock::now_ms;
use crate::{DeleteRequest, Error, ErrorKind, Store, TableBatch};

/// Requests of a lake that are not finished, at most: every scan asks them.
const UNFINISHED_MAX: usize = 1_000;

/// What became of the wish to cancel a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelling {
    /// It is cancelled, now or before; its rows are seen again.
    Done,
    /// The tenant has no such request.
    Unknown,
    /// Rows may be gone already.
    TooLate,
}

impl Store {
    /// Makes a delete request durable and hides its rows: no later snapshot of this process holds
    /// them, and none of others after a few seconds.
    ///
    /// `Invalid` if a selector is none, `Limit` if it is too long or if too many are unfinished.
    pub async fn delete(&self, spec: DeleteSpec) -> Result<Arc<DeleteRequest>, Error> {
        super::select::Selection::compile(spec.signal, &spec.selectors)?;
        if spec.selectors.is_empty() || spec.range.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "a delete request that covers nothing"));
        }
        self.tail_deletes().await?;
        let known = Arc::clone(&self.shared.state.read().deletes);
        if known.iter().filter(|it| it.phase == DeletePhase::Masked).count() >= UNFINISHED_MAX {
            let message = format!("{UNFINISHED_MAX} delete requests wait, the most there may be");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let options = &self.options.removal;
        let millis = |of: std::time::Duration| i64::try_from(of.as_millis()).unwrap_or(i64::MAX);
        let (cancel_ms, deadline_ms) =
            (millis(options.delete_cancel_period), millis(options.delete_deadline));
        let cancel_ms = if spec.is_cancellable { cancel_ms } else { 0 };
        let next = known.newest() + 1;
        let request = self.delete_log.create(&spec, next, cancel_ms, deadline_ms).await?;
        // Others' requests may come first.
        self.tail_deletes().await?;
        tracing::info!(
            number = request.number, tenant = spec.tenant.as_ref(), signal = %spec.signal,
            query = spec.query, "delete request"
        );
        Ok(Arc::new(request))
    }

    /// Takes a request back while that is possible.
    pub async fn cancel_delete(&self, tenant: &str, number: u64) -> Result<Cancelling, Error> {
        self.tail_deletes().await?;
        let known = Arc::clone(&self.shared.state.read().deletes);
        let found = known.get(number).filter(|it| it.request.spec.tenant.as_ref() == tenant);
        let Some(tracked) = found else { return Ok(Cancelling::Unknown) };
        match tracked.phase {
            DeletePhase::Cancelled => return Ok(Cancelling::Done),
            DeletePhase::Masked if now_ms() < tracked.request.cancel_until_ms => {}
            _ => return Ok(Cancelling::TooLate),
        }
        self.delete_log.cancel(number).await?;
        self.follow_deletes().await?;
        Ok(Cancelling::Done)
    }

    /// All requests, of one tenant or of all, by number.
    pub fn delete_requests(&self, tenant: Option<&str>) -> Vec<DeleteState> {
        let known = Arc::clone(&self.shared.state.read().deletes);
        let of =
            |it: &&Tracked| tenant.is_none_or(|tenant| it.request.spec.tenant.as_ref() == tenant);
        let state =
            |it: &Tracked| DeleteState { request: Arc::clone(&it.request), phase: it.phase };
        known.iter().filter(of).map(state).collect()
    }

    /// What a tenant must not see now.
    pub(crate) fn deletes_of(&self, tenant: &str) -> Deletes {
        let known = Arc::clone(&self.shared.state.read().deletes);
        self.shared.deletes(&known, tenant)
    }

    /// Takes in requests that are new.
    pub(crate) async fn tail_deletes(&self) -> Result<(), Error> {
        loop {
            let next = self.shared.state.read().deletes.newest() + 1;
            let Some(tracked) = self.delete_log.read(next).await? else { return Ok(()) };
            self.ready(&tracked.request.spec.tenant).await?;
            let shared = Arc::clone(&self.shared);
            let learning = tokio::task::spawn_blocking(move || shared.learn(tracked));
            learning.await.map_err(|error| {
                Error::with_source(ErrorKind::Internal, "learning was cut off", error)
            })?;
        }
    }

    /// Takes in how far unfinished requests have come.
    pub(crate) async fn follow_deletes(&self) -> Result<(), Error> {
        let known = Arc::clone(&self.shared.state.read().deletes);
        let open = |it: &&Tracked| matches!(it.phase, DeletePhase::Masked | DeletePhase::Rewritten);
        for tracked in known.iter().filter(open) {
            let mut tracked = tracked.clone();
            if !self.delete_log.follow(&mut tracked).await? {
                continue;
            }
            self.shared.follow(&tracked);
            if tracked.phase == DeletePhase::Cancelled {
                self.see_again(&tracked).await?;
            }
        }
        Ok(())
    }

    /// Enters the series or streams again that a cancelled request had made invisible.
    async fn see_again(&self, tracked: &Tracked) -> Result<(), Error> {
        let table = match tracked.request.spec.signal {
            Signal::Metrics => Table::MetricSeries,
            Signal::Logs => Table::LogStreams,
            Signal::Traces => return Ok(()),
        };
        let tenant = &tracked.request.spec.tenant;
        let snapshot = self.snapshot(tenant);
        let of_table = snapshot.table(table);
        for rows in of_table.batches {
            self.shared.indexes.absorb(tenant, &TableBatch { table, rows })?;
        }
        let segments = of_table.segments.in_range(&tracked.request.spec.range);
        crate::identities::load(&self.shared, table, &segments, &self.objects).await
    }
}
