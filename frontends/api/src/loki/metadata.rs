//! Names, values and label sets of streams.

use axum::extract::Path;
use axum::response::Response;
use plan::Node;
use plan::node::{Distinct, DistinctOf, Query, Scan};
use schemas::model::{Matcher, Selector, Signal, TimeRange};

use super::encode::Names;
use super::{Answer, Ask, params};
use crate::error::Error;
use crate::respond::stream_json;
use crate::time;

pub(super) async fn labels(ask: Ask) -> Answer {
    let selector = logql::selector(ask.params.get("query").unwrap_or_default())?;
    Ok(names(&ask, vec![selector], DistinctOf::LabelNames).await?)
}

pub(super) async fn values(Path(name): Path<String>, ask: Ask) -> Answer {
    let selector = logql::selector(ask.params.get("query").unwrap_or_default())?;
    Ok(names(&ask, vec![selector], DistinctOf::LabelValues(name)).await?)
}

pub(super) async fn series(ask: Ask) -> Answer {
    let mut selectors = Vec::new();
    for text in ask.params.all("match[]").chain(ask.params.all("match")) {
        selectors.push(logql::selector(text)?);
    }
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    Ok(names(&ask, selectors, DistinctOf::LabelSets).await?)
}

async fn names(ask: &Ask, selectors: Vec<Vec<Matcher>>, of: DistinctOf) -> Result<Response, Error> {
    let query = distinct(selectors, range(ask)?, of);
    let output = ask.api.run(&ask.tenant, query, ask.deadline(None)).await?;
    stream_json(output, Names::default()).await
}

/// The plan that lists what the streams of some selectors have.
pub(super) fn distinct(selectors: Vec<Vec<Matcher>>, range: TimeRange, of: DistinctOf) -> Query {
    let scan = |matchers| {
        let selector = Selector { signal: Signal::Logs, matchers, range };
        Node::Scan(Scan { selector })
    };
    let inputs = selectors.into_iter().map(scan).collect();
    Query::new(Node::Distinct(Distinct { inputs, of }), None)
}

/// The time range of a metadata question; its end belongs to it.
pub(super) fn range(ask: &Ask) -> Result<TimeRange, Error> {
    let default_ns = i64::try_from(ask.options.metadata_range.as_nanos()).unwrap_or(i64::MAX);
    let range = params::bounds(&ask.params, time::now_ns(), default_ns)?;
    Ok(TimeRange { end_ns: range.end_ns.saturating_add(1), ..range })
}
