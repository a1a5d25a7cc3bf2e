//! Promotion: attributes move from the overflow objects into columns of their own.
//!
//! ```text
//!  flush ─ Sketch ─ enough rows ─▶ columns for frequent keys ─▶ commit of the new schema
//!    │                                                                │ layout of now
//!    └─ Promoter ─▶ segment in the layout of then    compaction ─ Promoter ─▶ segment in it
//! ```
//!
//! What has a column is told by the table's layout; the rule by which rows are read, and who may
//! see what, stand at `schemas::tables::TableLayout`. A choice is committed before a segment is
//! written with it, so each segment has a prefix of the columns in the log, whoever else adds
//! some. Old segments stay as they are until compaction merges them.

mod choices;
mod fit;
mod occupied;
mod promote;
mod sketch;

pub(crate) use self::choices::{Choices, promote_frequent};
pub use self::fit::fit;
pub use self::occupied::Occupied;
pub(crate) use self::promote::Promoter;

/// Which attributes get columns.
///
/// Columns are shared by all tenants, are only ever added, and cost each segment some bytes and
/// each reader of whole rows some time; they make conditions on their attributes several times
/// faster. What is read before and after is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromotionOptions {
    /// Promoted columns that a table may have, those it begins with included; 0 adds none.
    /// At most 128. Default 60.
    pub columns_max: usize,
    /// Share of a table's rows that must have the attribute, in percent. Default 5.
    pub share_percent: u32,
    /// Rows that are flushed before a choice is made. More makes the choice steadier and later.
    /// Default 100,000.
    pub rows_min: u64,
}

impl Default for PromotionOptions {
    fn default() -> Self {
        Self { columns_max: 60, share_percent: 5, rows_min: 100_000 }
    }
}
