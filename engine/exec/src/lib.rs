//! From a plan to batches: the only crate that names DataFusion.
//!
//! ```text
//!  plan::Query ─ optimize ─▶ lower/ ─▶ DataFusion plan + our operators/ ─▶ QueryOutput
//!  SQL text ───────────────▶ sql ────▶ views over table/ ────────────────▶ QueryOutput
//! ```
//!
//! What leaves the crate is Arrow: a stream of record batches whose columns are fixed by
//! [`OutputKind`].

mod annotations;
mod covers;
mod deletes;
mod error;
mod exemplars;
mod footers;
mod functions;
mod histogram;
mod limits;
mod lower;
mod memory;
mod metadata;
mod operators;
pub mod output;
mod pipeline;
mod raw;
mod roster;
mod samples;
mod session;
mod spansets;
mod sql;
mod table;
mod tenants;
mod tiles;
mod views;

pub use annotations::Annotations;
pub use covers::covers;
pub use error::{Error, ErrorKind};
pub use exemplars::Exemplar;
pub use limits::Limits;
pub use memory::{Held, QueryMemory};
pub use output::{BytesRead, OutputKind, QueryOutput, QueryStats};
pub use raw::{MetricStatistics, RawOutput, RawSeries};
pub use session::{MetricMetadata, Session, StreamStats};
pub use storage::{
    Cancelling, Cardinality, DeletePhase, DeleteReport, DeleteRequest, DeleteSpec, DeleteState,
    Replaced, RetentionPlan, RowSelector,
};
pub use tenants::{LimitsOfTenants, TenantLimits};
