//! `GET /federate`: the newest samples of selected series, in the text format.
//!
//! ```text
//!  # TYPE up untyped
//!  up{instance="",job="a"} 1 1767225600000
//! ```
//!
//! Series are sorted by labels, so those of a metric mostly lie together; a metric that is named
//! again gets its line of type again only where another one stood between. The text is version
//! 0.0.4, in which odd characters of names become underscores, or 1.0.0 with quoted names where
//! a scraper accepts both that and `escaping=allow-utf-8`. A native histogram has no form in it
//! beside its count, its sum and one bucket of everything, which is what is written.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use exec::RawSeries;
use exec::output::Histogram;
use futures::StreamExt;
use futures::stream::BoxStream;
use schemas::model::{METRIC_NAME, NANOS_PER_MILLI, TimeRange};

use super::params::STALE_NAN_BITS;
use super::{Ask, metadata};
use crate::error::{Error, ErrorKind};
use crate::json::{push, write_prometheus_float};
use crate::respond::bounded;
use crate::time::now_ns;

/// Text that is sent together, in bytes.
const CHUNK_BYTES: usize = 32 * 1024;

/// How names with odd characters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// Odd characters become underscores.
    Underscores,
    /// As they are, in quotes.
    Quoted,
}

pub(super) async fn federate(ask: Ask) -> Response {
    match answer(&ask).await {
        Ok(response) => response,
        // Prometheus answers here in plain text.
        Err(error) => {
            let status = match error.kind() {
                ErrorKind::Invalid => StatusCode::BAD_REQUEST,
                kind => crate::error::status(kind),
            };
            crate::error::plain_text(status, &error)
        }
    }
}

async fn answer(ask: &Ask) -> Result<Response, Error> {
    let names = names_of(ask.header("accept").unwrap_or_default());
    let selectors = match ask.params.all("match[]").next() {
        Some(_) => metadata::selectors(ask).map_err(plain)?,
        None => Vec::new(),
    };
    let now_ns = now_ns();
    let lookback_ns = i64::try_from(ask.options.lookback.as_nanos()).unwrap_or(i64::MAX);
    let start_ns = now_ns.saturating_sub(lookback_ns).saturating_add(NANOS_PER_MILLI);
    let range = TimeRange { start_ns, end_ns: now_ns.saturating_add(NANOS_PER_MILLI) };
    let deadline = ask.deadline(None);
    let samples = ask.api.raw(&ask.tenant, &selectors, range, deadline).await?;
    let series = samples.into_stream().boxed();
    let writer = Writer { series, names, family: String::new(), ended: false };
    let body = futures::stream::unfold(writer, |mut writer| async move {
        let chunk = writer.next_chunk().await?;
        Some((chunk, writer))
    });
    // What fails before the first chunk still has a status of its own.
    let mut body = Box::pin(bounded(body, ask.options.answer_bytes_max).peekable());
    if let Some(Err(_)) = body.as_mut().peek().await
        && let Some(Err(error)) = body.next().await
    {
        return Err(error);
    }
    let content_type = HeaderValue::from_static(match names {
        Names::Underscores => "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
        Names::Quoted => "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
    });
    Ok(([(header::CONTENT_TYPE, content_type)], Body::from_stream(body)).into_response())
}

/// The parameter is not named in plain text.
fn plain(error: Error) -> Error {
    let text = error.to_string();
    let text = text.strip_prefix("invalid parameter \"match[]\": ").unwrap_or(&text);
    Error::new(error.kind(), text)
}

/// What a scraper understands, by its `Accept`.
fn names_of(accept: &str) -> Names {
    let takes_names = accept.split(',').any(|one| {
        let has = |wanted: &str| one.split(';').any(|part| part.trim() == wanted);
        has("text/plain") && has("version=1.0.0") && has("escaping=allow-utf-8")
    });
    if takes_names { Names::Quoted } else { Names::Underscores }
}

struct Writer {
    series: BoxStream<'static, Result<RawSeries, Error>>,
    names: Names,
    /// The metric whose line of type was written last.
    family: String,
    ended: bool,
}

