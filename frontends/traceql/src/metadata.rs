//! Questions about what there is to search for: tags, their values, and searches by tag.

mod lenient;

use plan::Node;
use plan::expr::{CompareOp, Expr, Intrinsic, Literal};
use plan::node::{Distinct, DistinctOf, Filter, Query};
use schemas::model::{Attribute, Scope, TimeRange, compile_search};

use crate::lower::{newest, spanset};
use crate::syntax::{attribute_of, intrinsic_of};
use crate::{Error, Params, rows, scan};

/// The intrinsics that a tag list names, in Tempo's order.
pub fn intrinsic_names() -> &'static [&'static str] {
    INTRINSICS
}

const INTRINSICS: &[&str] = &[
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "link:spanID",
    "link:traceID",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:id",
    "span:kind",
    "span:name",
    "span:parentID",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:id",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
];

/// The plan that lists the keys of all attributes with their scopes.
pub fn tags(range: TimeRange) -> Query {
    rows(Node::Distinct(Distinct { inputs: vec![scan(range)], of: DistinctOf::AttributeKeys }))
}

/// The plan that lists the values of a tag: an attribute or intrinsic as TraceQL writes it, or
/// the bare key of an attribute, which is looked for in spans and resources. `filter` is a
/// TraceQL `{ … }` that spans must satisfy; what of it cannot be read is left out.
pub fn tag_values(tag: &str, filter: Option<&str>, range: TimeRange) -> Result<Query, Error> {
    if tag.is_empty() {
        return Err(Error::parse(0..0, "expected the name of a tag"));
    }
    let of = match (intrinsic_of(tag), attribute_of(tag)) {
        (Some(intrinsic), _) => DistinctOf::IntrinsicValues(intrinsic),
        (None, Some(attribute)) => DistinctOf::AttributeValues(attribute),
        (None, None) => DistinctOf::AttributeValues(Attribute { scope: None, key: tag.to_owned() }),
    };
    let input = match filter.and_then(lenient::predicate) {
        Some(predicate) => Node::Filter(Filter { input: Box::new(scan(range)), predicate }),
        None => scan(range),
    };
    Ok(rows(Node::Distinct(Distinct { inputs: vec![input], of })))
}

/// The plan of Tempo's search by tags: each value must be contained, case ignored, in that of the
/// key in the span or its resource; durations are inclusive bounds of the whole trace in
/// nanoseconds.
pub fn search_tags(
    tags: &[(String, String)],
    min_duration_ns: Option<i64>,
    max_duration_ns: Option<i64>,
    params: &Params,
) -> Query {
    let mut conditions: Vec<Expr> =
        tags.iter().map(|(key, value)| tag_condition(key, value)).collect();
    let bounds =
        [(CompareOp::GreaterEqual, min_duration_ns), (CompareOp::LessEqual, max_duration_ns)];
    for (op, bound_ns) in bounds {
        if let Some(bound_ns) = bound_ns {
            let duration = Expr::Intrinsic(Intrinsic::TraceDuration);
            conditions.push(compare(op, duration, Literal::Duration(bound_ns)));
        }
    }
    let predicate = (!conditions.is_empty()).then_some(Expr::And(conditions));
    newest(spanset(predicate, params.range), params.limit)
}

fn compare(op: CompareOp, left: Expr, right: Literal) -> Expr {
    Expr::Compare { op, left: Box::new(left), right: Box::new(Expr::Literal(right)) }
}

fn tag_condition(key: &str, value: &str) -> Expr {
    let input = match key {
        "name" => Expr::Intrinsic(Intrinsic::Name),
        "root.name" => Expr::Intrinsic(Intrinsic::RootName),
        "root.service.name" => Expr::Intrinsic(Intrinsic::RootServiceName),
        "status.code" | "status" => return code_condition(Intrinsic::Status, value),
        "span.kind" | "kind" => return code_condition(Intrinsic::Kind, value),
        "service.name" => {
            Expr::Attribute(Attribute { scope: Some(Scope::Resource), key: key.to_owned() })
        }
        _ => Expr::Attribute(Attribute { scope: None, key: key.to_owned() }),
    };
    let mut any = Vec::new();
    if let Ok(number) = value.parse() {
        any.push(compare(CompareOp::Equal, input.clone(), Literal::Int(number)));
    } else if let Ok(number) = value.parse() {
        any.push(compare(CompareOp::Equal, input.clone(), Literal::Float(number)));
    } else if let Ok(flag) = value.parse() {
        any.push(compare(CompareOp::Equal, input.clone(), Literal::Bool(flag)));
    }
    if key == "error" && value == "true" {
        any.push(code_condition(Intrinsic::Status, "error"));
    }
    // A text too long for a pattern is contained nowhere.
    if let Ok(pattern) = compile_search(&format!("(?i){}", escaped(value))) {
        any.push(Expr::Matches { input: Box::new(input), pattern });
    }
    Expr::Or(any)
}

fn code_condition(intrinsic: Intrinsic, value: &str) -> Expr {
    let names: &[&str] = match intrinsic {
        Intrinsic::Status => &crate::syntax::STATUS_NAMES,
        _ => &crate::syntax::KIND_NAMES,
    };
    let code = names.iter().position(|name| name.eq_ignore_ascii_case(value));
    let Some(code) = code.and_then(|code| i32::try_from(code).ok()) else {
        return Expr::Or(Vec::new());
    };
    let literal = match intrinsic {
        Intrinsic::Status => Literal::Status(code),
        _ => Literal::Kind(code),
    };
    compare(CompareOp::Equal, Expr::Intrinsic(intrinsic), literal)
}

/// A pattern that matches exactly this text.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
