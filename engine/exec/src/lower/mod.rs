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

mod buffered;
mod cached;
mod call;
mod conditions;
mod logs;
mod matcher;
mod metrics;
mod names;
mod rows;
mod selection;
mod series;
mod traces;

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use schemas::model::{CompiledMatcher, TimeRange};
use storage::{LabelIndex, SeriesEntry, Snapshot};

use crate::error::from_datafusion;
use crate::memory::{Held, QueryMemory};
use crate::output::QueryStats;
use crate::roster::Roster;
use crate::samples::SampleCache;
use crate::{Annotations, Error, ErrorKind, Limits};

pub(crate) use logs::stream_stats;
pub(crate) use matcher::compile;
pub(crate) use metrics::{SampleInputs, inputs, range_ms};
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
    /// Where remarks go.
    pub(crate) annotations: Arc<Annotations>,
    /// Limits of the query.
    pub(crate) limits: Limits,
    /// DataFusion's memory pool, caches and stores.
    pub(crate) runtime: Arc<RuntimeEnv>,
    /// What plans are executed with: the same pool, caches and stores.
    pub(crate) task: Arc<TaskContext>,
    /// Samples that were decoded before.
    pub(crate) samples: Arc<SampleCache>,
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
        self.resolve_up_to(usize::MAX, index, matchers, range)
    }

    /// The same, but only some entries if there are more than `limit`.
    pub(crate) fn resolve_up_to(
        &self,
        limit: usize,
        index: &LabelIndex,
        matchers: &[CompiledMatcher],
        range: &TimeRange,
    ) -> Result<(Vec<SeriesEntry>, Held), Error> {
        let held = self.memory.hold("series");
        let entries = index.resolve_up_to(limit, matchers, range, |count| {
            self.admit_series(count)?;
            held.grow(count * (SeriesEntry::BYTES + LABELS_EXPECTED * SeriesEntry::LABEL_BYTES))
        })?;
        Ok((entries, held))
    }

    /// Refuses a selector that matches too many series.
    pub(crate) fn admit_series(&self, count: usize) -> Result<(), Error> {
        if count > self.limits.series_max {
            let message = format!(
                "a selector matches {count} series, over the limit of {} (series_max)",
                self.limits.series_max
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }
}

/// Labels that a series is reckoned with before it is known.
const LABELS_EXPECTED: usize = 10;

/// An error for a plan that no language should have made.
pub(crate) fn impossible(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("a plan with {what} cannot be run"))
}
