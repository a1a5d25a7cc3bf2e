//! Retention: how long what is kept, and what goes.
//!
//! ```text
//!  RetentionOptions ─ compile ─▶ Policy ─ now ─▶ Cuts (of a tenant) ─▶ hidden in scans at once
//!                                                      │
//!                            live segments ─ plan ─────┴▶ dropped whole · rewritten · left
//! ```
//!
//! A tenant's rows of a signal are kept for its period. Classes make exceptions for series and log
//! streams: of the classes whose matchers accept a series the one with the highest priority holds,
//! of several the one with the shortest period. Rows beyond their period are hidden from that
//! moment on. A segment goes when all its rows are beyond the longest period of theirs; it is
//! rewritten when all its rows of some class are, and others are not. A row of the series and
//! stream tables stands for a day, and goes when the day's end is beyond.

mod cuts;
mod options;
mod work;

pub(crate) use cuts::{Cuts, Policy};
pub use options::{RetentionClass, RetentionOptions, SignalPeriods};
pub use work::{Retained, RetentionPlan};

#[cfg(test)]
mod tests;
