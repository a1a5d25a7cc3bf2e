//! Samples read from segments without arrays between, and the bounded cache of what was decoded.
//!
//! ```text
//!  segment ─ map ─▶ row groups that may hold a metric
//!                     └─ directory ─▶ blocks (whole pages) that hold rows of the series wanted
//!                                       └─ in the cache? no: decode, pack, keep ─▶ Runs
//! ```
//!
//! Decoding dominates queries over metrics: ids, times and mantissas of every row are unpacked to
//! be thrown away again. Here pages become packed samples of 2 to 8 bytes in one step, so that
//! reading them again costs about a nanosecond each, and only those pages are touched that hold
//! series that somebody asked for. Segments never change, so what is kept is right for ever; it is
//! a part of the memory budget and given back when somebody needs it.

mod cache;
mod directory;
mod general;
mod pages;
mod runs;
mod segment;
mod stock;

pub(crate) use cache::SampleCache;
pub(crate) use segment::Source;
pub(crate) use stock::{Cached, Stock};

use runs::Runs;

#[cfg(test)]
mod tests;
