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

mod deletes;
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
use schemas::model::{Matcher, Signal, TimestampNs};

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
    /// When it began.
    started_ns: TimestampNs,
}

impl Api {
    /// The APIs over a session.
    pub fn new(session: Arc<exec::Session>, options: ApiOptions) -> Arc<Self> {
        let tenants = tenants::Tenants::new(&options);
        let started_ns = time::now_ns();
        Arc::new(Self { session, options, tenants, counters: Arc::default(), started_ns })
    }

    /// From now on the limits of tenants are those of these options.
    pub fn set_tenant_limits(&self, options: &ApiOptions) {
        self.tenants.set(options);
    }

    /// Queries answered so far, by language.
    pub fn stats(&self) -> ApiStats {
        self.counters.snapshot()
    }
}

/// The matchers of a selector: of LogQL for logs, of PromQL for metrics; spans have none.
///
/// What is wrong with it, in the words of the language.
pub fn selector(signal: Signal, text: &str) -> Result<Vec<Matcher>, String> {
    match signal {
        Signal::Metrics => promql::selector(text).map_err(|error| error.to_string()),
        Signal::Logs => logql::selector(text).map_err(|error| error.to_string()),
        Signal::Traces => Err("spans are not selected by labels".to_owned()),
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

/// `GET` and `POST` of `/sql` and `/explain`, and what deletes: `/api/v1/deletes` and the like.
pub fn sql_router(api: Arc<Api>) -> Router {
    let deletes = deletes::router(Arc::clone(&api));
    sql::router(Arc::clone(&api)).merge(explain::router(api)).merge(deletes)
}
