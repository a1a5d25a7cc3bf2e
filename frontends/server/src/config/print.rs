//! The effective configuration as TOML that can be read back.

use std::fmt::Write as _;

use super::keys::Kind;
use super::settings::{Memory, Origin, Settings, Value};
use super::units::{format_duration, format_size};

/// Columns of a comment line, its `# ` included.
const COMMENT_COLUMNS: usize = 96;

/// Every key with its documentation, unit and default, below it its value now.
///
/// Secrets are printed as a comment, so that the output can be shown and is still valid.
pub(crate) fn to_toml(settings: &Settings) -> String {
    let mut out = String::new();
    let mut section = "";
    for (key, value, origin) in settings.iter() {
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if table != section {
            writeln!(out, "[{table}]\n").expect("writing to a string cannot fail");
            section = table;
        }
        for line in wrap(key.doc) {
            out.push_str(&format!("# {line}\n"));
        }
        out.push_str(&format!("# {}; default {}", key.kind.describe(), shown(key.default)));
        if *origin != Origin::Default {
            out.push_str(&format!("; set by {origin}"));
        }
        out.push('\n');
        let inline = matches!(key.kind, Kind::RetentionTenants | Kind::RetentionStreams);
        let secret = key.kind == Kind::Secret && *value != Value::Text(String::new());
        if secret {
            out.push_str(&format!("# {name} = (not shown)\n\n"));
        } else if let (true, Value::Text(text)) = (inline && !is_empty(value), value) {
            out.push_str(&format!("{name} = {text}\n\n"));
        } else {
            out.push_str(&format!("{name} = {}\n\n", literal(value)));
        }
    }
    out
}

fn is_empty(value: &Value) -> bool {
    *value == Value::Text(String::new())
}

fn shown(default: &str) -> &str {
    if default.is_empty() { "empty" } else { default }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => toml::Value::String(text.clone()).to_string(),
        Value::Switch(on) => on.to_string(),
        Value::Count(number) => number.to_string(),
        Value::Size(bytes) => format!("\"{}\"", format_size(*bytes)),
        Value::Memory(Memory::Bytes(bytes)) => format!("\"{}\"", format_size(*bytes)),
        Value::Memory(Memory::Percent(percent)) | Value::Percent(percent) => {
            format!("\"{percent}%\"")
        }
        Value::Duration(duration) => format!("\"{}\"", format_duration(*duration)),
    }
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full = lines.last().is_some_and(|line| {
            !line.is_empty() && line.chars().count() + word.chars().count() + 3 > COMMENT_COLUMNS
        });
        if full {
            lines.push(String::new());
        }
        let line = lines.last_mut().expect("begun with one line");
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}
