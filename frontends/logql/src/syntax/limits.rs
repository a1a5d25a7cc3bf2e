//! Limits of a query's text.

/// Bytes a query may be long, exclusive.
pub(super) const TEXT_BYTES_MAX: usize = 131_072;
/// Levels an expression or a label filter may be deep, operator chains included.
pub(super) const DEPTH_MAX: usize = 100;
/// Stages a pipeline may have.
pub(super) const STAGES_MAX: usize = 100;
