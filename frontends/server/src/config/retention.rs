//! What is kept for how long: tables with names and lists of tables, held as inline TOML.

use std::collections::HashMap;
use std::time::Duration;

use schemas::model::Signal;
use storage::{RetentionClass, RetentionOptions, SignalPeriods};
use toml::{Table, Value};

use super::settings::Settings;
use super::units::parse_duration;

/// The options of retention; the texts were checked when they were set.
pub(super) fn options(settings: &Settings) -> RetentionOptions {
    let period = |path: &str| {
        let period = settings.duration(path);
        (period > Duration::ZERO).then_some(period)
    };
    RetentionOptions {
        interval: settings.duration("retention.interval"),
        periods: SignalPeriods {
            metrics: period("retention.metrics"),
            logs: period("retention.logs"),
            traces: period("retention.traces"),
        },
        tenants: tenants(&settings.text("retention.tenants")).unwrap_or_default(),
        classes: classes(&settings.text("retention.stream")).unwrap_or_default(),
    }
}

/// The periods of tenants: `{ name = { logs = "24h" } }`.
pub(super) fn tenants(text: &str) -> Result<HashMap<String, SignalPeriods>, String> {
    let Some(Value::Table(tenants)) = inline(text)? else { return Ok(HashMap::new()) };
    let mut found = HashMap::new();
    for (tenant, value) in tenants {
        let Value::Table(table) = value else { return Err(format!("`{tenant}` is no table")) };
        let known = ["metrics", "logs", "traces"];
        if let Some(other) = table.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!("`{tenant}` has a key `{other}`, which is none of {known:?}"));
        }
        let periods = SignalPeriods {
            metrics: duration(&table, "metrics")?,
            logs: duration(&table, "logs")?,
            traces: duration(&table, "traces")?,
        };
        found.insert(tenant, periods);
    }
    Ok(found)
}

/// The classes: `[{ selector = '{level="debug"}', period = "24h" }]`.
pub(super) fn classes(text: &str) -> Result<Vec<RetentionClass>, String> {
    let Some(Value::Array(classes)) = inline(text)? else { return Ok(Vec::new()) };
    classes.into_iter().map(class).collect()
}

fn class(value: Value) -> Result<RetentionClass, String> {
    let Value::Table(table) = value else { return Err("an entry is no table".to_owned()) };
    let known = ["selector", "period", "signal", "priority", "tenant"];
    if let Some(other) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("unknown key `{other}`, it is none of {known:?}"));
    }
    let text = |key: &str| table.get(key).and_then(Value::as_str);
    let signal = match text("signal") {
        None | Some("logs") => Signal::Logs,
        Some("metrics") => Signal::Metrics,
        Some(other) => return Err(format!("`{other}` is neither logs nor metrics")),
    };
    let selector = text("selector").ok_or("an entry has no selector")?;
    let period = duration(&table, "period")?.ok_or("an entry has no period")?;
    Ok(RetentionClass {
        tenant: text("tenant").map(str::to_owned),
        signal,
        matchers: api::selector(signal, selector)?,
        priority: table.get("priority").and_then(Value::as_integer).unwrap_or(0),
        period,
    })
}

fn duration(table: &Table, key: &str) -> Result<Option<Duration>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => parse_duration(text).map(Some),
        Some(other) => parse_duration(&other.to_string()).map(Some),
    }
}

fn inline(text: &str) -> Result<Option<Value>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let table: Table = format!("value = {text}").parse().map_err(|error| format!("{error}"))?;
    Ok(table.get("value").cloned())
}

#[cfg(test)]
mod tests;
