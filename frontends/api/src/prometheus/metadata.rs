//! Names, values and label sets of series, and metadata of metrics.

use axum::extract::Path;
use axum::response::Response;
use exec::MetricMetadata;
use plan::Node;
use plan::node::{Distinct, DistinctOf, Query, Scan};
use schemas::model::{Matcher, Selector, Signal};

use super::encode::{Names, success};
use super::{Answer, Ask, params, status};
use crate::error::Error;
use crate::json::{write_key, write_text};
use crate::respond::{json, stream_json};
use crate::run::limited;

pub(super) async fn labels(ask: Ask) -> Answer {
    Ok(names(&ask, DistinctOf::LabelNames).await?)
}

pub(super) async fn values(Path(name): Path<String>, ask: Ask) -> Answer {
    let name = params::label_name(&name)?;
    Ok(names(&ask, DistinctOf::LabelValues(name)).await?)
}

pub(super) async fn series(ask: Ask) -> Answer {
    if ask.params.all("match[]").next().is_none() {
        return Err(Error::invalid("no match[] parameter provided").into());
    }
    Ok(names(&ask, DistinctOf::LabelSets).await?)
}

async fn names(ask: &Ask, of: DistinctOf) -> Result<Response, Error> {
    let limit = params::limit(&ask.params)?;
    let range = params::range(&ask.params)?;
    let scan = |matchers| {
        let selector = Selector { signal: Signal::Metrics, matchers, range };
        Node::Scan(Scan { selector })
    };
    let inputs = selectors(ask)?.into_iter().map(scan).collect();
    let query = Query::new(Node::Distinct(Distinct { inputs, of }), None);
    let query = limited(query, limit.map(|limit| limit.saturating_add(1)));
    let output = ask.api.run(&ask.tenant, query, ask.deadline(None)).await?;
    stream_json(output, Names::new(limit)).await
}

/// The selectors of `match[]`; without any, one that selects everything.
pub(super) fn selectors(ask: &Ask) -> Result<Vec<Vec<Matcher>>, Error> {
    let mut selectors = Vec::new();
    for text in ask.params.all("match[]") {
        let matchers = promql::selector(text)
            .map_err(|error| Error::from(error).context("invalid parameter \"match[]\": "))?;
        selectors.push(matchers);
    }
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    Ok(selectors)
}

pub(super) async fn metrics(ask: Ask) -> Answer {
    // Here 0 is a limit, and less is none.
    let limit = status::number(&ask.params, "limit")?.map_or(usize::MAX, at_most);
    let per_metric = match status::number(&ask.params, "limit_per_metric")? {
        None | Some(0) => usize::MAX,
        Some(count) => at_most(count),
    };
    let metrics = ask.api.session.metric_metadata(&ask.tenant, ask.params.get("metric"));
    let metrics = metrics.await.map_err(Error::from)?;
    Ok(json(success(&metadata(&metrics, limit, per_metric))))
}

fn at_most(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// `{"up":[{"type":"gauge","help":"","unit":""}]}`; metrics are sorted by name.
fn metadata(metrics: &[MetricMetadata], limit: usize, per_metric: usize) -> String {
    let mut out = "{".to_owned();
    for same_name in metrics.chunk_by(|a, b| a.name == b.name).take(limit) {
        write_key(&mut out, &same_name[0].name);
        out.push('[');
        for (i, metric) in same_name.iter().take(per_metric).enumerate() {
            out.push_str(if i == 0 { "{" } else { ",{" });
            for (key, text) in
                [("type", &metric.kind), ("help", &metric.help), ("unit", &metric.unit)]
            {
                write_key(&mut out, key);
                write_text(&mut out, text);
            }
            out.push('}');
        }
        out.push(']');
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests;
