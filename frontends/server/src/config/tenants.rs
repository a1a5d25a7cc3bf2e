//! Limits of tenants: the keys below `limits`, with what tenants have of their own.

use std::collections::HashMap;

use super::Settings;
use super::count;

/// The limits of tenants that have some of their own, by name.
pub(super) fn overrides<L>(
    settings: &Settings,
    read: impl Fn(&Settings) -> L,
) -> HashMap<String, L> {
    settings.tenants().map(|(name, own)| (name.to_owned(), read(&own))).collect()
}

/// What a tenant may send.
pub(super) fn sending(settings: &Settings) -> ingest::TenantLimits {
    ingest::TenantLimits {
        records_per_second: settings.number("limits.records_per_second"),
        bytes_per_second: settings.number("limits.bytes_per_second"),
        burst: settings.duration("limits.burst"),
        series_max: count(settings, "limits.series_max"),
        streams_max: count(settings, "limits.streams_max"),
        line_bytes_max: count(settings, "limits.line_bytes"),
        labels_max: count(settings, "limits.labels_max"),
        label_name_bytes_max: count(settings, "limits.label_name_bytes"),
        label_value_bytes_max: count(settings, "limits.label_value_bytes"),
    }
}

/// What a tenant's queries may use.
pub(super) fn asking(settings: &Settings) -> exec::TenantLimits {
    exec::TenantLimits {
        range_max: settings.duration("limits.query_range_max"),
        queries_max: count(settings, "limits.queries_max"),
        queue_max: count(settings, "limits.queue_max"),
        timeout: settings.duration("limits.query_timeout"),
        bytes_max: settings.number("limits.query_bytes"),
        samples_max: count(settings, "limits.query_samples_max"),
        series_max: count(settings, "limits.query_series_max"),
    }
}

/// What a tenant's answers may hold.
pub(super) fn answering(settings: &Settings) -> api::TenantLimits {
    api::TenantLimits {
        log_records_max: count(settings, "limits.log_records_max"),
        traces_max: count(settings, "limits.traces_max"),
        trace_bytes_max: count(settings, "limits.trace_bytes"),
        sql_rows_max: count(settings, "limits.sql_rows_max"),
        answer_bytes_max: settings.number("limits.answer_bytes"),
    }
}
