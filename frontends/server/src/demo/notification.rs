//! What follows an order: a message is consumed, in a trace of its own that links to the sender.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber as Severity;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use rand::Rng;

use super::calls;
use super::instruments::NOTIFICATIONS;
use super::otlp::{int, text};
use super::request::Message;
use super::shop::Service;
use super::story::{Open, Story};
use super::traffic::Conditions;

/// Records how a message is consumed.
pub(super) fn record(story: &mut Story<'_>, now: Conditions, message: &Message) {
    let place = story.place(Service::Notification);
    let start_ns = message.sent_ns + story.took_ns(120.0);
    let name = "process order-events";
    let mut root = story.open(place, None, SpanKind::Consumer, name, start_ns);
    let (trace_id, span_id) = message.sender;
    root.links.push(Link {
        trace_id: trace_id.to_vec(),
        span_id: span_id.to_vec(),
        attributes: vec![text("messaging.link.kind", "producer")],
        ..Link::default()
    });
    root.attributes.extend([
        text("messaging.system", "kafka"),
        text("messaging.operation.name", "process"),
        text("messaging.operation.type", "process"),
        text("messaging.destination.name", "order-events"),
        text("messaging.consumer.group.name", "notifications"),
        text("shop.order.id", message.order.as_str()),
        int("messaging.batch.message_count", 1),
    ]);
    let at_ns = start_ns + story.took_ns(0.5);
    let asked = calls::user(story, &root, "GET", "/users/{id}", message.user, now, at_ns);
    let channel = if message.user.is_multiple_of(4) { "sms" } else { "email" };
    let (sent, end_ns) = deliver(story, &mut root, channel, asked.end_ns);
    let outcome = if sent { "sent" } else { "failed" };
    let attributes =
        vec![text("shop.channel", channel), text("shop.notification.outcome", outcome)];
    story.measure(&NOTIFICATIONS, &root, end_ns, 1.0, attributes);
    let (severity, level) =
        if sent { (Severity::Info, "info") } else { (Severity::Error, "error") };
    let line = format!(
        "level={level} msg=\"notification {outcome}\" channel={channel} order_id={} \
         user=user-{} duration_ms={:.2} trace_id={}",
        message.order,
        message.user,
        (end_ns - start_ns) as f64 / 1e6,
        story.trace_hex(),
    );
    let attributes = vec![text("shop.order.id", message.order.as_str())];
    story.log(&root, end_ns, severity, &line, attributes);
    story.close(root, end_ns + 30_000);
}

/// Hands the notification to the carrier; rarely it refuses.
fn deliver(story: &mut Story<'_>, root: &mut Open, channel: &str, start_ns: u64) -> (bool, u64) {
    let name = if channel == "sms" { "POST" } else { "smtp send" };
    let mut span = story.open(root.place, Some(root), SpanKind::Client, name, start_ns);
    let address = if channel == "sms" { "sms.example" } else { "smtp.example" };
    span.attributes.extend([
        text("server.address", address),
        text("peer.service", channel),
        text("shop.channel", channel),
    ]);
    let end_ns = start_ns + story.took_ns(if channel == "sms" { 180.0 } else { 60.0 });
    let failed = story.rng.random_bool(0.02);
    if failed {
        let stack = "MailboxError: mailbox full\n    at Transport.send (transport.js:41)";
        span.fail(end_ns, "MailboxError", "mailbox full", stack);
        root.error = Some("notification was not delivered".to_owned());
    }
    story.close(span, end_ns);
    (!failed, end_ns)
}
