//! `search/metric_names`, `search/label_names`, `search/label_values`: names that fit what was
//! typed so far, from the label index alone. Off unless the operator switches them on, as in
//! Prometheus.
//!
//! ```text
//!  names ─ fit a term? ─▶ the first `limit` and one more, in order ─▶ lines of JSON:
//!  {"results":[{"name":"up","score":1}],"warnings":["…"]}    a batch; the first one always
//!  {"status":"success","has_more":false}                     the end
//! ```

mod asked;
mod likeness;

use std::cmp::Ordering;

use axum::response::Response;
use exec::output::columns;
use exec::{Held, MetricMetadata};
use plan::Node;
use plan::node::{Distinct, DistinctOf, Query, Scan};
use schemas::model::{METRIC_NAME, Selector, Signal};
use tokio::time::Instant;

use super::metadata::selectors;
use super::{Answer, Ask, admin};
use crate::error::{Error, ErrorKind};
use crate::json::{write_float, write_key, write_text, write_texts};
use crate::respond::{check_answer, whole};
use crate::rows;
use crate::run::Output;
use asked::{Asked, Order, boolean};

/// Names that are compared between two looks at the time.
const NAMES_PER_LOOK: usize = 256;

/// The content type of lines of JSON.
const LINES: &str = "application/x-ndjson; charset=utf-8";

pub(super) async fn metric_names(ask: Ask) -> Answer {
    if !ask.options.search {
        return Ok(disabled());
    }
    let asked = Asked::read(&ask.params, "metric_names", ask.options.search_results_max)?;
    let metadata = match boolean(&ask.params, "include_metadata", false)? {
        true => ask.api.session.metric_metadata(&ask.tenant, None).await.map_err(Error::from)?,
        false => Vec::new(),
    };
    Ok(search(&ask, asked, DistinctOf::LabelValues(METRIC_NAME.to_owned()), &metadata).await?)
}

pub(super) async fn label_names(ask: Ask) -> Answer {
    if !ask.options.search {
        return Ok(disabled());
    }
    let asked = Asked::read(&ask.params, "label_names", ask.options.search_results_max)?;
    Ok(search(&ask, asked, DistinctOf::LabelNames, &[]).await?)
}

pub(super) async fn label_values(ask: Ask) -> Answer {
    if !ask.options.search {
        return Ok(disabled());
    }
    let asked = Asked::read(&ask.params, "label_values", ask.options.search_results_max)?;
    let Some(label) = ask.params.get("label") else {
        return Err(Error::invalid("missing required parameter \"label\"").into());
    };
    Ok(search(&ask, asked, DistinctOf::LabelValues(label.to_owned()), &[]).await?)
}

fn disabled() -> Response {
    admin::disabled("search API disabled")
}

/// All that fits, as text: it is bounded by the most results a request may have.
async fn search(
    ask: &Ask,
    asked: Asked,
    of: DistinctOf,
    metadata: &[MetricMetadata],
) -> Result<Response, Error> {
    let scan = |matchers| {
        let selector = Selector { signal: Signal::Metrics, matchers, range: asked.range };
        Node::Scan(Scan { selector })
    };
    let inputs = selectors(ask)?.into_iter().map(scan).collect();
    let query = Query::new(Node::Distinct(Distinct { inputs, of }), None);
    let deadline = ask.deadline(None);
    let output = ask.api.run(&ask.tenant, query, deadline).await?;
    let held = output.memory.hold("answer");
    let bytes_max = output.answer_bytes_max;
    let (found, warnings) = gather(output, &asked, &held, deadline).await?;
    let text = write(&found, &asked, metadata, &warnings);
    held.grow(text.len())?;
    check_answer(text.len() as u64, bytes_max)?;
    Ok(whole(LINES, text))
}

/// A name that fits.
#[derive(Debug, PartialEq)]
struct Found {
    name: String,
    score: f64,
}

/// The first results in order, and one more if there are more; what was warned of.
async fn gather(
    mut output: Output,
    asked: &Asked,
    held: &Held,
    deadline: Instant,
) -> Result<(Vec<Found>, Vec<String>), Error> {
    let mut found = Vec::new();
    while let Some(rows) = output.batches.next().await? {
        let names = rows::texts(&rows, columns::NAME)?;
        for row in 0..rows.num_rows() {
            if row % NAMES_PER_LOOK == 0 && Instant::now() >= deadline {
                let why = "query timed out in expression evaluation";
                return Err(Error::new(ErrorKind::Timeout, why));
            }
            let name = rows::text(&names, row).unwrap_or_default();
            if let Some(score) = asked.terms.score(name) {
                found.push(Found { name: name.to_owned(), score });
                // Whoever could still be among the first is kept, and once as many again.
                if found.len() > 2 * asked.limit + 2 {
                    keep_first(&mut found, asked);
                }
            }
        }
        let texts: usize = found.iter().map(|found| found.name.capacity()).sum();
        held.resize(texts + size_of::<Found>() * found.capacity())?;
        tokio::task::yield_now().await;
    }
    keep_first(&mut found, asked);
    Ok((found, output.annotations.warnings()))
}

fn keep_first(found: &mut Vec<Found>, asked: &Asked) {
    found.sort_unstable_by(|a, b| compare(asked.order, a, b));
    found.truncate(asked.limit.saturating_add(1));
}

fn compare(order: Order, a: &Found, b: &Found) -> Ordering {
    match order {
        Order::Ascending => a.name.cmp(&b.name),
        Order::Descending => b.name.cmp(&a.name),
        Order::Best => b.score.total_cmp(&a.score).then_with(|| a.name.cmp(&b.name)),
    }
}

/// The lines; `found` may have one result more than may be shown.
fn write(
    found: &[Found],
    asked: &Asked,
    metadata: &[MetricMetadata],
    warnings: &[String],
) -> String {
    let shown = &found[..found.len().min(asked.limit)];
    let mut out = String::new();
    let mut batches = shown.chunks(asked.batch);
    // A search that finds nothing has an empty batch.
    write_batch(&mut out, batches.next().unwrap_or_default(), asked, metadata, warnings);
    for batch in batches {
        write_batch(&mut out, batch, asked, metadata, &[]);
    }
    let has_more = found.len() > shown.len();
    out.push_str(if has_more {
        "{\"status\":\"success\",\"has_more\":true}\n"
    } else {
        "{\"status\":\"success\",\"has_more\":false}\n"
    });
    out
}

fn write_batch(
    out: &mut String,
    batch: &[Found],
    asked: &Asked,
    metadata: &[MetricMetadata],
    warnings: &[String],
) {
    out.push_str("{\"results\":[");
    for (at, found) in batch.iter().enumerate() {
        out.push_str(if at == 0 { "{" } else { ",{" });
        write_key(out, "name");
        write_text(out, &found.name);
        if asked.with_scores {
            write_key(out, "score");
            write_float(out, found.score);
        }
        let at = metadata.partition_point(|known| known.name < found.name);
        if let Some(known) = metadata.get(at).filter(|known| known.name == found.name) {
            let texts = [("type", &known.kind), ("help", &known.help), ("unit", &known.unit)];
            for (key, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
                write_key(out, key);
                write_text(out, text);
            }
        }
        out.push('}');
    }
    out.push(']');
    if !warnings.is_empty() {
        write_key(out, "warnings");
        write_texts(out, warnings);
    }
    out.push_str("}\n");
}

#[cfg(test)]
mod tests;
