//! The slow reading: one span at a time, straight from the definition of the language.

use plan::Expr;
use plan::expr::Intrinsic;
use schemas::model::{Attribute, Scope};

use super::super::json;
use super::super::place::{Items, lists_read};
use super::super::scalar::evaluate;
use super::super::value::Value;
use super::spans::{Span, span_id};
use crate::spansets::frame::hex;

/// A span, and the event and link that are looked at.
#[derive(Clone, Copy)]
struct Seen<'a> {
    span: &'a Span,
    event: Option<usize>,
    link: Option<usize>,
}

/// Whether a predicate holds for a span.
pub(super) fn holds(expr: &Expr, span: &Span) -> bool {
    satisfies(expr, Seen { span, event: None, link: None })
}

fn satisfies(expr: &Expr, seen: Seen<'_>) -> bool {
    match expr {
        Expr::And(_) => {
            let mut conditions = Vec::new();
            flatten(expr, &mut conditions);
            let (mut events, mut links) = (Vec::new(), Vec::new());
            for condition in conditions {
                match open_list(condition, seen) {
                    Some(Items::Events) if !is_mixed(condition) => events.push(condition.clone()),
                    Some(Items::Links) if !is_mixed(condition) => links.push(condition.clone()),
                    _ if !satisfies(condition, seen) => return false,
                    _ => {}
                }
            }
            let some =
                |items, all: Vec<Expr>| all.is_empty() || some_item(items, &Expr::And(all), seen);
            some(Items::Events, events) && some(Items::Links, links)
        }
        Expr::Or(inputs) => inputs.iter().any(|input| satisfies(input, seen)),
        _ => match (open_list(expr, seen), expr) {
            (Some(items), _) => some_item(items, expr, seen),
            (None, Expr::Not(input)) => !satisfies(input, seen),
            (None, _) => {
                let value = evaluate(expr, &|reference| value_of(reference, seen));
                match value {
                    Value::Array(items) => items.contains(&Value::Bool(true)),
                    value => value == Value::Bool(true),
                }
            }
        },
    }
}

fn is_mixed(condition: &Expr) -> bool {
    match condition {
        Expr::Or(inputs) => inputs.iter().any(|input| lists_read(input).is_empty()),
        _ => false,
    }
}

fn flatten<'a>(expr: &'a Expr, out: &mut Vec<&'a Expr>) {
    match expr {
        Expr::And(inputs) => inputs.iter().for_each(|input| flatten(input, out)),
        _ => out.push(expr),
    }
}

/// The first list that an expression asks about and whose item is not chosen yet.
fn open_list(expr: &Expr, seen: Seen<'_>) -> Option<Items> {
    lists_read(expr).into_iter().find(|items| match items {
        Items::Events => seen.event.is_none(),
        _ => seen.link.is_none(),
    })
}

fn some_item(items: Items, expr: &Expr, seen: Seen<'_>) -> bool {
    match items {
        Items::Events => (0..seen.span.events.len())
            .any(|event| satisfies(expr, Seen { event: Some(event), ..seen })),
        _ => (0..seen.span.links.len())
            .any(|link| satisfies(expr, Seen { link: Some(link), ..seen })),
    }
}

fn value_of<'a>(reference: &Expr, seen: Seen<'a>) -> Value<'a> {
    match reference {
        Expr::Attribute(attribute) => attribute_value(attribute, seen),
        Expr::Intrinsic(intrinsic) => intrinsic_value(*intrinsic, seen),
        _ => Value::Absent,
    }
}

fn attribute_value<'a>(attribute: &Attribute, seen: Seen<'a>) -> Value<'a> {
    let span = seen.span;
    let key = attribute.key.as_str();
    let resource = || {
        if key == "service.name" {
            Value::text(&span.service)
        } else {
            json::member(&span.resource, key)
        }
    };
    match attribute.scope {
        Some(Scope::Span) => json::member(&span.attributes, key),
        Some(Scope::Resource) => resource(),
        Some(Scope::Instrumentation) => json::member(&span.scope, key),
        Some(Scope::Event) => {
            seen.event.map_or(Value::Absent, |at| json::member(&span.events[at].2, key))
        }
        Some(Scope::Link) => {
            seen.link.map_or(Value::Absent, |at| json::member(&span.links[at], key))
        }
        Some(_) => Value::Absent,
        None => match json::member(&span.attributes, key) {
            Value::Absent => resource(),
            value => value,
        },
    }
}

fn intrinsic_value<'a>(intrinsic: Intrinsic, seen: Seen<'a>) -> Value<'a> {
    let span = seen.span;
    let id =
        |id: Option<u8>| Value::Text(id.map(|id| hex(&span_id(id))).unwrap_or_default().into());
    let event = seen.event.map(|at| &span.events[at]);
    match intrinsic {
        Intrinsic::Name => Value::text(&span.name),
        Intrinsic::Duration => Value::Duration(span.duration_ns),
        Intrinsic::Status => Value::Status(span.status),
        Intrinsic::StatusMessage => Value::text(span.message.as_deref().unwrap_or_default()),
        Intrinsic::Kind => Value::Kind(span.kind),
        Intrinsic::SpanId => id(Some(span.id)),
        Intrinsic::ParentId => id(span.parent),
        Intrinsic::EventName => event.map_or(Value::Absent, |it| Value::text(&it.1)),
        Intrinsic::EventTimeSinceStart => {
            event.map_or(Value::Absent, |it| Value::Duration(it.0 - span.start_ns))
        }
        _ => Value::Absent,
    }
}
