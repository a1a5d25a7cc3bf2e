//! What Logs Drilldown asks for beside queries.

use std::collections::{BTreeMap, BTreeSet};

use arrow::record_batch::RecordBatch;
use axum::extract::Path;
use axum::response::Response;
use exec::output::columns;
use plan::node::DistinctOf;
use schemas::model::{Direction, StepGrid};
use schemas::tables::columns as stored;

use super::metadata::{distinct, range};
use super::{Answer, Ask, VERSION, params};
use crate::error::Error;
use crate::json::{push, write_key, write_text, write_texts};
use crate::respond::json;
use crate::rows;

/// Fields that are listed if a request does not say.
const FIELDS_DEFAULT: usize = 1000;

/// Records that are looked at for fields if a request does not say.
const SAMPLE_DEFAULT: usize = 100;

/// Labels that are listed whatever their values are.
const ALWAYS_LISTED: [&str; 4] = ["cluster", "namespace", "instance", "pod"];

pub(super) async fn labels(ask: Ask) -> Answer {
    let selector = logql::selector(ask.params.get("query").unwrap_or_default())?;
    let query = distinct(vec![selector], range(&ask)?, DistinctOf::LabelSets);
    let mut output = ask.api.run(&ask.tenant, query, ask.deadline(None)).await?;
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some(rows) = output.batches.next().await? {
        let sets = rows::label_sets(&rows, stored::LABELS)?;
        for row in 0..rows.num_rows() {
            for (name, value) in sets.row(row) {
                insert(values.entry(name.to_owned()).or_default(), value);
            }
        }
    }
    Ok(json(detected_labels(&values)))
}

fn insert(values: &mut BTreeSet<String>, value: &str) {
    if !values.contains(value) {
        values.insert(value.to_owned());
    }
}

