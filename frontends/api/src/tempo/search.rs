//! Search results in Tempo's JSON.
//!
//! Grafana reads them strictly: a key it does not know fails the query, so nothing is added to
//! what is documented.
//!
//! ```text
//!  {"traces":[{"traceID","rootServiceName","rootTraceName","startTimeUnixNano","durationMs",
//!    "spanSet","spanSets":[{"spans":[{"spanID","name","startTimeUnixNano","durationNanos",
//!    "attributes"}],"matched"}],"serviceStats":{"svc":{"spanCount","errorCount"}}}],
//!   "metrics":{…}}
//! ```

use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use exec::output::columns;
use schemas::tables::columns as stored;

use super::{attributes, jsonpb};
use crate::error::Error;
use crate::json::{push, separate, write_key, write_text};
use crate::respond::{Encode, End};
use crate::rows;

/// What stands for the root's service while the root is not known.
const NO_ROOT: &str = "<root span not yet received>";

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Traces that match.
#[derive(Debug)]
pub(super) struct Traces {
    spans_per_spanset: usize,
    written: usize,
}

impl Traces {
    /// Of each trace at most so many spans are written.
    pub(super) fn new(spans_per_spanset: usize) -> Self {
        Self { spans_per_spanset, written: 0 }
    }

    fn spanset(&self, spans: &RecordBatch, matched: i64) -> Result<String, Error> {
        let ids = rows::ids(spans, stored::SPAN_ID)?;
        let names = rows::texts(spans, stored::NAME)?;
        let starts = rows::numbers::<Int64Type>(spans, stored::START_NS)?;
        let durations = rows::numbers::<Int64Type>(spans, stored::DURATION_NS)?;
        let asked = rows::texts(spans, stored::ATTRIBUTES)?;
        let mut out = "{\"spans\":[".to_owned();
        for row in 0..spans.num_rows().min(self.spans_per_spanset) {
            separate(&mut out);
            push(&mut out, format_args!("{{\"spanID\":\"{}\"", hex::encode(ids.value(row))));
            write_optional_text(&mut out, "name", rows::text(&names, row));
            write_long(&mut out, "startTimeUnixNano", starts.value(row));
            write_long(&mut out, "durationNanos", durations.value(row));
            let attributes = attributes::parse(rows::text(&asked, row))?;
            if !attributes.is_empty() {
                write_key(&mut out, "attributes");
                jsonpb::write_attributes(&mut out, &attributes);
            }
            out.push('}');
        }
        push(&mut out, format_args!("],\"matched\":{matched}}}"));
        Ok(out)
    }
}

impl Encode for Traces {
    type Buffer = String;

    fn open(&mut self, out: &mut String) {
        out.push_str("{\"traces\":[");
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut String) -> Result<(), Error> {
        let ids = rows::ids(rows, stored::TRACE_ID)?;
        let services = rows::texts(rows, columns::ROOT_SERVICE_NAME)?;
        let names = rows::texts(rows, columns::ROOT_NAME)?;
        let starts = rows::numbers::<Int64Type>(rows, stored::START_NS)?;
        let durations = rows::numbers::<Int64Type>(rows, stored::DURATION_NS)?;
        let matched = rows::numbers::<Int64Type>(rows, columns::MATCHED)?;
        let spans = rows::lists(rows, columns::SPANS)?;
        let stats = rows::lists(rows, columns::SERVICES)?;
        for row in 0..rows.num_rows() {
            if self.written > 0 {
                out.push(',');
            }
            self.written += 1;
            push(out, format_args!("{{\"traceID\":\"{}\"", hex::encode(ids.value(row))));
            let service = rows::text(&services, row).unwrap_or(NO_ROOT);
            write_optional_text(out, "rootServiceName", Some(service));
            write_optional_text(out, "rootTraceName", rows::text(&names, row));
            write_long(out, "startTimeUnixNano", starts.value(row));
            let millis = (durations.value(row) / NANOS_PER_MILLI).clamp(0, i64::from(u32::MAX));
            if millis > 0 {
                push(out, format_args!(",\"durationMs\":{millis}"));
            }
            let spans = rows::structs(spans, row, columns::SPANS)?;
            let spanset = self.spanset(&spans, matched.value(row))?;
            push(out, format_args!(",\"spanSet\":{spanset},\"spanSets\":[{spanset}]"));
            write_services(&rows::structs(stats, row, columns::SERVICES)?, out)?;
            out.push('}');
        }
        Ok(())
    }

    fn close(&mut self, end: &End, out: &mut String) {
        let bytes = end.stats.bytes_read.load();
        push(
            out,
            format_args!(
                "],\"metrics\":{{\"inspectedBytes\":\"{bytes}\",\"completedJobs\":1,\
                 \"totalJobs\":1}}}}"
            ),
        );
    }
}

fn write_services(services: &RecordBatch, out: &mut String) -> Result<(), Error> {
    let names = rows::texts(services, stored::SERVICE)?;
    let spans = rows::numbers::<Int64Type>(services, columns::SPANS)?;
    let errors = rows::numbers::<Int64Type>(services, SERVICE_ERRORS)?;
    out.push_str(",\"serviceStats\":{");
    for row in 0..services.num_rows() {
        write_key(out, rows::text(&names, row).unwrap_or_default());
        push(out, format_args!("{{\"spanCount\":{}", spans.value(row)));
        if errors.value(row) > 0 {
            push(out, format_args!(",\"errorCount\":{}", errors.value(row)));
        }
        out.push('}');
    }
    out.push('}');
    Ok(())
}

/// The field of `services` that counts spans with errors.
const SERVICE_ERRORS: &str = "errors";

fn write_optional_text(out: &mut String, name: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        write_key(out, name);
        write_text(out, text);
    }
}

fn write_long(out: &mut String, name: &str, number: i64) {
    if number != 0 {
        write_key(out, name);
        push(out, format_args!("\"{number}\""));
    }
}

#[cfg(test)]
mod tests;
