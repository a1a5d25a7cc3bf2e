//! The shop's instruments, named after OpenTelemetry's semantic conventions where there are any.

use super::meters::{Instrument, Kind};

const fn instrument(
    name: &'static str,
    unit: &'static str,
    kind: Kind,
    description: &'static str,
) -> Instrument {
    Instrument { name, unit, description, kind }
}

/// Latency of served requests.
pub(super) static SERVER_DURATION: Instrument = instrument(
    "http.server.request.duration",
    "s",
    Kind::Histogram,
    "Duration of HTTP server requests.",
);

/// Requests being served.
pub(super) static ACTIVE_REQUESTS: Instrument = instrument(
    "http.server.active_requests",
    "{request}",
    Kind::UpDownCounter,
    "Number of active HTTP server requests.",
);

/// Latency of database calls.
pub(super) static DATABASE_DURATION: Instrument = instrument(
    "db.client.operation.duration",
    "s",
    Kind::Histogram,
    "Duration of database client operations.",
);

/// Orders placed.
pub(super) static ORDERS: Instrument =
    instrument("shop.orders", "{order}", Kind::Counter, "Orders placed, by outcome.");

/// Money taken.
pub(super) static REVENUE: Instrument =
    instrument("shop.revenue", "EUR", Kind::Counter, "Value of paid orders.");

/// Messages sent to customers.
pub(super) static NOTIFICATIONS: Instrument = instrument(
    "shop.notifications",
    "{notification}",
    Kind::Counter,
    "Notifications sent, by channel.",
);

/// Messages waiting in the queue.
pub(super) static QUEUE_DEPTH: Instrument = instrument(
    "shop.queue.depth",
    "{message}",
    Kind::Gauge,
    "Messages waiting to be consumed, by queue.",
);

/// Memory of a process.
pub(super) static MEMORY: Instrument =
    instrument("process.memory.usage", "By", Kind::Gauge, "Resident memory of the process.");

/// Load of a process.
pub(super) static CPU: Instrument = instrument(
    "process.cpu.utilization",
    "1",
    Kind::Gauge,
    "Share of one processor that the process uses.",
);

/// Connections to the database.
pub(super) static CONNECTIONS: Instrument = instrument(
    "db.client.connection.count",
    "{connection}",
    Kind::UpDownCounter,
    "Open database connections, by state.",
);
