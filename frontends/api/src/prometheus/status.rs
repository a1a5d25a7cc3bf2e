//! What a server says of itself, and what a server that scrapes nothing and alerts nobody says
//! of targets and rules: well-formed and empty.

use std::fmt::Write;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use exec::MetricStatistics;
use schemas::model::rfc3339;

use super::encode::success;
use super::{Answer, Ask, VERSION, metadata, params};
use crate::error::Error;
use crate::json::{push, separate, write_key, write_text};
use crate::params::Params;
use crate::respond::{buildinfo, json};

/// Items of each list of `status/tsdb` if a request does not say.
const STATISTICS_DEFAULT: usize = 10;

/// Items of each list of `status/tsdb` that a request may ask for.
const STATISTICS_MAX: usize = 10_000;

/// A fixed answer.
pub(super) async fn fixed(data: &'static str) -> Response {
    json(success(data))
}

pub(super) async fn build_information() -> Response {
    // No `features`: clients would take a server that has them for Mimir, rules API and all.
    json(success(&buildinfo(VERSION)))
}

/// `GET /version`: the same without an envelope.
pub(super) async fn version() -> Response {
    json(buildinfo(VERSION))
}

/// Stopping or reloading by HTTP is not offered.
pub(super) async fn lifecycle() -> Response {
    (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response()
}

/// `targets/relabel_steps`: no scrape pool can be named, for there are none.
pub(super) async fn relabel_steps(ask: Ask) -> Answer {
    let Some(pool) = ask.params.get("scrapePool") else {
        return Err(Error::invalid("no scrapePool parameter provided").into());
    };
    if ask.params.get("labels").is_none() {
        return Err(Error::invalid("no labels parameter provided").into());
    }
    Err(no_scrape_pool(pool).into())
}

/// `scrape_pools/config`: the same.
pub(super) async fn scrape_pool(ask: Ask) -> Answer {
    match ask.params.get("scrapePool") {
        None => Err(Error::invalid("no scrapePool parameter provided").into()),
        Some(pool) => Err(no_scrape_pool(pool).into()),
    }
}

fn no_scrape_pool(name: &str) -> Error {
    Error::invalid(format!("error retrieving scrape config: scrape pool {name:?} not found"))
}

/// `rules`: there are none, but what is asked for must make sense.
pub(super) async fn rules(ask: Ask) -> Answer {
    if let Some(kind) = ask.params.get("type")
        && !matches!(kind.to_ascii_lowercase().as_str(), "alert" | "record")
    {
        return Err(Error::invalid_parameter(
            "type",
            format_args!("not supported value {kind:?}"),
        ))?;
    }
    metadata::selectors(&ask)?;
    if let Some(text) = ask.params.get("exclude_alerts")
        && let Err(why) = params::boolean(text)
    {
        let why = format_args!("error converting exclude_alerts: {why}");
        return Err(Error::invalid_parameter("exclude_alerts", why).into());
    }
    check_page(&ask.params)?;
    Ok(json(success(r#"{"groups":[]}"#)))
}

/// A page of groups has a size, and without groups there is no page that a token could name.
fn check_page(params: &Params) -> Result<(), Error> {
    match params.get("group_limit").map(|text| (text, text.parse::<i64>())) {
        Some((_, Ok(limit))) if limit > 0 => {}
        Some((_, Ok(_))) => {
            let why = "group_limit needs to be greater than 0";
            return Err(Error::invalid_parameter("group_limit", why));
        }
        Some((text, Err(_))) => {
            let why = format_args!("group_limit needs to be a valid number: {text:?} is none");
            return Err(Error::invalid_parameter("group_limit", why));
        }
        None if params.get("group_next_token").is_some() => {
            let why = "group_limit needs to be present in order to paginate over the groups";
            return Err(Error::invalid_parameter("group_next_token", why));
        }
        None => {}
    }
    match params.get("group_next_token") {
        None => Ok(()),
        Some(token) => {
            let why = format_args!("invalid group_next_token '{token}'. were rule groups changed?");
            Err(Error::invalid_parameter("group_next_token", why))
        }
    }
}

/// `targets/metadata`: there are no targets.
pub(super) async fn targets_metadata(ask: Ask) -> Answer {
    number(&ask.params, "limit")?;
    if let Some(selector) = ask.params.get("match_target") {
        promql::selector(selector).map_err(Error::from)?;
    }
    Ok(json(success("[]")))
}

/// A number, worded as Prometheus does for metadata; `None` if it is absent.
pub(super) fn number(params: &Params, name: &str) -> Result<Option<i64>, Error> {
    let parsed = params.get(name).map(str::parse).transpose();
    parsed.map_err(|_| Error::invalid(format!("{name} must be a number")))
}

/// `status/flags`: the settings that have a counterpart among Prometheus' flags.
pub(super) async fn flags(ask: Ask) -> Answer {
    let options = &ask.options;
    let limits = ask.api.session.limits();
    let seconds = |length: std::time::Duration| format!("{}s", length.as_secs_f64());
    let flags = [
        ("query.lookback-delta", seconds(options.lookback)),
        ("query.max-concurrency", limits.concurrency_max.to_string()),
        ("query.max-samples", limits.samples_max.to_string()),
        ("query.timeout", seconds(options.timeout)),
        ("storage.remote.read-max-bytes-in-frame", options.read_frame_bytes_max.to_string()),
        ("storage.remote.read-sample-limit", limits.samples_max.to_string()),
        ("web.enable-admin-api", options.admin.to_string()),
        ("web.enable-lifecycle", "false".to_owned()),
        ("web.enable-otlp-receiver", "true".to_owned()),
        ("web.enable-remote-write-receiver", "true".to_owned()),
        ("web.search.max-limit", options.search_results_max.to_string()),
    ];
    let mut data = "{".to_owned();
    for (name, value) in flags {
        write_key(&mut data, name);
        write_text(&mut data, &value);
    }
    data.push('}');
    Ok(json(success(&data)))
}

/// `status/runtimeinfo`: what belongs to Go is empty or 0.
pub(super) async fn runtime(ask: Ask) -> Answer {
    let (started_ns, now_ns) = (ask.api.started_ns, crate::time::now_ns());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut data = "{".to_owned();
    for (name, time_ns) in
        [("startTime", started_ns), ("serverTime", now_ns), ("lastConfigTime", started_ns)]
    {
        write_key(&mut data, name);
        data.push('"');
        // A String takes all that is written.
        let _ = write!(data, "{}", rfc3339(time_ns));
        data.push('"');
    }
    push(
        &mut data,
        format_args!(
            concat!(
                r#","CWD":"","hostname":"","reloadConfigSuccess":true,"corruptionCount":0,"#,
                r#""goroutineCount":0,"GOMAXPROCS":{},"GOMEMLIMIT":0,"GOGC":"","GODEBUG":"","#,
                r#""storageRetention":""}}"#
            ),
            threads
        ),
    );
    Ok(json(success(&data)))
}

/// `status/tsdb`: which metrics and labels there is most of.
pub(super) async fn tsdb(ask: Ask) -> Answer {
    let limit = match number(&ask.params, "limit") {
        Ok(None) => STATISTICS_DEFAULT,
        Ok(Some(limit)) if limit > 0 => usize::try_from(limit).unwrap_or(usize::MAX),
        _ => return Err(Error::invalid("limit must be a positive number"))?,
    };
    if limit > STATISTICS_MAX {
        return Err(Error::invalid(format!("limit must not exceed {STATISTICS_MAX}")))?;
    }
    let statistics = ask.api.session.metric_statistics(&ask.tenant, limit);
    let statistics = statistics.await.map_err(Error::from)?;
    Ok(json(success(&write_statistics(&statistics))))
}

fn write_statistics(statistics: &MetricStatistics) -> String {
    let of = &statistics.cardinality;
    let (oldest, newest) = statistics.times_ns.unwrap_or_default();
    let mut out = String::new();
    push(
        &mut out,
        format_args!(
            concat!(
                r#"{{"headStats":{{"numSeries":{},"numLabelPairs":{},"chunkCount":{},"#,
                r#""minTime":{},"maxTime":{}}}"#
            ),
            of.series,
            of.label_pairs,
            statistics.segments,
            oldest.div_euclid(schemas::model::NANOS_PER_MILLI),
            newest.div_euclid(schemas::model::NANOS_PER_MILLI),
        ),
    );
    let named = |(name, value): &(std::sync::Arc<str>, u64)| (name.to_string(), *value);
    let pairs = of.series_by_pair.iter().map(|(label, value)| {
        let text = format!("{}={}", label.name, label.value);
        (text, *value)
    });
    write_list(&mut out, "seriesCountByMetricName", of.series_by_metric.iter().map(named));
    write_list(&mut out, "labelValueCountByLabelName", of.values_by_name.iter().map(named));
    write_list(&mut out, "memoryInBytesByLabelName", of.bytes_by_name.iter().map(named));
    write_list(&mut out, "seriesCountByLabelValuePair", pairs);
    out.push('}');
    out
}

/// `,"key":[{"name":"a","value":1}]`
fn write_list(out: &mut String, key: &str, items: impl Iterator<Item = (String, u64)>) {
    write_key(out, key);
    out.push('[');
    for (name, value) in items {
        separate(out);
        out.push_str(r#"{"name":"#);
        write_text(out, &name);
        push(out, format_args!(r#","value":{value}}}"#));
    }
    out.push(']');
}

/// `features`: what can be asked for, by category.
pub(super) async fn features(ask: Ask) -> Answer {
    let always = |names: &[&'static str]| names.iter().map(|name| (*name, true)).collect();
    let categories: [(&str, Vec<(&str, bool)>); 4] = [
        (
            "api",
            vec![
                ("admin", ask.options.admin),
                ("label_values_match", true),
                ("lifecycle", false),
                ("otlp_write_receiver", true),
                ("query_stats", true),
                ("query_warnings", true),
                ("remote_write_receiver", true),
                ("search", ask.options.search),
                ("time_range_labels", true),
                ("time_range_series", true),
            ],
        ),
        ("otlp_receiver", always(&["delta_conversion", "native_delta_ingestion"])),
        (
            "promql",
            always(&[
                "at_modifier",
                "duration_expr",
                "negative_offset",
                "per_query_lookback_delta",
                "subqueries",
            ]),
        ),
        ("promql_functions", promql::functions().map(|name| (name, true)).collect()),
    ];
    let mut data = "{".to_owned();
    for (category, features) in categories {
        write_key(&mut data, category);
        data.push('{');
        for (feature, is_on) in features {
            write_key(&mut data, feature);
            push(&mut data, format_args!("{is_on}"));
        }
        data.push('}');
    }
    data.push('}');
    Ok(json(success(&data)))
}

#[cfg(test)]
mod tests;
