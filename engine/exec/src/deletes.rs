//! Deleting, what retention takes away, and copies: the store's own words, for whoever knows only
//! sessions.

use std::sync::Arc;

use storage::{Cancelling, DeleteReport, DeleteRequest, DeleteSpec, DeleteState, RetentionPlan};

use crate::{Error, Session};

impl Session {
    /// Makes a delete request durable and hides what it covers, at once.
    ///
    /// `Invalid` if it selects what cannot be selected, `Limit` if too many are unfinished.
    pub async fn delete(&self, spec: DeleteSpec) -> Result<Arc<DeleteRequest>, Error> {
        Ok(self.store.delete(spec).await?)
    }

    /// Takes a request of a tenant back, while that is possible.
    pub async fn cancel_delete(&self, tenant: &str, number: u64) -> Result<Cancelling, Error> {
        Ok(self.store.cancel_delete(tenant, number).await?)
    }

    /// The requests of a tenant, by number.
    pub fn delete_requests(&self, tenant: &str) -> Vec<DeleteState> {
        self.store.delete_requests(Some(tenant))
    }

    /// What was done for a request of a tenant; `None` if it has none of this number.
    pub async fn delete_report(
        &self,
        tenant: &str,
        number: u64,
    ) -> Result<Option<DeleteReport>, Error> {
        Ok(self.store.delete_report(Some(tenant), number).await?)
    }

    /// Takes away now what requests cover that cannot be cancelled any more; how many segments
    /// were rewritten.
    pub async fn work_deletes(&self) -> Result<usize, Error> {
        Ok(self.store.work_deletes().await?)
    }

    /// What retention would take away now, of all tenants.
    pub fn retention_plan(&self) -> RetentionPlan {
        self.store.retention_plan()
    }

    /// Copies the lake into the folder `snapshots/name` of the data folder: a backup as of now,
    /// without what is in memory only.
    ///
    /// `Invalid` if the name is no plain name, `Unavailable` if the disk refuses.
    pub async fn keep_snapshot(&self, name: &str) -> Result<(), Error> {
        self.store.keep_snapshot(name).await?;
        Ok(())
    }

    /// Writes everything that is in memory to segments.
    pub async fn flush(&self) -> Result<(), Error> {
        Ok(self.store.flush().await?)
    }
}
