//! Which labels and columns a query needs: what it does not name is neither read nor parsed.

use std::borrow::Cow;

use arrow::datatypes::Schema;
use plan::Expr;
use schemas::model::{Grouping, label_name};
use schemas::tables::{attribute_of, columns};

use super::level::LEVEL_NAMES;
use super::names::{DETECTED_LEVEL, ERROR, ERROR_DETAILS, EXTRACTED, NameId, Names};
use super::{Pipeline, Wanted};

/// Labels that matter: all, or only these.
#[derive(Clone, Debug)]
pub(super) enum Needed {
    All,
    /// By number; how many there are.
    Only(Vec<bool>, usize),
}

impl Needed {
    fn of(ids: &[NameId]) -> Self {
        let mut marks = Vec::new();
        for id in ids {
            let at = *id as usize;
            if marks.len() <= at {
                marks.resize(at + 1, false);
            }
            marks[at] = true;
        }
        let count = marks.iter().filter(|mark| **mark).count();
        Self::Only(marks, count)
    }

    /// Whether a label matters.
    pub(super) fn has(&self, id: NameId) -> bool {
        match self {
            Self::All => true,
            Self::Only(marks, _) => marks.get(id as usize).copied().unwrap_or(false),
        }
    }

    /// Whether none matters.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Only(_, 0))
    }

    /// The number of a name that matters, given now if it is new.
    pub(super) fn find(&self, name: &str, names: &mut Names) -> Option<NameId> {
        match self {
            Self::All => Some(names.id(name)),
            Self::Only(..) => names.find(name).filter(|id| self.has(*id)),
        }
    }

    /// Whether a label that matters may begin so.
    pub(super) fn has_prefix(&self, prefix: &str, names: &Names) -> bool {
        match self {
            Self::All => true,
            Self::Only(marks, _) => (0..)
                .zip(marks)
                .any(|(id, mark): (NameId, _)| *mark && names.text(id).starts_with(prefix)),
        }
    }
}

/// What a query needs of its rows.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    /// Names with numbers for everything below.
    pub(super) names: Names,
    /// Labels that parsers must add.
    pub(super) parsed: Needed,
    /// Labels that must be read from structured metadata.
    pub(super) metadata: Needed,
    /// `detected_level` must be found out.
    pub(super) level: bool,
    /// The line is read by something that comes after the line filters at the front.
    pub(super) line: bool,
    /// An error becomes a label instead of failing the query.
    pub(super) keeps_errors: bool,
    /// Names of the grouping, in the order written.
    pub(super) grouping: Option<Vec<NameId>>,
}

impl Usage {
    /// What `pipeline` needs if `wanted` is wanted of it.
    pub(super) fn new(pipeline: &Pipeline, wanted: &Wanted) -> Self {
        let mut names = pipeline.names.clone();
        let mut ids = Vec::new();
        for stage in &pipeline.stages {
            stage.labels(&mut |id| ids.push(id));
        }
        let mut all = true;
        let mut grouped = None;
        let (mut lines, mut bytes) = (true, false);
        if let Wanted::Series { grouping, unwrap, bytes: counts_bytes } = wanted {
            (lines, bytes) = (false, *counts_bytes);
            if let Some(unwrap) = unwrap {
                ids.push(names.id(&unwrap.label));
                // The filter compiled when the pipeline began; only its labels matter here.
                labels_of(unwrap.filter.as_ref(), &mut names, &mut ids);
            }
            if let Some(Grouping::By(by)) = grouping {
                all = false;
                let by: Vec<NameId> = by.iter().map(|name| names.id(name)).collect();
                ids.extend(&by);
                grouped = Some(by);
            }
        }
        add_bases(&mut ids, &mut names);
        let level = lines || ids.contains(&DETECTED_LEVEL);
        // Asking about errors in a filter is not asking for them in the result.
        let keeps_errors = grouped.as_ref().is_some_and(|by| by.contains(&ERROR));
        let mut metadata_ids: Vec<NameId> =
            ids.iter().copied().filter(|id| !pipeline.is_of_stream(names.text(*id))).collect();
        if level {
            metadata_ids.extend(LEVEL_NAMES.iter().map(|name| names.id(name)));
        }
        metadata_ids.retain(|id| !matches!(*id, ERROR | ERROR_DETAILS));
        let parsed = if all { Needed::All } else { Needed::of(&ids) };
        let metadata = if all { Needed::All } else { Needed::of(&metadata_ids) };
        let parses = pipeline.stages.iter().any(|stage| stage.reads_line(&parsed));
        let line = lines || bytes || level || parses;
        Self { names, parsed, metadata, level, line, keeps_errors, grouping: grouped }
    }

