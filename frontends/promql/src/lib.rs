//! PromQL: from text to the plan that all languages share.
//!
//! ```text
//!  text ── syntax::parse ──▶ Expr ── check ──▶ Expr, typed ── lower ──▶ plan::Node
//!                             └───── syntax::display ──▶ text
//! ```

mod error;

pub use error::{Error, ErrorKind};

use plan::node::Query;
use schemas::model::{Matcher, NANOS_PER_SECOND, StepGrid};

/// What a query does not say itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How far back a sample still counts for an instant selector, in nanoseconds.
    pub lookback_ns: i64,
    /// Step of subqueries that name none, in nanoseconds.
    pub subquery_step_ns: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { lookback_ns: 300 * NANOS_PER_SECOND, subquery_step_ns: 60 * NANOS_PER_SECOND }
    }
}

/// The plan of a query whose result is wanted at the steps of `grid`.
pub fn query(text: &str, grid: StepGrid, options: &Options) -> Result<Query, Error> {
    let _ = (text, grid, options);
    Err(plan::Error::unsupported("PromQL is not built yet").into())
}

/// The matchers of a series selector, the metric name among them.
pub fn selector(text: &str) -> Result<Vec<Matcher>, Error> {
    let _ = text;
    Err(plan::Error::unsupported("PromQL is not built yet").into())
}

/// The query in its canonical spelling.
pub fn format(text: &str) -> Result<String, Error> {
    let _ = text;
    Err(plan::Error::unsupported("PromQL is not built yet").into())
}
