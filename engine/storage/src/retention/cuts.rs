//! Cuts: up to which moment rows are hidden.

use std::time::Duration;

use ahash::HashMap;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use schemas::model::{CompiledMatcher, NANOS_PER_DAY, Signal, TimestampNs};
use schemas::tables::{Table, columns, day_of_ns};

use super::{RetentionClass, RetentionOptions};
use crate::{Error, ErrorKind, LabelIndex, Segment};

/// The options of retention, compiled.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    options: RetentionOptions,
    /// By priority, then the shortest period first.
    classes: Vec<(RetentionClass, Vec<CompiledMatcher>)>,
}

impl Policy {
    /// `Invalid` if a pattern is none, or if a class is of spans, which have no series.
    pub(crate) fn compile(options: &RetentionOptions) -> Result<Self, Error> {
        let mut classes = Vec::new();
        for class in &options.classes {
            if class.signal == Signal::Traces {
                let message = "a retention class of traces: spans have no labels to choose by";
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            let matchers: Result<Vec<_>, _> =
                class.matchers.iter().map(schemas::model::Matcher::compile).collect();
            let matchers = matchers.map_err(|error| {
                Error::with_source(ErrorKind::Invalid, error.to_string(), error)
            })?;
            classes.push((class.clone(), matchers));
        }
        let period = |class: &RetentionClass| match class.period {
            Duration::ZERO => Duration::MAX,
            period => period,
        };
        classes
            .sort_by(|(a, _), (b, _)| b.priority.cmp(&a.priority).then(period(a).cmp(&period(b))));
        Ok(Self { options: options.clone(), classes })
    }

    /// Whether the labels of a tenant decide how long its rows are kept.
    pub(crate) fn knows_labels(&self, tenant: &str, signal: Signal) -> bool {
        let holds = |class: &RetentionClass| {
            class.signal == signal && class.tenant.as_ref().is_none_or(|it| it == tenant)
        };
        self.classes.iter().any(|(class, _)| holds(class))
    }

    /// The cuts of a tenant's rows of a signal; `None` if they are kept forever.
    pub(crate) fn cuts(&self, tenant: &str, signal: Signal, now_ns: TimestampNs) -> Option<Cuts> {
        let of_tenant = self.options.tenants.get(tenant).and_then(|it| it.of(signal));
        let period = of_tenant.or(self.options.periods.of(signal));
        let default_ns = period.map_or(i64::MIN, |period| cut(period, now_ns));
        let holds = |class: &RetentionClass| {
            class.signal == signal && class.tenant.as_ref().is_none_or(|it| it == tenant)
        };
        let classes = self.classes.iter().filter(|(class, _)| holds(class));
        let classes: Vec<_> = classes
            .map(|(class, matchers)| (cut(class.period, now_ns), matchers.clone()))
            .collect();
        let all = || classes.iter().map(|(cut_ns, _)| *cut_ns).chain([default_ns]);
        let (first_ns, last_ns) = (all().min()?, all().max()?);
        (last_ns > i64::MIN).then_some(Cuts { default_ns, classes, first_ns, last_ns })
    }
}

fn cut(period: Duration, now_ns: TimestampNs) -> TimestampNs {
    if period.is_zero() {
        return i64::MIN;
    }
    now_ns.saturating_sub(i64::try_from(period.as_nanos()).unwrap_or(i64::MAX))
}

/// Rows before the cut of their class are hidden.
#[derive(Clone, Debug)]
pub(crate) struct Cuts {
    default_ns: TimestampNs,
    /// The first that matches holds.
    classes: Vec<(TimestampNs, Vec<CompiledMatcher>)>,
    /// The earliest cut: whatever is before it goes.
    pub(crate) first_ns: TimestampNs,
    /// The latest cut: whatever is behind it stays.
    last_ns: TimestampNs,
}

impl Cuts {
    /// Whether some rows may be hidden whose times lie in a closed range.
    pub(crate) fn applies(&self, table: Table, min_ns: TimestampNs) -> bool {
        end_of(table, min_ns) < self.last_ns
    }

