//! Limits of one query, each with its unit.

use std::time::Duration;

/// What one query may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Memory of all running queries together, in bytes. Default 512 MiB.
    pub memory_bytes_max: usize,
    /// Samples one query may read. Default 50 million, as in Prometheus.
    pub samples_max: usize,
    /// Series one selector may select. Default 1 million.
    pub series_max: usize,
    /// Steps of a grid. Default 11,000, as in Prometheus.
    pub steps_max: u32,
    /// Time one query may take. Default 2 minutes.
    pub timeout: Duration,
    /// Queries that run at once; more wait. Default 20.
    pub concurrency_max: usize,
    /// Nodes a plan may be deep. Default 128.
    pub depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 512 << 20,
            samples_max: 50_000_000,
            series_max: 1_000_000,
            steps_max: 11_000,
            timeout: Duration::from_secs(120),
            concurrency_max: 20,
            depth_max: 128,
        }
    }
}
