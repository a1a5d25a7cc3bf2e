//! Calls between the services of the shop, and of services to their databases.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber as Severity;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rand::Rng;
use serde_json::json;

use super::instruments::{DATABASE_DURATION, SERVER_DURATION};
use super::meters::Instrument;
use super::otlp::{int, list, text};
use super::shop::Service;
use super::story::{Open, Story};
use super::traffic::Conditions;

/// A database call that takes longer is logged.
const SLOW_QUERY_NS: u64 = 60_000_000;

/// What a call ended with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: i64,
    /// When the caller had it.
    pub(super) end_ns: u64,
}

/// Begins a call: the caller's client span and the callee's server span.
pub(super) fn begin(
    story: &mut Story<'_>,
    caller: &Open,
    callee: Service,
    method: &str,
    route: &str,
    start_ns: u64,
) -> (Open, Open) {
    let mut client = story.open(caller.place, Some(caller), SpanKind::Client, method, start_ns);
    client.attributes.extend([
        text("http.request.method", method),
        text("server.address", callee.name()),
        int("server.port", 8080),
        text("url.full", format!("http://{}:8080{route}", callee.name())),
        text("peer.service", callee.name()),
    ]);
    let place = story.place(callee);
    let arrived_ns = start_ns + story.took_ns(0.4);
    let name = format!("{method} {route}");
    let mut server = story.open(place, Some(&client), SpanKind::Server, name, arrived_ns);
    server.attributes.extend([
        text("http.request.method", method),
        text("http.route", route),
        text("url.scheme", "http"),
        list("http.request.header.accept", &["application/json", "text/plain"]),
    ]);
    (client, server)
}

/// Ends a call whose callee is done at `done_ns`.
pub(super) fn end(
    story: &mut Story<'_>,
    mut client: Open,
    mut server: Open,
    (method, route): (&str, &str),
    status: i64,
    done_ns: u64,
) -> Answer {
    set_status(&mut server, status, done_ns);
    measure_server(story, &SERVER_DURATION, &server, (method, route, status), done_ns);
    story.close(server, done_ns);
    let end_ns = done_ns + story.took_ns(0.3);
    client.attributes.push(int("http.response.status_code", status));
    if status >= 400 {
        client.attributes.push(text("error.type", status.to_string()));
        client.error = Some(String::new());
    }
    story.close(client, end_ns);
    Answer { status, end_ns }
}

/// Notes the status of a server span; only 5xx are failures of the server.
pub(super) fn set_status(server: &mut Open, status: i64, time_ns: u64) {
    server.attributes.push(int("http.response.status_code", status));
    if status >= 500 && server.error.is_none() {
        server.event(time_ns, "response.failed");
        server.attributes.push(text("error.type", status.to_string()));
        server.error = Some(String::new());
    }
}

/// Measures a served request.
pub(super) fn measure_server(
    story: &mut Story<'_>,
    instrument: &'static Instrument,
    server: &Open,
    (method, route, status): (&str, &str, i64),
    end_ns: u64,
) {
    let seconds = (end_ns - server.start_ns) as f64 / 1e9;
    let attributes = vec![
        text("http.request.method", method),
        text("http.route", route),
        int("http.response.status_code", status),
    ];
    story.measure(instrument, server, end_ns, seconds, attributes);
}

/// A call to the user service.
pub(super) fn user(
    story: &mut Story<'_>,
    caller: &Open,
    method: &str,
    route: &str,
    user: u32,
    now: Conditions,
    start_ns: u64,
) -> Answer {
    let (client, mut server) = begin(story, caller, Service::User, method, route, start_ns);
    server.attributes.push(text("enduser.id", format!("user-{user}")));
    let at_ns = server.start_ns + story.took_ns(0.8);
    let (hit, mut at_ns) = cache(story, &server, user, at_ns);
    if !hit {
        at_ns = database(story, &server, "SELECT", "users", now, at_ns);
    }
    let refused = route == "/sessions" && story.rng.random_bool(0.06);
    let status = if refused { 401 } else { 200 };
    let message = if refused { "wrong password" } else { "user found" };
    let line = format!(
        "level={} msg=\"{message}\" user=user-{user} route={route} cache={} duration_ms={:.2} \
         trace_id={}",
        level_of(status),
        if hit { "hit" } else { "miss" },
        (at_ns - server.start_ns) as f64 / 1e6,
        story.trace_hex(),
    );
    story.log(
        &server,
        at_ns,
        severity_of(status),
        &line,
        vec![text("enduser.id", format!("user-{user}"))],
    );
    end(story, client, server, (method, route), status, at_ns + 50_000)
}

