//! What an operator decides about the query APIs.

use std::collections::HashMap;
use std::time::Duration;

use crate::TenantLimits;

/// Options of the query APIs, each with its unit and default.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Whether requests name their tenant in `X-Scope-OrgID`; without it they are refused.
    /// Otherwise every request belongs to the tenant `default`. Default: false.
    pub multi_tenant: bool,
    /// Limits of each tenant. Default: none.
    pub tenant_limits: TenantLimits,
    /// Limits of tenants that have their own, by name. Default: none have.
    pub tenant_overrides: HashMap<String, TenantLimits>,
    /// Whether requests may delete: the admin API of Prometheus and `/api/v1/deletes`. Loki's
    /// delete API is open as it is in Loki. Default: false.
    pub admin: bool,
    /// Longest request body, in bytes. Default 10 MiB.
    pub body_bytes_max: usize,
    /// Longest time a query may take; a request's own `timeout` can only shorten it.
    /// Default 2 minutes.
    pub timeout: Duration,
    /// How far back a sample counts for an instant selector. Default 5 minutes.
    pub lookback: Duration,
    /// Whether functions of PromQL keep the metric name until the end of a query. Default: false.
    pub delayed_name_removal: bool,
    /// Whether counters of PromQL are taken to begin at the start times sent with their samples.
    /// Default: false, as in Prometheus.
    pub promql_start_times: bool,
    /// Whether names may be searched for (`search/…`). Default: false, as in Prometheus.
    pub search: bool,
    /// Results that a search for names may ask for; positive. Default 10,000, as in Prometheus.
    pub search_results_max: usize,
    /// Origin whose browser pages may read answers of the Prometheus API: `*` any, `None` none.
    /// Default: any, as in Prometheus.
    pub cors_origin: Option<String>,
    /// Steps of a range query. Default 11,000, as in Prometheus and Loki.
    pub steps_max: u32,
    /// Bytes of a frame of a streamed remote read; a series with more has several. Default 1 MiB,
    /// as in Prometheus.
    pub read_frame_bytes_max: usize,
    /// Log records returned if a request does not say. Default 100.
    pub log_records_default: usize,
    /// Log records a request may ask for. Default 5,000.
    pub log_records_max: usize,
    /// Traces returned by a search if a request does not say. Default 20.
    pub traces_default: usize,
    /// Traces a search may ask for. Default 10,000.
    pub traces_max: usize,
    /// Spans of each trace that a search returns if a request does not say. Default 3.
    pub spans_per_spanset_default: usize,
    /// Bytes of one trace, as Protobuf, that are assembled in memory. Default 64 MiB.
    pub trace_bytes_max: usize,
    /// How far back metadata questions of Loki and Tempo look if they do not say. Default 6 hours.
    pub metadata_range: Duration,
    /// Rows of a SQL answer in JSON or CSV. Default 1 million.
    pub sql_rows_max: usize,
    /// Bytes of an answer that is written while its rows arrive, before compression; 0: any
    /// number. An answer that is found to be longer when it has begun is cut off. Default 0.
    pub answer_bytes_max: u64,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            multi_tenant: false,
            tenant_limits: TenantLimits::default(),
            tenant_overrides: HashMap::new(),
            admin: false,
            body_bytes_max: 10 << 20,
            timeout: Duration::from_secs(120),
            lookback: Duration::from_secs(300),
            delayed_name_removal: false,
            promql_start_times: false,
            search: false,
            search_results_max: 10_000,
            cors_origin: Some("*".to_owned()),
            steps_max: 11_000,
            read_frame_bytes_max: 1 << 20,
            log_records_default: 100,
            log_records_max: 5_000,
            traces_default: 20,
            traces_max: 10_000,
            spans_per_spanset_default: 3,
            trace_bytes_max: 64 << 20,
            metadata_range: Duration::from_secs(6 * 3600),
            sql_rows_max: 1_000_000,
            answer_bytes_max: 0,
        }
    }
}
