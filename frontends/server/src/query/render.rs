//! Answers as tables.
//!
//! Fields that are absent are shown as empty cells: what a server sends is not ours to refuse.

use serde_json::{Map, Value};

use super::request::Form;
use super::table::Table;
use super::times;

/// Columns of values that a range answer is shown with; the newest ones.
const POINTS_SHOWN: usize = 12;

/// Numbers with more characters are rounded to six digits.
const NUMBER_CHARS_MAX: usize = 10;

/// The answer as text; `columns` are those of rows, in order, as far as they are known.
pub(super) fn render(form: Form, answer: &Value, columns: Vec<String>) -> String {
    let mut text = match form {
        Form::Results => results(&answer["data"]),
        Form::Traces => traces(&answer["traces"]).to_text(),
        Form::TraceSeries => trace_series(&answer["series"]).to_text(),
        Form::Rows => rows(answer, columns).to_text(),
    };
    for kind in ["warnings", "infos"] {
        for warning in list(&answer[kind]) {
            text.push_str(&format!("note: {}\n", cell(warning)));
        }
    }
    text
}

fn results(data: &Value) -> String {
    let result = &data["result"];
    match data["resultType"].as_str().unwrap_or_default() {
        "vector" => vector(result).to_text(),
        "matrix" => matrix(result).to_text(),
        "streams" => streams(result).to_text(),
        _ => format!("{}\n", cell(&result[1])),
    }
}

fn vector(result: &Value) -> Table {
    let mut table = Table::new(&["series", "value"]);
    for series in list(result) {
        let value = if series["histogram"].is_null() {
            number(&series["value"][1])
        } else {
            histogram(&series["histogram"][1])
        };
        table.rows.push(vec![labels(&series["metric"]), value]);
    }
    table
}

/// One row a series, one column a point; points in common columns, the newest ones only.
fn matrix(result: &Value) -> Table {
    let points = |series: &Value| -> Vec<(i64, String)> {
        let floats =
            list(&series["values"]).iter().map(|point| (time_of(point), number(&point[1])));
        let others = list(&series["histograms"]);
        let others = others.iter().map(|point| (time_of(point), histogram(&point[1])));
        floats.chain(others).collect()
    };
    let all = list(result).iter().map(|series| (labels(&series["metric"]), points(series)));
    grid(all.collect())
}

fn trace_series(result: &Value) -> Table {
    let mut all = Vec::new();
    for series in list(result) {
        let mut name = Map::new();
        for label in list(&series["labels"]) {
            let value = any_value(&label["value"]);
            name.insert(cell(&label["key"]), Value::String(value));
        }
        let samples = list(&series["samples"]).iter().map(|sample| {
            let time_ms: i64 = cell(&sample["timestampMs"]).parse().unwrap_or(0);
            (time_ms.saturating_mul(1_000_000), number(&sample["value"]))
        });
        all.push((labels(&Value::Object(name)), samples.collect()));
    }
    grid(all)
}

/// Series over the instants that any of them has.
fn grid(series: Vec<(String, Vec<(i64, String)>)>) -> Table {
    let mut instants: Vec<i64> =
        series.iter().flat_map(|(_, points)| points.iter().map(|(time, _)| *time)).collect();
    instants.sort_unstable();
    instants.dedup();
    let shown = instants.split_off(instants.len().saturating_sub(POINTS_SHOWN));
    let mut table = Table::new(&["series"]);
    // The day is the same in most columns; the clock is what differs.
    table.head.extend(shown.iter().map(|time| times::format(*time)[11..19].to_owned()));
    for (name, points) in series {
        let mut row = vec![name];
        for instant in &shown {
            let found = points.iter().find(|(time, _)| time == instant);
            row.push(found.map(|(_, value)| value.clone()).unwrap_or_default());
        }
        table.rows.push(row);
    }
    table
}

