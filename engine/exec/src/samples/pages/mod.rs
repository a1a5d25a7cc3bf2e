//! Columns of integers and numbers read straight from pages of Parquet.
//!
//! ```text
//!  bytes of a column chunk ─ page reader ─▶ page ─┬ numbers:  delta, plain ─▶ a place for each row
//!  (only the pages wanted)                        └ runs:     dictionary   ─▶ (until row, value)
//! ```
//!
//! The general reader of Parquet makes arrays of every column, and a row filter reads the columns
//! it needs twice. Here the columns that repeat one value over thousands of rows stay what they
//! are in the file, runs, and the others are unpacked once into a buffer that is used again.

mod column;
mod packed;

pub(super) use column::{ABSENT, Column, Fetched, PageBuffers, Run, extend};

#[cfg(test)]
mod tests;
