//! Counts of answered queries, for the server's own metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use exec::QueryStats;

/// The language that a query was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// PromQL, and metadata questions of the Prometheus API.
    PromQl,
    /// LogQL, and metadata questions of the Loki API.
    LogQl,
    /// TraceQL, traces by id, and metadata questions of the Tempo API.
    TraceQl,
    /// SQL over HTTP.
    Sql,
}

impl Language {
    /// Every language, in a fixed order.
    pub const ALL: [Self; 4] = [Self::PromQl, Self::LogQl, Self::TraceQl, Self::Sql];

    /// Lower-case name, as it stands in metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::PromQl => "promql",
            Self::LogQl => "logql",
            Self::TraceQl => "traceql",
            Self::Sql => "sql",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::PromQl => 0,
            Self::LogQl => 1,
            Self::TraceQl => 2,
            Self::Sql => 3,
        }
    }
}

/// What has been answered so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiStats {
    /// Queries that run now.
    pub running: u64,
    /// One entry a language, in the order of [`Language::ALL`].
    pub languages: Vec<LanguageStats>,
}

/// What has been answered so far in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanguageStats {
    /// The language.
    pub language: Language,
    /// Queries whose whole answer was written.
    pub answered: u64,
    /// Queries refused because the request must change: texts, parameters, limits.
    pub refused: u64,
    /// Queries that failed on our side, timeouts among them.
    pub failed: u64,
    /// Queries whose client went away before the end.
    pub cancelled: u64,
    /// Time that all ended queries took together, to the last byte of the answer.
    pub duration: Duration,
    /// Samples, records and spans read.
    pub rows_read: u64,
    /// Bytes of segments read.
    pub bytes_read: u64,
}

/// How a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    Refused,
    Failed,
    Cancelled,
}

/// Counters behind [`ApiStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    running: AtomicU64,
    languages: [LanguageCounters; 4],
}

#[derive(Debug, Default)]
struct LanguageCounters {
    answered: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    duration_ns: AtomicU64,
    rows_read: AtomicU64,
    bytes_read: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> ApiStats {
        let languages = Language::ALL.map(|language| {
            let counters = &self.languages[language.index()];
            LanguageStats {
                language,
                answered: counters.answered.load(Ordering::Relaxed),
                refused: counters.refused.load(Ordering::Relaxed),
                failed: counters.failed.load(Ordering::Relaxed),
                cancelled: counters.cancelled.load(Ordering::Relaxed),
                duration: Duration::from_nanos(counters.duration_ns.load(Ordering::Relaxed)),
                rows_read: counters.rows_read.load(Ordering::Relaxed),
                bytes_read: counters.bytes_read.load(Ordering::Relaxed),
            }
        });
        ApiStats { running: self.running.load(Ordering::Relaxed), languages: languages.into() }
    }
}

/// Counts one query from its start to its end; a query whose end nobody told was cancelled.
#[derive(Debug)]
pub(crate) struct QueryTimer {
    counters: Arc<Counters>,
    language: Language,
    started: Instant,
    outcome: Outcome,
    read: Option<Arc<QueryStats>>,
}

impl QueryTimer {
    pub(crate) fn start(counters: &Arc<Counters>, language: Language) -> Self {
        counters.running.fetch_add(1, Ordering::Relaxed);
        Self {
            counters: Arc::clone(counters),
            language,
            started: Instant::now(),
            outcome: Outcome::Cancelled,
            read: None,
        }
    }

    /// What the query reads is added to the counts when it ends.
    pub(crate) fn reads(&mut self, stats: &Arc<QueryStats>) {
        self.read = Some(Arc::clone(stats));
    }

    /// The query ended like this.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for QueryTimer {
    fn drop(&mut self) {
        let counters = &self.counters.languages[self.language.index()];
        let count = match self.outcome {
            Outcome::Answered => &counters.answered,
            Outcome::Refused => &counters.refused,
            Outcome::Failed => &counters.failed,
            Outcome::Cancelled => &counters.cancelled,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let duration_ns = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        counters.duration_ns.fetch_add(duration_ns, Ordering::Relaxed);
        if let Some(read) = &self.read {
            let rows = read.rows_read.load(Ordering::Relaxed);
            counters.rows_read.fetch_add(rows, Ordering::Relaxed);
            let bytes = read.bytes_read.load();
            counters.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        }
        self.counters.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
