//! What each construct means, said in the nodes of the plan.

mod filter;
mod metric;
mod path;
mod pipeline;
mod template;

use plan::Node;
use plan::node::{Limit, Query, Scan, Sort, SortBy};
use schemas::model::{Matcher, Selector, Signal, TimeRange};

use crate::syntax::ast::{Expr, LogExpr};
use crate::{Error, Params};

/// The plan of a checked query.
pub(crate) fn lower(expr: &Expr, params: &Params) -> Result<Query, Error> {
    match expr {
        Expr::Log(log) => Ok(Query::new(lower_log(log, params)?, None)),
        Expr::Metric(expr) => Ok(Query::new(metric::lower(expr, params.grid)?, Some(params.grid))),
    }
}

fn lower_log(log: &LogExpr, params: &Params) -> Result<Node, Error> {
    let rows = pipeline::lower(scan(&log.matchers, params.range), &log.stages)?;
    let by = SortBy::Time(params.direction);
    let sorted = Node::Sort(Sort { input: Box::new(rows), by });
    Ok(Node::Limit(Limit { input: Box::new(sorted), count: params.limit }))
}

fn scan(matchers: &[Matcher], range: TimeRange) -> Node {
    let matchers = matchers.to_vec();
    Node::Scan(Scan { selector: Selector { signal: Signal::Logs, matchers, range } })
}
