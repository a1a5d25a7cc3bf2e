//! The series that a leaf reads: found in the index, and called what they are in the leaf's tiles.

use std::collections::BTreeMap;

use plan::node::Scan;
use schemas::model::{Grouping, Label, Labels, METRIC_NAME};
use storage::GroupedSeries;

use super::Context;
use crate::Error;
use crate::operators::Selected;
use crate::roster::Identity;

/// What the series of a leaf are called in its tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called<'a> {
    /// Whether values are still those of their metric.
    pub(super) keep_name: bool,
    /// What an aggregation, which is all that is made of the tiles, keeps of their labels. Series
    /// of one group and metric have the same name then, and labels are made for groups only.
    pub(super) grouping: Option<&'a Grouping>,
}

impl Called<'_> {
    /// Each series by its own labels.
    pub(super) fn each(keep_name: bool) -> Self {
        Self { keep_name, grouping: None }
    }
}

/// Series, sorted by key, keys unique.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The series.
    pub(super) selected: Vec<Selected>,
    /// Which of them are of delta temporality; empty if none is.
    pub(super) deltas: Vec<bool>,
    /// Ids and names of their metrics, sorted by id; empty if they are not wanted.
    pub(super) metrics: Vec<(i64, String)>,
}

impl Selection {
    /// Memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.selected.len() * size_of::<Selected>() + self.deltas.len()
    }

    fn push(&mut self, key: (i64, i64), ordinal: u32, is_delta: bool) {
        if is_delta && self.deltas.is_empty() {
            self.deltas.resize(self.selected.len(), false);
        }
        if is_delta || !self.deltas.is_empty() {
            self.deltas.push(is_delta);
        }
        self.selected.push(Selected { key, ordinal });
    }
}

/// Finds the series of a scan; with the names of their metrics if these are wanted.
pub(super) fn select(
    scan: &Scan,
    called: Called<'_>,
    wants_metrics: bool,
    ctx: &Context,
) -> Result<Selection, Error> {
    match called.grouping {
        Some(grouping) => by_group(scan, grouping, called.keep_name, wants_metrics, ctx),
        None => one_by_one(scan, called.keep_name, wants_metrics, ctx),
    }
}

fn one_by_one(
    scan: &Scan,
    keep_name: bool,
    wants_metrics: bool,
    ctx: &Context,
) -> Result<Selection, Error> {
    let matchers = super::compile(&scan.selector.matchers)?;
    let (entries, _held) = ctx.resolve(&ctx.snapshot.series, &matchers, &scan.selector.range)?;
    let mut selection = Selection::default();
    selection.selected.reserve(entries.len());
    for entry in &entries {
        let ordinal = ordinal(entry.labels.clone(), keep_name, ctx)?;
        selection.push((entry.metric_id, entry.id), ordinal, entry.info.is_delta());
        let metrics = &mut selection.metrics;
        if wants_metrics && metrics.last().is_none_or(|last| last.0 != entry.metric_id) {
            metrics.push((entry.metric_id, entry.labels.value(METRIC_NAME).to_owned()));
        }
    }
    Ok(selection)
}

fn by_group(
    scan: &Scan,
    grouping: &Grouping,
    keep_name: bool,
    wants_metrics: bool,
    ctx: &Context,
) -> Result<Selection, Error> {
    let (matchers, range) = (super::compile(&scan.selector.matchers)?, &scan.selector.range);
    let mut metrics = BTreeMap::new();
    let held = ctx.memory.hold("series");
    let found = ctx.snapshot.series.resolve_groups(
        &matchers,
        range,
        grouping,
        |count| {
            ctx.admit_series(count)?;
            held.grow(count * (size_of::<GroupedSeries>() + size_of::<Selected>()))
        },
        |metric_id, labels: Labels| {
            held.grow(GROUP_BYTES + labels.len() * size_of::<Label>())?;
            if wants_metrics {
                let name = || labels.value(METRIC_NAME).to_owned();
                metrics.entry(metric_id).or_insert_with(name);
            }
            ordinal(labels, keep_name, ctx)
        },
    )?;
    let mut selection = Selection::default();
    selection.selected.reserve(found.len());
    for series in found {
        selection.push(series.key, series.group, series.is_delta);
    }
    selection.metrics = metrics.into_iter().collect();
    Ok(selection)
}

/// Memory of a group while series are put into it, beside its labels.
const GROUP_BYTES: usize = 64;

fn ordinal(labels: Labels, keep_name: bool, ctx: &Context) -> Result<u32, Error> {
    let mut identity = Identity::plain(labels);
    if !keep_name {
        identity = ctx.roster.renamed(identity);
    }
    ctx.roster.ordinal_of(&identity)
}
