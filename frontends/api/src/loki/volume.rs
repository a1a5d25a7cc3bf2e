//! How much there is: statistics of the index, and bytes by label.
//!
//! Volumes are LogQL queries of their own: `sum by (…) (bytes_over_time(…))` over the whole range,
//! or over each step.

use axum::response::Response;
use schemas::model::{Direction, MatchOp, Matcher, NANOS_PER_MILLI, StepGrid, TimeRange};

use super::encode::{Form, Samples};
use super::metadata::range;
use super::{Answer, Ask, params};
use crate::error::Error;
use crate::json::push;
use crate::respond::{json, stream_json};
use crate::run::limited;

/// Series of a volume that does not say.
const SERIES_DEFAULT: usize = 100;

/// Steps of a volume over time that does not say.
const STEPS_DEFAULT: i64 = 100;

pub(super) async fn stats(ask: Ask) -> Answer {
    let matchers = logql::selector(params::text(&ask.params)?)?;
    let stats = ask.api.session.stream_stats(&ask.tenant, &matchers, range(&ask)?).await?;
    Ok(json(format!(
        r#"{{"streams":{},"chunks":{},"bytes":{},"entries":{}}}"#,
        stats.streams, stats.segments, stats.bytes, stats.entries
    )))
}

pub(super) async fn volume(ask: Ask) -> Answer {
    let range = range(&ask)?;
    let grid = StepGrid::instant(range.end_ns);
    let window_ns = range.end_ns.saturating_sub(range.start_ns);
    Ok(answer(&ask, range, grid, window_ns, Form::Instant).await?)
}

pub(super) async fn volume_range(ask: Ask) -> Answer {
    let range = range(&ask)?;
    let length_ns = range.end_ns.saturating_sub(range.start_ns);
    let step_ns = match params::duration(&ask.params, "step")? {
        Some(step_ns) => step_ns,
        None => length_ns / STEPS_DEFAULT,
    };
    let step_ns = step_ns.max(NANOS_PER_MILLI);
    if length_ns / step_ns > i64::from(ask.options.steps_max) {
        return Err(Error::limit("too many steps for index/volume_range").into());
    }
    let grid = StepGrid::new(range.start_ns.saturating_add(step_ns), range.end_ns, step_ns);
    Ok(answer(&ask, range, grid, step_ns, Form::Range).await?)
}

async fn answer(
    ask: &Ask,
    range: TimeRange,
    grid: StepGrid,
    window_ns: i64,
    form: Form,
) -> Result<Response, Error> {
    let limit = match ask.params.integer("limit")? {
        None => SERIES_DEFAULT,
        Some(count) => usize::try_from(count).unwrap_or(SERIES_DEFAULT),
    };
    let matchers = logql::selector(params::text(&ask.params)?)?;
    let targets = ask.params.get("targetLabels").unwrap_or_default();
    let targets: Vec<&str> = targets.split(',').filter(|name| !name.is_empty()).collect();
    let text = volume_query(matchers, &targets, window_ns, form);
    let query_params = logql::Params { range, grid, limit, direction: Direction::Backward };
    let query = limited(logql::query(&text, &query_params)?, Some(limit));
    let output = ask.api.run(&ask.tenant, query, ask.deadline(None)).await?;
    let samples = Samples::new(&output.kind, form, grid)?;
    stream_json(output, samples).await
}

/// The query that computes a volume: grouped by the target labels, which must be present, or by
/// the labels of the matchers.
fn volume_query(
    mut matchers: Vec<Matcher>,
    targets: &[&str],
    window_ns: i64,
    form: Form,
) -> String {
    for target in targets {
        if !matchers.iter().any(|matcher| matcher.label == *target) {
            matchers.push(Matcher::new(*target, MatchOp::Regex, ".+"));
        }
    }
    if matchers.is_empty() {
        matchers.push(Matcher::new("service_name", MatchOp::Regex, ".+"));
    }
    let names: Vec<&str> = match targets {
        [] => matchers.iter().map(|matcher| matcher.label.as_str()).collect(),
        targets => targets.to_vec(),
    };
    let by = names.join(",");
    let mut selector = String::new();
    for matcher in &matchers {
        let comma = if selector.is_empty() { "" } else { "," };
        push(&mut selector, format_args!("{comma}{}{}", matcher.label, matcher.op));
        crate::json::write_text(&mut selector, &matcher.value);
    }
    let millis = (window_ns / NANOS_PER_MILLI).max(1);
    let volume = format!("sum by ({by}) (bytes_over_time({{{selector}}}[{millis}ms]))");
    match form {
        Form::Instant => format!("sort_desc({volume})"),
        Form::Range => volume,
    }
}

#[cfg(test)]
mod tests;
