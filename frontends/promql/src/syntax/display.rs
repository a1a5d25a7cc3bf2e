//! From the tree back to text, in the spelling that Prometheus uses.
//!
//! Parentheses are part of the tree, so no more are needed to read the same tree again.

use schemas::model::{Grouping, Matcher};

use super::ast::{
    Aggregate, At, Binary, Duration, Edge, Expr, ExprKind, Fill, MatchClause, Number,
    RangeSelector, Selector, Shift, Subquery,
};
use super::number::{write_duration, write_number};
use super::on_stack;
use super::quote::quote;

/// The text of an expression.
pub(crate) fn display(expr: &Expr) -> String {
    let mut text = String::new();
    write_expr(&mut text, expr);
    text
}

fn write_expr(text: &mut String, expr: &Expr) {
    match &expr.kind {
        ExprKind::Number(number) => write_literal(text, *number),
        ExprKind::Text(bytes) => text.push_str(&quote(bytes)),
        ExprKind::Selector(selector) => write_instant(text, selector),
        ExprKind::Range(range) => write_range(text, range),
        ExprKind::Subquery(subquery) => write_subquery(text, subquery),
        ExprKind::Paren(inner) => {
            text.push('(');
            write_expr(text, inner);
            text.push(')');
        }
        ExprKind::Unary(unary) => {
            text.push(if unary.negates { '-' } else { '+' });
            write_expr(text, &unary.operand);
        }
        ExprKind::Binary(binary) => on_stack(|| write_binary(text, binary)),
        ExprKind::Aggregate(aggregate) => write_aggregate(text, aggregate),
        ExprKind::Call(call) => {
            text.push_str(call.function.name);
            text.push('(');
            write_list(text, &call.arguments, write_expr);
            text.push(')');
        }
    }
}

fn write_list<T>(text: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        write(text, item);
    }
}

fn write_literal(text: &mut String, number: Number) {
    if number.is_duration {
        write_duration(text, number.value);
    } else {
        write_number(text, number.value);
    }
}

fn write_labels(text: &mut String, labels: &[String]) {
    text.push('(');
    write_list(text, labels, |text, label| write_label(text, label));
    text.push(')');
}

/// A label name, in quotes if it is no plain word.
fn write_label(text: &mut String, label: &str) {
    if is_plain(label, false) {
        text.push_str(label);
    } else {
        text.push_str(&quote(label.as_bytes()));
    }
}

fn is_plain(name: &str, colon_allowed: bool) -> bool {
    let starts_well = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    starts_well
        && name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || byte == b'_' || (colon_allowed && byte == b':')
        })
}

/// Whether a metric's name, written outside of braces, would be read as something else.
fn is_reserved(name: &str) -> bool {
    ["inf", "nan", "atan2", "bool", "group_left", "group_right", "ignoring", "on"]
        .iter()
        .any(|reserved| name.eq_ignore_ascii_case(reserved))
}

fn write_selector(text: &mut String, selector: &Selector) {
    let mut quoted_name = None;
    match &selector.name {
        Some(name) if is_plain(name, true) && !is_reserved(name) => text.push_str(name),
        name => quoted_name = name.as_ref(),
    }
    if selector.name.is_some() && quoted_name.is_none() && selector.matchers.is_empty() {
        return;
    }
    text.push('{');
    if let Some(name) = quoted_name {
        text.push_str(&quote(name.as_bytes()));
        if !selector.matchers.is_empty() {
            text.push_str(", ");
        }
    }
    write_list(text, &selector.matchers, write_matcher);
    text.push('}');
}

fn write_matcher(text: &mut String, matcher: &Matcher) {
    write_label(text, &matcher.label);
    text.push_str(&matcher.op.to_string());
    text.push_str(&quote(matcher.value.as_bytes()));
}

fn write_edge(text: &mut String, edge: Option<Edge>) {
    if let Some(edge) = edge {
        text.push(' ');
        text.push_str(edge.name());
    }
}

fn write_at(text: &mut String, at: Option<At>) {
    match at {
        None => {}
        Some(At::Start) => text.push_str(" @ start()"),
        Some(At::End) => text.push_str(" @ end()"),
        Some(At::TimeMs(time)) => {
            let sign = if time < 0 { "-" } else { "" };
            let (seconds, milliseconds) = (time.unsigned_abs() / 1000, time.unsigned_abs() % 1000);
            text.push_str(&format!(" @ {sign}{seconds}.{milliseconds:03}"));
        }
    }
}

