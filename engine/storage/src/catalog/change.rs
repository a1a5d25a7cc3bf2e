//! What a commit changes, and what came of it.

use std::sync::Arc;

use crate::Segment;

/// Why a commit was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Rows came in.
    Write,
    /// Rows were merged into fewer segments; they are the same as before.
    Compact,
    /// Rows that a delete request matches were taken out.
    Delete,
    /// Rows were older than their retention.
    Retain,
    /// Rows came from a backup.
    Restore,
    /// The table got columns.
    AddColumns,
}

impl Operation {
    /// The name that the Delta protocol's own writers give it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Write => "WRITE",
            Self::Compact => "OPTIMIZE",
            Self::Delete | Self::Retain => "DELETE",
            Self::Restore => "RESTORE",
            Self::AddColumns => "ADD COLUMNS",
        }
    }

    /// Whether a reader that follows the table must see its rows as new or gone.
    pub(super) fn changes_data(self) -> bool {
        self != Self::Compact
    }
}

/// A change of one table: all of it happens at once, or nothing.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Why.
    pub(crate) operation: Operation,
    /// Segments that are stored and shall be live.
    pub(crate) adds: Vec<Segment>,
    /// Segments that shall not be live any more. If one of them is gone already, the change is
    /// a conflict.
    pub(crate) removes: Vec<Arc<Segment>>,
    /// The sequence number of our WAL up to which the table holds everything with this change;
    /// `None` if it has nothing to do with the WAL.
    pub(crate) applied: Option<u64>,
}

/// A change that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The number of its commit.
    pub(crate) version: u64,
}

/// What one commit, ours or another's, changed.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    /// Segments that are live since.
    pub(crate) adds: Vec<Arc<Segment>>,
    /// Segments that were live before and are not since.
    pub(crate) removes: Vec<Arc<Segment>>,
    /// The sequence number of our own WAL up to which the table holds everything since.
    pub(crate) applied: Option<u64>,
    /// Whether this process' WAL folder has written it.
    pub(crate) is_ours: bool,
    /// Whether the segments that are live since hold rows that no segment held before.
    pub(crate) has_new_rows: bool,
}
