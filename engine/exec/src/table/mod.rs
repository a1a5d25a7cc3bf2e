//! Tables as DataFusion sees them: segments and memtable batches of one snapshot.
//!
//! ```text
//!  Snapshot ─ pruning (time, key ranges) ─▶ one file group a segment ─▶ DataSourceExec
//!           └ memtable batches ───────────────────────────────────────▶ MemorySource + filter
//! ```
//!
//! [`scan`] is the one way in: languages use it through `lower`, SQL through [`provider`].

mod attributes;
mod mask;
pub(crate) mod provider;
mod pruning;
mod reader;
mod scan;

pub(crate) use attributes::{Attributes, Condition, Key};
pub(crate) use scan::{LAKE_URL, ScanRequest, scan, union};
