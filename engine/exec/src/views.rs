//! What SQL sees: views with readable columns, and the label indexes as tables.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use schemas::model::{METRIC_NAME, Signal, TimeRange};
use storage::{SeriesEntry, Snapshot};

use crate::Error;
use crate::error::from_datafusion;
use crate::memory::{Held, QueryMemory};
use crate::operators::label_maps;

/// The views, in the order in which [`DEFINITIONS`] may build on each other.
pub(crate) const NAMES: &[&str] = &["metrics", "logs", "spans", "traces"];

/// Each view with its definition; what stands in braces is the whole object of attributes, those
/// with columns of their own included.
pub(crate) const DEFINITIONS: &[(&str, &str)] = &[
    (
        "metrics",
        "SELECT arrow_cast(s.time_ms * 1000000, 'Timestamp(Nanosecond, None)') AS time, \
         m.metric_name, \
         coalesce(s.value, arrow_cast(s.value_mantissa, 'Float64') / power(10.0, s.value_exponent)) \
         AS value, m.labels, m.service_name, m.job, m.instance, m.type, m.unit, \
         s.series_id \
         FROM lake.metric_samples s JOIN lake.series m ON s.series_id = m.series_id",
    ),
    (
        "logs",
        "SELECT arrow_cast(l.time_unix_nano, 'Timestamp(Nanosecond, None)') AS time, \
         s.service_name, arrow_cast(l.severity_text, 'Utf8') AS severity_text, l.severity_number, \
         l.body, encode(arrow_cast(l.trace_id, 'Binary'), 'hex') AS trace_id, \
         encode(arrow_cast(l.span_id, 'Binary'), 'hex') AS span_id, {log:attributes} AS attributes, \
         s.labels, s.resource_attributes, l.stream_id, l.time_unix_nano \
         FROM lake.logs l LEFT JOIN lake.streams s ON l.stream_id = s.stream_id",
    ),
    (
        "spans",
        "SELECT arrow_cast(start_time_unix_nano, 'Timestamp(Nanosecond, None)') AS time, \
         encode(arrow_cast(trace_id, 'Binary'), 'hex') AS trace_id, \
         encode(arrow_cast(span_id, 'Binary'), 'hex') AS span_id, \
         encode(arrow_cast(parent_span_id, 'Binary'), 'hex') AS parent_span_id, \
         arrow_cast(service_name, 'Utf8') AS service_name, arrow_cast(name, 'Utf8') AS name, \
         CASE kind WHEN 1 THEN 'internal' WHEN 2 THEN 'server' WHEN 3 THEN 'client' \
         WHEN 4 THEN 'producer' WHEN 5 THEN 'consumer' ELSE 'unspecified' END AS kind, \
         duration_nano, \
         CASE status_code WHEN 1 THEN 'ok' WHEN 2 THEN 'error' ELSE 'unset' END AS status, \
         status_message, {span:attributes} AS attributes, \
         {span:resource_attributes} AS resource_attributes, \
         arrow_cast(scope_name, 'Utf8') AS scope_name, events, links, \
         arrow_cast(\"span.http.request.method\", 'Utf8') AS http_request_method, \
         \"span.http.response.status_code\" AS http_response_status_code, \
         arrow_cast(\"span.http.route\", 'Utf8') AS http_route, \
         start_time_unix_nano FROM lake.spans p",
    ),
    (
        "traces",
        "SELECT trace_id, min(time) AS time, \
         max(start_time_unix_nano + duration_nano) - min(start_time_unix_nano) AS duration_nano, \
         max(CASE WHEN parent_span_id IS NULL THEN service_name END) AS root_service_name, \
         max(CASE WHEN parent_span_id IS NULL THEN name END) AS root_name, \
         count(*) AS spans, \
         sum(CASE WHEN status = 'error' THEN 1 ELSE 0 END) AS errors \
         FROM public.spans GROUP BY trace_id",
    ),
];

