//! From the tree back to text: what is written parses to an equal tree.
//!
//! Every operand that is itself an operation stands in parentheses, so no precedence is relied on.

use std::fmt;

use plan::expr::CompareOp;
use schemas::model::Attribute;

use super::ast::{
    AggregateFunction, ArithmeticOp, Field, FieldKind, FieldOp, Hint, Literal, MetricFunction,
    MetricOperand, MetricSource, Metrics, Mode, Number, Query, Relation, Root, Scalar,
    ScalarFilter, SecondStage, SpansetExpr, SpansetOp, Stage,
};
use super::lexer::is_attribute_char;
use super::literal::{INTRINSICS, KIND_NAMES, STATUS_NAMES};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Pipeline(stages) => joined(f, stages, " | ")?,
            Root::Metrics(metrics) => metrics.fmt(f)?,
        }
        if !self.hints.is_empty() {
            f.write_str(" with (")?;
            joined(f, &self.hints, ", ")?;
            f.write_str(")")?;
        }
        Ok(())
    }
}

fn joined<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], by: &str) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(by)?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spansets(spansets) => spansets.fmt(f),
            Self::ScalarFilter(filter) => filter.fmt(f),
            Self::By(field) => write!(f, "by({field})"),
            Self::Coalesce(_) => f.write_str("coalesce()"),
            Self::Select(fields, _) => {
                f.write_str("select(")?;
                joined(f, fields, ", ")?;
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for SpansetExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(None) => f.write_str("{}"),
            Self::Filter(Some(field)) => write!(f, "{{ {field} }}"),
            Self::Pipeline(stages) => {
                f.write_str("(")?;
                joined(f, stages, " | ")?;
                f.write_str(")")
            }
            Self::Binary { op, left, right, .. } => {
                for (side, at) in [(left, 0), (right, 1)] {
                    if at == 1 {
                        write!(f, " {op} ")?;
                    }
                    match side.as_ref() {
                        Self::Binary { .. } => write!(f, "({side})")?,
                        _ => side.fmt(f)?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for SpansetOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (relation, mode) = match self {
            Self::And => return f.write_str("&&"),
            Self::Or => return f.write_str("||"),
            Self::Structural(relation, mode) => (relation, mode),
        };
        f.write_str(match mode {
            Mode::Related => "",
            Mode::Unrelated => "!",
            Mode::Union => "&",
        })?;
        f.write_str(match relation {
            Relation::Child => ">",
            Relation::Parent => "<",
            Relation::Descendant => ">>",
            Relation::Ancestor => "<<",
            Relation::Sibling => "~",
        })
    }
}

impl fmt::Display for ScalarFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, compare_sign(self.op), self.right)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Aggregate(function, None, _) => write!(f, "{}()", function.name()),
            Self::Aggregate(function, Some(field), _) => {
                write!(f, "{}({field})", function.name())
            }
            Self::Pipeline(stages, scalar) => {
                f.write_str("(")?;
                joined(f, stages, " | ")?;
                write!(f, " | {scalar})")
            }
            Self::Binary { op, left, right } => {
                write!(f, "({left} {} {right})", arithmetic_sign(*op))
            }
        }
    }
}

