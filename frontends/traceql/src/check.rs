//! Types and arguments: what parses but means nothing is refused here.
//!
//! Attributes have no type before a span is seen, so whatever touches one is let through; two
//! operands whose types are known must fit.

use plan::expr::Intrinsic;
use schemas::model::{Scope, compile_anchored};

use crate::Error;
use crate::syntax::ast::{
    AggregateFunction, Field, FieldKind, FieldOp, Literal, MetricFunction, MetricOperand,
    MetricSource, Metrics, Query, Root, Scalar, ScalarFilter, SecondStage, Span, SpansetExpr,
    Stage,
};

/// Attributes that series can be grouped by; one less where a bucket or quantile is a label, too.
const METRIC_GROUPS_MAX: usize = 5;

/// Values per attribute that `compare()` can return.
const COMPARE_TOP_MAX: i64 = 1_000;

/// What is known of a value before a span is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Nil,
    Int,
    Float,
    Duration,
    Text,
    Bool,
    Status,
    Kind,
    /// Known only per span.
    Dynamic,
}

impl Type {
    fn is_numeric(self) -> bool {
        matches!(self, Self::Int | Self::Float | Self::Duration | Self::Dynamic)
    }

    fn is_boolean(self) -> bool {
        matches!(self, Self::Bool | Self::Dynamic)
    }

    fn fits(self, other: Self) -> bool {
        let is_open = |it| matches!(it, Self::Nil | Self::Dynamic);
        self == other
            || is_open(self)
            || is_open(other)
            || (self.is_numeric() && other.is_numeric())
    }

    fn allows(self, op: FieldOp) -> bool {
        use plan::expr::CompareOp::{Equal, NotEqual};
        match op {
            FieldOp::Compare(Equal | NotEqual) => true,
            FieldOp::Compare(_) => self.is_numeric() || self == Self::Text,
            FieldOp::Regex | FieldOp::NotRegex => matches!(self, Self::Text | Self::Dynamic),
            FieldOp::Arithmetic(_) => self.is_numeric(),
        }
    }
}

/// Whether the query means something.
pub(crate) fn check(query: &Query) -> Result<(), Error> {
    match &query.root {
        Root::Pipeline(stages) => check_stages(stages),
        Root::Metrics(metrics) => check_metrics(metrics),
    }
}

fn check_stages(stages: &[Stage]) -> Result<(), Error> {
    stages.iter().try_for_each(|stage| match stage {
        Stage::Spansets(spansets) => check_spansets(spansets),
        Stage::ScalarFilter(filter) => check_scalar_filter(filter),
        Stage::By(field) => {
            type_of(field)?;
            require_span_reference(field, "by()")
        }
        Stage::Coalesce(_) => Ok(()),
        Stage::Select(fields, _) => fields.iter().try_for_each(|field| type_of(field).map(drop)),
    })
}

fn check_spansets(spansets: &SpansetExpr) -> Result<(), Error> {
    match spansets {
        SpansetExpr::Filter(None) => Ok(()),
        SpansetExpr::Filter(Some(field)) => check_condition(field),
        SpansetExpr::Pipeline(stages) => check_stages(stages),
        SpansetExpr::Binary { left, right, .. } => {
            check_spansets(left)?;
            check_spansets(right)
        }
    }
}

fn check_condition(field: &Field) -> Result<(), Error> {
    if type_of(field)?.is_boolean() {
        return Ok(());
    }
    let message = format!("span filter `{field}` must be a boolean");
    Err(Error::invalid(field.span.0.clone(), message))
}

fn check_scalar_filter(filter: &ScalarFilter) -> Result<(), Error> {
    check_scalar(&filter.left)?;
    check_scalar(&filter.right)
}

fn check_scalar(scalar: &Scalar) -> Result<(), Error> {
    match scalar {
        Scalar::Number(_) | Scalar::Aggregate(_, None, _) => Ok(()),
        Scalar::Aggregate(function, Some(field), span) => {
            let name = format!("{}()", function.name());
            if !type_of(field)?.is_numeric() {
                let message = format!("{name} needs a number, not `{field}`");
                return Err(Error::invalid(span.0.clone(), message));
            }
            require_span_reference(field, &name)
        }
        Scalar::Pipeline(stages, scalar) => {
            check_stages(stages)?;
            check_scalar(scalar)
        }
        Scalar::Binary { left, right, .. } => {
            check_scalar(left)?;
            check_scalar(right)
        }
    }
}

