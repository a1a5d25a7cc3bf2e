//! Delete requests: rows that are hidden at once and taken away for good by a deadline.
//!
//! ```text
//!  DeleteSpec ─▶ _deletes/<number>.json ─▶ Known ─▶ Deletes (of a snapshot) ─▶ keep(rows)
//!                  │   put if absent         │            scans, merges, flushes
//!                  │                         └▶ index: days that are covered are forgotten
//!                  ├▶ <number>.cancelled.json
//!                  ├▶ <number>.rewritten.json      the report: what was taken away from where
//!                  └▶ <number>.gone.json           the objects with those rows are deleted
//! ```
//!
//! **What a request covers.** The rows of its signal, tenant, selectors and range that were stored
//! before it: what comes later is kept, even if it equals what was deleted. "Before" is told by
//! numbers. Rows of a memtable know the newest request that this process knew when they were
//! received; a segment knows the newest request that has nothing to do with its rows any more
//! ([`crate::Segment::deletes_applied`]). A request covers what has a lower number than its own.
//! Rows of a process that has not heard of the request yet count as earlier. After a crash the
//! rows of the WAL are told by the time they were received.
//!
//! **Series and streams.** A row of the series or stream tables stands for a whole day, so it goes
//! if the range covers the day; the index forgets that it was seen then, and a sample that comes
//! later makes it known anew. Labels of a day that is covered in part stay visible, as do streams
//! of which only some records were asked for.
//!
//! **Spans** are covered one by one: a trace of which some spans match loses those.

mod arrive;
mod known;
mod log;
mod request;
mod select;
mod store;
mod texts;
mod view;
mod work;

pub use known::{DeletePhase, DeleteState};
pub(crate) use known::{Known, Tracked};
pub(crate) use log::{DeleteLog, FOLDER};
pub use request::{ConditionOp, DeleteRequest, DeleteSpec, RowCondition, RowField, RowSelector};
pub(crate) use select::covers_day;
pub use store::Cancelling;
pub use view::Deletes;
pub use work::{DeleteReport, Replaced};

#[cfg(test)]
mod tests;
