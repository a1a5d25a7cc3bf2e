//! Answers in Loki's JSON.
//!
//! ```text
//!  {"status":"success","data":{"resultType":"streams","encodingFlags":["categorize-labels"],
//!   "result":[{"stream":{…},"values":[["<ns>","line",{…}],…]},…],"stats":{…}}}
//! ```
//!
//! Clients read the answer as it arrives, so `encodingFlags` must stand before `result`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use exec::OutputKind;
use exec::output::columns;
use schemas::model::StepGrid;
use schemas::tables::columns as stored;

use crate::error::Error;
use crate::json::{push, write_float, write_key, write_text, write_texts};
use crate::respond::{Encode, End};
use crate::rows;
use crate::time::StepTexts;

/// What kind of query was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Instant,
    Range,
}

/// Log records, gathered by stream: at most as many as the query's limit are held.
#[derive(Debug)]
pub(super) struct Lines {
    categorize: bool,
    limit: usize,
    /// The values written so far of each stream, by its labels as JSON, which sorts by label.
    streams: BTreeMap<String, String>,
    lines: usize,
    /// Bytes of keys and values of `streams`.
    bytes: usize,
}

impl Lines {
    /// `categorize` keeps structured metadata and parsed labels apart from the stream's labels.
    pub(super) fn new(categorize: bool, limit: usize) -> Self {
        Self { categorize, limit, streams: BTreeMap::new(), lines: 0, bytes: 0 }
    }
}

impl Encode for Lines {
    type Buffer = String;

