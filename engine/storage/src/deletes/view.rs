//! The view of a tenant: which rows of a snapshot are hidden.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{and_not, filter_record_batch, not};
use schemas::model::{Scope, Signal};
use schemas::tables::{Table, TableLayout, attribute_of, column_of, columns};

use super::select::{failed, in_range};
use super::{Known, RowField, Tracked};
use crate::clock::now_ns;
use crate::retention::{Cuts, Policy};
use crate::{Error, LabelIndex, Segment};

/// What a tenant's readers must not see, fixed for as long as a query runs.
#[derive(Clone, Debug, Default)]
pub struct Deletes {
    /// Those of the tenant that are not cancelled, by number.
    requests: Vec<Tracked>,
    /// Number of the newest request of the lake.
    newest: u64,
    /// By signal: what is hidden because it is older than its retention.
    cuts: Vec<(Signal, Cuts)>,
    series: Arc<LabelIndex>,
    streams: Arc<LabelIndex>,
}

impl Deletes {
    /// The view of a tenant; `indexes` are its series and streams.
    pub(crate) fn of(
        known: &Known,
        policy: &Policy,
        tenant: &str,
        indexes: (Arc<LabelIndex>, Arc<LabelIndex>),
    ) -> Self {
        let now_ns = now_ns();
        let cuts = Signal::ALL
            .into_iter()
            .filter_map(|signal| policy.cuts(tenant, signal, now_ns).map(|cuts| (signal, cuts)));
        let cuts = cuts.collect();
        let concerns =
            |it: &&Tracked| Signal::ALL.into_iter().any(|signal| it.concerns(tenant, signal));
        let requests = known.iter().filter(concerns).cloned().collect();
        let (series, streams) = indexes;
        Self { requests, newest: known.newest(), cuts, series, streams }
    }

    /// The view with one request alone.
    pub(crate) fn only(&self, tracked: &Tracked) -> Self {
        Self { requests: vec![tracked.clone()], cuts: Vec::new(), ..self.clone() }
    }

    /// The number up to which requests hold for rows that passed [`Self::keep`].
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether a segment may have rows that are hidden; if not, [`Self::keep`] need not be asked.
    pub fn applies(&self, table: Table, segment: &Segment) -> bool {
        let beyond = |cuts: &Cuts| cuts.applies(table, segment.min_time_ns);
        self.cuts(table).is_some_and(beyond) || self.covering(table, segment).next().is_some()
    }

    /// Whether rows may be taken out of a segment for good at `now_ms`: not while a request that
    /// covers some of them can be cancelled. Until then the segment must not be merged.
    pub fn may_apply(&self, table: Table, segment: &Segment, now_ms: i64) -> bool {
        self.covering(table, segment).all(|it| it.request.cancel_until_ms <= now_ms)
    }