/// Log records of all streams, newest last, as they are read in a terminal. Of the labels only
/// the service and the level are shown, for there are dozens; `--json` has all.
fn streams(result: &Value) -> Table {
    let mut records = Vec::new();
    for stream in list(result) {
        let stream_labels = &stream["stream"];
        let service = match &stream_labels["service_name"] {
            Value::String(service) => service.clone(),
            _ => labels(stream_labels),
        };
        let level = cell(&stream_labels["detected_level"]);
        for record in list(&stream["values"]) {
            let time_ns: i64 = cell(&record[0]).parse().unwrap_or(0);
            records.push((time_ns, level.clone(), service.clone(), cell(&record[1])));
        }
    }
    records.sort();
    let mut table = Table::new(&["time", "level", "service", "line"]);
    for (time_ns, level, service, line) in records {
        table.rows.push(vec![times::format(time_ns), level, service, line]);
    }
    table
}

fn traces(result: &Value) -> Table {
    let mut table = Table::new(&["trace", "start", "ms", "service", "name", "spans"]);
    for trace in list(result) {
        let start_ns: i64 = cell(&trace["startTimeUnixNano"]).parse().unwrap_or(0);
        let sets = list(&trace["spanSets"]);
        let matched: u64 = sets.iter().filter_map(|set| set["matched"].as_u64()).sum();
        let single = trace["spanSet"]["matched"].as_u64();
        table.rows.push(vec![
            cell(&trace["traceID"]),
            times::format(start_ns),
            // The JSON of Protocol Buffers leaves zero out.
            trace["durationMs"].as_u64().unwrap_or(0).to_string(),
            cell(&trace["rootServiceName"]),
            cell(&trace["rootTraceName"]),
            if matched > 0 { matched } else { single.unwrap_or(0) }.to_string(),
        ]);
    }
    table
}

/// Rows as objects, or as lists under the names of columns.
fn rows(answer: &Value, columns: Vec<String>) -> Table {
    let rows = [answer, &answer["rows"], &answer["data"]].into_iter().find(|v| v.is_array());
    let rows = rows.map(list).unwrap_or_default();
    let mut table = Table { head: columns, rows: Vec::new() };
    for column in list(&answer["columns"]) {
        table.head.push(cell(if column.is_object() { &column["name"] } else { column }));
    }
    for row in rows.iter().filter_map(Value::as_object) {
        for name in row.keys() {
            if !table.head.contains(name) {
                table.head.push(name.clone());
            }
        }
    }
    for row in rows {
        let cells = match row {
            Value::Array(values) => values.iter().map(cell).collect(),
            row => table.head.iter().map(|name| cell(&row[name.as_str()])).collect(),
        };
        table.rows.push(cells);
    }
    table
}

/// `name{label="value", …}`.
fn labels(metric: &Value) -> String {
    let empty = Map::new();
    let metric = metric.as_object().unwrap_or(&empty);
    let name = metric.get("__name__").map(cell).unwrap_or_default();
    let pairs: Vec<String> = metric
        .iter()
        .filter(|(label, _)| *label != "__name__")
        .map(|(label, value)| format!("{label}={:?}", cell(value)))
        .collect();
    if pairs.is_empty() && !name.is_empty() {
        return name;
    }
    format!("{name}{{{}}}", pairs.join(", "))
}

fn histogram(value: &Value) -> String {
    format!("count {} sum {}", cell(&value["count"]), cell(&value["sum"]))
}

/// A number with the digits that a reader can use; `--json` has all.
fn number(value: &Value) -> String {
    let text = cell(value);
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && text.len() > NUMBER_CHARS_MAX => {
            // Through the exponent form, which counts significant digits.
            let short: f64 = format!("{number:.5e}").parse().unwrap_or(number);
            let plain = short.to_string();
            if plain.len() > 2 * NUMBER_CHARS_MAX { format!("{short:e}") } else { plain }
        }
        _ => text,
    }
}

/// A typed value of OTLP JSON: `{"stringValue": "x"}`.
fn any_value(value: &Value) -> String {
    let inner = value.as_object().and_then(|object| object.values().next());
    inner.map(cell).unwrap_or_else(|| cell(value))
}

/// Unix seconds at the head of a point.
fn time_of(point: &Value) -> i64 {
    (point[0].as_f64().unwrap_or(0.0) * 1000.0).round() as i64 * 1_000_000
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