fn write_offset(text: &mut String, offset: Option<&Duration>) {
    if let Some(offset) = offset {
        text.push_str(" offset ");
        write_duration_expr(text, offset);
    }
}

fn write_instant(text: &mut String, selector: &Selector) {
    write_selector(text, selector);
    write_at(text, selector.shift.at);
    write_edge(text, selector.edge);
    write_offset(text, selector.shift.offset.as_ref());
}

fn write_range(text: &mut String, range: &RangeSelector) {
    write_selector(text, &range.selector);
    text.push('[');
    write_duration_expr(text, &range.range);
    text.push(']');
    write_edge(text, range.selector.edge);
    write_shift(text, &range.selector.shift);
}

fn write_subquery(text: &mut String, subquery: &Subquery) {
    write_expr(text, &subquery.input);
    text.push('[');
    write_duration_expr(text, &subquery.range);
    text.push(':');
    if let Some(step) = &subquery.step {
        write_duration_expr(text, step);
    }
    text.push(']');
    write_shift(text, &subquery.shift);
}

fn write_shift(text: &mut String, shift: &Shift) {
    write_at(text, shift.at);
    write_offset(text, shift.offset.as_ref());
}

fn write_duration_expr(text: &mut String, duration: &Duration) {
    match duration {
        Duration::Literal(number) => write_literal(text, *number),
        Duration::Step => text.push_str("step()"),
        Duration::Range => text.push_str("range()"),
        Duration::Min(left, right) => write_duration_call(text, "min_of(", left, right),
        Duration::Max(left, right) => write_duration_call(text, "max_of(", left, right),
        Duration::Negate(inner) => {
            text.push('-');
            write_duration_expr(text, inner);
        }
        Duration::Binary(op, left, right) => {
            write_duration_expr(text, left);
            text.push(' ');
            text.push_str(op.name());
            text.push(' ');
            write_duration_expr(text, right);
        }
        Duration::Paren(inner) => {
            text.push('(');
            write_duration_expr(text, inner);
            text.push(')');
        }
    }
}

fn write_duration_call(text: &mut String, call: &str, left: &Duration, right: &Duration) {
    text.push_str(call);
    write_duration_expr(text, left);
    text.push_str(", ");
    write_duration_expr(text, right);
    text.push(')');
}

fn write_binary(text: &mut String, binary: &Binary) {
    write_expr(text, &binary.left);
    text.push(' ');
    text.push_str(binary.op.name());
    if binary.returns_bool {
        text.push_str(" bool");
    }
    if let Some(matching) = &binary.matching {
        write_matching(text, matching);
    }
    write_fill(text, binary.fill);
    text.push(' ');
    write_expr(text, &binary.right);
}

fn write_matching(text: &mut String, matching: &MatchClause) {
    text.push_str(if matching.is_on { " on " } else { " ignoring " });
    write_labels(text, &matching.labels);
    if let Some(group) = &matching.group {
        text.push_str(if group.many_left { " group_left " } else { " group_right " });
        write_labels(text, &group.include);
    }
}

fn write_fill(text: &mut String, fill: Fill) {
    let same = fill.left == fill.right;
    let parts = [
        (" fill (", fill.left.filter(|_| same)),
        (" fill_left (", fill.left.filter(|_| !same)),
        (" fill_right (", fill.right.filter(|_| !same)),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            text.push_str(name);
            write_literal(text, value);
            text.push(')');
        }
    }
}

fn write_aggregate(text: &mut String, aggregate: &Aggregate) {
    text.push_str(aggregate.op.name());
    let clause = match &aggregate.grouping {
        None => None,
        Some(Grouping::By(labels)) => Some((" by ", labels)),
        Some(Grouping::Without(labels)) => Some((" without ", labels)),
    };
    if let Some((name, labels)) = clause {
        text.push_str(name);
        write_labels(text, labels);
        text.push(' ');
    }
    text.push('(');
    if let Some(parameter) = &aggregate.parameter {
        write_expr(text, parameter);
        text.push_str(", ");
    }
    write_expr(text, &aggregate.input);
    text.push(')');
}
