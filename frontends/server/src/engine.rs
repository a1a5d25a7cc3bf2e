//! The parts of a running server, opened in order and closed in order.

use std::sync::Arc;
use std::time::Instant;

use api::{Api, ApiStats};
use exec::Session;
use ingest::{Decoder, Ingest, IngestStats};
use storage::{Store, StoreStats, TenantUsage};
use tracing::info;

use crate::config::Config;
use crate::error::Error;
use crate::objects;
use crate::threads::Places;

/// The parts of a running server.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// What is stored.
    store: Arc<Store>,
    /// The way in.
    pub(crate) ingest: Arc<Ingest>,
    /// Where queries run.
    pub(crate) session: Arc<Session>,
    /// The query APIs.
    pub(crate) api: Arc<Api>,
    /// How Flight SQL finds its tenant.
    pub(crate) flight: flight::Options,
}

/// Everything the parts count.
#[derive(Clone, Debug)]
pub(crate) struct EngineStats {
    /// What came in.
    pub(crate) ingest: IngestStats,
    /// What is stored.
    pub(crate) store: StoreStats,
    /// What the largest tenants take.
    pub(crate) usage: Vec<TenantUsage>,
    /// What was asked.
    pub(crate) api: ApiStats,
}

impl Engine {
    /// Opens the lake, which replays the WAL, and everything above it. Background work goes to
    /// its place, if there is one.
    pub(crate) async fn open(config: &Config, places: Option<&Places>) -> Result<Self, Error> {
        let began = Instant::now();
        let mut options = config.storage.clone();
        options.background = places.map(|places| places.background.clone());
        if let Some(s3) = &config.s3 {
            options.objects = Some(objects::open(s3).await?);
        }
        let decoder = Arc::new(Decoder::new(&config.ingest));
        let store = Store::open(options, decoder).await.map_err(|source| Error::Store {
            what: format!("cannot open the lake in {}", config.data.display()),
            source,
        })?;
        let session =
            Session::new(Arc::clone(&store), config.limits.clone()).map_err(Error::Engine)?;
        session.set_tenant_limits(config.tenant_limits.clone());
        let session = Arc::new(session);
        info!(
            data = %config.data.display(),
            elapsed_ms = began.elapsed().as_millis(),
            "the lake is open"
        );
        Ok(Self {
            ingest: Arc::new(Ingest::new(Arc::clone(&store), config.ingest.clone())),
            api: Api::new(Arc::clone(&session), config.api.clone()),
            flight: flight::Options {
                multi_tenant: config.multi_tenancy,
                ..flight::Options::default()
            },
            session,
            store,
        })
    }

    /// From now on the limits of tenants are those of this configuration; nothing else of it is
    /// taken over.
    pub(crate) fn set_tenant_limits(&self, config: &Config) {
        self.ingest.set_tenant_limits(&config.ingest);
        self.session.set_tenant_limits(config.tenant_limits.clone());
        self.api.set_tenant_limits(&config.api);
    }

    /// What all parts count.
    pub(crate) fn stats(&self) -> EngineStats {
        EngineStats {
            ingest: self.ingest.stats(),
            store: self.store.stats(),
            usage: self.store.usage(),
            api: self.api.stats(),
        }
    }

    /// Merges segments until none are worth it.
    pub(crate) async fn compact(&self) -> Result<(), Error> {
        loop {
            let compacted = self.store.compact_once().await;
            let what = || "cannot compact the lake".to_owned();
            if compacted.map_err(|source| Error::Store { what: what(), source })?.merges == 0 {
                return Ok(());
            }
        }
    }

    /// Flushes and closes the lake; later writes are refused.
    pub(crate) async fn close(self) -> Result<(), Error> {
        let began = Instant::now();
        let what = || "cannot close the lake".to_owned();
        let closed = self.store.close().await;
        closed.map_err(|source| Error::Store { what: what(), source })?;
        info!(elapsed_ms = began.elapsed().as_millis(), "the lake is flushed and closed");
        Ok(())
    }
}
