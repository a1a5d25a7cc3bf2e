//! From our plan to DataFusion's: names and labels are resolved here, once.
//!
//! ```text
//!  Node ─ series ─▶ operators over tiles ─▶ SeriesOutputExec
//!       ├ logs ───▶ scan + pipeline
//!       ├ traces ─▶ scan + spansets
//!       └ names ──▶ label index, or scan
//! ```
//!
//! Each function consumes a node and returns an execution plan; what a parent must know of a
//! child is in that plan. The context is read only. Our operators are physical: the label half of
//! a query is decided here, and DataFusion's logical optimizer has nothing to add to the rest.

mod call;
mod logs;
mod matcher;
mod metrics;
mod names;
mod rows;
mod series;
mod traces;

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use storage::Snapshot;

use crate::output::QueryStats;
use crate::roster::Roster;
use crate::{Error, ErrorKind, Limits};

pub(crate) use logs::stream_stats;
pub(crate) use matcher::compile;
pub(crate) use names::{names, text};
pub(crate) use rows::rows;
pub(crate) use series::series;

/// What lowering reads: the same for the whole query.
pub(crate) struct Context {
    /// What the query sees.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Numbers of label sets.
    pub(crate) roster: Arc<Roster>,
    /// Where reading is counted.
    pub(crate) stats: Arc<QueryStats>,
    /// Limits of the query.
    pub(crate) limits: Limits,
    /// DataFusion's memory pool, caches and stores.
    pub(crate) runtime: Arc<RuntimeEnv>,
}

/// An error for a plan that no language should have made.
pub(crate) fn impossible(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("a plan with {what} cannot be run"))
}

/// Wraps what DataFusion says; an error of ours inside it comes out again.
pub(crate) fn from_datafusion(error: datafusion::error::DataFusionError) -> Error {
    use datafusion::error::DataFusionError as D;
    match error {
        D::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::with_source(ErrorKind::Internal, other.to_string(), other),
        },
        D::ArrowError(inner, _) => match *inner {
            arrow::error::ArrowError::ExternalError(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => Error::with_source(ErrorKind::Internal, other.to_string(), other),
            },
            other => Error::with_source(ErrorKind::Internal, other.to_string(), other),
        },
        D::Context(_, inner) => from_datafusion(*inner),
        D::ResourcesExhausted(message) => {
            Error::new(ErrorKind::Limit, format!("the query needs too much memory: {message}"))
        }
        D::Plan(message) => Error::new(ErrorKind::Invalid, message),
        error @ (D::SQL(..) | D::SchemaError(..)) => {
            Error::new(ErrorKind::Invalid, error.strip_backtrace())
        }
        D::NotImplemented(message) => Error::new(ErrorKind::Invalid, message),
        D::Shared(inner) => Error::new(ErrorKind::Internal, inner.to_string()),
        D::ObjectStore(inner) => Error::with_source(
            ErrorKind::Unavailable,
            format!("the object store did not answer: {inner}"),
            inner,
        ),
        other => Error::with_source(ErrorKind::Internal, other.strip_backtrace(), other),
    }
}

impl From<Error> for datafusion::error::DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}
