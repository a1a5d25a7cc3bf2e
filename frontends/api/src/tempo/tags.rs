//! Tags and their values.

use std::collections::{BTreeMap, BTreeSet};

use arrow::record_batch::RecordBatch;
use axum::extract::Path;
use axum::response::Response;
use exec::output::columns;
use plan::node::Query;

use super::{Answer, Ask, params};
use crate::error::Error;
use crate::json::{separate, write_key, write_text, write_texts};
use crate::respond::json;
use crate::run::{Output, limited};
use crate::{rows, time};

/// Tags or values that are listed if a request does not say.
const LISTED_DEFAULT: usize = 5_000;

/// Tags or values that a request may ask for.
const LISTED_MAX: usize = 100_000;

/// Scopes of attributes, in the order in which they are listed.
const SCOPES: [&str; 5] = ["resource", "span", "event", "link", "instrumentation"];

/// The scope of what every span has.
const INTRINSIC: &str = "intrinsic";

/// `GET /api/search/tags`
pub(super) async fn names(ask: Ask) -> Answer {
    let scope = scope(&ask)?;
    let found = keys(&ask, scope).await?;
    let mut tags: BTreeSet<&str> = found.values().flatten().map(String::as_str).collect();
    if scope == Some(INTRINSIC) {
        tags.extend(traceql::intrinsic_names());
    }
    let mut out = r#"{"tagNames":"#.to_owned();
    write_texts(&mut out, tags);
    out.push_str(r#","metrics":{}}"#);
    Ok(json(out))
}

/// `GET /api/v2/search/tags`
pub(super) async fn scoped_names(ask: Ask) -> Answer {
    let scope = scope(&ask)?;
    let found = keys(&ask, scope).await?;
    Ok(json(scopes(&found, scope)))
}

/// The keys of each scope that are there, in one scope or in all.
async fn keys(ask: &Ask, scope: Option<&str>) -> Result<Keys, Error> {
    let mut found = Keys::new();
    if scope == Some(INTRINSIC) {
        return Ok(found);
    }
    let range = params::range(&ask.params, &ask.options, time::now_ns())?;
    let mut output = run(ask, traceql::tags(range)).await?;
    while let Some(rows) = output.batches.next().await? {
        let (scopes, names) =
            (rows::texts(&rows, columns::SCOPE)?, rows::texts(&rows, columns::NAME)?);
        for row in 0..rows.num_rows() {
            let of = rows::text(&scopes, row).unwrap_or_default();
            if scope.is_none_or(|scope| scope == of) {
                let name = rows::text(&names, row).unwrap_or_default();
                found.entry(of.to_owned()).or_default().insert(name.to_owned());
            }
        }
    }
    Ok(found)
}

/// Keys by scope.
type Keys = BTreeMap<String, BTreeSet<String>>;

fn scopes(found: &Keys, scope: Option<&str>) -> String {
    let mut out = r#"{"scopes":["#.to_owned();
    let none = BTreeSet::new();
    for name in SCOPES {
        let tags = found.get(name).unwrap_or(&none);
        if !tags.is_empty() {
            write_scope(&mut out, name, tags);
        }
    }
    if scope.is_none_or(|scope| scope == INTRINSIC) {
        write_scope(&mut out, INTRINSIC, traceql::intrinsic_names());
    }
    out.push_str(r#"],"metrics":{}}"#);
    out
}

fn write_scope<T: AsRef<str>>(out: &mut String, name: &str, tags: impl IntoIterator<Item = T>) {
    separate(out);
    out.push_str(r#"{"name":"#);
    write_text(out, name);
    write_key(out, "tags");
    write_texts(out, tags);
    out.push('}');
}

/// The scope asked for; `None` is all.
fn scope(ask: &Ask) -> Result<Option<&'static str>, Error> {
    let Some(text) = ask.params.get("scope").filter(|scope| *scope != "none") else {
        return Ok(None);
    };
    let known = SCOPES.into_iter().chain([INTRINSIC]);
    let scope = known.into_iter().find(|scope| *scope == text);
    scope.map(Some).ok_or_else(|| Error::invalid(format!("invalid scope: {text}")))
}

/// `GET /api/search/tag/{tag}/values`
pub(super) async fn values(Path(tag): Path<String>, ask: Ask) -> Answer {
    Ok(list_values(&ask, &tag, false).await?)
}

/// `GET /api/v2/search/tag/{tag}/values`
pub(super) async fn typed_values(Path(tag): Path<String>, ask: Ask) -> Answer {
    let is_bare = !tag.contains(['.', ':']) && !traceql::intrinsic_names().contains(&tag.as_str());
    if is_bare {
        let why = format!("tag name is not valid intrinsic or scoped attribute: {tag}");
        return Err(Error::invalid(why).into());
    }
    Ok(list_values(&ask, &tag, true).await?)
}

async fn list_values(ask: &Ask, tag: &str, typed: bool) -> Result<Response, Error> {
    let range = params::range(&ask.params, &ask.options, time::now_ns())?;
    let query = traceql::tag_values(tag, ask.params.get("q"), range)?;
    let mut output = run(ask, query).await?;
    let mut out = r#"{"tagValues":["#.to_owned();
    while let Some(rows) = output.batches.next().await? {
        write_values(&rows, typed, &mut out)?;
    }
    out.push_str(if typed { r#"],"metrics":{}}"# } else { "]}" });
    Ok(json(out))
}

fn write_values(rows: &RecordBatch, typed: bool, out: &mut String) -> Result<(), Error> {
    let types = rows::texts(rows, columns::TYPE)?;
    let names = rows::texts(rows, columns::NAME)?;
    for row in 0..rows.num_rows() {
        separate(out);
        let name = rows::text(&names, row).unwrap_or_default();
        if !typed {
            write_text(out, name);
            continue;
        }
        out.push('{');
        write_key(out, "type");
        write_text(out, rows::text(&types, row).unwrap_or_default());
        write_key(out, "value");
        write_text(out, name);
        out.push('}');
    }
    Ok(())
}

async fn run(ask: &Ask, query: Query) -> Result<Output, Error> {
    let limit = params::count(&ask.params, "limit")?.filter(|limit| *limit > 0);
    let query = limited(query, Some(limit.unwrap_or(LISTED_DEFAULT).min(LISTED_MAX)));
    ask.api.run(&ask.tenant, query, ask.deadline(None)).await
}

#[cfg(test)]
mod tests;
