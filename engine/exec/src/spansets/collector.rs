//! Collecting the candidates of a search, trace by trace.
//!
//! ```text
//!  push ─▶ candidate spans by trace ─ candidates ─▶ traces to read ─ push_summary ─▶ finish
//! ```
//!
//! Conditions that only a whole trace decides, and relations that pass through other spans, wait
//! for the summaries; everything else is decided before them, so that only the traces that are
//! returned are read.

use std::cmp::Reverse;
use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use arrow::array::{Array, ArrayRef, RecordBatch};
use plan::Expr;
use plan::expr::Intrinsic;
use schemas::tables::columns;

use super::algebra::{Candidate, is_possible, select};
use super::frame::{Frame, Reader, bytes_at, code_at, int_at, internal, plain, text_at};
use super::json::write_member;
use super::report::{self, Row};
use super::scalar::{Scalar, evaluate};
use super::search::{Search, is_of_trace, is_of_tree};
use super::structure::{Link, NestedSet, Parents, SpanId, nested_sets};
use super::value::Value;
use crate::memory::Held;
use crate::{Error, ErrorKind};

/// Columns of `Table::Spans` that `Collector::push_summary` reads.
pub(crate) const SUMMARY_COLUMNS: &[&str] = &[
    columns::TRACE_ID,
    columns::SPAN_ID,
    columns::PARENT_SPAN_ID,
    columns::START_NS,
    columns::DURATION_NS,
    columns::SERVICE,
    columns::NAME,
    columns::STATUS_CODE,
];

/// Candidate spans held at once.
const CANDIDATES_MAX: usize = 1_000_000;

/// Candidate spans after which old traces of a plain search are forgotten.
const CANDIDATES_KEPT: usize = 200_000;

/// Traces whose spans are read to decide about them.
const TRACES_READ_MAX: usize = 100_000;

/// Spans of the traces that are read.
const SUMMARY_SPANS_MAX: usize = 4_000_000;

/// Code of the status `error`.
const STATUS_ERROR: i32 = 2;

type TraceId = [u8; 16];

/// What of a candidate is returned if it is selected.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) name: Arc<str>,
    pub(super) start_ns: i64,
    pub(super) duration_ns: i64,
    /// Members of a JSON object, without braces.
    pub(super) attributes: String,
}

/// The candidates of a trace; both lists are parallel.
#[derive(Debug, Default)]
struct Found {
    spans: Vec<Candidate>,
    shown: Vec<Shown>,
    /// Positions of the selected spans, once that is decided.
    selected: Vec<usize>,
}

impl Found {
    fn start_ns(&self) -> i64 {
        self.shown.iter().map(|span| span.start_ns).min().unwrap_or(i64::MAX)
    }

    /// Keeps each span once: it can be stored twice until compaction. A shared id alone does not
    /// make the same span.
    fn distinct(&mut self) {
        let mut seen = AHashSet::new();
        let first: Vec<bool> = self
            .spans
            .iter()
            .zip(&self.shown)
            .map(|(span, shown)| {
                let name = Arc::clone(&shown.name);
                seen.insert((span.link, shown.start_ns, shown.duration_ns, name))
            })
            .collect();
        if first.contains(&false) {
            let mut keep = first.iter();
            self.spans.retain(|_| *keep.next().unwrap_or(&true));
            let mut keep = first.iter();
            self.shown.retain(|_| *keep.next().unwrap_or(&true));
        }
    }
}

/// A span of a trace that is read as a whole.
#[derive(Clone, Debug)]
struct Member {
    link: Link,
    start_ns: i64,
    duration_ns: i64,
    service: Arc<str>,
    name: Arc<str>,
    is_error: bool,
}

/// Collects candidate spans, then the summaries of the traces that are returned.
#[derive(Debug)]
pub(crate) struct Collector {
    search: Arc<Search>,
    limit: usize,
    traces: AHashMap<TraceId, Found>,
    spans: usize,
    /// New traces whose span starts before are not taken any more.
    cutoff_ns: i64,
    texts: AHashSet<Arc<str>>,
    members: AHashMap<TraceId, Vec<Member>>,
    members_read: usize,
    held: Held,
}

/// Memory of a candidate beside its texts and numbers, its share of its trace included.
const CANDIDATE_BYTES: usize =
    size_of::<Candidate>() + size_of::<Shown>() + size_of::<Found>() + 2 * size_of::<TraceId>();

