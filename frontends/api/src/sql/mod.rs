//! SQL over HTTP: `POST /sql` with the statement as text, as JSON `{"query":"…"}` or as a form,
//! and `GET /sql?query=…`.
//!
//! | `Accept`, or parameter `format` | answer |
//! |---|---|
//! | `application/json`, `json`, anything else | an array of objects, one a row |
//! | `text/csv`, `csv` | a header and lines |
//! | `application/vnd.apache.arrow.stream`, `arrow` | Arrow's IPC stream |
//!
//! Errors are `{"error":"…"}`.

mod encode;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use exec::OutputKind;
use serde::Deserialize;

use crate::Api;
use crate::error::{Answered, Dialect, Error, status};
use crate::json::write_text;
use crate::params::Call;
use crate::respond::{Count, count, json, stream};
use crate::stats::Language;
use encode::{ArrowStream, Csv, Json};

/// How SQL's errors are worded.
#[derive(Debug)]
pub(crate) struct Sql;

impl Dialect for Sql {
    fn answer(error: &Error) -> Response {
        let mut out = r#"{"error":"#.to_owned();
        write_text(&mut out, &error.to_string());
        out.push('}');
        let mut response = json(out);
        *response.status_mut() = status(error.kind());
        response
    }
}

pub(crate) fn router(api: Arc<Api>) -> Router {
    let state = Count { counters: Arc::clone(&api.counters), language: Language::Sql };
    Router::new()
        .route("/sql", get(answer).post(answer))
        .route_layer(from_fn_with_state(state, count))
        .layer(axum::extract::DefaultBodyLimit::max(api.options.body_bytes_max))
        .with_state(api)
}

async fn answer(ask: Call<Sql>) -> Answered<Sql> {
    let statement = statement(&ask)?;
    let rows_max = ask.options.sql_rows_max;
    let deadline = ask.deadline(None);
    let output = ask.api.run_sql(&ask.tenant, &statement, deadline).await?;
    let OutputKind::Table(schema) = output.kind.clone() else {
        return Err(Error::internal("a statement did not return a table").into());
    };
    let answer = match format(&ask) {
        Format::Json => stream(output, Json::new(rows_max), "application/json").await,
        Format::Csv => stream(output, Csv::new(schema, rows_max), "text/csv; charset=utf-8").await,
        Format::Arrow => {
            let encoder = ArrowStream::new(&schema)?;
            stream(output, encoder, "application/vnd.apache.arrow.stream").await
        }
    };
    Ok(answer?)
}

#[derive(Deserialize)]
struct Body {
    query: String,
}

/// The statement: a parameter, or the body.
fn statement(ask: &Call<Sql>) -> Result<String, Error> {
    if let Some(text) = ask.params.get("query") {
        return Ok(text.to_owned());
    }
    let content_type = ask.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let statement = if content_type.starts_with("application/json") {
        let body: Body = serde_json::from_slice(&ask.body)
            .map_err(|error| Error::invalid(format!("the body is not {{\"query\":…}}: {error}")))?;
        body.query
    } else {
        let text = std::str::from_utf8(&ask.body);
        text.map_err(|_| Error::invalid("the statement is not UTF-8"))?.to_owned()
    };
    if statement.trim().is_empty() {
        return Err(Error::invalid("there is no statement: send it as the body or as ?query="));
    }
    Ok(statement)
}

enum Format {
    Json,
    Csv,
    Arrow,
}

fn format(ask: &Call<Sql>) -> Format {
    let wanted = match ask.params.get("format") {
        Some(format) => format,
        None => ask.header(header::ACCEPT.as_str()).unwrap_or_default(),
    };
    if wanted.contains("csv") {
        Format::Csv
    } else if wanted.contains("arrow") {
        Format::Arrow
    } else {
        Format::Json
    }
}
