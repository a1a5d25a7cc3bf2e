//! Exemplars: measurements that stand for others, of the series that a query selects.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{col, lit};
use futures::{StreamExt, TryStreamExt};
use plan::Node;
use plan::node::{Naming, Query, Scan};
use schemas::model::{Labels, NANOS_PER_MILLI, Signal, TimeRange};
use schemas::tables::{Table, columns};

use crate::error::from_datafusion;
use crate::lower::{self, Context};
use crate::pipeline::attribute_labels;
use crate::session::{BatchStream, execute};
use crate::table::{Attributes, ScanRequest, scan, union};
use crate::{Error, ErrorKind, Session};

/// Exemplars that one query returns; more are an error that names this limit.
const EXEMPLARS_MAX: usize = 100_000;

/// Series that a predicate lists at most; with more, rows are told apart after decoding.
const LISTED_SERIES_MAX: usize = 256;

/// A measurement with the trace it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Milliseconds since the epoch.
    pub time_ms: i64,
    /// What was measured.
    pub value: f64,
    /// The trace, if the sender named one.
    pub trace_id: Option<[u8; 16]>,
    /// The span, if the sender named one.
    pub span_id: Option<[u8; 8]>,
    /// Its attributes as labels, sorted by name; none is called as the ids are.
    pub attributes: Vec<(String, String)>,
}

impl Session {
    /// The exemplars within `range` of every series that a selector of the query selects, series
    /// sorted by labels, exemplars by time. Only the query's selectors count, not its functions.
    pub async fn exemplars(
        &self,
        tenant: &str,
        query: &Query,
        range: TimeRange,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, Error> {
        let _admitted = self.admit(tenant).await?;
        let ctx = self.context(tenant, Naming::AtOnce);
        let mut scans = Vec::new();
        collect_scans(&query.root, &mut scans);
        let mut series: HashMap<i64, Labels> = HashMap::new();
        for node in scans {
            let matchers = lower::compile(&node.selector.matchers)?;
            let (entries, _held) = ctx.resolve(&ctx.snapshot.series, &matchers, &range)?;
            for entry in entries {
                series.insert(entry.id, entry.labels);
            }
        }
        let mut batches = self.read_exemplars(&ctx, &series, range)?;
        let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        let mut count = 0;
        // One batch at a time: the limit also bounds what is held.
        while let Some(batch) = batches.try_next().await? {
            count += add(&batch, &series, &mut found);
            if count > EXEMPLARS_MAX {
                let message = format!("over {EXEMPLARS_MAX} exemplars match, the limit of a query");
                return Err(Error::new(ErrorKind::Limit, message));
            }
        }
        for exemplars in found.values_mut() {
            exemplars.sort_by_key(|exemplar| exemplar.time_ms);
        }
        Ok(found.into_iter().collect())
    }

    fn read_exemplars(
        &self,
        ctx: &Context,
        series: &HashMap<i64, Labels>,
        range: TimeRange,
    ) -> Result<BatchStream, Error> {
        if series.is_empty() || range.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let mut filters = vec![
            col(columns::TIME_MS).gt_eq(lit(range.start_ns.div_euclid(NANOS_PER_MILLI))),
            col(columns::TIME_MS).lt(lit(range.end_ns.div_euclid(NANOS_PER_MILLI))),
        ];
        if series.len() <= LISTED_SERIES_MAX {
            let ids = series.keys().map(|id| lit(*id)).collect();
            filters.push(col(columns::SERIES_ID).in_list(ids, false));
        }
        let request = ScanRequest {
            snapshot: &ctx.snapshot,
            table: Table::Exemplars,
            range,
            projection: vec![0, 1, 2, 3, 4, 5],
            filter: conjunction(filters),
            attributes: Attributes::default(),
        };
        let scanned = scan(request, &ctx.runtime, &ctx.stats).map_err(from_datafusion)?;
        let plan = union(scanned).map_err(from_datafusion)?;
        execute(&plan, &ctx.task)
    }
}

fn collect_scans<'a>(node: &'a Node, scans: &mut Vec<&'a Scan>) {
    if let Node::Scan(scan) = node
        && scan.selector.signal == Signal::Metrics
    {
        scans.push(scan);
    }
    for input in node.inputs() {
        collect_scans(input, scans);
    }
}

/// Adds the rows of the wanted series; returns how many there were.
fn add(
    batch: &RecordBatch,
    series: &HashMap<i64, Labels>,
    found: &mut BTreeMap<Labels, Vec<Exemplar>>,
) -> usize {
    let ids = batch.column(0).as_primitive::<Int64Type>();
    let times = batch.column(1).as_primitive::<Int64Type>();
    let values = batch.column(2).as_primitive::<Float64Type>();
    let (traces, spans) = (batch.column(3), batch.column(4));
    let attributes = batch.column(5).as_string::<i32>();
    let mut added = 0;
    for row in 0..batch.num_rows() {
        let Some(labels) = series.get(&ids.value(row)) else { continue };
        added += 1;
        found.entry(labels.clone()).or_default().push(Exemplar {
            time_ms: times.value(row),
            value: values.value(row),
            trace_id: id_at(traces, row),
            span_id: id_at(spans, row),
            attributes: match attributes.is_valid(row) {
                true => labels_of(attributes.value(row)),
                false => Vec::new(),
            },
        });
    }
    added
}

fn id_at<const N: usize>(column: &Arc<dyn Array>, row: usize) -> Option<[u8; N]> {
    let ids = column.as_fixed_size_binary();
    ids.is_valid(row).then(|| ids.value(row).try_into().ok()).flatten()
}

/// Attributes as labels. The ids have columns of their own, so an attribute of their name goes.
fn labels_of(attributes: &str) -> Vec<(String, String)> {
    let is_id = |name: &str| matches!(name, columns::TRACE_ID | columns::SPAN_ID);
    attribute_labels(attributes).into_iter().filter(|(name, _)| !is_id(name)).collect()
}

#[cfg(test)]
mod tests;
