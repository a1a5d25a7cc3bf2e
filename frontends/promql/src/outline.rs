//! The tree of a query as plain names and values, in the shape that Prometheus shows it in.

use schemas::model::{Grouping, Matcher};

use crate::Error;
use crate::check;
use crate::syntax::ast::{
    Aggregate, At, Binary, Call, Duration, Edge, Expr, ExprKind, Number, Selector, Shift, Subquery,
};
use crate::syntax::functions::{Signature, Type};
use crate::syntax::on_stack;

/// Part of the tree of a query: what JSON can say, and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub enum Outline {
    /// Nothing is there.
    Absent,
    /// A truth.
    Bool(bool),
    /// A whole number; durations and times are in milliseconds.
    Int(i64),
    /// A text; numbers of the query are texts, too.
    Text(String),
    /// Parts in order.
    List(Vec<Outline>),
    /// Named parts.
    Node(Vec<(&'static str, Outline)>),
}

use Outline::{Absent, Bool, Int, List, Node};

/// The outline of a query; its types are checked, too.
pub(crate) fn outline(text: &str, expr: &Expr) -> Result<Outline, Error> {
    check::check(text, expr)?;
    Writer { query: text }.expr(expr)
}

struct Writer<'a> {
    query: &'a str,
}

impl Writer<'_> {
    fn expr(&self, expr: &Expr) -> Result<Outline, Error> {
        Ok(match &expr.kind {
            ExprKind::Number(number) => {
                Node(vec![kind("numberLiteral"), ("val", text(decimal(number.value)))])
            }
            ExprKind::Text(bytes) => {
                Node(vec![kind("stringLiteral"), ("val", text(String::from_utf8_lossy(bytes)))])
            }
            ExprKind::Selector(selector) => Node(selected("vectorSelector", selector)),
            ExprKind::Range(range) => {
                let mut node = selected("matrixSelector", &range.selector);
                node.push(("range", milliseconds(Some(&range.range))));
                Node(node)
            }
            ExprKind::Subquery(subquery) => self.subquery(subquery)?,
            ExprKind::Paren(inner) => Node(vec![kind("parenExpr"), ("expr", self.expr(inner)?)]),
            ExprKind::Unary(unary) => Node(vec![
                kind("unaryExpr"),
                ("op", text(if unary.negates { "-" } else { "+" })),
                ("expr", self.expr(&unary.operand)?),
            ]),
            ExprKind::Binary(binary) => on_stack(|| self.binary(binary))?,
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate)?,
            ExprKind::Call(call) => self.call(call)?,
        })
    }

    fn subquery(&self, subquery: &Subquery) -> Result<Outline, Error> {
        let mut node = vec![
            kind("subquery"),
            ("expr", self.expr(&subquery.input)?),
            ("range", milliseconds(Some(&subquery.range))),
            ("step", milliseconds(subquery.step.as_ref())),
        ];
        node.extend(shifted(&subquery.shift));
        Ok(Node(node))
    }

    fn binary(&self, binary: &Binary) -> Result<Outline, Error> {
        Ok(Node(vec![
            kind("binaryExpr"),
            ("op", text(binary.op.name())),
            ("lhs", self.expr(&binary.left)?),
            ("rhs", self.expr(&binary.right)?),
            ("matching", self.matching(binary)?),
            ("bool", Bool(binary.returns_bool)),
        ]))
    }

    /// How the series of both sides find each other, if both sides have series.
    fn matching(&self, binary: &Binary) -> Result<Outline, Error> {
        for side in [&binary.left, &binary.right] {
            if check::check(self.query, side)? != Type::Vector {
                return Ok(Absent);
            }
        }
        let clause = binary.matching.as_ref();
        let group = clause.and_then(|clause| clause.group.as_ref());
        let card = match group {
            _ if binary.op.is_set() => "many-to-many",
            None => "one-to-one",
            Some(group) if group.many_left => "many-to-one",
            Some(_) => "one-to-many",
        };
        let fill = |number: Option<Number>| number.map_or(Absent, |n| text(decimal(n.value)));
        let fills = [("lhs", fill(binary.fill.left)), ("rhs", fill(binary.fill.right))];
        Ok(Node(vec![
            ("card", text(card)),
            ("labels", texts(clause.map_or(&[], |clause| &clause.labels))),
            ("on", Bool(clause.is_some_and(|clause| clause.is_on))),
            ("include", texts(group.map_or(&[], |group| &group.include))),
            ("fillValues", Node(fills.into())),
        ]))
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<Outline, Error> {
        let (without, labels) = match &aggregate.grouping {
            None => (false, &[][..]),
            Some(Grouping::By(labels)) => (false, &labels[..]),
            Some(Grouping::Without(labels)) => (true, &labels[..]),
        };
        let param = aggregate.parameter.as_ref().map(|expr| self.expr(expr)).transpose()?;
        Ok(Node(vec![
            kind("aggregation"),
            ("op", text(aggregate.op.name())),
            ("expr", self.expr(&aggregate.input)?),
            ("param", param.unwrap_or(Absent)),
            ("grouping", texts(labels)),
            ("without", Bool(without)),
        ]))
    }

    fn call(&self, call: &Call) -> Result<Outline, Error> {
        let arguments = call.arguments.iter().map(|argument| self.expr(argument));
        Ok(Node(vec![
            kind("call"),
            ("func", function(call.function)),
            ("args", List(arguments.collect::<Result<_, _>>()?)),
        ]))
    }
}