fn check_metrics(metrics: &Metrics) -> Result<(), Error> {
    let is_compare = match &metrics.source {
        MetricSource::Pipeline { stages, function, by, span } => {
            check_stages(stages)?;
            check_metric_function(function, span)?;
            check_metric_groups(function, by, span)?;
            matches!(function, MetricFunction::Compare(..))
        }
        MetricSource::Binary { left, right, span, .. } => {
            for side in [left, right] {
                let MetricOperand::Metrics(side) = side.as_ref() else { continue };
                check_metrics(side)?;
                if holds_compare(side) {
                    let message = "compare() cannot be computed with";
                    return Err(Error::invalid(span.0.clone(), message));
                }
            }
            false
        }
    };
    for stage in &metrics.second {
        let (SecondStage::TopK(_, span)
        | SecondStage::BottomK(_, span)
        | SecondStage::Filter(_, _, span)) = stage;
        if is_compare {
            let message = "compare() cannot be followed by another stage";
            return Err(Error::invalid(span.0.clone(), message));
        }
        if let SecondStage::TopK(count, _) | SecondStage::BottomK(count, _) = stage
            && *count <= 0
        {
            let message = "topk() and bottomk() need a positive number";
            return Err(Error::invalid(span.0.clone(), message));
        }
    }
    Ok(())
}

fn holds_compare(metrics: &Metrics) -> bool {
    matches!(metrics.source, MetricSource::Pipeline { function: MetricFunction::Compare(..), .. })
}

fn check_metric_function(function: &MetricFunction, span: &Span) -> Result<(), Error> {
    let field = match function {
        MetricFunction::Rate | MetricFunction::CountOverTime => return Ok(()),
        MetricFunction::Compare(filter, numbers) => {
            if let Some(top) = numbers.first()
                && !(1..=COMPARE_TOP_MAX).contains(top)
            {
                let message = format!("compare() returns 1 to {COMPARE_TOP_MAX} values");
                return Err(Error::invalid(span.0.clone(), message));
            }
            return filter.as_ref().map_or(Ok(()), check_condition);
        }
        MetricFunction::OverTime(_, field)
        | MetricFunction::QuantileOverTime(field, _)
        | MetricFunction::HistogramOverTime(field) => field,
    };
    if type_of(field)?.is_numeric() {
        return Ok(());
    }
    let message = format!("metrics need a number, not `{field}`");
    Err(Error::invalid(field.span.0.clone(), message))
}

fn check_metric_groups(function: &MetricFunction, by: &[Field], span: &Span) -> Result<(), Error> {
    let adds_label = matches!(
        function,
        MetricFunction::QuantileOverTime(..)
            | MetricFunction::HistogramOverTime(_)
            | MetricFunction::OverTime(AggregateFunction::Avg, _)
    );
    let groups_max = METRIC_GROUPS_MAX - usize::from(adds_label);
    if by.len() > groups_max {
        let message = format!("{} attributes to group by are over {groups_max}", by.len());
        return Err(Error::limit(span.0.clone(), message));
    }
    Ok(())
}

fn require_span_reference(field: &Field, what: &str) -> Result<(), Error> {
    if references_span(field) {
        return Ok(());
    }
    let message = format!("{what} must refer to the span, `{field}` does not");
    Err(Error::invalid(field.span.0.clone(), message))
}

fn references_span(field: &Field) -> bool {
    match &field.kind {
        FieldKind::Literal(_) => false,
        FieldKind::Attribute(_)
        | FieldKind::ParentAttribute(_)
        | FieldKind::Parent
        | FieldKind::Intrinsic(_) => true,
        FieldKind::Negate(inner) | FieldKind::Not(inner) => references_span(inner),
        FieldKind::Binary { left, right, .. } => references_span(left) || references_span(right),
        FieldKind::And(fields) | FieldKind::Or(fields) => fields.iter().any(references_span),
    }
}