    /// The labels that are looked for in structured metadata; `None` if all may be.
    pub(super) fn looked_up(&self) -> Option<Vec<&str>> {
        match &self.metadata {
            Needed::All => None,
            Needed::Only(marks, _) => {
                let ids = (0..).zip(marks).filter(|(_, mark)| **mark);
                Some(ids.map(|(id, _): (NameId, _)| self.names.text(id).as_ref()).collect())
            }
        }
    }

    /// The columns of `schema`, the layout of the logs table, that are read.
    pub(super) fn columns(&self, pipeline: &Pipeline, schema: &Schema) -> Vec<Cow<'static, str>> {
        let mut needed = [columns::STREAM_ID, columns::TIME_NS].map(Cow::Borrowed).to_vec();
        if self.line || !pipeline.line_filters.is_empty() {
            needed.push(columns::BODY.into());
        }
        if self.metadata.is_empty() {
            return needed;
        }
        needed.push(columns::ATTRIBUTES.into());
        let is_needed = |label: &str| match &self.metadata {
            Needed::All => true,
            Needed::Only(..) => self.names.find(label).is_some_and(|id| self.metadata.has(id)),
        };
        for (column, label) in OWN_COLUMNS {
            let tells_level = self.level && matches!(*label, "severity_number" | "severity_text");
            if is_needed(label) || tells_level {
                needed.push(Cow::Borrowed(column));
            }
        }
        for field in schema.fields() {
            if attribute_of(field.name()).is_some_and(|(_, key)| is_needed(&label_name(key))) {
                needed.push(Cow::Owned(field.name().clone()));
            }
        }
        needed
    }
}

/// Columns that are structured metadata, with their labels, in the order that labels are made.
pub(super) const OWN_COLUMNS: &[(&str, &str)] = &[
    (columns::OBSERVED_TIME_NS, "observed_timestamp"),
    (columns::SEVERITY_NUMBER, "severity_number"),
    (columns::SEVERITY_TEXT, "severity_text"),
    (columns::DROPPED_ATTRIBUTES_COUNT, "dropped_attributes_count"),
    (columns::FLAGS, "flags"),
    (columns::TRACE_ID, "trace_id"),
    (columns::SPAN_ID, "span_id"),
    (columns::EVENT_NAME, "event_name"),
];

/// Adds the names without `_extracted`: whoever asks for the one depends on the other.
fn add_bases(ids: &mut Vec<NameId>, names: &mut Names) {
    for at in 0..ids.len() {
        let base = names.text(ids[at]).strip_suffix(EXTRACTED).map(str::to_owned);
        if let Some(base) = base {
            ids.push(names.id(&base));
        }
    }
}

fn labels_of(expr: Option<&Expr>, names: &mut Names, ids: &mut Vec<NameId>) {
    match expr {
        Some(Expr::Label { name, .. }) => ids.push(names.id(name)),
        Some(Expr::Compare { left, right, .. } | Expr::Arithmetic { left, right, .. }) => {
            labels_of(Some(left), names, ids);
            labels_of(Some(right), names, ids);
        }
        Some(
            Expr::Contains { input, .. }
            | Expr::Matches { input, .. }
            | Expr::ContainsAddress { input, .. }
            | Expr::Exists(input)
            | Expr::Not(input)
            | Expr::Negate(input),
        ) => labels_of(Some(input), names, ids),
        Some(Expr::And(exprs) | Expr::Or(exprs)) => {
            exprs.iter().for_each(|expr| labels_of(Some(expr), names, ids));
        }
        _ => {}
    }
}
