//! Bytes at rest: what is acknowledged is here, durably, and can be read at once.
//!
//! ```text
//!  Write ─▶ wal ─ fsync ─▶ memtable ─ freeze, sort ─▶ segment ─▶ catalog (Delta log)
//!                   │          │                                     │
//!                   ▼          └──────────── Snapshot ◀──────────────┘
//!                acknowledge                     │
//!                                            exec reads
//! ```
//!
//! The crate knows tables, time ranges and label matchers; it knows no wire format and no query
//! language. Read [`store`] first.

mod absent;
mod backup;
mod budget;
mod buffered;
mod catalog;
mod clock;
mod compact;
mod dedup;
mod deletes;
mod disk;
mod error;
#[cfg(test)]
mod fixtures;
mod flush;
mod follow;
mod identities;
mod idle;
mod index;
mod indexes;
mod keepers;
mod live;
mod memtable;
mod objects;
mod options;
mod promotion;
mod publish;
mod recover;
mod removal;
mod replay;
mod retention;
mod segment;
mod snapshot;
mod stats;
mod store;
mod vacuum;
mod verify;
mod waiting;
mod wal;
mod writer;

pub use absent::absent;
pub use backup::{BackedUp, LakePlace, Restored, backup, restore};
pub use budget::{
    Budget, BudgetStats, DEFAULT_PERCENT, Machine, Reclaim, Reservation, Share, Shares, Use,
    UseStats, resident_bytes,
};
pub use catalog::{CatalogStats, Operation, Removed};
pub use compact::{Compacted, CompactionOptions, CompactionStats};
pub use deletes::{
    Cancelling, ConditionOp, DeletePhase, DeleteReport, DeleteRequest, DeleteSpec, DeleteState,
    Deletes, Replaced, RowCondition, RowField, RowSelector,
};
pub use error::{Error, ErrorKind};
pub use index::{Cardinality, GroupedSeries, LabelIndex, SeriesEntry, SeriesInfo, StreamInfo};
pub use keepers::Keeper;
pub use live::Segments;
pub use objects::{
    Bucket, CacheOptions, CacheStats, ObjectStats, OperationStats, Refused, Remote, RequestKind,
    RequestLimits,
};
pub use options::{CatalogOptions, Durability, StoreOptions};
pub use promotion::{Occupied, PromotionOptions, fit};
pub use removal::RemovalOptions;
pub use retention::{Retained, RetentionClass, RetentionOptions, RetentionPlan, SignalPeriods};
pub use snapshot::{Segment, Snapshot, TableSnapshot};
pub use stats::{StoreStats, TenantUsage};
pub use store::{Appended, Decode, Frame, Identity, Store, TableBatch, Write};
pub use vacuum::Vacuumed;
pub use verify::{Damage, Verified, verify};
pub use wal::{SetAside, set_aside};
