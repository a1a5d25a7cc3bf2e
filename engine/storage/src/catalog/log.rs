//! What a log says as of one commit.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use schemas::tables::{Promoted, Table, TableLayout};
use serde_json::Value;

use super::actions::{Action, Applied, Removed};
use super::change::Delta;
use super::checkpoint::State;
use super::schema;
use crate::{Error, Segment};

/// The state of a table after a run of commits.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The number of the next commit, as far as this process knows.
    pub(super) next: u64,
    /// The newest version of which a readable checkpoint is known.
    pub(super) checkpointed: Option<u64>,
    /// A version whose checkpoint is there and cannot be read.
    pub(super) damaged: Option<u64>,
    /// What readers have not been shown yet, in the order of the commits.
    pub(super) unpublished: Vec<Delta>,
    protocol: Value,
    metadata: Value,
    /// What [`schema::grown`] says of `metadata`, once it was asked.
    grown: Option<Option<Arc<str>>>,
    /// The layout that `metadata` tells, once it was asked for.
    layout: Option<Arc<TableLayout>>,
    /// Live segments.
    live: HashSet<ByPath>,
    /// What is not live any more, by path.
    removed: HashMap<String, Removed>,
    applied: HashMap<String, Applied>,
}

impl Log {
    /// Live segments, in no order.
    pub(super) fn live(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.live.iter().map(|ByPath(segment)| segment)
    }

    /// Whether a segment is live.
    pub(super) fn is_live(&self, segment: &Segment) -> bool {
        self.live.contains(segment.path.as_str())
    }

    /// What is not live any more, in no order.
    pub(super) fn removed(&self) -> impl Iterator<Item = &Removed> {
        self.removed.values()
    }

    /// Forgets what was removed before `before_ms`.
    pub(super) fn forget_removed(&mut self, before_ms: i64) {
        self.removed.retain(|_, removed| removed.removed_ms >= before_ms);
    }

    /// The version up to which an application's writes are in the table; 0 if there are none.
    pub(super) fn applied(&self, application: &str) -> u64 {
        self.applied.get(application).map_or(0, |applied| applied.version)
    }

    /// The columns of the table.
    pub(super) fn layout(&mut self, table: Table) -> Arc<TableLayout> {
        let metadata = &self.metadata;
        let layout = self.layout.get_or_insert_with(|| {
            let schema = metadata.get("schemaString").and_then(Value::as_str);
            let promoted = schema::promoted(schema.unwrap_or_default());
            let start = TableLayout::starting(table);
            let layout = TableLayout::of(table, promoted);
            if layout == **start { Arc::clone(start) } else { Arc::new(layout) }
        });
        Arc::clone(layout)
    }

    /// The schema that the table must get before rows of now are added, which have these columns
    /// beside all others; `None` if it has it.
    pub(super) fn new_schema(
        &mut self,
        table: Table,
        columns: &[Promoted],
    ) -> Result<Option<Arc<str>>, Error> {
        if let Some(known) = self.grown.as_ref().filter(|_| columns.is_empty()) {
            return Ok(known.clone());
        }
        let layout = self.layout(table).with(columns.iter().cloned());
        let current = self.metadata.get("schemaString").and_then(Value::as_str);
        let grown = schema::grown(&layout, current.unwrap_or_default())?.map(Arc::from);
        if columns.is_empty() {
            self.grown = Some(grown.clone());
        }
        Ok(grown)
    }

    /// What a checkpoint of now holds, in any order; `None` before the first commit.
    pub(super) fn state(&self, table: Table) -> Option<State> {
        let applied = self.applied.iter().map(|(name, applied)| (name.clone(), *applied));
        Some(State {
            table,
            version: self.next.checked_sub(1)?,
            protocol: self.protocol.clone(),
            metadata: self.metadata.clone(),
            applied: applied.collect(),
            removed: self.removed.values().cloned().collect(),
            live: self.live().cloned().collect(),
        })
    }

    /// Takes in a checkpoint; everything before it is forgotten.
    pub(super) fn restart(&mut self, version: u64, actions: Vec<Action>) {
        *self = Self { next: version, checkpointed: Some(version), ..Self::default() };
        self.live.reserve(actions.len());
        self.apply(actions, "");
        self.unpublished.clear();
    }

    /// Takes in the commit with the number `next`; its id, if it has one.
    pub(super) fn apply(&mut self, actions: Vec<Action>, writer: &str) -> String {
        self.next += 1;
        let ours = super::application(writer);
        let mut id = String::new();
        let mut delta = Delta::default();
        for action in actions {
            match action {
                Action::Add(segment, is_new) => {
                    let segment = Arc::new(segment);
                    self.removed.remove(&segment.path);
                    delta.has_new_rows |= is_new;
                    if self.live.insert(ByPath(Arc::clone(&segment))) {
                        delta.adds.push(segment);
                    }
                }
                Action::Remove(removed) => {
                    if let Some(ByPath(segment)) = self.live.take(removed.path.as_str()) {
                        delta.removes.push(segment);
                    }
                    self.removed.insert(removed.path.clone(), removed);
                }
                Action::Applied(application, applied) => {
                    if application == ours {
                        delta.applied = Some(applied.version);
                    }
                    let newest = self.applied.entry(application).or_default();
                    if applied.version >= newest.version {
                        *newest = applied;
                    }
                }
                Action::Metadata(newest) => {
                    self.metadata = newest;
                    self.grown = None;
                    self.layout = None;
                }
                Action::Protocol(newest) => self.protocol = newest,
                Action::Commit(of_commit) => id = of_commit,
                Action::Other => {}
            }
        }
        delta.is_ours = id.strip_prefix(writer).is_some_and(|rest| rest.starts_with('-'));
        if !(delta.adds.is_empty() && delta.removes.is_empty() && delta.applied.is_none()) {
            self.unpublished.push(delta);
        }
        id
    }

    /// Becomes `newer`, a later state of the same table that was read anew. What readers have
    /// not been shown yet is then the difference.
    pub(super) fn replace(&mut self, newer: Self, writer: &str) {
        let mut unpublished = std::mem::take(&mut self.unpublished);
        let lacks = |of: &Self, segment: &&Arc<Segment>| !of.is_live(segment);
        let applied = newer.applied(&super::application(writer));
        unpublished.push(Delta {
            adds: newer.live().filter(|segment| lacks(self, segment)).cloned().collect(),
            removes: self.live().filter(|segment| lacks(&newer, segment)).cloned().collect(),
            applied: Some(applied),
            is_ours: false,
            has_new_rows: true,
        });
        *self = newer;
        self.unpublished = unpublished;
    }
}

/// A segment that is found by its path.
#[derive(Debug)]
struct ByPath(Arc<Segment>);

impl Borrow<str> for ByPath {
    fn borrow(&self) -> &str {
        &self.0.path
    }
}

impl Hash for ByPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.path.as_str().hash(state);
    }
}

impl PartialEq for ByPath {
    fn eq(&self, other: &Self) -> bool {
        self.0.path == other.0.path
    }
}

impl Eq for ByPath {}
