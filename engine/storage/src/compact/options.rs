//! Options of compaction, each with its unit, its cost and its default.

use std::time::Duration;

/// Options of compaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactionOptions {
    /// Whether this process compacts in the background. Several processes may: they cost each
    /// other work, never rows. Default true.
    pub enabled: bool,
    /// Time between two looks for something to merge. Default 1 minute.
    pub interval: Duration,
    /// Segments of one merge, at most. More write each row less often, and hold more memory:
    /// some pages of every segment. Default 32.
    pub fan_in_max: usize,
    /// A segment of this many bytes is left alone, and a merge takes twice as many in, at most.
    /// Larger ones make fewer objects and compress a little better; a late row that must be
    /// merged costs more. Default 512 MiB.
    pub segment_bytes: u64,
    /// Memory of one merge, at most; a merge that would take more takes fewer segments.
    /// Default 256 MiB.
    pub memory_bytes_max: usize,
    /// Segments of an hour that is over, at most; those of like size are merged anyway.
    /// Default 8.
    pub hour_segments_max: usize,
    /// Segments of a day that is over, at most, besides those of `segment_bytes`. Default 4.
    pub day_segments_max: usize,
    /// How long after its end an hour is merged: the last of its rows are flushed then.
    /// Default 6 minutes.
    pub hour_grace: Duration,
    /// How long after its end a day is merged. Default 30 minutes.
    pub day_grace: Duration,
    /// A fresh segment of an hour or day that is over waits this long for others of its kind.
    /// Default 5 minutes.
    pub settle: Duration,
}

impl Default for CompactionOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_secs(60),
            fan_in_max: 32,
            segment_bytes: 512 << 20,
            memory_bytes_max: 256 << 20,
            hour_segments_max: 8,
            day_segments_max: 4,
            hour_grace: Duration::from_secs(360),
            day_grace: Duration::from_secs(1800),
            settle: Duration::from_secs(300),
        }
    }
}
