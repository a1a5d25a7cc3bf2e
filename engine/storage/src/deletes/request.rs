//! Requests: what shall be deleted, and its form on disk.

use std::sync::Arc;

use schemas::model::{MatchOp, Matcher, Signal, TimeRange, TimestampNs};
use serde_json::{Value, json};

use crate::{Error, ErrorKind};

/// Rows of one signal that shall be deleted, as they are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct DeleteSpec {
    /// Whose rows.
    pub tenant: Arc<str>,
    /// Of which signal: all its tables.
    pub signal: Signal,
    /// Rows that one of them selects; not empty.
    pub selectors: Vec<RowSelector>,
    /// Rows of these times. A range that ends at the time of the request or later has no end: it
    /// covers all that is stored from its start on, also what clocks ahead of ours have sent.
    pub range: TimeRange,
    /// Whether it can be cancelled for a while; if not, work begins at once.
    pub is_cancellable: bool,
    /// The selectors in the language of whoever asked, to be shown.
    pub query: String,
}

/// Which rows: all matchers and all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowSelector {
    /// On the labels of a series, or on the index labels of a log stream; none for spans.
    pub matchers: Vec<Matcher>,
    /// On the row itself: log records and spans only.
    pub conditions: Vec<RowCondition>,
}

/// `field op "value"`; a row without the field has the empty text there.
#[derive(Clone, Debug, PartialEq)]
pub struct RowCondition {
    /// What is looked at.
    pub field: RowField,
    /// How.
    pub op: ConditionOp,
    /// A literal, or a pattern for the regex operators.
    pub value: String,
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowField {
    /// The body of a log record.
    Line,
    /// A label of a log record as LogQL sees it: an index label of its stream, an attribute of
    /// the record or of its resource, whose name with `_` for what labels cannot have is this.
    Label(String),
    /// An attribute of a span.
    SpanAttribute(String),
    /// An attribute of the span's resource.
    ResourceAttribute(String),
    /// An attribute of the span or else of its resource.
    AnyAttribute(String),
    /// The trace id in lower-case hex.
    TraceId,
    /// The span id in lower-case hex.
    SpanId,
    /// The span's name.
    Name,
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionOp {
    /// The whole text is compared as a matcher does.
    Match(MatchOp),
    /// The text contains the literal.
    Contains,
    /// The text does not contain the literal.
    ContainsNot,
    /// The pattern matches somewhere in the text.
    Search,
    /// The pattern matches nowhere in the text.
    SearchNot,
}

/// A delete request that is durable.
#[derive(Clone, Debug, PartialEq)]
pub struct DeleteRequest {
    /// Its number: from 1 on, without gaps, over all tenants.
    pub number: u64,
    /// What it covers, of the rows that were stored before it.
    pub spec: DeleteSpec,
    /// When it was created, in milliseconds since 1970-01-01.
    pub created_ms: i64,
    /// Until then it can be cancelled and nothing is taken away for good.
    pub cancel_until_ms: i64,
    /// Until then its rows shall be gone from the disk.
    pub deadline_ms: i64,
}

impl DeleteSpec {
    /// The range with which a request is kept that is created at `now_ns`.
    pub(super) fn settled_range(&self, now_ns: TimestampNs) -> TimeRange {
        let end_ns = if self.range.end_ns >= now_ns { i64::MAX } else { self.range.end_ns };
        TimeRange { start_ns: self.range.start_ns, end_ns }
    }
}

impl DeleteRequest {
    /// The form in which it is stored.
    pub(super) fn to_json(&self) -> Value {
        let spec = &self.spec;
        json!({
            "number": self.number,
            "tenant": spec.tenant.as_ref(),
            "signal": spec.signal.name(),
            "selectors": spec.selectors.iter().map(selector_json).collect::<Vec<_>>(),
            "start_ns": spec.range.start_ns,
            "end_ns": spec.range.end_ns,
            "query": spec.query,
            "created_ms": self.created_ms,
            "cancel_until_ms": self.cancel_until_ms,
            "deadline_ms": self.deadline_ms,
        })
    }

    /// What a stored form says; `Damaged` if it is none.
    pub(super) fn from_json(path: &str, value: &Value) -> Result<Self, Error> {
        parse(value).ok_or_else(|| {
            Error::new(ErrorKind::Damaged, format!("{path}: no delete request that we know"))
        })
    }
}

fn parse(value: &Value) -> Option<DeleteRequest> {
    let integer = |name: &str| value.get(name)?.as_i64();
    let text = |name: &str| value.get(name)?.as_str();
    let signal = text("signal")?;
    let selectors = value.get("selectors")?.as_array()?;
    Some(DeleteRequest {
        number: value.get("number")?.as_u64()?,
        spec: DeleteSpec {
            tenant: text("tenant")?.into(),
            signal: Signal::ALL.into_iter().find(|it| it.name() == signal)?,
            selectors: selectors.iter().map(selector_of).collect::<Option<_>>()?,
            range: TimeRange { start_ns: integer("start_ns")?, end_ns: integer("end_ns")? },
            is_cancellable: integer("cancel_until_ms")? > integer("created_ms")?,
            query: text("query")?.to_owned(),
        },
        created_ms: integer("created_ms")?,
        cancel_until_ms: integer("cancel_until_ms")?,
        deadline_ms: integer("deadline_ms")?,
    })
}

fn selector_json(selector: &RowSelector) -> Value {
    let matchers = selector.matchers.iter();
    let matchers = matchers.map(|it| json!([it.label, match_name(it.op), it.value]));
    let conditions = selector.conditions.iter().map(|it| {
        let (kind, key) = field_names(&it.field);
        json!({"field": kind, "key": key, "op": op_name(it.op), "value": it.value})
    });
    json!({
        "matchers": matchers.collect::<Vec<_>>(),
        "conditions": conditions.collect::<Vec<_>>(),
    })
}

fn selector_of(value: &Value) -> Option<RowSelector> {
    let matcher = |value: &Value| {
        let part = |at: usize| value.get(at)?.as_str();
        Some(Matcher::new(part(0)?, match_of(part(1)?)?, part(2)?))
    };
    let condition = |value: &Value| {
        let part = |name: &str| value.get(name)?.as_str();
        Some(RowCondition {
            field: field_of(part("field")?, part("key")?)?,
            op: op_of(part("op")?)?,
            value: part("value")?.to_owned(),
        })
    };
    Some(RowSelector {
        matchers: value.get("matchers")?.as_array()?.iter().map(matcher).collect::<Option<_>>()?,
        conditions: value
            .get("conditions")?
            .as_array()?
            .iter()
            .map(condition)
            .collect::<Option<_>>()?,
    })
}

fn match_name(op: MatchOp) -> &'static str {
    match op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    }
}

