//! Grafana-compatible HTTP: the query APIs of Prometheus, Loki and Tempo, and SQL.
//!
//! ```text
//!  request ─ params ─▶ text, grid, range ─ language crate ─▶ plan::Query ─ Session::run ─▶ batches
//!                                                                             │
//!  response ◀─ encode, written as the batches arrive ◀────────────────────────┘
//! ```
//!
//! A handler is parse, call, encode. Read [`error`] (kind of an error → status and body of each
//! dialect), then `run` (what all handlers share), then one dialect: `mod` routes and handles,
//! `params` reads requests, `encode` writes answers.

mod error;
mod explain;
mod json;
mod loki;
mod options;
mod params;
mod prometheus;
mod respond;
mod rows;
mod run;
mod sql;
mod stats;
mod tempo;
mod tenants;
#[cfg(test)]
mod testing;
mod time;

use std::sync::Arc;

use axum::Router;

pub use options::ApiOptions;
pub use stats::{ApiStats, Language, LanguageStats};
pub use tenants::TenantLimits;

/// What all query APIs share: where queries are run, under which limits, and their counts.
#[derive(Debug)]
pub struct Api {
    session: Arc<exec::Session>,
    options: ApiOptions,
    tenants: tenants::Tenants,
    counters: Arc<stats::Counters>,
}

impl Api {
    /// The APIs over a session.
    pub fn new(session: Arc<exec::Session>, options: ApiOptions) -> Arc<Self> {
        let overrides = options.tenant_overrides.clone();
        let tenants = tenants::Tenants::new(options.tenant_limits, overrides);
        Arc::new(Self { session, options, tenants, counters: Arc::default() })
    }

    /// Queries answered so far, by language.
    pub fn stats(&self) -> ApiStats {
        self.counters.snapshot()
    }
}

/// The Prometheus API; paths from the protocol's root, such as `/api/v1/query`.
pub fn prometheus_router(api: Arc<Api>) -> Router {
    prometheus::router(api)
}

/// The Loki API; paths from the protocol's root, such as `/loki/api/v1/query` and `/ready`.
pub fn loki_router(api: Arc<Api>) -> Router {
    loki::router(api)
}

/// The Tempo API; paths from the protocol's root, such as `/api/search` and `/ready`.
pub fn tempo_router(api: Arc<Api>) -> Router {
    tempo::router(api)
}

/// `GET` and `POST` of `/sql` and `/explain`.
pub fn sql_router(api: Arc<Api>) -> Router {
    sql::router(Arc::clone(&api)).merge(explain::router(api))
}
