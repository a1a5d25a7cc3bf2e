//! Promotion: attributes move from the overflow objects into columns of their own.
//!
//! What has a column is told by the table's layout; the rule by which rows are read, and who may
//! see what, stand at `schemas::tables::TableLayout`.

mod fit;

pub use self::fit::fit;
