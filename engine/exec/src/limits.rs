//! Limits of one query, each with its unit.

use std::path::PathBuf;
use std::time::Duration;

/// What one query may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Memory one query may hold, in bytes, and never more than half of what the memory budget
    /// leaves to all queries. Default 512 MiB.
    pub memory_bytes_max: usize,
    /// Folder for what sorting and grouping put on disk when they have no more memory; emptied
    /// when a session begins. `None`: they fail instead.
    pub spill_dir: Option<PathBuf>,
    /// Bytes that all queries together may put there. Default 8 GiB.
    pub spill_bytes_max: u64,
    /// Samples one query may read. Default 50 million, as in Prometheus.
    pub samples_max: usize,
    /// Memory that decoded samples of metrics may hold for the next query, of what the memory
    /// budget leaves to caches, in bytes: about 2 a sample. More answers more queries without
    /// decoding again; 0 decodes every time. Default 256 MiB.
    pub samples_cache_bytes_max: usize,
    /// Series one selector may select. Default 1 million.
    pub series_max: usize,
    /// Steps of a grid. Default 11,000, as in Prometheus.
    pub steps_max: u32,
    /// Time one query may take. Default 2 minutes.
    pub timeout: Duration,
    /// Queries that run at once; more wait. Default 20.
    pub concurrency_max: usize,
    /// Queries that wait; more are refused at once. Default 100.
    pub queue_max: usize,
    /// How long a query may wait. Default 30 seconds.
    pub queue_timeout: Duration,
    /// Nodes a plan may be deep. Default 128.
    pub depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 512 << 20,
            spill_dir: None,
            spill_bytes_max: 8 << 30,
            samples_max: 50_000_000,
            samples_cache_bytes_max: 256 << 20,
            series_max: 1_000_000,
            steps_max: 11_000,
            timeout: Duration::from_secs(120),
            concurrency_max: 20,
            queue_max: 100,
            queue_timeout: Duration::from_secs(30),
            depth_max: 128,
        }
    }
}