    fn open(&mut self, out: &mut String) {
        out.push_str(r#"{"status":"success","data":{"resultType":"streams","#);
        if self.categorize {
            out.push_str(r#""encodingFlags":["categorize-labels"],"#);
        }
        out.push_str(r#""result":["#);
    }

    fn rows(&mut self, rows: &RecordBatch, _out: &mut String) -> Result<(), Error> {
        let times = rows::numbers::<Int64Type>(rows, stored::TIME_NS)?;
        let lines = rows::texts(rows, columns::LINE)?;
        let stream = rows::label_sets(rows, columns::STREAM)?;
        let metadata = rows::label_sets(rows, columns::METADATA)?;
        let parsed = rows::label_sets(rows, columns::PARSED)?;
        for row in 0..rows.num_rows().min(self.limit.saturating_sub(self.lines)) {
            self.lines += 1;
            let mut labels = String::new();
            if self.categorize {
                write_labels(&mut labels, stream.row(row));
            } else {
                // What comes from nearer the line stands before what the stream says.
                let all = stream.row(row).chain(metadata.row(row)).chain(parsed.row(row));
                let all: BTreeMap<&str, &str> = all.collect();
                write_labels(&mut labels, all.into_iter());
            }
            self.bytes += labels.len();
            let values = self.streams.entry(labels).or_default();
            let before = values.len();
            if !values.is_empty() {
                values.push(',');
            }
            push(values, format_args!("[\"{}\",", times.value(row)));
            write_text(values, rows::text(&lines, row).unwrap_or_default());
            if self.categorize {
                values.push_str(",{");
                for (name, labels) in [("structuredMetadata", &metadata), ("parsed", &parsed)] {
                    let mut labels = labels.row(row).peekable();
                    if labels.peek().is_some() {
                        write_key(values, name);
                        write_labels(values, labels);
                    }
                }
                values.push('}');
            }
            values.push(']');
            self.bytes += values.len() - before;
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }

    fn close(&mut self, end: &End, out: &mut String) {
        for (at, (labels, values)) in std::mem::take(&mut self.streams).iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push(out, format_args!(r#"{{"stream":{labels},"values":[{values}]}}"#));
        }
        out.push(']');
        close(end, self.lines, out);
    }
}

/// Series and scalars.
#[derive(Debug)]
pub(super) struct Samples {
    shape: Shape,
    times: StepTexts,
    written: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Vector,
    Matrix,
    Scalar,
    /// A scalar over a range: one series without labels.
    ScalarMatrix,
}

impl Samples {
    /// Results of `kind`, evaluated at `grid`.
    pub(super) fn new(kind: &OutputKind, form: Form, grid: StepGrid) -> Result<Self, Error> {
        let shape = match (kind, form) {
            (OutputKind::Series { .. }, Form::Instant) => Shape::Vector,
            (OutputKind::Series { .. }, Form::Range) => Shape::Matrix,
            (OutputKind::Scalar { .. }, Form::Instant) => Shape::Scalar,
            (OutputKind::Scalar { .. }, Form::Range) => Shape::ScalarMatrix,
            _ => return Err(Error::internal("LogQL returned neither series nor numbers")),
        };
        Ok(Self { shape, times: StepTexts::new(&grid), written: 0 })
    }

    /// Writes the values of a row that are valid; `before` goes first if there are any.
    fn write_values(
        &mut self,
        values: &dyn Array,
        before: impl FnOnce(&mut String),
        out: &mut String,
    ) -> Result<(), Error> {
        let values = values.as_primitive_opt::<Float64Type>();
        let values = values.ok_or_else(|| Error::internal("values that are not floats"))?;
        if values.null_count() == values.len() {
            return Ok(());
        }
        if self.written > 0 {
            out.push(',');
        }
        self.written += 1;
        before(out);
        let mut samples = String::new();
        for step in 0..values.len() {
            if values.is_valid(step) {
                samples.push_str(if samples.is_empty() { "[" } else { ",[" });
                samples.push_str(self.times.get(step));
                samples.push_str(",\"");
                write_float(&mut samples, values.value(step));
                samples.push_str("\"]");
            }
        }
        out.push_str(&samples);
        Ok(())
    }
}

impl Encode for Samples {
    type Buffer = String;

    fn open(&mut self, out: &mut String) {
        let (result_type, bracket) = match self.shape {
            Shape::Vector => ("vector", "["),
            Shape::Matrix | Shape::ScalarMatrix => ("matrix", "["),
            Shape::Scalar => ("scalar", ""),
        };
        push(
            out,
            format_args!(
                r#"{{"status":"success","data":{{"resultType":"{result_type}","result":{bracket}"#
            ),
        );
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut String) -> Result<(), Error> {
        let tiles = rows::tiles(rows, columns::VALUES)?;
        let labels = match self.shape {
            Shape::Vector | Shape::Matrix => Some(rows::label_sets(rows, stored::LABELS)?),
            Shape::Scalar | Shape::ScalarMatrix => None,
        };
        let (open, close) = match self.shape {
            Shape::Vector => (",\"value\":", "}"),
            Shape::Matrix | Shape::ScalarMatrix => (",\"values\":[", "]}"),
            Shape::Scalar => ("", ""),
        };
        for row in 0..rows.num_rows() {
            let written = self.written;
            let is_scalar = self.shape == Shape::Scalar;
            let before = |out: &mut String| {
                if is_scalar {
                    return;
                }
                out.push_str("{\"metric\":");
                match &labels {
                    Some(labels) => write_labels(out, labels.row(row)),
                    None => out.push_str("{}"),
                }
                out.push_str(open);
            };
            self.write_values(&tiles.value(row), before, out)?;
            if self.written > written {
                out.push_str(close);
            }
        }
        Ok(())
    }

    fn close(&mut self, end: &End, out: &mut String) {
        match self.shape {
            Shape::Scalar if self.written == 0 => out.push_str("null"),
            Shape::Scalar => {}
            _ => out.push(']'),
        }
        close(end, self.written, out);
    }
}

/// Names or label sets: `{"status":"success","data":[…]}`.
#[derive(Debug, Default)]
pub(super) struct Names {
    written: usize,
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
            if self.written > 0 {
                out.push(',');
            }
            self.written += 1;
            if let Some(names) = &names {
                write_text(out, rows::text(names, row).unwrap_or_default());
            }
            if let Some(sets) = &sets {
                write_labels(out, sets.row(row));
            }
        }
        Ok(())
    }

    fn close(&mut self, _end: &End, out: &mut String) {
        out.push_str("]}");
    }
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

/// Statistics, warnings, and the ends of `data` and of the answer.
fn close(end: &End, returned: usize, out: &mut String) {
    write_stats(end, returned, out);
    out.push('}');
    if !end.warnings.is_empty() {
        write_key(out, "warnings");
        write_texts(out, &end.warnings);
    }
    out.push('}');
}

fn write_stats(end: &End, returned: usize, out: &mut String) {
    let seconds = end.started.elapsed().as_secs_f64();
    let lines = end.stats.rows_read.load(Ordering::Relaxed);
    let bytes = end.stats.bytes_read.load();
    let segments = end.stats.segments_read.load(Ordering::Relaxed);
    let pruned = end.stats.segments_pruned.load(Ordering::Relaxed);
    let a_second = |count: u64| (count as f64 / seconds.max(1e-6)) as u64;
    push(
        out,
        format_args!(
            concat!(
                r#","stats":{{"summary":{{"bytesProcessedPerSecond":{},"#,
                r#""linesProcessedPerSecond":{},"#,
                r#""totalBytesProcessed":{},"totalLinesProcessed":{},"execTime":{},"queueTime":0,"#,
                r#""subqueries":0,"totalEntriesReturned":{},"splits":0,"shards":0,"#,
                r#""totalPostFilterLines":{},"totalStructuredMetadataBytesProcessed":0}},"#,
                r#""querier":{{"store":{{"totalChunksRef":{},"totalChunksDownloaded":{},"#,
                r#""chunksDownloadTime":0}}}},"#,
                r#""ingester":{{"totalReached":0,"totalChunksMatched":0,"totalBatches":0,"#,
                r#""totalLinesSent":0}}}}"#,
            ),
            a_second(bytes),
            a_second(lines),
            bytes,
            lines,
            seconds,
            returned,
            returned,
            segments + pruned,
            segments,
        ),
    );
}

#[cfg(test)]
mod tests;