/// A label index as a table: made when it is read, within the query's memory.
#[derive(Debug)]
pub(crate) struct IndexTable {
    snapshot: Arc<Snapshot>,
    of: Signal,
    memory: QueryMemory,
    schema: SchemaRef,
}

/// Memory of a row beside its entry: ids and texts, once in the entry and once in the columns.
const ROW_BYTES: usize = 1_024;

impl IndexTable {
    /// The series of a snapshot, or the streams if `of` says logs.
    pub(crate) fn new(
        snapshot: &Arc<Snapshot>,
        of: Signal,
        memory: QueryMemory,
    ) -> Result<Self, ArrowError> {
        let none = Vec::new();
        let schema = match of {
            Signal::Logs => streams(snapshot, &none)?.schema(),
            _ => series(&none)?.schema(),
        };
        Ok(Self { snapshot: Arc::clone(snapshot), of, memory, schema })
    }

    fn rows(&self) -> Result<(RecordBatch, Held), Error> {
        let index = match self.of {
            Signal::Logs => &self.snapshot.streams,
            _ => &self.snapshot.series,
        };
        let held = self.memory.hold("label index");
        let entries =
            index.resolve_within(&[], &TimeRange::ALL, |count| held.grow(count * ROW_BYTES))?;
        let batch = match self.of {
            Signal::Logs => streams(&self.snapshot, &entries),
            _ => series(&entries),
        };
        let batch = batch.map_err(|error| from_datafusion(error.into()))?;
        held.resize(batch.get_array_memory_size())?;
        Ok((batch, held))
    }
}

#[async_trait]
impl TableProvider for IndexTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let (batch, held) = self.rows()?;
        // The query holds the rows until it ends.
        self.memory.keep(held);
        let schema = batch.schema();
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, projection.cloned())?)
    }
}

fn series(entries: &[SeriesEntry]) -> Result<RecordBatch, ArrowError> {
    let label = |name: &str| text(entries, |entry| entry.labels.get(name));
    RecordBatch::try_from_iter_with_nullable([
        ("series_id", ids(entries), false),
        ("metric_name", label(METRIC_NAME), true),
        ("labels", label_maps(entries.iter().map(|entry| &entry.labels)), false),
        ("service_name", label("service_name"), true),
        ("job", label("job"), true),
        ("instance", label("instance"), true),
        ("type", text(entries, |entry| Some(&entry.info.kind)), true),
        ("unit", text(entries, |entry| Some(&entry.info.unit)), true),
        ("help", text(entries, |entry| Some(&entry.info.help)), true),
        ("temporality", text(entries, |entry| Some(&entry.info.temporality)), true),
    ])
}

fn streams(snapshot: &Snapshot, entries: &[SeriesEntry]) -> Result<RecordBatch, ArrowError> {
    let infos: Vec<_> = entries.iter().map(|entry| snapshot.streams.stream(entry.id)).collect();
    let resources: StringArray = infos
        .iter()
        .map(|info| info.as_ref().and_then(|info| info.resource_attributes.as_deref()))
        .collect();
    let services: StringArray =
        infos.iter().map(|info| info.as_ref().map(|info| info.service.as_ref())).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("stream_id", ids(entries), false),
        ("labels", label_maps(entries.iter().map(|entry| &entry.labels)), false),
        ("service_name", Arc::new(services) as ArrayRef, true),
        ("resource_attributes", Arc::new(resources) as ArrayRef, true),
    ])
}

fn ids(entries: &[SeriesEntry]) -> ArrayRef {
    Arc::new(entries.iter().map(|entry| entry.id).collect::<Int64Array>())
}

/// A text of each entry; an empty one is null.
fn text<'a>(
    entries: &'a [SeriesEntry],
    of: impl Fn(&'a SeriesEntry) -> Option<&'a str>,
) -> ArrayRef {
    let texts = entries.iter().map(|entry| of(entry).filter(|text| !text.is_empty()));
    Arc::new(texts.collect::<StringArray>())
}
