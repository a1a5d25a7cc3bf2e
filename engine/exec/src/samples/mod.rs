//! Samples that were decoded before: the bounded cache in front of the segments of metrics.
//!
//! ```text
//!  (segment, metric) ─▶ in the cache? ─▶ Runs: each series of the metric in that segment
//!                          │ no
//!                          └▶ fill: rows of the metric are decoded once, packed, kept
//! ```
//!
//! Decoding dominates queries over metrics: ids, times and mantissas of every row are unpacked to
//! be thrown away again. Here samples are kept packed, in 2 to 8 bytes, so that reading them again
//! costs about a nanosecond each. Segments never change, so what is kept is right for ever; it is
//! a part of the memory budget and given back when somebody needs it.

mod cache;
mod fill;
mod runs;

pub(crate) use cache::SampleCache;
pub(crate) use fill::{Cached, CachedSegment, Fill, Loaded, cursors};
pub(crate) use runs::{Cursor, Runs};

#[cfg(test)]
mod tests;
