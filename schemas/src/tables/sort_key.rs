//! Sort keys: the order of rows within a segment.

/// The order of a table's rows and the column that tells their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Columns of the lexicographic order, all ascending, all integers, all without nulls.
    pub columns: &'static [&'static str],
    /// The column that time ranges are held against.
    pub time_column: &'static str,
    /// Nanoseconds in one unit of the time column.
    pub time_unit_ns: i64,
}
