//! LogQL: from text to the logical plan.
//!
//! ```text
//!  text ─ syntax ─▶ ast ─ check ─▶ ast ─ lower ─▶ plan::node::Query
//! ```
//!
//! `syntax` knows the grammar and nothing else, `check` the rules that a grammar cannot say, and
//! `lower` what each construct means. Nothing here reads data.

mod check;
mod error;
mod lower;
mod syntax;
#[cfg(test)]
mod tests;

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
pub fn query(text: &str, params: &Params) -> Result<Query, Error> {
    let expr = syntax::parse(text)?;
    check::check(&expr, params.grid.steps <= 1)?;
    lower::lower(&expr, params)
}

/// The matchers of `{a="b"}`; a pipeline behind them is read and ignored.
///
/// An empty text and `{}` select everything.
pub fn selector(text: &str) -> Result<Vec<Matcher>, Error> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let matchers = syntax::parse_selector(text)?.matchers;
    for matcher in &matchers {
        check::compiled(matcher)?;
    }
    Ok(matchers)
}

/// Whether a query returns log records; otherwise it returns series or a scalar.
pub fn is_log_query(text: &str) -> Result<bool, Error> {
    Ok(matches!(syntax::parse(text)?, syntax::ast::Expr::Log(_)))
}

/// The query in its canonical form.
pub fn format(text: &str) -> Result<String, Error> {
    Ok(syntax::parse(text)?.to_string())
}
