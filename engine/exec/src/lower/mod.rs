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
mod conditions;
mod logs;
mod matcher;
mod metrics;
mod names;
mod rows;
mod series;
mod traces;

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use parquet::errors::ParquetError;
use schemas::model::{CompiledMatcher, TimeRange};
use storage::{LabelIndex, SeriesEntry, Snapshot};

use crate::memory::{Held, QueryMemory};
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
    /// What plans are executed with: the same pool, caches and stores.
    pub(crate) task: Arc<TaskContext>,
    /// The query's memory: the same pool.
    pub(crate) memory: QueryMemory,
}

impl Context {
    /// The entries of an index that matchers select, with a part of the query's memory that
    /// stands for them; refused before they are made if there are too many.
    pub(crate) fn resolve(
        &self,
        index: &LabelIndex,
        matchers: &[CompiledMatcher],
        range: &TimeRange,
    ) -> Result<(Vec<SeriesEntry>, Held), Error> {
        let held = self.memory.hold("series");
        let entries = index.resolve_within(matchers, range, |count| {
            if count > self.limits.series_max {
                let message = format!(
                    "a selector matches {count} series, over the limit of {} (series_max)",
                    self.limits.series_max
                );
                return Err(Error::new(ErrorKind::Limit, message));
            }
            held.grow(count * (SeriesEntry::BYTES + LABELS_EXPECTED * SeriesEntry::LABEL_BYTES))
        })?;
        Ok((entries, held))
    }
}

/// Labels that a series is reckoned with before it is known.
const LABELS_EXPECTED: usize = 10;

/// An error for a plan that no language should have made.
pub(crate) fn impossible(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("a plan with {what} cannot be run"))
}

/// What the lake said, if that is the cause: it can be asked again, which a bug of ours cannot.
fn of_the_lake(error: &datafusion::error::DataFusionError) -> Option<Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<storage::Error>() {
            let kind = match inner.kind() {
                storage::ErrorKind::Unavailable => ErrorKind::Unavailable,
                storage::ErrorKind::Limit => ErrorKind::Limit,
                _ => ErrorKind::Internal,
            };
            return Some(Error::new(kind, format!("the lake cannot be read: {inner}")));
        }
        cause = inner.source();
    }
    // The reader of Parquet metadata keeps the text of an error only; it names our store.
    let text = error.strip_backtrace();
    let (_, said) = text.split_once("Generic lake error: ")?;
    let message = format!("the lake cannot be read: {said}");
    Some(Error::new(ErrorKind::Unavailable, message))
}

/// Wraps what DataFusion says; an error of ours inside it comes out again.
pub(crate) fn from_datafusion(error: datafusion::error::DataFusionError) -> Error {
    use datafusion::error::DataFusionError as D;
    if let Some(error) = of_the_lake(&error) {
        return error;
    }
    match error {
        D::External(inner) => from_external(inner),
        D::ParquetError(inner) => match *inner {
            ParquetError::External(inner) => from_external(inner),
            other => Error::with_source(ErrorKind::Internal, other.to_string(), other),
        },
        D::ArrowError(inner, _) => match *inner {
            arrow::error::ArrowError::ExternalError(inner) => from_external(inner),
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
        D::Shared(inner) => shared(&inner),
        D::ObjectStore(inner) => Error::with_source(
            ErrorKind::Unavailable,
            format!("the object store did not answer: {inner}"),
            inner,
        ),
        other => Error::with_source(ErrorKind::Internal, other.strip_backtrace(), other),
    }
}

/// An error that several operators were told of, which is why it cannot be taken apart.
fn shared(error: &datafusion::error::DataFusionError) -> Error {
    use datafusion::error::DataFusionError as D;
    let text = error.to_string();
    match error.find_root() {
        D::ResourcesExhausted(_) => {
            Error::new(ErrorKind::Limit, format!("the query needs too much memory: {text}"))
        }
        D::External(inner) => {
            let kind = inner.downcast_ref::<Error>().map_or(ErrorKind::Internal, Error::kind);
            Error::new(kind, text)
        }
        _ => Error::new(ErrorKind::Internal, text),
    }
}

fn from_external(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => *ours,
        Err(other) => Error::with_source(ErrorKind::Internal, other.to_string(), other),
    }
}

impl From<Error> for datafusion::error::DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}