fn detected_labels(values: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut out = r#"{"detectedLabels":["#.to_owned();
    for (name, values) in values {
        if values.is_empty() || (are_ids(values) && !ALWAYS_LISTED.contains(&name.as_str())) {
            continue;
        }
        out.push_str(if out.ends_with('[') { "{\"label\":" } else { ",{\"label\":" });
        write_text(&mut out, name);
        push(&mut out, format_args!(r#","cardinality":{}}}"#, values.len()));
    }
    out.push_str("]}");
    out
}

/// Whether all values are numbers or UUIDs, which tell nothing to somebody who looks for labels;
/// 0 and 1 alone are booleans.
fn are_ids(values: &BTreeSet<String>) -> bool {
    let is_bool = values.iter().all(|value| value == "0" || value == "1");
    !is_bool && values.iter().all(|value| value.parse::<f64>().is_ok() || is_uuid(value))
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// A field of log records.
#[derive(Debug, Default)]
struct Field {
    values: BTreeSet<String>,
    /// What parses the field out of the line; structured metadata needs nothing.
    parsers: BTreeSet<&'static str>,
}

/// Fields by name.
type Fields = BTreeMap<String, Field>;

/// What is tried on lines: the parser, and the stages that leave only what it can read.
const PARSERS: [(&str, &str); 2] = [
    ("json", r#"| json | __error__="""#),
    (
        "logfmt",
        r#"| json | __error__!="" | drop __error__, __error_details__ | logfmt | __error__="""#,
    ),
];

pub(super) async fn fields(ask: Ask) -> Answer {
    let limit = count(&ask, "limit", count(&ask, "field_limit", FIELDS_DEFAULT)?)?;
    let fields = detect(&ask).await?;
    Ok(json(detected_fields(&fields, limit)))
}

pub(super) async fn field_values(Path(name): Path<String>, ask: Ask) -> Answer {
    let limit = count(&ask, "limit", FIELDS_DEFAULT)?;
    let mut fields = detect(&ask).await?;
    let values = fields.remove(&name).unwrap_or_default().values;
    let mut out = r#"{"values":"#.to_owned();
    write_texts(&mut out, values.iter().take(limit));
    push(&mut out, format_args!(r#","limit":{limit}}}"#));
    Ok(json(out))
}

/// The fields of the newest records: what they have by themselves and by the query's own parsers,
/// or, if it has none, by those that can read their lines.
async fn detect(ask: &Ask) -> Result<Fields, Error> {
    let text = params::text(&ask.params)?;
    if !logql::is_log_query(text)? {
        return Err(Error::invalid("only log queries have fields"));
    }
    let mut fields = Fields::new();
    gather(ask, text, None, &mut fields).await?;
    if fields.values().any(|field| !field.parsers.is_empty()) {
        return Ok(fields);
    }
    for (parser, stages) in PARSERS {
        gather(ask, &format!("{text} {stages}"), Some(parser), &mut fields).await?;
    }
    Ok(fields)
}

fn count(ask: &Ask, name: &str, default: usize) -> Result<usize, Error> {
    let count = ask.params.integer(name)?.and_then(|count| usize::try_from(count).ok());
    Ok(count.filter(|count| *count > 0).unwrap_or(default))
}

/// Adds the fields of the newest records of a query. With a parser, only what it parses is new.
async fn gather(
    ask: &Ask,
    text: &str,
    parser: Option<&'static str>,
    fields: &mut Fields,
) -> Result<(), Error> {
    let range = range(ask)?;
    let limit = count(ask, "line_limit", SAMPLE_DEFAULT)?.min(ask.options.log_records_max);
    let grid = StepGrid::instant(range.end_ns);
    let params = logql::Params { range, grid, limit, direction: Direction::Backward };
    let query = logql::query(text, &params)?;
    let mut output = ask.api.run(&ask.tenant, query, ask.deadline(None)).await?;
    while let Some(rows) = output.batches.next().await? {
        if parser.is_none() {
            add(&rows, columns::METADATA, None, fields)?;
        }
        add(&rows, columns::PARSED, Some(parser.unwrap_or(QUERYS_OWN)), fields)?;
    }
    Ok(())
}

/// Stands for whatever parses fields in the query itself.
const QUERYS_OWN: &str = "";

fn add(
    rows: &RecordBatch,
    column: &str,
    parser: Option<&'static str>,
    fields: &mut Fields,
) -> Result<(), Error> {
    let sets = rows::label_sets(rows, column)?;
    for row in 0..rows.num_rows() {
        for (name, value) in sets.row(row) {
            let field = fields.entry(name.to_owned()).or_default();
            field.parsers.extend(parser);
            insert(&mut field.values, value);
        }
    }
    Ok(())
}

fn detected_fields(fields: &Fields, limit: usize) -> String {
    let mut out = r#"{"fields":["#.to_owned();
    for (i, (name, field)) in fields.iter().take(limit).enumerate() {
        out.push_str(if i == 0 { "{\"label\":" } else { ",{\"label\":" });
        write_text(&mut out, name);
        write_key(&mut out, "type");
        write_text(&mut out, type_of(&field.values));
        push(&mut out, format_args!(r#","cardinality":{}"#, field.values.len()));
        write_key(&mut out, "parsers");
        if field.parsers.is_empty() {
            // Clients take `null`, and nothing else, for a field that needs no parser.
            out.push_str("null");
        } else {
            write_texts(&mut out, field.parsers.iter().filter(|name| **name != QUERYS_OWN));
        }
        out.push('}');
    }
    push(&mut out, format_args!(r#"],"limit":{limit}}}"#));
    out
}

/// The narrowest type that all values can be read as.
fn type_of(values: &BTreeSet<String>) -> &'static str {
    let all = |reads: fn(&str) -> bool| values.iter().all(|value| reads(value));
    if all(|value| value.parse::<i64>().is_ok()) {
        "int"
    } else if all(|value| value.parse::<f64>().is_ok()) {
        "float"
    } else if all(|value| value == "true" || value == "false") {
        "boolean"
    } else if all(|value| schemas::model::parse_go_duration(value).is_some()) {
        "duration"
    } else if all(|value| schemas::model::parse_size(value).is_some()) {
        "bytes"
    } else {
        "string"
    }
}

pub(super) async fn patterns(ask: Ask) -> Answer {
    // Patterns are not mined; that is said by `pattern_ingester_enabled` below.
    logql::selector(params::text(&ask.params)?)?;
    Ok(json(r#"{"status":"success","data":[]}"#))
}

pub(super) async fn limits(ask: Ask) -> Response {
    let options = &ask.options;
    json(format!(
        concat!(
            r#"{{"limits":{{"discover_log_levels":true,"discover_service_name":["service_name"],"#,
            r#""log_level_fields":["level","severity"],"max_entries_limit_per_query":{},"#,
            r#""max_line_size_truncate":false,"max_query_bytes_read":"0B","#,
            r#""max_query_length":"0s","#,
            r#""max_query_lookback":"0s","max_query_range":"0s","max_query_series":500,"#,
            r#""metric_aggregation_enabled":false,"otlp_config":{{}},"#,
            r#""pattern_persistence_enabled":false,"query_timeout":"{}s","#,
            r#""retention_period":"0s","retention_stream":null,"volume_enabled":true,"#,
            r#""volume_max_series":1000}},"pattern_ingester_enabled":false,"version":"{}"}}"#,
        ),
        options.log_records_max,
        options.timeout.as_secs(),
        VERSION,
    ))
}

#[cfg(test)]
mod tests;