    /// Positions in a layout of the columns that [`Self::keep`] reads, ascending.
    pub fn columns(&self, table: Table, layout: &TableLayout) -> Vec<usize> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let key = table.sort_key();
        names.insert(key.time_column.to_owned());
        match table {
            Table::MetricSeries => names.extend(own([columns::LABELS, columns::SERIES_ID])),
            Table::LogStreams => names.extend(own([columns::LABELS, columns::STREAM_ID])),
            Table::Logs => names.extend(own([columns::STREAM_ID])),
            Table::Spans => {}
            _ => names.extend(own([columns::SERIES_ID])),
        }
        if matches!(table, Table::Logs | Table::Spans) {
            let signal = table.signal();
            let requests = self.requests.iter().filter(|it| it.request.spec.signal == signal);
            for field in requests.flat_map(|it| it.selection.fields()) {
                add_columns(field, layout, &mut names);
            }
        }
        let fields = layout.schema().fields().iter().enumerate();
        fields.filter(|(_, field)| names.contains(field.name())).map(|(at, _)| at).collect()
    }

    /// The rows of a segment that may be seen; `None`: all. The rows must have the columns of
    /// [`Self::columns`], as far as the segment has them.
    pub fn keep(
        &self,
        table: Table,
        segment: &Segment,
        rows: &RecordBatch,
    ) -> Result<Option<BooleanArray>, Error> {
        let cuts = self.cuts(table).filter(|cuts| cuts.applies(table, segment.min_time_ns));
        self.keep_of(table, self.covering(table, segment), cuts, rows)
    }

    /// The rows of a memtable's batch that may be seen, if they know requests up to `seen`.
    pub(crate) fn keep_buffered(
        &self,
        table: Table,
        seen: u64,
        rows: &RecordBatch,
    ) -> Result<Option<BooleanArray>, Error> {
        self.keep_of(table, self.later(table, seen), self.cuts(table), rows)
    }

    /// A memtable's batch without what is hidden; `None` if nothing is left. Rows that cannot be
    /// told apart are hidden, too: a bug of ours must not show what somebody had deleted.
    pub(crate) fn visible(
        &self,
        table: Table,
        seen: u64,
        rows: RecordBatch,
    ) -> Option<RecordBatch> {
        let kept = self.keep_buffered(table, seen, &rows).and_then(|mask| match mask {
            None => Ok(rows),
            Some(mask) => filter_record_batch(&rows, &mask).map_err(failed),
        });
        match kept {
            Ok(rows) => (rows.num_rows() > 0).then_some(rows),
            Err(error) => {
                tracing::error!(%error, table = table.name(), "rows of a memtable are hidden");
                None
            }
        }
    }

    /// Whether all rows of a segment are hidden, as far as that is known without reading it.
    pub fn hides(&self, table: Table, segment: &Segment) -> bool {
        self.cuts(table).is_some_and(|cuts| cuts.hides(table, segment))
    }

    fn cuts(&self, table: Table) -> Option<&Cuts> {
        self.cuts.iter().find(|(signal, _)| *signal == table.signal()).map(|(_, cuts)| cuts)
    }

    fn later(&self, table: Table, seen: u64) -> impl Iterator<Item = &Tracked> {
        let requests = self.requests.iter().filter(move |it| it.request.number > seen);
        relevant(table, requests)
    }

    fn covering(&self, table: Table, segment: &Segment) -> impl Iterator<Item = &Tracked> {
        let requests = self.later(table, segment.deletes_applied);
        requests.filter(|it| it.may_cover(segment))
    }

    fn keep_of<'a>(
        &self,
        table: Table,
        requests: impl Iterator<Item = &'a Tracked>,
        cuts: Option<&Cuts>,
        rows: &RecordBatch,
    ) -> Result<Option<BooleanArray>, Error> {
        let indexes = (self.series.as_ref(), self.streams.as_ref());
        let hidden = cuts.map(|cuts| cuts.hidden(table, rows, indexes)).transpose()?.flatten();
        let mut kept = hidden.map(|hidden| not(&hidden)).transpose().map_err(failed)?;
        for tracked in requests {
            let Some(covered) = self.covered(table, tracked, rows)? else { continue };
            kept = Some(match kept {
                None => not(&covered).map_err(failed)?,
                Some(kept) => and_not(&kept, &covered).map_err(failed)?,
            });
        }
        Ok(kept)
    }

    /// The rows that one request covers; `None` if there are none.
    pub(crate) fn covered(
        &self,
        table: Table,
        tracked: &Tracked,
        rows: &RecordBatch,
    ) -> Result<Option<BooleanArray>, Error> {
        let Some(mask) = in_range(table, rows, &tracked.request.spec.range)? else {
            return Ok(None);
        };
        let indexes = (self.series.as_ref(), &self.streams);
        let covered = tracked.selection.rows(table, rows, &mask, indexes)?;
        Ok((covered.true_count() > 0).then_some(covered))
    }
}

/// Those requests that can cover rows of a table.
fn relevant<'a>(
    table: Table,
    requests: impl Iterator<Item = &'a Tracked>,
) -> impl Iterator<Item = &'a Tracked> {
    let by_label = matches!(table, Table::MetricSeries | Table::LogStreams);
    requests.filter(move |it| {
        it.request.spec.signal == table.signal() && !(by_label && it.selection.only_conditions())
    })
}

fn own<const N: usize>(names: [&str; N]) -> [String; N] {
    names.map(str::to_owned)
}

fn add_columns(field: &RowField, layout: &TableLayout, names: &mut BTreeSet<String>) {
    let fixed: &[&str] = match field {
        RowField::Line => &[columns::BODY],
        RowField::Name => &[columns::NAME],
        RowField::TraceId => &[columns::TRACE_ID],
        RowField::SpanId => &[columns::SPAN_ID],
        RowField::SpanAttribute(_) => &[columns::ATTRIBUTES],
        RowField::ResourceAttribute(_) => &[columns::RESOURCE_ATTRIBUTES, columns::SERVICE],
        RowField::AnyAttribute(_) => {
            &[columns::ATTRIBUTES, columns::RESOURCE_ATTRIBUTES, columns::SERVICE]
        }
        RowField::Label(_) => {
            &[columns::ATTRIBUTES, columns::TRACE_ID, columns::SPAN_ID, columns::SEVERITY_TEXT]
        }
    };
    names.extend(fixed.iter().map(|name| (*name).to_owned()));
    match field {
        RowField::SpanAttribute(key) => drop(names.insert(column_of(Scope::Span, key))),
        RowField::ResourceAttribute(key) => drop(names.insert(column_of(Scope::Resource, key))),
        RowField::AnyAttribute(key) => {
            names.extend([Scope::Span, Scope::Resource].map(|scope| column_of(scope, key)));
        }
        RowField::Label(_) => {
            let promoted = layout.schema().fields().iter();
            let promoted = promoted.filter(|field| attribute_of(field.name()).is_some());
            names.extend(promoted.map(|field| field.name().clone()));
        }
        _ => {}
    }
}
