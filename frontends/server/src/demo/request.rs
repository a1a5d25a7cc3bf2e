//! One request of a customer, from the gateway down and back.
//!
//! ```text
//!  gateway  ██ GET /users/{id} ████████████████████████████████
//!  gateway     ██ GET ███████████   ██ POST ██████████████████      (client spans)
//!  user           ██ GET ██████     order  ██ POST ██████████
//!  user              ▓ redis ▓ sql  order     ▓ sql  ▓ pay ▓ send ─ link ─▶ notification.rs
//! ```
//!
//! Children are made before their parent is closed, so each lies within its parent's time.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber as Severity;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rand::Rng;
use serde_json::json;

use super::calls::{self, Answer};
use super::instruments::{ORDERS, REVENUE, SERVER_DURATION};
use super::otlp::{double, int, text};
use super::shop::Service;
use super::story::{Open, Story};
use super::traffic::Conditions;

/// What a customer wants: method, route, weight among all requests.
const WISHES: [(Wish, &str, &str, u32); 5] = [
    (Wish::Profile, "GET", "/users/{id}", 35),
    (Wish::ListOrders, "GET", "/orders", 25),
    (Wish::PlaceOrder, "POST", "/orders", 25),
    (Wish::Login, "POST", "/login", 10),
    (Wish::ShowOrder, "GET", "/orders/{id}", 5),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Profile,
    ListOrders,
    PlaceOrder,
    Login,
    ShowOrder,
}

/// A message that an order left in the queue.
#[derive(Debug)]
pub(super) struct Message {
    /// Trace and span that sent it.
    pub(super) sender: ([u8; 16], [u8; 8]),
    /// When it was sent.
    pub(super) sent_ns: u64,
    /// The order that it is about.
    pub(super) order: String,
    /// Who ordered.
    pub(super) user: u32,
}

/// Records one request that arrives at `start_ns`; returns the message it left, if any.
pub(super) fn record(story: &mut Story<'_>, now: Conditions, start_ns: u64) -> Option<Message> {
    let (wish, method, route) = choose(story);
    let user: u32 = story.rng.random_range(1..=500);
    let order = format!("ord-{:08x}", story.rng.random::<u32>());
    let path = route.replace(
        "{id}",
        &match wish {
            Wish::Profile => user.to_string(),
            _ => order.clone(),
        },
    );
    let gateway = story.place(Service::Gateway);
    let mut root =
        story.open(gateway, None, SpanKind::Server, format!("{method} {route}"), start_ns);
    let mut at_ns = start_ns + story.took_ns(0.6);
    let mut message = None;
    let answer = match wish {
        Wish::Login => calls::user(story, &root, "POST", "/sessions", user, now, at_ns),
        Wish::Profile => calls::user(story, &root, "GET", "/users/{id}", user, now, at_ns),
        Wish::ListOrders | Wish::ShowOrder | Wish::PlaceOrder => {
            let session = calls::user(story, &root, "GET", "/sessions/{id}", user, now, at_ns);
            at_ns = session.end_ns + story.took_ns(0.2);
            if session.status >= 400 {
                session
            } else if wish == Wish::PlaceOrder {
                let (answer, sent) = place_order(story, &root, now, at_ns, user, &order);
                message = sent;
                answer
            } else {
                calls::read_orders(story, &root, route, &order, now, at_ns)
            }
        }
    };
    let end_ns = answer.end_ns + story.took_ns(0.4);
    finish(story, &mut root, (method, route, &path), answer.status, user, end_ns);
    story.close(root, end_ns);
    message
}

fn choose(story: &mut Story<'_>) -> (Wish, &'static str, &'static str) {
    let total: u32 = WISHES.iter().map(|(_, _, _, weight)| weight).sum();
    let mut left = story.rng.random_range(0..total);
    for (wish, method, route, weight) in WISHES {
        if left < weight {
            return (wish, method, route);
        }
        left -= weight;
    }
    unreachable!("`left` is below the sum of the weights")
}

/// Writes the gateway's access log, attributes and latency.
fn finish(
    story: &mut Story<'_>,
    root: &mut Open,
    (method, route, path): (&str, &str, &str),
    status: i64,
    user: u32,
    end_ns: u64,
) {
    root.attributes.extend([
        text("http.request.method", method),
        text("http.route", route),
        text("url.path", path),
        text("url.scheme", "https"),
        text("server.address", "shop.example"),
        text("user_agent.original", "ShopApp/5.2 (Android 15)"),
        text("enduser.id", format!("user-{user}")),
        text("network.protocol.version", "1.1"),
    ]);
    calls::set_status(root, status, end_ns);
    let duration_ns = end_ns - root.start_ns;
    let line = json!({
        "level": calls::level_of(status),
        "msg": "request served",
        "method": method,
        "path": path,
        "route": route,
        "status": status,
        "duration_ms": (duration_ns / 10_000) as f64 / 100.0,
        "user": format!("user-{user}"),
        "trace_id": story.trace_hex(),
    });
    let attributes = vec![text("http.route", route), int("http.response.status_code", status)];
    story.log(root, end_ns, calls::severity_of(status), &line.to_string(), attributes);
    calls::measure_server(story, &SERVER_DURATION, root, (method, route, status), end_ns);
}

