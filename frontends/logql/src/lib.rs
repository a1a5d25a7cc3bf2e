//! LogQL: from text to the logical plan.
//!
//! ```text
//!  text ─ syntax ─▶ ast ─ check ─▶ ast ─ lower ─▶ plan::node::Query
//! ```
//!
//! `syntax` knows the grammar and nothing else, `check` the rules that a grammar cannot say, and
//! `lower` what each construct means. Nothing here reads data.

mod error;

pub use error::{Error, ErrorKind};

use plan::node::Query;
use schemas::model::{Direction, Matcher, StepGrid, TimeRange};

/// What a request says beside the text of its query.
#[derive(Clone, Debug)]
pub struct Params {
    /// When the records of a log query were made; metric queries have their windows instead.
    pub range: TimeRange,
    /// The instants a metric query is evaluated at.
    pub grid: StepGrid,
    /// Records a log query returns at most.
    pub limit: usize,
    /// Which end of the range a log query reads first.
    pub direction: Direction,
}

/// The plan of a query: rows without a grid for a log query, series on the grid for a metric query.
pub fn query(_text: &str, _params: &Params) -> Result<Query, Error> {
    Err(Error::unsupported("LogQL is not lowered yet"))
}

/// The matchers of `{a="b"}`; a pipeline behind them is read and ignored.
///
/// An empty text and `{}` select everything.
pub fn selector(_text: &str) -> Result<Vec<Matcher>, Error> {
    Err(Error::unsupported("LogQL is not lowered yet"))
}

/// Whether a query returns log records; otherwise it returns series or a scalar.
pub fn is_log_query(_text: &str) -> Result<bool, Error> {
    Err(Error::unsupported("LogQL is not lowered yet"))
}

/// The query in its canonical form.
pub fn format(_text: &str) -> Result<String, Error> {
    Err(Error::unsupported("LogQL is not lowered yet"))
}