fn match_of(name: &str) -> Option<MatchOp> {
    let all = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
    all.into_iter().find(|op| match_name(*op) == name)
}

fn op_name(op: ConditionOp) -> &'static str {
    match op {
        ConditionOp::Match(op) => match_name(op),
        ConditionOp::Contains => "contains",
        ConditionOp::ContainsNot => "not contains",
        ConditionOp::Search => "search",
        ConditionOp::SearchNot => "not search",
    }
}

fn op_of(name: &str) -> Option<ConditionOp> {
    let all = [
        ConditionOp::Contains,
        ConditionOp::ContainsNot,
        ConditionOp::Search,
        ConditionOp::SearchNot,
    ];
    let found = all.into_iter().find(|op| op_name(*op) == name);
    found.or_else(|| match_of(name).map(ConditionOp::Match))
}

fn field_names(field: &RowField) -> (&'static str, &str) {
    match field {
        RowField::Line => ("line", ""),
        RowField::Label(key) => ("label", key),
        RowField::SpanAttribute(key) => ("span", key),
        RowField::ResourceAttribute(key) => ("resource", key),
        RowField::AnyAttribute(key) => ("any", key),
        RowField::TraceId => ("trace_id", ""),
        RowField::SpanId => ("span_id", ""),
        RowField::Name => ("name", ""),
    }
}

fn field_of(kind: &str, key: &str) -> Option<RowField> {
    Some(match kind {
        "line" => RowField::Line,
        "label" => RowField::Label(key.to_owned()),
        "span" => RowField::SpanAttribute(key.to_owned()),
        "resource" => RowField::ResourceAttribute(key.to_owned()),
        "any" => RowField::AnyAttribute(key.to_owned()),
        "trace_id" => RowField::TraceId,
        "span_id" => RowField::SpanId,
        "name" => RowField::Name,
        _ => return None,
    })
}
