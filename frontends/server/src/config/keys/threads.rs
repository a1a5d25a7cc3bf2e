//! Keys of the threads that work is shared out to.

use super::{Key, Kind, key};

/// Keys that stand behind those of removal.
pub(super) const KEYS: &[Key] = &[
    key(
        "threads.query_nice",
        Kind::Count,
        "5",
        "How much nicer threads that answer queries are than those that take data in, 19 at most: \
         under a full load of both, each step gives a thread a fifth less of the processors. Linux \
         only. 0: the same, and acknowledgements wait for queries.",
    ),
    key(
        "threads.background_nice",
        Kind::Count,
        "5",
        "The same of threads that flush, merge and remove. What they leave undone waits in memory \
         and in the WAL, so that senders are told to come later when they outrun it.",
    ),
];
