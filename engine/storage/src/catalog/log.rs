//! What a log says as of one commit.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::actions::{Action, Removed};
use super::change::Delta;
use crate::Segment;

/// The state of a table after a run of commits.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The number of the next commit, as far as this process knows.
    pub(super) next: u64,
    /// The table's schema, in the form of `schemaString`; empty before the first commit.
    pub(super) schema: String,
    /// Live segments.
    live: HashSet<ByPath>,
    /// What is not live any more, by path.
    pub(super) removed: HashMap<String, Removed>,
    /// Up to which version each application's writes are in the table.
    pub(super) applied: HashMap<String, u64>,
    /// What readers have not been shown yet, in the order of the commits.
    pub(super) unpublished: Vec<Delta>,
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

    /// Takes in the commit with the number `next`; its id, if it has one.
    pub(super) fn apply(&mut self, actions: Vec<Action>, writer: &str) -> String {
        self.next += 1;
        let ours = super::application(writer);
        let mut id = String::new();
        let mut delta =
            Delta { adds: Vec::new(), removes: Vec::new(), applied: None, is_ours: false };
        for action in actions {
            match action {
                Action::Add(segment) => {
                    let segment = Arc::new(segment);
                    self.removed.remove(&segment.path);
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
                Action::Applied(application, version) => {
                    if application == ours {
                        delta.applied = Some(version);
                    }
                    let newest = self.applied.entry(application).or_default();
                    *newest = version.max(*newest);
                }
                Action::Schema(newest) => self.schema = newest,
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
