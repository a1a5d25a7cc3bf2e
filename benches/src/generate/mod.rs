//! Telemetry from a seed: an hour that ends now, as encoded OTLP requests in order of time.

mod day;
mod lines;
mod logs;
mod metrics;
mod otlp;
mod spans;

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::ValueEnum;

use day::Starts;

pub(crate) use logs::{NEEDLE, SERVICES};

/// Nanoseconds of a second.
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// The span of time that data is spread over.
const RANGE_NS: u64 = 3600 * SECOND_NS;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Signal {
    /// 10,000 series of known motions every 15 s over a whole day, some scrapes late.
    Day,
    /// As `day`, and counters tell when their process started.
    DayStarts,
    /// As `day`, but counters tell differences.
    DayDelta,
    /// JSON bodies of about 280 bytes with an id each and no attributes, 256 a request.
    Lines,
    /// Lines of about 300 bytes with 12 attributes, 512 a request; each of a trace of its own.
    Logs,
    /// 10,000 series as of 20 node exporters, every 15 s.
    Metrics,
    /// As `logs`, but what serves a request says four lines about it, as services do.
    Requests,
    /// Traces of 10 spans with 11 attributes each, 50 traces a request.
    Spans,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Time of its first record in nanoseconds since the epoch.
    pub(crate) time_ns: u64,
    /// Records, samples or spans in it.
    pub(crate) rows: u64,
    /// The encoded message.
    pub(crate) body: Bytes,
}

impl Signal {
    /// All signals, in the order they are measured in.
    pub(crate) const ALL: [Self; 3] = [Self::Logs, Self::Metrics, Self::Spans];
    /// All signals and what their layout is measured with besides.
    pub(crate) const LAYOUTS: [Self; 6] =
        [Self::Lines, Self::Logs, Self::Requests, Self::Metrics, Self::Day, Self::Spans];

    /// What the workload is, for a reader of the figures.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Day => {
                "day: 10,000 series every 15 s, 70% Poisson counters, 20% seconds in hundredths, \
                 10% gauges, 3% of scrapes 3-10 ms late"
            }
            Self::DayStarts => "day-starts: as day, with the start times of processes",
            Self::DayDelta => "day-delta: as day, counters as differences with their start times",
            Self::Lines => "lines: ~280 B of JSON with a 16-byte id each, 40 streams",
            Self::Logs => "logs: ~300 B body, 12 attributes, 40 streams, 512 records a request",
            Self::Metrics => "metrics: 10,000 series of 20 hosts every 15 s, 500 samples a request",
            Self::Requests => {
                "requests: as logs, four lines on average with the same trace, span and request"
            }
            Self::Spans => "spans: traces of 10 spans, 11 attributes a span, 500 spans a request",
        }
    }

    /// Path of the OTLP service over gRPC.
    pub(crate) fn grpc_path(self) -> &'static str {
        match self {
            Self::Lines | Self::Logs | Self::Requests => {
                "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
            }
            Self::Day | Self::DayStarts | Self::DayDelta | Self::Metrics => {
                "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
            }
            Self::Spans => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        }
    }

    /// Path of the OTLP service over HTTP.
    pub(crate) fn http_path(self) -> &'static str {
        match self {
            Self::Lines | Self::Logs | Self::Requests => "/v1/logs",
            Self::Day | Self::DayStarts | Self::DayDelta | Self::Metrics => "/v1/metrics",
            Self::Spans => "/v1/traces",
        }
    }

    /// Rows of an hour unless asked otherwise.
    pub(crate) fn rows_default(self) -> u64 {
        match self {
            Self::Lines | Self::Logs | Self::Requests | Self::Spans => 500_000,
            Self::Metrics => 2_400_000,
            Self::Day | Self::DayStarts | Self::DayDelta => 57_600_000,
        }
    }

    /// About this many rows, spread over the hour (or the day) that ends at `end_ns`; those of
    /// a day are made when they are taken.
    pub(crate) fn generate(
        self,
        rows: u64,
        seed: u64,
        end_ns: u64,
    ) -> Box<dyn Iterator<Item = Load> + Send> {
        let of_day = |starts| Box::new(day::generate(rows, seed, end_ns, starts));
        let loads = match self {
            Self::Day => return of_day(Starts::None),
            Self::DayStarts => return of_day(Starts::Process),
            Self::DayDelta => return of_day(Starts::Delta),
            Self::Metrics => metrics::generate(rows, seed, end_ns),
            _ => self.generate_within(rows, seed, end_ns - RANGE_NS, RANGE_NS),
        };
        Box::new(loads.into_iter())
    }

    /// About this many records or spans, spread over so many nanoseconds from `start_ns`; of
    /// metrics, nothing.
    pub(crate) fn generate_within(
        self,
        rows: u64,
        seed: u64,
        start_ns: u64,
        range_ns: u64,
    ) -> Vec<Load> {
        match self {
            Self::Day | Self::DayStarts | Self::DayDelta | Self::Metrics => Vec::new(),
            Self::Lines => lines::generate(rows, seed, start_ns, range_ns),
            Self::Logs => logs::generate(rows, seed, start_ns, range_ns, 1),
            Self::Requests => logs::generate(rows, seed, start_ns, range_ns, 4),
            Self::Spans => spans::generate(rows, seed, start_ns, range_ns),
        }
    }
}

/// The last full minute, in nanoseconds since the epoch.
pub(crate) fn last_minute_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    now / 60 * 60 * SECOND_NS
}

/// The end of the day before yesterday: its last hour is merged without waiting.
pub(crate) fn last_day_ns() -> u64 {
    const DAY_NS: u64 = 86_400 * SECOND_NS;
    (last_minute_ns() / DAY_NS - 1) * DAY_NS - SECOND_NS
}

#[cfg(test)]
mod tests;