impl Search {
    /// Collects the candidates of a search for the `limit` newest traces; their memory is taken
    /// from `held`.
    pub(crate) fn collector(self: &Arc<Self>, limit: usize, held: Held) -> Collector {
        Collector {
            search: Arc::clone(self),
            limit,
            traces: AHashMap::new(),
            spans: 0,
            cutoff_ns: i64::MIN,
            texts: AHashSet::new(),
            members: AHashMap::new(),
            members_read: 0,
            held,
        }
    }
}

impl Collector {
    /// Adds candidate rows (those that `Search::candidate` accepts).
    pub(crate) fn push(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let search = Arc::clone(&self.search);
        let masks = search.masks(rows)?;
        let frame = Frame::spans(rows);
        let columns = SpanColumns::of(rows)?;
        let measured: Vec<Scalar<'_>> =
            search.measured.iter().map(|it| Scalar::new(it, &frame)).collect::<Result<_, _>>()?;
        let reported = readers(&search, &frame)?;
        let (mut bytes, before) = (self.held.bytes(), self.spans);
        let mut added = 0;
        for row in 0..rows.num_rows() {
            let Some((trace_id, link)) = columns.ids(row) else { continue };
            let start_ns = int_at(&columns.start, row).unwrap_or_default();
            if start_ns < self.cutoff_ns && !self.traces.contains_key(&trace_id) {
                continue;
            }
            let mut attributes = String::new();
            for (name, reader) in &reported {
                write_member(&mut attributes, name, &reader.value(row));
            }
            let mut leaves = 0;
            for (leaf, mask) in masks.iter().enumerate() {
                leaves |= u64::from(mask.value(row)) << leaf;
            }
            let measured = measured.iter().map(|it| it.value(row).number().unwrap_or(f64::NAN));
            let candidate = Candidate { link, leaves, measured: measured.collect() };
            let shown = Shown {
                name: self.text(text_at(&columns.name, row).unwrap_or_default()),
                start_ns,
                duration_ns: int_at(&columns.duration, row).unwrap_or_default(),
                attributes,
            };
            bytes += CANDIDATE_BYTES + shown.attributes.capacity() + candidate.measured.len() * 8;
            self.add(trace_id, candidate, shown);
            added += 1;
        }
        self.held.resize(bytes)?;
        self.bound()?;
        // What was forgotten is not measured again: the rest is taken for its part of the whole.
        self.held.resize(bytes / (before + added).max(1) * self.spans)
    }

    fn add(&mut self, trace_id: TraceId, candidate: Candidate, shown: Shown) {
        let found = self.traces.entry(trace_id).or_default();
        found.spans.push(candidate);
        found.shown.push(shown);
        self.spans += 1;
    }

