//! `query_exemplars`: measurements with the traces they came from.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use exec::Exemplar;
use plan::Node;
use schemas::model::{Labels, NANOS_PER_MILLI, StepGrid};

use super::encode::{success, write_labels};
use super::{Answer, Ask, params};
use crate::error::Error;
use crate::json::{separate, write_prometheus_float};
use crate::respond::json;
use crate::run::before;
use crate::time::write_seconds;

pub(super) async fn query_exemplars(ask: Ask) -> Answer {
    let text = ask.params.get("query").unwrap_or_default();
    // Only the selectors count, whose matchers are the same at any time.
    let query = promql::query(text, StepGrid::instant(0), &promql::Options::default())
        .map_err(|error| params::query_error(error.into()))?;
    let range = params::range(&ask.params)?;
    if range.is_empty() {
        return Err(Error::invalid("end timestamp must not be before start timestamp").into());
    }
    if !selects(&query.root) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let deadline = ask.deadline(None);
    let asked = ask.api.session.exemplars(&ask.tenant, &query, range);
    let found = before(deadline, asked).await?.map_err(Error::from)?;
    Ok(json(success(&encode(&found))))
}

/// Whether a query has a selector.
fn selects(node: &Node) -> bool {
    matches!(node, Node::Scan(_)) || node.inputs().into_iter().any(selects)
}

fn encode(found: &[(Labels, Vec<Exemplar>)]) -> String {
    let mut out = "[".to_owned();
    for (labels, exemplars) in found {
        separate(&mut out);
        out.push_str(r#"{"seriesLabels":"#);
        write_labels(&mut out, labels.iter().map(|label| (&*label.name, &*label.value)));
        out.push_str(r#","exemplars":["#);
        for exemplar in exemplars {
            write_exemplar(&mut out, exemplar);
        }
        out.push_str("]}");
    }
    out.push(']');
    out
}

fn write_exemplar(out: &mut String, exemplar: &Exemplar) {
    let trace = exemplar.trace_id.map(hex::encode);
    let span = exemplar.span_id.map(hex::encode);
    let ids = [("trace_id", trace), ("span_id", span)];
    separate(out);
    out.push_str(r#"{"labels":"#);
    let ids = ids.iter().filter_map(|(name, id)| Some((*name, id.as_deref()?)));
    let attributes = exemplar.attributes.iter().map(|(name, value)| (&**name, &**value));
    write_labels(out, ids.chain(attributes));
    out.push_str(r#","value":""#);
    write_prometheus_float(out, exemplar.value);
    out.push_str(r#"","timestamp":"#);
    write_seconds(out, exemplar.time_ms.saturating_mul(NANOS_PER_MILLI));
    out.push('}');
}

#[cfg(test)]
mod tests;
