//! Keys of what takes data away: deletes, retention, vacuum.

use super::{Key, Kind, key};

/// Keys that stand behind all others.
pub(super) const KEYS: &[Key] = &[
    key(
        "api.admin",
        Kind::Switch,
        "false",
        "Whether requests may delete series (/api/v1/admin/tsdb/…), make delete requests of any \
         signal (/api/v1/deletes) and flush. Loki's delete API is always open.",
    ),
    key(
        "removal.enabled",
        Kind::Switch,
        "true",
        "Whether this process takes data away in the background. Deleted rows are hidden either \
         way.",
    ),
    key(
        "removal.delete_deadline",
        Kind::Duration,
        "24h",
        "Until then what a delete request covers is gone from the disk; one that takes longer is \
         shown as late. Vacuuming takes removal.vacuum_grace of it.",
    ),
    key(
        "removal.delete_cancel_period",
        Kind::Duration,
        "10m",
        "How long a delete request can be cancelled. Until then nothing is taken away, and \
         segments that it covers are not merged.",
    ),
    key(
        "removal.vacuum_grace",
        Kind::Duration,
        "1h",
        "How long replaced objects stay for the queries that read them; longer than query.timeout.",
    ),
    key(
        "removal.vacuum_interval",
        Kind::Duration,
        "5m",
        "Time between two looks for replaced objects to delete.",
    ),
    key(
        "removal.orphan_age",
        Kind::Duration,
        "24h",
        "Objects of this age that no commit names are deleted, once a day.",
    ),
    key(
        "retention.interval",
        Kind::Duration,
        "1h",
        "Time between two looks for data beyond its retention. It is hidden at once.",
    ),
    key("retention.metrics", Kind::Duration, "0s", "How long metrics are kept; 0s: forever."),
    key("retention.logs", Kind::Duration, "0s", "How long logs are kept; 0s: forever."),
    key("retention.traces", Kind::Duration, "0s", "How long spans are kept; 0s: forever."),
    key(
        "retention.tenants",
        Kind::RetentionTenants,
        "",
        "Tenants with periods of their own, as tables [retention.tenants.NAME] with metrics, \
         logs, traces; what one leaves out is as for all.",
    ),
    key(
        "retention.stream",
        Kind::RetentionStreams,
        "",
        "Series and log streams with periods of their own, as tables [[retention.stream]] with \
         selector, period, and optionally signal (logs, metrics; default logs), priority \
         (default 0) and tenant. Of those that match, the highest priority holds, then the \
         shortest period.",
    ),
];
