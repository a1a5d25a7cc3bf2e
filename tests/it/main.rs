//! The one integration-test binary: the code's own rules, and the real program from outside.
//!
//! `tidy` and `grafana` read files, `second_opinion` compares parsers, and `conformance` and
//! `conformance_logql` run the engine in this process. All others start `siglake` through
//! `program`, feed it what `telemetry` makes and ask through `ask`, as any client would.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod accounting;
mod answers;
mod api;
mod ask;
mod attributes;
mod backups;
mod bucket;
mod cage;
mod chunks;
mod clients;
mod conformance;
mod conformance_http;
mod conformance_logql;
mod crash;
mod decoded;
mod deltas;
mod faults;
mod grafana;
mod histogram_chunks;
mod hostile;
mod lake;
mod memory;
mod otlp;
mod plans;
mod program;
mod prometheus;
mod prometheus_api;
mod queries;
mod remote_read;
mod remote_write;
mod removal;
#[path = "../src/s3/mod.rs"]
mod s3;
#[path = "../src/script/mod.rs"]
mod script;
mod second_opinion;
mod telemetry;
mod tenant_limits;
mod tenants;
mod tickets;
mod tidy;
mod times;
mod waiting;
