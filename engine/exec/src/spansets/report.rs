//! The answer of a search as a batch: the columns of `OutputKind::Traces`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use schemas::tables::columns as stored;

use super::collector::Shown;
use super::frame::arrow_error;
use super::structure::SpanId;
use crate::Error;
use crate::output::columns;

/// Spans of one trace that are returned; `matched` counts all.
const SPANS_RETURNED_MAX: usize = 1_000;

/// A trace of the answer.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) trace_id: [u8; 16],
    /// Service and name of the root span.
    pub(super) root: Option<(Arc<str>, Arc<str>)>,
    pub(super) start_ns: i64,
    pub(super) duration_ns: i64,
    /// The selected spans, oldest first.
    pub(super) spans: Vec<(SpanId, Shown)>,
    /// Spans and errors of each service.
    pub(super) services: Vec<(Arc<str>, (i64, i64))>,
}

/// One row a trace, in the order given.
pub(super) fn batch(rows: &[Row]) -> Result<RecordBatch, Error> {
    let root = |part: fn(&(Arc<str>, Arc<str>)) -> &str| -> ArrayRef {
        let texts = rows.iter().map(|row| row.root.as_ref().map(part));
        Arc::new(texts.collect::<StringArray>())
    };
    let int =
        |of: fn(&Row) -> i64| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Int64Array>()) };
    let fields_and_columns: Vec<(Field, ArrayRef)> = vec![
        required(stored::TRACE_ID, ids(rows.iter().map(|row| row.trace_id))?),
        optional(columns::ROOT_SERVICE_NAME, root(|root| &root.0)),
        optional(columns::ROOT_NAME, root(|root| &root.1)),
        required(stored::START_NS, int(|row| row.start_ns)),
        required(stored::DURATION_NS, int(|row| row.duration_ns)),
        required(columns::MATCHED, int(|row| row.spans.len() as i64)),
        required(columns::SPANS, Arc::new(spans(rows)?)),
        required(columns::SERVICES, Arc::new(services(rows)?)),
    ];
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = fields_and_columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(arrow_error)
}

fn required(name: &str, column: ArrayRef) -> (Field, ArrayRef) {
    (Field::new(name, column.data_type().clone(), false), column)
}

fn optional(name: &str, column: ArrayRef) -> (Field, ArrayRef) {
    (Field::new(name, column.data_type().clone(), true), column)
}

/// Ids of one width, also if there are none.
fn ids<const N: usize>(ids: impl Iterator<Item = [u8; N]>) -> Result<ArrayRef, Error> {
    let bytes: Vec<u8> = ids.flatten().collect();
    let width = i32::try_from(N).unwrap_or(i32::MAX);
    let array = FixedSizeBinaryArray::try_new(width, bytes.into(), None).map_err(arrow_error)?;
    Ok(Arc::new(array))
}

fn spans(rows: &[Row]) -> Result<ListArray, Error> {
    let returned: Vec<&[(SpanId, Shown)]> =
        rows.iter().map(|row| &row.spans[..row.spans.len().min(SPANS_RETURNED_MAX)]).collect();
    let all = || returned.iter().flat_map(|spans| spans.iter());
    let name: StringArray = all().map(|(_, span)| Some(&*span.name)).collect();
    let start: Int64Array = all().map(|(_, span)| span.start_ns).collect();
    let duration: Int64Array = all().map(|(_, span)| span.duration_ns).collect();
    let attributes: StringArray =
        all().map(|(_, span)| Some(format!("{{{}}}", span.attributes))).collect();
    lists(
        vec![
            required(stored::SPAN_ID, ids(all().map(|(id, _)| *id))?),
            required(stored::NAME, Arc::new(name)),
            required(stored::START_NS, Arc::new(start)),
            required(stored::DURATION_NS, Arc::new(duration)),
            required(stored::ATTRIBUTES, Arc::new(attributes)),
        ],
        returned.iter().map(|spans| spans.len()),
    )
}

fn services(rows: &[Row]) -> Result<ListArray, Error> {
    let all = || rows.iter().flat_map(|row| row.services.iter());
    let name: StringArray = all().map(|(name, _)| Some(&**name)).collect();
    let spans: Int64Array = all().map(|(_, (spans, _))| *spans).collect();
    let errors: Int64Array = all().map(|(_, (_, errors))| *errors).collect();
    lists(
        vec![
            required(stored::SERVICE, Arc::new(name)),
            required("spans", Arc::new(spans)),
            required("errors", Arc::new(errors)),
        ],
        rows.iter().map(|row| row.services.len()),
    )
}

fn lists(
    columns: Vec<(Field, ArrayRef)>,
    lengths: impl Iterator<Item = usize>,
) -> Result<ListArray, Error> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let fields = Fields::from(fields);
    let items = StructArray::try_new(fields.clone(), arrays, None).map_err(arrow_error)?;
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields), false));
    let offsets = OffsetBuffer::from_lengths(lengths);
    ListArray::try_new(item, offsets, Arc::new(items), None).map_err(arrow_error)
}
