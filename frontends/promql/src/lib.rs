//! PromQL: from text to the plan that all languages share.
//!
//! ```text
//!  text ── syntax::parse ──▶ Expr ── check ──▶ Expr, typed ── lower ──▶ plan::Node
//!                             └───── syntax::display ──▶ text
//! ```
//!
//! The grammar is that of Prometheus 3 with every experimental part switched on. What parses but
//! cannot be said in the plan yet is refused with [`ErrorKind::Unsupported`], by name. Hostile
//! text is refused by limits on its length and depth; nothing here panics or runs for long.
//!
//! Read `syntax`, then `check`, then `lower`.

mod check;
mod error;
mod lower;
mod outline;
mod pin;
mod syntax;

#[cfg(test)]
mod tests;

pub use error::{Error, ErrorKind};
pub use outline::Outline;

use plan::node::Query;
use schemas::model::{Matcher, NANOS_PER_SECOND, StepGrid};

/// What a query does not say itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How far back a sample still counts for an instant selector, in nanoseconds; positive.
    ///
    /// A greater one bridges longer gaps between scrapes, reads more, and shows series that
    /// vanished without a stale marker for longer.
    pub lookback_ns: i64,
    /// Step of subqueries that name none, in nanoseconds; positive. Prometheus takes its
    /// evaluation interval.
    pub subquery_step_ns: i64,
    /// Whether functions keep the metric name until the end, so that what stands around them can
    /// group by it, match it and take it into labels; Prometheus' `promql-delayed-name-removal`.
    pub delayed_name_removal: bool,
    /// Whether `rate`, `increase`, `irate` and `resets` take counters to begin at the start times
    /// that came with their samples, as Prometheus does with `use-start-timestamps`.
    pub start_times: bool,
}

impl Default for Options {
    /// Five minutes and one minute, names dropped at once and no start times, as in Prometheus.
    fn default() -> Self {
        Self {
            lookback_ns: 300 * NANOS_PER_SECOND,
            subquery_step_ns: 60 * NANOS_PER_SECOND,
            delayed_name_removal: false,
            start_times: false,
        }
    }
}

/// The plan of a query whose result is wanted at the steps of `grid`.
///
/// [`StepGrid::instant`] makes an instant query: only there may the result be a string or a range
/// vector, and only there is it sorted. The plan of a range selector is a bare scan without a
/// grid, that of a subquery has the subquery's own grid.
pub fn query(text: &str, grid: StepGrid, options: &Options) -> Result<Query, Error> {
    let expr = syntax::parse(text)?;
    let result = check::check(text, &expr)?;
    lower::lower(text, expr, result, grid, options)
}

/// The matchers of a series selector, the metric name among them.
///
/// One of them must refuse the empty text, so that not every series is selected.
pub fn selector(text: &str) -> Result<Vec<Matcher>, Error> {
    let selector = syntax::parse_selector(text)?;
    if !check::refuses_empty(&selector) {
        return Err(Error::invalid("match[] must contain at least one non-empty matcher"));
    }
    Ok(lower::matchers(selector))
}

/// The query in its canonical spelling, on one line. Its types are checked, too.
pub fn format(text: &str) -> Result<String, Error> {
    let expr = syntax::parse(text)?;
    check::check(text, &expr)?;
    Ok(syntax::display(&expr))
}

/// The names of all functions, in order.
pub fn functions() -> impl Iterator<Item = &'static str> {
    syntax::functions::FUNCTIONS.iter().map(|function| function.name)
}

/// The tree of a query, for whoever shows it.
pub fn outline(text: &str) -> Result<Outline, Error> {
    let expr = syntax::parse(text)?;
    outline::outline(text, &expr)
}

/// The query with every selector and subquery that has no `@` fixed to `at_ms`; `None` if its
/// answer depends on the evaluation time all the same.
pub fn pinned(text: &str, at_ms: i64) -> Result<Option<String>, Error> {
    let mut expr = syntax::parse(text)?;
    check::check(text, &expr)?;
    Ok(pin::pin(&mut expr, at_ms).then(|| syntax::display(&expr)))
}