    /// One copy of each text.
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }

    /// Forgets the oldest traces where that cannot change the answer, or refuses to hold more.
    fn bound(&mut self) -> Result<(), Error> {
        let kept = self.limit.max(1);
        if self.spans > CANDIDATES_KEPT && self.search.is_plain() && self.traces.len() > 2 * kept {
            let mut starts: Vec<i64> = self.traces.values().map(Found::start_ns).collect();
            let newest = starts.len() - kept;
            let (_, cutoff_ns, _) = starts.select_nth_unstable(newest);
            self.cutoff_ns = *cutoff_ns;
            let cutoff_ns = self.cutoff_ns;
            self.traces.retain(|_, found| found.start_ns() >= cutoff_ns);
            self.spans = self.traces.values().map(|found| found.spans.len()).sum();
        }
        if self.spans > CANDIDATES_MAX {
            return Err(over("matching spans", CANDIDATES_MAX));
        }
        Ok(())
    }

    /// Decides what can be decided, and returns the ids of the traces that are needed as a whole.
    pub(crate) fn candidates(&mut self) -> Result<Vec<TraceId>, Error> {
        let search = Arc::clone(&self.search);
        self.traces.values_mut().for_each(Found::distinct);
        if search.needs_traces() {
            self.traces.retain(|_, found| is_possible(&search, &found.spans));
            if self.traces.len() > TRACES_READ_MAX {
                return Err(over("traces to decide about", TRACES_READ_MAX));
            }
            return Ok(self.traces.keys().copied().collect());
        }
        self.traces.retain(|_, found| {
            let mut parents = Parents::default();
            found.spans.iter().for_each(|span| parents.add(span.link));
            found.selected = select(&search, &found.spans, &parents, u64::MAX);
            !found.selected.is_empty()
        });
        let mut newest: Vec<(i64, TraceId)> =
            self.traces.iter().map(|(id, found)| (found.start_ns(), *id)).collect();
        newest.sort_unstable_by_key(|trace| Reverse(*trace));
        newest.truncate(self.limit);
        let newest: AHashSet<TraceId> = newest.into_iter().map(|(_, id)| id).collect();
        self.traces.retain(|id, _| newest.contains(id));
        Ok(newest.into_iter().collect())
    }

    /// Adds spans of those traces, whether they matched or not: rows with `SUMMARY_COLUMNS`.
    pub(crate) fn push_summary(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let columns = SpanColumns::of(rows)?;
        let service = plain(column(rows, columns::SERVICE)?)?;
        let status = column(rows, columns::STATUS_CODE)?;
        for row in 0..rows.num_rows() {
            let Some((trace_id, link)) = columns.ids(row) else { continue };
            if !self.traces.contains_key(&trace_id) {
                continue;
            }
            let member = Member {
                link,
                start_ns: int_at(&columns.start, row).unwrap_or_default(),
                duration_ns: int_at(&columns.duration, row).unwrap_or_default(),
                service: self.text(text_at(&service, row).unwrap_or_default()),
                name: self.text(text_at(&columns.name, row).unwrap_or_default()),
                is_error: code_at(&status, row) == Some(STATUS_ERROR),
            };
            self.members.entry(trace_id).or_default().push(member);
            self.members_read += 1;
        }
        if self.members_read > SUMMARY_SPANS_MAX {
            return Err(over("spans of matching traces", SUMMARY_SPANS_MAX));
        }
        self.held.grow(rows.num_rows() * size_of::<Member>() * 2)
    }

    /// The traces, newest first: the columns of `OutputKind::Traces`.
    pub(crate) fn finish(mut self) -> Result<RecordBatch, Error> {
        let search = Arc::clone(&self.search);
        let mut rows = Vec::new();
        for (trace_id, found) in std::mem::take(&mut self.traces) {
            let members = distinct(self.members.remove(&trace_id).unwrap_or_default());
            let Found { spans, shown, selected } = found;
            let summary = Summary::of(&members, &shown);
            let selected = if search.needs_traces() {
                let mut parents = Parents::default();
                members.iter().for_each(|member| parents.add(member.link));
                spans.iter().for_each(|span| parents.add(span.link));
                select(&search, &spans, &parents, summary.leaves(&search))
            } else {
                selected
            };
            if !selected.is_empty() {
                let shown: Vec<(SpanId, Shown)> =
                    selected.iter().map(|at| (spans[*at].link.id, shown[*at].clone())).collect();
                rows.push(row(&search, trace_id, &members, summary, shown));
            }
        }
        rows.sort_unstable_by_key(|row| Reverse((row.start_ns, row.trace_id)));
        rows.truncate(self.limit);
        report::batch(&rows)
    }
}

fn over(what: &str, limit: usize) -> Error {
    let message = format!("search has over {limit} {what}; narrow its time range or filters");
    Error::new(ErrorKind::Limit, message)
}

/// Readers of what a span alone can report.
fn readers<'a>(search: &'a Search, frame: &Frame) -> Result<Vec<(&'a str, Reader)>, Error> {
    let mut readers = Vec::new();
    for (name, expr) in &search.reported {
        let is_late = matches!(
            expr,
            Expr::Intrinsic(intrinsic) if is_of_trace(*intrinsic) || is_of_tree(*intrinsic)
        );
        if let (false, Some(reader)) = (is_late, Reader::new(frame, expr)?) {
            readers.push((name.as_str(), reader));
        }
    }
    Ok(readers)
}

/// Each span once, oldest first.
fn distinct(mut members: Vec<Member>) -> Vec<Member> {
    let key = |it: &Member| (it.start_ns, it.link.id, it.duration_ns);
    members.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name)));
    members.dedup_by(|a, b| key(a) == key(b) && a.link == b.link && a.name == b.name);
    members
}

/// What a trace as a whole tells.
#[derive(Debug)]
struct Summary {
    root: Option<(Arc<str>, Arc<str>)>,
    start_ns: i64,
    duration_ns: i64,
}

impl Summary {
    fn of(members: &[Member], shown: &[Shown]) -> Self {
        let times = members.iter().map(|it| (it.start_ns, it.duration_ns));
        let times = times.chain(shown.iter().map(|it| (it.start_ns, it.duration_ns)));
        let bounds = times.fold((i64::MAX, i64::MIN), |(start, end), (from, duration)| {
            (start.min(from), end.max(from.saturating_add(duration)))
        });
        let root = members.iter().find(|member| member.link.parent.is_none());
        Self {
            root: root.map(|root| (Arc::clone(&root.service), Arc::clone(&root.name))),
            start_ns: bounds.0,
            duration_ns: bounds.1.saturating_sub(bounds.0),
        }
    }