/// `GET /orders` and `GET /orders/{id}` of the order service.
pub(super) fn read_orders(
    story: &mut Story<'_>,
    caller: &Open,
    route: &str,
    order: &str,
    now: Conditions,
    start_ns: u64,
) -> Answer {
    let (client, mut server) = begin(story, caller, Service::Order, "GET", route, start_ns);
    let at_ns = server.start_ns + story.took_ns(0.9);
    let at_ns = database(story, &server, "SELECT", "orders", now, at_ns);
    let missing = route == "/orders/{id}" && story.rng.random_bool(0.12);
    let status = if missing { 404 } else { 200 };
    if missing {
        server.attributes.push(text("shop.order.id", order));
        let line = json!({
            "level": "warn",
            "msg": "no such order",
            "order_id": order,
            "trace_id": story.trace_hex(),
        });
        let attributes = vec![text("shop.order.id", order)];
        story.log(&server, at_ns, Severity::Warn, &line.to_string(), attributes);
    }
    end(story, client, server, ("GET", route), status, at_ns + 80_000)
}

/// A query of a database; returns when it is done.
pub(super) fn database(
    story: &mut Story<'_>,
    caller: &Open,
    operation: &str,
    table: &str,
    now: Conditions,
    start_ns: u64,
) -> u64 {
    let name = format!("{operation} {table}");
    let mut span = story.open(caller.place, Some(caller), SpanKind::Client, name, start_ns);
    let query = match operation {
        "SELECT" => format!("SELECT * FROM {table} WHERE id = $1"),
        "INSERT" => format!("INSERT INTO {table} (id, user_id, value) VALUES ($1, $2, $3)"),
        _ => format!("UPDATE {table} SET state = $2 WHERE id = $1"),
    };
    span.attributes.extend([
        text("db.system.name", "postgresql"),
        text("db.namespace", "shop"),
        text("db.collection.name", table),
        text("db.operation.name", operation),
        text("db.query.text", query),
        text("server.address", "postgres.shop"),
        int("server.port", 5432),
    ]);
    let middle_ms = if operation == "SELECT" { 6.0 } else { 9.0 };
    let end_ns = start_ns + story.took_ns(middle_ms * now.database_slowness);
    if end_ns - start_ns > SLOW_QUERY_NS {
        span.event(end_ns, "slow query");
        log_slow(story, &span, operation, table, end_ns);
    }
    let seconds = (end_ns - start_ns) as f64 / 1e9;
    let attributes = vec![
        text("db.system.name", "postgresql"),
        text("db.collection.name", table),
        text("db.operation.name", operation),
    ];
    story.measure(&DATABASE_DURATION, &span, end_ns, seconds, attributes);
    story.close(span, end_ns);
    end_ns
}

fn log_slow(story: &mut Story<'_>, span: &Open, operation: &str, table: &str, end_ns: u64) {
    let duration_ms = (end_ns - span.start_ns) / 1_000_000;
    let trace_id = story.trace_hex();
    let line = if span.place.service == Service::Order {
        json!({
            "level": "warn",
            "msg": "slow query",
            "operation": operation,
            "table": table,
            "duration_ms": duration_ms,
            "trace_id": trace_id,
        })
        .to_string()
    } else {
        format!(
            "level=warn msg=\"slow query\" operation={operation} table={table} \
             duration_ms={duration_ms} trace_id={trace_id}"
        )
    };
    let attributes = vec![text("db.collection.name", table)];
    story.log(span, end_ns, Severity::Warn, &line, attributes);
}

/// A look into the cache: whether it held the user, and when that was known.
fn cache(story: &mut Story<'_>, caller: &Open, user: u32, start_ns: u64) -> (bool, u64) {
    let mut span = story.open(caller.place, Some(caller), SpanKind::Client, "GET", start_ns);
    // Frequent customers are the ones that are cached.
    let hit = story.rng.random_bool(if user < 200 { 0.9 } else { 0.4 });
    span.attributes.extend([
        text("db.system.name", "redis"),
        text("db.operation.name", "GET"),
        text("db.query.text", format!("GET user:{user}")),
        text("server.address", "redis.shop"),
        super::otlp::switch("shop.cache.hit", hit),
    ]);
    let end_ns = start_ns + story.took_ns(0.5);
    story.close(span, end_ns);
    (hit, end_ns)
}

/// The word of a status in log lines.
pub(super) fn level_of(status: i64) -> &'static str {
    match status {
        500.. => "error",
        400.. => "warn",
        _ => "info",
    }
}

/// The severity of a status.
pub(super) fn severity_of(status: i64) -> Severity {
    match status {
        500.. => Severity::Error,
        400.. => Severity::Warn,
        _ => Severity::Info,
    }
}