/// `POST /orders` of the order service: insert, pay, tell the queue.
fn place_order(
    story: &mut Story<'_>,
    root: &Open,
    now: Conditions,
    start_ns: u64,
    user: u32,
    order: &str,
) -> (Answer, Option<Message>) {
    let route = "/orders";
    let (client, mut server) = calls::begin(story, root, Service::Order, "POST", route, start_ns);
    let value = (story.rng.random_range(5.0..250.0_f64) * 100.0).round() / 100.0;
    server.attributes.extend([
        text("shop.order.id", order),
        double("shop.order.value", value),
        text("enduser.id", format!("user-{user}")),
    ]);
    let at_ns = server.start_ns + story.took_ns(1.0);
    let at_ns = calls::database(story, &server, "INSERT", "orders", now, at_ns);
    let (paid, at_ns) = pay(story, &mut server, now, at_ns, order);
    let outcome = if paid { "paid" } else { "failed" };
    story.measure(&ORDERS, &server, at_ns, 1.0, vec![text("shop.order.outcome", outcome)]);
    let mut message = None;
    let mut at_ns = calls::database(story, &server, "UPDATE", "orders", now, at_ns);
    if paid {
        let method = if user.is_multiple_of(3) { "invoice" } else { "card" };
        let attributes = vec![text("shop.payment.method", method)];
        story.measure(&REVENUE, &server, at_ns, value, attributes);
        let (sent, sent_ns) = send(story, &server, at_ns, order, user);
        message = Some(sent);
        at_ns = sent_ns;
    }
    let (severity, text_of) = if paid {
        (Severity::Info, "order placed")
    } else {
        (Severity::Error, "order failed: payment was not accepted")
    };
    let line = json!({
        "level": if paid { "info" } else { "error" },
        "msg": text_of,
        "order_id": order,
        "user": format!("user-{user}"),
        "value": value,
        "currency": "EUR",
        "trace_id": story.trace_hex(),
    });
    story.log(&server, at_ns, severity, &line.to_string(), vec![text("shop.order.id", order)]);
    let status = if paid { 201 } else { 502 };
    let answer = calls::end(story, client, server, ("POST", route), status, at_ns);
    (answer, message)
}

/// Calls the payment provider; a failure is an exception of the order service.
fn pay(
    story: &mut Story<'_>,
    server: &mut Open,
    now: Conditions,
    start_ns: u64,
    order: &str,
) -> (bool, u64) {
    let mut span = story.open(server.place, Some(server), SpanKind::Client, "POST", start_ns);
    span.attributes.extend([
        text("http.request.method", "POST"),
        text("url.full", "https://pay.example/v2/charges"),
        text("server.address", "pay.example"),
        int("server.port", 443),
        text("peer.service", "payment-provider"),
    ]);
    let failed = story.rng.random_bool(now.payment_failure);
    let end_ns = start_ns + story.took_ns(if failed { 900.0 } else { 85.0 });
    if failed {
        let stack = "com.shop.pay.GatewayTimeout: no answer within 800 ms\n\
                     \tat com.shop.pay.Client.charge(Client.java:118)\n\
                     \tat com.shop.order.Checkout.place(Checkout.java:74)";
        span.fail(end_ns, "com.shop.pay.GatewayTimeout", "no answer within 800 ms", stack);
        let line = json!({
            "level": "error",
            "msg": "payment provider did not answer",
            "order_id": order,
            "attempt": 1,
            "error": "com.shop.pay.GatewayTimeout: no answer within 800 ms",
            "trace_id": story.trace_hex(),
        });
        let attributes = vec![
            text("exception.type", "com.shop.pay.GatewayTimeout"),
            text("exception.message", "no answer within 800 ms"),
        ];
        story.log(&span, end_ns, Severity::Error, &line.to_string(), attributes);
    } else {
        span.attributes.push(int("http.response.status_code", 200));
    }
    story.close(span, end_ns);
    (!failed, end_ns)
}

/// Puts a message into the queue.
fn send(
    story: &mut Story<'_>,
    server: &Open,
    start_ns: u64,
    order: &str,
    user: u32,
) -> (Message, u64) {
    let name = "send order-events";
    let mut span = story.open(server.place, Some(server), SpanKind::Producer, name, start_ns);
    span.attributes.extend([
        text("messaging.system", "kafka"),
        text("messaging.operation.name", "send"),
        text("messaging.operation.type", "send"),
        text("messaging.destination.name", "order-events"),
        int("messaging.kafka.offset", i64::from(user) * 1000),
    ]);
    let end_ns = start_ns + story.took_ns(2.5);
    let message = Message {
        sender: (story.trace_id, span.id),
        sent_ns: end_ns,
        order: order.to_owned(),
        user,
    };
    story.close(span, end_ns);
    (message, end_ns)
}