    fn value(&self, intrinsic: Intrinsic) -> Value<'_> {
        match (intrinsic, &self.root) {
            (Intrinsic::TraceDuration, _) => Value::Duration(self.duration_ns),
            (Intrinsic::RootServiceName, Some((service, _))) => Value::text(service),
            (Intrinsic::RootName, Some((_, name))) => Value::text(name),
            _ => Value::Absent,
        }
    }

    /// A bit for each leaf whose condition on the trace holds.
    fn leaves(&self, search: &Search) -> u64 {
        let mut bits = 0;
        for (leaf, condition) in search.leaves.iter().enumerate() {
            let holds = condition.trace.as_ref().is_none_or(|condition| {
                let value = evaluate(condition, &|it| match it {
                    Expr::Intrinsic(intrinsic) => self.value(*intrinsic),
                    _ => Value::Absent,
                });
                value == Value::Bool(true)
            });
            bits |= u64::from(holds) << leaf;
        }
        bits
    }
}

/// The answer's row of a trace.
fn row(
    search: &Search,
    trace_id: TraceId,
    members: &[Member],
    summary: Summary,
    mut shown: Vec<(SpanId, Shown)>,
) -> Row {
    let is_tree = |expr: &Expr| matches!(expr, Expr::Intrinsic(it) if is_of_tree(*it));
    let sets = if search.reported.iter().any(|(_, expr)| is_tree(expr)) {
        nested_sets(&members.iter().map(|member| member.link).collect::<Vec<Link>>())
    } else {
        AHashMap::new()
    };
    for (id, shown) in &mut shown {
        let set = sets.get(id).copied().unwrap_or_default();
        for (name, expr) in &search.reported {
            if let Expr::Intrinsic(intrinsic) = expr {
                let value = late_value(*intrinsic, &summary, set);
                write_member(&mut shown.attributes, name, &value);
            }
        }
    }
    let mut services = std::collections::BTreeMap::<Arc<str>, (i64, i64)>::new();
    for member in members {
        let counts = services.entry(Arc::clone(&member.service)).or_default();
        counts.0 += 1;
        counts.1 += i64::from(member.is_error);
    }
    shown.sort_by_key(|(_, span)| span.start_ns);
    Row {
        trace_id,
        root: summary.root,
        start_ns: summary.start_ns,
        duration_ns: summary.duration_ns,
        spans: shown,
        services: services.into_iter().collect(),
    }
}

fn late_value(intrinsic: Intrinsic, summary: &Summary, set: NestedSet) -> Value<'_> {
    match intrinsic {
        Intrinsic::NestedSetLeft => Value::Int(set.left),
        Intrinsic::NestedSetRight => Value::Int(set.right),
        Intrinsic::NestedSetParent => Value::Int(set.parent),
        Intrinsic::ChildCount => Value::Int(set.children),
        other => summary.value(other),
    }
}

/// The columns that both reads have.
struct SpanColumns {
    trace_id: ArrayRef,
    span_id: ArrayRef,
    parent: ArrayRef,
    start: ArrayRef,
    duration: ArrayRef,
    name: ArrayRef,
}

impl SpanColumns {
    fn of(rows: &RecordBatch) -> Result<Self, Error> {
        Ok(Self {
            trace_id: column(rows, columns::TRACE_ID)?,
            span_id: column(rows, columns::SPAN_ID)?,
            parent: column(rows, columns::PARENT_SPAN_ID)?,
            start: column(rows, columns::START_NS)?,
            duration: column(rows, columns::DURATION_NS)?,
            name: plain(column(rows, columns::NAME)?)?,
        })
    }

    fn ids(&self, row: usize) -> Option<(TraceId, Link)> {
        let trace_id = bytes_at(&self.trace_id, row)?.try_into().ok()?;
        let id = bytes_at(&self.span_id, row)?.try_into().ok()?;
        let parent = match self.parent.is_null(row) {
            true => None,
            false => bytes_at(&self.parent, row)?.try_into().ok(),
        };
        Some((trace_id, Link { id, parent }))
    }
}

fn column(rows: &RecordBatch, name: &str) -> Result<ArrayRef, Error> {
    let found = rows.column_by_name(name);
    found.cloned().ok_or_else(|| internal(format!("column {name} was not read")))
}
