//! Answers in Prometheus' JSON.
//!
//! ```text
//!  {"status":"success","data":{"resultType":"matrix","result":[ rows … ],"stats":…},
//!   "warnings":[…],"infos":[…]}
//! ```

use std::sync::atomic::Ordering;

use arrow::array::{Array, AsArray, FixedSizeListArray, Float64Array};
use arrow::datatypes::Float64Type;
use arrow::record_batch::RecordBatch;
use exec::OutputKind;
use exec::output::{Histogram, columns};
use schemas::model::StepGrid;
use schemas::tables::columns as stored;

use super::histograms;
use crate::error::Error;
use crate::json::{
    push, push_prometheus_float, push_text_of, write_key, write_prometheus_float, write_text,
    write_texts,
};
use crate::respond::{Encode, End};
use crate::rows;
use crate::time::{BEFORE_TIME, BETWEEN_BYTES, Between, StepTexts};

/// The warning of an answer that was cut at the request's `limit`.
const TRUNCATED: &str = "results truncated due to limit";

/// Values that are written between two looks at the size of a chunk, about.
const VALUES_PER_LOOK: usize = 1024;

/// Bytes that a value takes with its time, about: room for so many is made at once.
const VALUE_BYTES: usize = BETWEEN_BYTES + 16;

/// Warnings that are shown, and infos; more are counted.
const REMARKS_MAX: usize = 10;

/// What kind of query was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Instant,
    Range,
}

/// What stands around the results.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    /// Results that are written at most.
    pub(super) limit: Option<usize>,
    /// Whether statistics are wanted.
    pub(super) with_stats: bool,
    /// What the request itself gives reason to warn of.
    pub(super) warning: Option<&'static str>,
}

/// Results of a PromQL query.
#[derive(Debug)]
pub(super) struct Results {
    shape: Shape,
    times: StepTexts,
    envelope: Envelope,
    /// Results so far; a comma stands before all but the first.
    written: usize,
    truncated: bool,
    /// What is written between the values of two series.
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Vector,
    Matrix,
    Scalar,
    /// A scalar over a range: one series without labels.
    ScalarMatrix,
    Text,
}

impl Results {
    /// Results of `kind`, evaluated at `grid`.
    pub(super) fn new(
        kind: &OutputKind,
        form: Form,
        grid: StepGrid,
        envelope: Envelope,
    ) -> Result<Self, Error> {
        let shape = match (kind, form) {
            (OutputKind::Series { .. }, Form::Instant) => Shape::Vector,
            (OutputKind::Series { .. }, Form::Range) => Shape::Matrix,
            (OutputKind::Scalar { .. }, Form::Instant) => Shape::Scalar,
            (OutputKind::Scalar { .. }, Form::Range) => Shape::ScalarMatrix,
            (OutputKind::Text, Form::Instant) => Shape::Text,
            _ => return Err(Error::internal("PromQL returned neither series nor numbers")),
        };
        let times = StepTexts::new(&grid);
        Ok(Self { shape, times, envelope, written: 0, truncated: false, text: String::new() })
    }