impl Writer {
    async fn next_chunk(&mut self) -> Option<Result<Bytes, Error>> {
        let mut out = String::new();
        while !self.ended && out.len() < CHUNK_BYTES {
            match self.series.next().await.transpose() {
                Ok(Some(series)) => self.write(&mut out, &series),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        (!out.is_empty()).then(|| Ok(out.into()))
    }

    /// The newest sample of a series, unless the series has ended.
    fn write(&mut self, out: &mut String, series: &RawSeries) {
        let (number, histogram) = (series.samples.last(), series.histograms.last());
        let is_stale = |value: f64| value.to_bits() == STALE_NAN_BITS;
        let newest_histogram =
            histogram.filter(|found| number.is_none_or(|number| number.0 < found.0));
        if let Some((time_ms, found)) = newest_histogram {
            if !is_stale(found.sum) {
                self.write_histogram(out, series, *time_ms, found);
            }
        } else if let Some((time_ms, value)) = number.filter(|number| !is_stale(number.1)) {
            self.write_type(out, series.labels.value(METRIC_NAME), "untyped");
            self.write_sample(out, series, ("", None), *value, *time_ms);
        }
    }

    fn write_histogram(
        &mut self,
        out: &mut String,
        series: &RawSeries,
        time_ms: i64,
        found: &Histogram,
    ) {
        self.write_type(out, series.labels.value(METRIC_NAME), "histogram");
        self.write_sample(out, series, ("_bucket", Some("+Inf")), found.count, time_ms);
        self.write_sample(out, series, ("_sum", None), found.sum, time_ms);
        self.write_sample(out, series, ("_count", None), found.count, time_ms);
    }

    fn write_type(&mut self, out: &mut String, name: &str, kind: &str) {
        if self.family == name {
            return;
        }
        name.clone_into(&mut self.family);
        out.push_str("# TYPE ");
        match self.names {
            Names::Quoted if !is_plain(name, true) => write_quoted(out, name),
            _ => write_plain(out, name, true),
        }
        push(out, format_args!(" {kind}\n"));
    }

    /// `name_suffix{label="value",le="…"} 1 1767225600000`
    fn write_sample(
        &self,
        out: &mut String,
        series: &RawSeries,
        (suffix, bound): (&str, Option<&str>),
        value: f64,
        time_ms: i64,
    ) {
        let name = format!("{}{suffix}", series.labels.value(METRIC_NAME));
        let is_quoted = self.names == Names::Quoted && !is_plain(&name, true);
        if is_quoted {
            out.push('{');
            write_quoted(out, &name);
        } else {
            write_plain(out, &name, true);
            out.push('{');
        }
        let labels = series.labels.iter().filter(|label| *label.name != *METRIC_NAME);
        let mut labels: Vec<(&str, &str)> =
            labels.map(|label| (&*label.name, &*label.value)).collect();
        // A series of no instance must not get that of the scraper's target.
        if series.labels.get("instance").is_none() {
            labels.push(("instance", ""));
        }
        labels.extend(bound.map(|bound| ("le", bound)));
        labels.sort_unstable();
        for (at, (label, value)) in labels.into_iter().enumerate() {
            if at > 0 || is_quoted {
                out.push(',');
            }
            match self.names {
                Names::Quoted if !is_plain(label, false) => write_quoted(out, label),
                _ => write_plain(out, label, false),
            }
            out.push('=');
            write_quoted(out, value);
        }
        out.push_str("} ");
        write_prometheus_float(out, value);
        push(out, format_args!(" {time_ms}\n"));
    }
}

/// Whether a name needs no quotes; a metric's may have colons.
fn is_plain(name: &str, has_colons: bool) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '_' || (has_colons && c == ':');
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_fit)
}

/// A name whose odd characters are underscores.
fn write_plain(out: &mut String, name: &str, has_colons: bool) {
    for (at, c) in name.chars().enumerate() {
        let is_digit = c.is_ascii_digit();
        let is_fit = c.is_ascii_alphabetic() || c == '_' || (has_colons && c == ':');
        out.push(if is_fit || (is_digit && at > 0) { c } else { '_' });
    }
}

fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
