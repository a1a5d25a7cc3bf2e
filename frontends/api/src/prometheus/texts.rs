//! Queries as texts and as trees: `format_query`, `parse_query`.

use promql::Outline;

use super::encode::success;
use super::{Answer, Ask, params};
use crate::json::{push, separate, write_key, write_text};
use crate::respond::json;

pub(super) async fn format_query(ask: Ask) -> Answer {
    let text = ask.params.get("query").unwrap_or_default();
    let formatted = promql::format(text).map_err(|error| params::query_error(error.into()))?;
    let mut data = String::new();
    write_text(&mut data, &formatted);
    Ok(json(success(&data)))
}

pub(super) async fn parse_query(ask: Ask) -> Answer {
    let text = ask.params.get("query").unwrap_or_default();
    let outline = promql::outline(text).map_err(|error| params::query_error(error.into()))?;
    let mut data = String::new();
    write_outline(&mut data, &outline);
    Ok(json(success(&data)))
}

/// Recursive; the language bounds how deep a tree is.
fn write_outline(out: &mut String, outline: &Outline) {
    match outline {
        Outline::Absent => out.push_str("null"),
        Outline::Bool(truth) => push(out, format_args!("{truth}")),
        Outline::Int(number) => push(out, format_args!("{number}")),
        Outline::Text(text) => write_text(out, text),
        Outline::List(items) => {
            out.push('[');
            for item in items {
                separate(out);
                write_outline(out, item);
            }
            out.push(']');
        }
        Outline::Node(members) => {
            out.push('{');
            for (name, member) in members {
                write_key(out, name);
                write_outline(out, member);
            }
            out.push('}');
        }
    }
}