fn type_of(field: &Field) -> Result<Type, Error> {
    match &field.kind {
        FieldKind::Literal(literal) => Ok(literal_type(literal)),
        FieldKind::Attribute(_) | FieldKind::ParentAttribute(_) | FieldKind::Parent => {
            Ok(Type::Dynamic)
        }
        FieldKind::Intrinsic(intrinsic) => Ok(intrinsic_type(*intrinsic)),
        FieldKind::Negate(inner) => {
            let inner = type_of(inner)?;
            if inner.is_numeric() { Ok(inner) } else { Err(wrong_operand(field, "-")) }
        }
        FieldKind::Not(inner) => {
            if type_of(inner)?.is_boolean() {
                Ok(Type::Bool)
            } else {
                Err(wrong_operand(field, "!"))
            }
        }
        FieldKind::And(fields) | FieldKind::Or(fields) => {
            for inner in fields {
                if !type_of(inner)?.is_boolean() {
                    return Err(wrong_operand(field, "&& or ||"));
                }
            }
            Ok(Type::Bool)
        }
        FieldKind::Binary { op, left, right } => binary_type(field, *op, left, right),
    }
}

fn binary_type(field: &Field, op: FieldOp, left: &Field, right: &Field) -> Result<Type, Error> {
    let (left_type, right_type) = (type_of(left)?, type_of(right)?);
    if !left_type.fits(right_type) {
        let message = format!("both sides of `{field}` must have the same type");
        return Err(Error::invalid(field.span.0.clone(), message));
    }
    if !left_type.allows(op) || !right_type.allows(op) {
        return Err(wrong_operand(field, "the operator"));
    }
    match op {
        FieldOp::Compare(op) => {
            let with_nil = match (left_type, right_type) {
                (Type::Nil, _) => Some(right),
                (_, Type::Nil) => Some(left),
                _ => None,
            };
            if let Some(value) = with_nil
                && op == plan::expr::CompareOp::Equal
                && is_always_present(value)
            {
                let message = format!("`{value}` cannot be nil");
                return Err(Error::invalid(field.span.0.clone(), message));
            }
            Ok(Type::Bool)
        }
        FieldOp::Regex | FieldOp::NotRegex => {
            let FieldKind::Literal(Literal::Text(pattern)) = &right.kind else {
                let message = format!("the pattern of `{field}` must be a text");
                return Err(Error::invalid(right.span.0.clone(), message));
            };
            compile_anchored(pattern)
                .map_err(|error| Error::invalid(right.span.0.clone(), error.to_string()))?;
            Ok(Type::Bool)
        }
        FieldOp::Arithmetic(_) => {
            let both_int = left_type == Type::Int && right_type == Type::Int;
            Ok(if both_int { Type::Int } else { Type::Float })
        }
    }
}

fn is_always_present(field: &Field) -> bool {
    match &field.kind {
        FieldKind::Intrinsic(_) => true,
        FieldKind::Attribute(attribute) => {
            attribute.scope == Some(Scope::Resource) && attribute.key == "service.name"
        }
        _ => false,
    }
}

fn wrong_operand(field: &Field, operator: &str) -> Error {
    let message = format!("{operator} cannot be applied to these operands: `{field}`");
    Error::invalid(field.span.0.clone(), message)
}

fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Nil => Type::Nil,
        Literal::Text(_) => Type::Text,
        Literal::Int(_) => Type::Int,
        Literal::Float(_) => Type::Float,
        Literal::Bool(_) => Type::Bool,
        Literal::Duration(_) => Type::Duration,
        Literal::Status(_) => Type::Status,
        Literal::Kind(_) => Type::Kind,
    }
}

fn intrinsic_type(intrinsic: Intrinsic) -> Type {
    match intrinsic {
        Intrinsic::Duration | Intrinsic::TraceDuration | Intrinsic::EventTimeSinceStart => {
            Type::Duration
        }
        Intrinsic::Status => Type::Status,
        Intrinsic::Kind => Type::Kind,
        Intrinsic::ChildCount
        | Intrinsic::NestedSetLeft
        | Intrinsic::NestedSetRight
        | Intrinsic::NestedSetParent => Type::Int,
        Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => Type::Dynamic,
        Intrinsic::Name
        | Intrinsic::StatusMessage
        | Intrinsic::RootName
        | Intrinsic::RootServiceName
        | Intrinsic::TraceId
        | Intrinsic::SpanId
        | Intrinsic::ParentId
        | Intrinsic::EventName
        | Intrinsic::LinkTraceId
        | Intrinsic::LinkSpanId
        | Intrinsic::TraceState => Type::Text,
    }
}