fn kind(name: &str) -> (&'static str, Outline) {
    ("type", text(name))
}

fn text(text: impl Into<String>) -> Outline {
    Outline::Text(text.into())
}

fn texts(list: &[String]) -> Outline {
    List(list.iter().map(text).collect())
}

/// A number without an exponent.
fn decimal(value: f64) -> String {
    match value {
        value if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        value => value.to_string(),
    }
}

/// Zero for what is absent, and for what is known only when the query is run.
fn milliseconds(duration: Option<&Duration>) -> Outline {
    Int(match duration {
        Some(Duration::Literal(number)) => (number.value * 1e3) as i64,
        Some(Duration::Negate(inner)) => match inner.as_ref() {
            Duration::Literal(number) => (number.value * -1e3) as i64,
            _ => 0,
        },
        _ => 0,
    })
}

fn selected(name: &'static str, selector: &Selector) -> Vec<(&'static str, Outline)> {
    let matcher = |label: &str, op: String, value: &str| {
        Node(vec![("name", text(label)), ("type", text(op)), ("value", text(value))])
    };
    let of = |found: &Matcher| matcher(&found.label, found.op.to_string(), &found.value);
    let mut matchers: Vec<Outline> = selector.matchers.iter().map(of).collect();
    let named = selector.name.as_deref();
    matchers.extend(named.map(|value| matcher("__name__", "=".to_owned(), value)));
    let mut node = vec![
        kind(name),
        ("name", text(named.unwrap_or_default())),
        ("matchers", List(matchers)),
        ("anchored", Bool(selector.edge == Some(Edge::Anchored))),
        ("smoothed", Bool(selector.edge == Some(Edge::Smoothed))),
    ];
    node.extend(shifted(&selector.shift));
    node
}

fn shifted(shift: &Shift) -> [(&'static str, Outline); 3] {
    let (timestamp, start_or_end) = match shift.at {
        None => (Absent, Absent),
        Some(At::TimeMs(time_ms)) => (Int(time_ms), Absent),
        Some(At::Start) => (Absent, text("start")),
        Some(At::End) => (Absent, text("end")),
    };
    let offset = milliseconds(shift.offset.as_ref());
    [("offset", offset), ("timestamp", timestamp), ("startOrEnd", start_or_end)]
}

/// A function: how many arguments may be missing or more than its types say, none if negative.
fn function(signature: &Signature) -> Outline {
    let types = signature.arguments.iter().map(|argument| text(type_name(*argument))).collect();
    let needed = signature.arguments.len().saturating_sub(1);
    let variadic = match signature.arguments_max {
        None => -1,
        Some(max) if max == signature.arguments_min => 0,
        Some(max) => i64::try_from(max.saturating_sub(needed)).unwrap_or(i64::MAX),
    };
    Node(vec![
        ("name", text(signature.name)),
        ("argTypes", List(types)),
        ("variadic", Int(variadic)),
        ("returnType", text(type_name(signature.returns))),
    ])
}

fn type_name(of: Type) -> &'static str {
    match of {
        Type::Scalar => "scalar",
        Type::Vector => "vector",
        Type::Range => "matrix",
        Type::Text => "string",
    }
}
