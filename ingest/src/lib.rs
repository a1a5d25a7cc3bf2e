//! OTLP and Prometheus remote write in, rows out: the only crate that knows these protocols.
//!
//! ```text
//!  gRPC ─┐                                     ┌─▶ rejected records ─▶ partial success
//!        ├─▶ body ─▶ inflate ─▶ decode + admit ─┤
//!  HTTP ─┘     │      JSON → protobuf           └─▶ RecordBatches ─▶ storage::append ─▶ ack
//!              └── in-flight budget                                       │
//!                                                 WAL replay ─▶ Decoder ◀─┘
//! ```
//!
//! Decoding reads protobuf bytes straight into Arrow builders. What is refused as a whole is an
//! [`Error`]; what is refused record by record is told in [`Accepted`], and the rest is stored.
//! Read [`Ingest`] first, then `decode`, then `server`.

mod admit;
mod batch;
mod body;
mod decode;
mod error;
mod identity;
mod ingest;
mod known;
mod limits;
mod server;
mod stats;
mod tenants;

pub use body::{Compression, Encoding, Format};
pub use decode::{Decoder, Written};
pub use error::{Error, ErrorKind};
pub use ingest::{Accepted, Ingest, IngestOptions};
pub use limits::Limits;
pub use server::{grpc_routes, http_router, remote_write_router};
pub use stats::{IngestStats, SignalStats, TenantStats};
pub use tenants::TenantLimits;