    fn write_series(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Error> {
        let labels = rows::label_sets(rows, stored::LABELS)?;
        let tiles = rows::tiles(rows, columns::VALUES)?;
        let mut text = std::mem::take(&mut self.text);
        for row in 0..rows.num_rows() {
            let tile = Tile::new(tiles, row)?;
            let found = exec::output::histograms(rows, row);
            if tile.is_empty() && found.is_empty() {
                continue;
            }
            if self.envelope.limit.is_some_and(|limit| self.written >= limit) {
                self.truncated = true;
                break;
            }
            self.next(&mut text);
            text.push_str("{\"metric\":");
            write_labels(&mut text, labels.row(row));
            match self.shape {
                Shape::Vector => match found.first() {
                    Some((_, histogram)) => {
                        text.push_str(",\"histogram\":");
                        histograms::write_sample(&mut text, self.times.get(0), histogram);
                    }
                    None => {
                        text.push_str(",\"value\":");
                        tile.write_first(&mut text, &self.times);
                    }
                },
                _ => {
                    if found.is_empty() || !tile.is_empty() {
                        move_text(&mut text, out);
                        tile.write_all(out, &self.times);
                    }
                    write_histograms(&mut text, &found, &self.times);
                }
            }
            text.push('}');
        }
        move_text(&mut text, out);
        self.text = text;
        Ok(())
    }

    fn write_scalar(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Error> {
        let tiles = rows::tiles(rows, columns::VALUES)?;
        for row in 0..rows.num_rows().min(1) {
            let tile = Tile::new(tiles, row)?;
            self.written += 1;
            match self.shape {
                Shape::Scalar => push_text_of(out, |out| tile.write_first(out, &self.times)),
                _ => {
                    out.extend_from_slice(b"{\"metric\":{}");
                    tile.write_all(out, &self.times);
                    out.push(b'}');
                }
            }
        }
        Ok(())
    }

    fn write_constant(&mut self, rows: &RecordBatch, out: &mut String) -> Result<(), Error> {
        let texts = rows::texts(rows, columns::NAME)?;
        out.push('[');
        out.push_str(self.times.get(0));
        out.push(',');
        write_text(out, rows::text(&texts, 0).unwrap_or_default());
        out.push(']');
        self.written += 1;
        Ok(())
    }

    fn next(&mut self, out: &mut String) {
        if self.written > 0 {
            out.push(',');
        }
        self.written += 1;
    }
}

fn move_text(text: &mut String, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
    text.clear();
}

impl Encode for Results {
    type Buffer = Vec<u8>;

    fn open(&mut self, out: &mut Vec<u8>) {
        let (result_type, bracket) = match self.shape {
            Shape::Vector => ("vector", "["),
            Shape::Matrix | Shape::ScalarMatrix => ("matrix", "["),
            Shape::Scalar => ("scalar", ""),
            Shape::Text => ("string", ""),
        };
        let opening = format!(
            r#"{{"status":"success","data":{{"resultType":"{result_type}","result":{bracket}"#
        );
        out.extend_from_slice(opening.as_bytes());
    }

    fn rows_per_look(&self) -> usize {
        match self.shape {
            Shape::Matrix => (VALUES_PER_LOOK / self.times.all().len().max(1)).max(1),
            _ => VALUES_PER_LOOK,
        }
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Error> {
        match self.shape {
            Shape::Vector | Shape::Matrix => self.write_series(rows, out),
            Shape::Scalar | Shape::ScalarMatrix => self.write_scalar(rows, out),
            Shape::Text => {
                let mut text = String::new();
                self.write_constant(rows, &mut text)?;
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
    }

    fn close(&mut self, end: &End, out: &mut Vec<u8>) {
        let mut text = String::new();
        match self.shape {
            Shape::Vector | Shape::Matrix | Shape::ScalarMatrix => text.push(']'),
            // A scalar always has a value; should there be no row, the text must still be JSON.
            Shape::Scalar | Shape::Text if self.written == 0 => text.push_str("null"),
            Shape::Scalar | Shape::Text => {}
        }
        if self.envelope.with_stats {
            write_stats(&mut text, end);
        }
        text.push('}');
        write_remarks(&mut text, end, self.truncated, self.envelope.warning);
        text.push('}');
        move_text(&mut text, out);
    }
}

/// The values of one series, one a step or null.
struct Tile<'a> {
    values: &'a Float64Array,
    /// Where its values begin.
    at: usize,
    steps: usize,
}

impl<'a> Tile<'a> {
    fn new(tiles: &'a FixedSizeListArray, row: usize) -> Result<Self, Error> {
        let values = tiles.values().as_primitive_opt::<Float64Type>();
        let values = values.ok_or_else(|| Error::internal("values that are not floats"))?;
        let steps = if tiles.is_null(row) { 0 } else { tiles.value_length() as usize };
        Ok(Self { values, at: tiles.value_offset(row) as usize, steps })
    }

    fn is_empty(&self) -> bool {
        self.values.slice(self.at, self.steps).null_count() == self.steps
    }

    /// `[1.5,"2"]`: the value of the first step, NaN if there is none.
    fn write_first(&self, out: &mut String, times: &StepTexts) {
        let is_valid = self.steps > 0 && self.values.is_valid(self.at);
        let value = if is_valid { self.values.value(self.at) } else { f64::NAN };
        write_sample(out, times.get(0), value);
    }

    /// `,"values":[[1.5,"2"],…]`: the values of all steps that have one.
    fn write_all(&self, out: &mut Vec<u8>, times: &StepTexts) {
        out.extend_from_slice(b",\"values\":[");
        let start = out.len();
        let values = &self.values.values()[self.at..self.at + self.steps];
        match self.values.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => {
                out.reserve(VALUE_BYTES * self.steps);
                for (value, between) in values.iter().zip(times.all()) {
                    write_value(out, start, between, *value);
                }
            }
            Some(nulls) => {
                let valid = nulls.inner().slice(self.at, self.steps);
                for step in valid.set_indices().take_while(|step| *step < times.all().len()) {
                    write_value(out, start, &times.all()[step], values[step]);
                }
            }
        }
        let closing: &[u8] = if out.len() == start { b"]" } else { b"\"]]" };
        out.extend_from_slice(closing);
    }
}

/// `"],[1.5,"2`: ends the value before, unless this is the first one behind `start`.
#[inline]
fn write_value(out: &mut Vec<u8>, start: usize, between: &Between, value: f64) {
    if out.len() == start {
        out.extend_from_slice(&between.padded[BEFORE_TIME.len() - 1..between.bytes]);
    } else {
        let end = out.len() + between.bytes;
        out.extend_from_slice(&between.padded);
        out.truncate(end);
    }
    push_prometheus_float(out, value);
}

/// `,"histograms":[[1.5,{…}],…]`, left out if there are none.
fn write_histograms(out: &mut String, found: &[(u32, Histogram)], times: &StepTexts) {
    let mut before = ",\"histograms\":[";
    for (step, histogram) in found {
        out.push_str(before);
        histograms::write_sample(out, times.get(*step as usize), histogram);
        before = ",";
    }
    if !found.is_empty() {
        out.push(']');
    }
}

pub(super) fn write_sample(out: &mut String, time: &str, value: f64) {
    out.push('[');
    out.push_str(time);
    out.push_str(",\"");
    write_prometheus_float(out, value);
    out.push_str("\"]");
}

/// `{"a":"b"}`
pub(super) fn write_labels<'a>(out: &mut String, labels: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    for (name, value) in labels {
        write_key(out, name);
        write_text(out, value);
    }
    out.push('}');
}

pub(super) fn write_stats(out: &mut String, end: &End) {
    let seconds = end.started.elapsed().as_secs_f64();
    let samples = end.stats.rows_read.load(Ordering::Relaxed);
    push(
        out,
        format_args!(r#","stats":{{"timings":{{"evalTotalTime":{seconds},"resultSortTime":0,"#),
    );
    push(
        out,
        format_args!(r#""queryPreparationTime":0,"innerEvalTime":{seconds},"execQueueTime":0,"#),
    );
    push(
        out,
        format_args!(
            r#""execTotalTime":{seconds}}},"samples":{{"totalQueryableSamples":{samples},"#
        ),
    );
    push(out, format_args!(r#""samplesRead":{samples},"peakSamples":{samples}}}}}"#));
}

/// `,"warnings":[…],"infos":[…]`, each left out if there are none.
///
/// Behind the warnings of the query stand whether results were left out, and one of the request.
pub(super) fn write_remarks(
    out: &mut String,
    end: &End,
    truncated: bool,
    warning: Option<&'static str>,
) {
    let last = [truncated.then_some(TRUNCATED), warning];
    write_shown(out, "warnings", "warning", &end.warnings, &last);
    write_shown(out, "infos", "info", &end.infos, &[]);
}

fn write_shown(
    out: &mut String,
    key: &str,
    kind: &str,
    texts: &[String],
    last: &[Option<&'static str>],
) {
    let mut shown: Vec<&str> = texts.iter().take(REMARKS_MAX).map(String::as_str).collect();
    let more = texts.len().saturating_sub(REMARKS_MAX);
    let more = (more > 0).then(|| format!("{more} more {kind} annotations omitted"));
    shown.extend(more.as_deref());
    shown.extend(last.iter().flatten());
    if !shown.is_empty() {
        write_key(out, key);
        write_texts(out, shown);
    }
}

/// Names or label sets: `{"status":"success","data":[…]}`.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Names that are written at most.
    limit: Option<usize>,
    written: usize,
    truncated: bool,
}

impl Names {
    pub(super) fn new(limit: Option<usize>) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether another name may be written; if so, it is separated from the one before.
    fn next(&mut self, out: &mut String) -> bool {
        if self.limit.is_some_and(|limit| self.written >= limit) {
            self.truncated = true;
            return false;
        }
        if self.written > 0 {
            out.push(',');
        }
        self.written += 1;
        true
    }
}

impl Encode for Names {
    type Buffer = String;

    fn open(&mut self, out: &mut String) {
        out.push_str(r#"{"status":"success","data":["#);
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut String) -> Result<(), Error> {
        let names = rows::optional_texts(rows, columns::NAME)?;
        let sets = match names {
            Some(_) => None,
            None => Some(rows::label_sets(rows, stored::LABELS)?),
        };
        for row in 0..rows.num_rows() {
            if !self.next(out) {
                break;
            }
            if let Some(names) = &names {
                write_text(out, rows::text(names, row).unwrap_or_default());
            }
            if let Some(sets) = &sets {
                write_labels(out, sets.row(row));
            }
        }
        Ok(())
    }

    fn close(&mut self, end: &End, out: &mut String) {
        out.push(']');
        write_remarks(out, end, self.truncated, None);
        out.push('}');
    }
}

/// A whole answer with `data` as JSON text.
pub(super) fn success(data: &str) -> String {
    format!(r#"{{"status":"success","data":{data}}}"#)
}

/// A whole answer that is an error.
pub(super) fn error(error_type: &str, message: &str) -> String {
    let mut out = format!(r#"{{"status":"error","errorType":"{error_type}","error":"#);
    write_text(&mut out, message);
    out.push('}');
    out
}

#[cfg(test)]
mod tests;