    /// Whether all rows of a segment are hidden.
    pub(crate) fn hides(&self, table: Table, segment: &Segment) -> bool {
        end_of(table, segment.max_time_ns) < self.first_ns
    }

    /// Which cuts a segment has passed with all its rows: while it stays the same, rewriting the
    /// segment again is not worth it. 0: none.
    pub(crate) fn passed(&self, table: Table, segment: &Segment) -> u64 {
        let end_ns = end_of(table, segment.max_time_ns);
        let cuts = self.classes.iter().map(|(cut_ns, _)| *cut_ns).chain([self.default_ns]);
        let passed = cuts.enumerate().filter(|(_, cut_ns)| end_ns < *cut_ns);
        passed.fold(0, |bits, (at, _)| bits | 1 << (at % 63))
    }

    /// The rows that are hidden; `None` if none are.
    pub(crate) fn hidden(
        &self,
        table: Table,
        rows: &RecordBatch,
        (series, streams): (&LabelIndex, &LabelIndex),
    ) -> Result<Option<BooleanArray>, Error> {
        let key = table.sort_key();
        let times = integers(rows, key.time_column)?;
        let oldest = times.iter().min().map(|time| time.saturating_mul(key.time_unit_ns));
        if !oldest.is_some_and(|oldest| self.applies(table, oldest)) {
            return Ok(None);
        }
        let mut classes = self.classes_of(table, rows, (series, streams))?;
        let is_hidden = |(row, time): (usize, &i64)| {
            let time_ns = end_of(table, time.saturating_mul(key.time_unit_ns));
            Some(time_ns < self.last_ns && time_ns < classes(row))
        };
        let hidden: BooleanArray = times.iter().enumerate().map(is_hidden).collect();
        Ok((hidden.true_count() > 0).then_some(hidden))
    }

    /// The cut of each row.
    fn classes_of<'a>(
        &'a self,
        table: Table,
        rows: &'a RecordBatch,
        (series, streams): (&'a LabelIndex, &'a LabelIndex),
    ) -> Result<Box<dyn FnMut(usize) -> TimestampNs + 'a>, Error> {
        let (column, index) = match table {
            Table::Spans => return Ok(Box::new(|_| self.default_ns)),
            Table::Logs | Table::LogStreams => (columns::STREAM_ID, streams),
            _ => (columns::SERIES_ID, series),
        };
        if self.classes.is_empty() {
            return Ok(Box::new(|_| self.default_ns));
        }
        let ids = integers(rows, column)?;
        let mut known: HashMap<i64, TimestampNs> = HashMap::default();
        Ok(Box::new(move |row| {
            *known.entry(ids[row]).or_insert_with_key(|id| self.cut_of(*id, index))
        }))
    }

    fn cut_of(&self, id: i64, index: &LabelIndex) -> TimestampNs {
        let Some(entry) = index.entry_ever(id) else { return self.default_ns };
        let accepts = |matchers: &[CompiledMatcher]| {
            matchers.iter().all(|matcher| matcher.matches(entry.labels.value(matcher.label())))
        };
        let class = self.classes.iter().find(|(_, matchers)| accepts(matchers));
        class.map_or(self.default_ns, |(cut_ns, _)| *cut_ns)
    }
}

/// The moment up to which a row of this time stands for its series: of the series and stream
/// tables the last one of its day.
fn end_of(table: Table, time_ns: TimestampNs) -> TimestampNs {
    match table {
        Table::MetricSeries | Table::LogStreams => {
            (i64::from(day_of_ns(time_ns)) + 1).saturating_mul(NANOS_PER_DAY) - 1
        }
        _ => time_ns,
    }
}

fn integers<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a [i64], Error> {
    let column = rows.column_by_name(name).and_then(|column| {
        column.as_primitive_opt::<Int64Type>().map(|column| &column.values()[..])
    });
    column.ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("rows to be retained have no column {name}"))
    })
}
