//! SQL over Arrow Flight: the door for Grafana's Flight SQL plugin, JDBC, ADBC and notebooks.
//!
//! ```text
//!  statement ─ GetFlightInfo ─▶ schema + one ticket (tenant, statement)
//!  ticket    ─ DoGet ─────────▶ exec::Session::sql ─ to plain types ─▶ stream of batches
//!  GetTables, GetSqlInfo, … ──▶ metadata ──────────────────────────▶ one batch
//! ```
//!
//! The service keeps no state: a ticket and a prepared statement carry all that is needed to run
//! them, so any process that sees the same store can answer. Reading order: [`Options`],
//! `service`, `statement`, `metadata`, `encode`, `error`.

mod encode;
mod error;
mod metadata;
mod service;
mod statement;

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;

/// How the service finds the tenant of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether each call must name its tenant in the metadata key `x-scope-orgid`. If not, the
    /// key is ignored and every call is for `default_tenant`.
    pub multi_tenant: bool,
    /// The tenant of every call when there is only one.
    pub default_tenant: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { multi_tenant: false, default_tenant: "default".to_owned() }
    }
}

/// The routes of the service: gRPC paths only, and no fallback, so that it can be merged with
/// other routers.
pub fn routes(session: Arc<exec::Session>, options: Options) -> axum::Router {
    let service = FlightServiceServer::new(service::SqlService::new(session, options));
    axum::Router::new().route_service("/arrow.flight.protocol.FlightService/{*method}", service)
}