impl AggregateFunction {
    /// The function's name outside of metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Int(i64::MIN) => f.write_str("minInt"),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Duration(value) => write!(f, "{value}ns"),
        }
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            MetricSource::Pipeline { stages, function, by, .. } => {
                joined(f, stages, " | ")?;
                write!(f, " | {function}")?;
                if !by.is_empty() {
                    f.write_str(" by (")?;
                    joined(f, by, ", ")?;
                    f.write_str(")")?;
                }
            }
            MetricSource::Binary { op, left, right, .. } => {
                write!(f, "{left} {} {right}", arithmetic_sign(*op))?;
            }
        }
        for stage in &self.second {
            match stage {
                SecondStage::TopK(count, _) => write!(f, " | topk({count})")?,
                SecondStage::BottomK(count, _) => write!(f, " | bottomk({count})")?,
                SecondStage::Filter(op, value, _) => {
                    write!(f, " {} {value}", compare_sign(*op))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for MetricOperand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metrics(metrics) => write!(f, "({metrics})"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for MetricFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate => f.write_str("rate()"),
            Self::CountOverTime => f.write_str("count_over_time()"),
            Self::OverTime(function, field) => write!(f, "{}_over_time({field})", function.name()),
            Self::QuantileOverTime(field, quantiles) => {
                write!(f, "quantile_over_time({field}, ")?;
                joined(f, quantiles, ", ")?;
                f.write_str(")")
            }
            Self::HistogramOverTime(field) => write!(f, "histogram_over_time({field})"),
            Self::Compare(filter, numbers) => {
                match filter {
                    Some(field) => write!(f, "compare({{ {field} }}")?,
                    None => f.write_str("compare({}")?,
                }
                for number in numbers {
                    write!(f, ", {number}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FieldKind::Literal(literal) => literal.fmt(f),
            FieldKind::Attribute(attribute) => write_attribute(f, attribute),
            FieldKind::ParentAttribute(attribute) => {
                f.write_str("parent.")?;
                write_parent_attribute(f, attribute)
            }
            FieldKind::Parent => f.write_str("parent"),
            FieldKind::Intrinsic(intrinsic) => {
                let spelling = INTRINSICS.iter().find(|spelling| spelling.2 == *intrinsic);
                match spelling {
                    Some(("", name, _)) => f.write_str(name),
                    Some((scope, name, _)) => write!(f, "{scope}:{name}"),
                    // Only intrinsics without a spelling in the language come here.
                    None => write!(f, "{intrinsic:?}"),
                }
            }
            FieldKind::Negate(inner) => write!(f, "-{}", Operand(inner)),
            FieldKind::Not(inner) => write!(f, "!{}", Operand(inner)),
            FieldKind::Binary { op, left, right } => {
                write!(f, "{} {} {}", Operand(left), field_sign(*op), Operand(right))
            }
            FieldKind::And(all) => operands(f, all, " && "),
            FieldKind::Or(any) => operands(f, any, " || "),
        }
    }
}

fn operands(f: &mut fmt::Formatter<'_>, fields: &[Field], sign: &str) -> fmt::Result {
    for (at, field) in fields.iter().enumerate() {
        let sign = if at == 0 { "" } else { sign };
        write!(f, "{sign}{}", Operand(field))?;
    }
    Ok(())
}

/// A field as an operand: in parentheses if it is an operation.
struct Operand<'a>(&'a Field);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            FieldKind::Literal(_)
            | FieldKind::Attribute(_)
            | FieldKind::ParentAttribute(_)
            | FieldKind::Parent
            | FieldKind::Intrinsic(_) => self.0.fmt(f),
            _ => write!(f, "({})", self.0),
        }
    }
}

fn write_attribute(f: &mut fmt::Formatter<'_>, attribute: &Attribute) -> fmt::Result {
    if let Some(scope) = attribute.scope {
        f.write_str(scope.name())?;
    }
    f.write_str(".")?;
    // `.5` would be a number.
    let is_bare =
        attribute.scope.is_some() || !attribute.key.starts_with(|c: char| c.is_ascii_digit());
    write_key(f, &attribute.key, is_bare)
}

fn write_parent_attribute(f: &mut fmt::Formatter<'_>, attribute: &Attribute) -> fmt::Result {
    match attribute.scope {
        Some(scope) => write!(f, "{}.", scope.name())?,
        // `parent.span.a` would be the key `a` of the parent span.
        None => return write_key(f, &attribute.key, !attribute.key.contains('.')),
    }
    write_key(f, &attribute.key, true)
}

fn write_key(f: &mut fmt::Formatter<'_>, key: &str, is_bare: bool) -> fmt::Result {
    if is_bare && key.chars().all(is_attribute_char) {
        return f.write_str(key);
    }
    write!(f, "\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Text(text) => write_text(f, text),
            Self::Int(value) => Number::Int(*value).fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Bool(value) => value.fmt(f),
            Self::Duration(value) => write!(f, "{value}ns"),
            Self::Status(code) => f.write_str(name_of(&STATUS_NAMES, *code)),
            Self::Kind(code) => f.write_str(name_of(&KIND_NAMES, *code)),
        }
    }
}

fn name_of(names: &[&'static str], code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| names.get(code)).copied().unwrap_or(names[0])
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            _ => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

fn field_sign(op: FieldOp) -> &'static str {
    match op {
        FieldOp::Compare(op) => compare_sign(op),
        FieldOp::Regex => "=~",
        FieldOp::NotRegex => "!~",
        FieldOp::Arithmetic(op) => arithmetic_sign(op),
    }
}

fn compare_sign(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Equal => "=",
        CompareOp::NotEqual => "!=",
        CompareOp::Less => "<",
        CompareOp::LessEqual => "<=",
        CompareOp::Greater => ">",
        CompareOp::GreaterEqual => ">=",
    }
}

fn arithmetic_sign(op: ArithmeticOp) -> &'static str {
    match op {
        ArithmeticOp::Add => "+",
        ArithmeticOp::Subtract => "-",
        ArithmeticOp::Multiply => "*",
        ArithmeticOp::Divide => "/",
        ArithmeticOp::Modulo => "%",
        ArithmeticOp::Power => "^",
    }
}
