//! Types: what each expression yields, and whether it fits where it stands.

use std::ops::Range;

use schemas::model::Matcher;

use crate::Error;
use crate::syntax::ast::{Aggregate, Aggregator, Binary, Call, Expr, ExprKind, Selector, Unary};
use crate::syntax::functions::Type;
use crate::syntax::on_stack;

/// Checks that the types of a query fit; returns the type of its result.
pub(crate) fn check(text: &str, expr: &Expr) -> Result<Type, Error> {
    Checker { text }.expr(expr)
}

/// Whether one of the matchers refuses the empty text, so that not every series is selected.
pub(crate) fn refuses_empty(selector: &Selector) -> bool {
    let refuses = |matcher: &Matcher| matcher.compile().is_ok_and(|ready| !ready.matches(""));
    let is_named = selector.name.as_ref().is_some_and(|name| !name.is_empty());
    is_named || selector.matchers.iter().any(refuses)
}

struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn error(&self, span: &Range<usize>, message: &str) -> Error {
        Error::parse(self.text, span.clone(), message)
    }

    fn expr(&self, expr: &Expr) -> Result<Type, Error> {
        match &expr.kind {
            ExprKind::Number(_) => Ok(Type::Scalar),
            ExprKind::Text(_) => Ok(Type::Text),
            ExprKind::Selector(selector) => {
                self.selector(selector, &expr.span)?;
                Ok(Type::Vector)
            }
            ExprKind::Range(range) => {
                self.selector(&range.selector, &expr.span)?;
                Ok(Type::Range)
            }
            ExprKind::Subquery(subquery) => self.subquery(&subquery.input, &expr.span),
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Unary(unary) => self.unary(unary, &expr.span),
            ExprKind::Binary(binary) => on_stack(|| self.binary(binary, &expr.span)),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Call(call) => self.call(call, &expr.span),
        }
    }

    fn expect(&self, expr: &Expr, expected: Type, context: &str) -> Result<(), Error> {
        let given = self.expr(expr)?;
        if given == expected {
            return Ok(());
        }
        let message = format!("expected type {expected} in {context}, got {given}");
        Err(self.error(&expr.span, &message))
    }

    fn selector(&self, selector: &Selector, span: &Range<usize>) -> Result<(), Error> {
        if refuses_empty(selector) {
            return Ok(());
        }
        let message = "vector selector must contain at least one non-empty matcher";
        Err(self.error(span, message))
    }

    fn subquery(&self, input: &Expr, span: &Range<usize>) -> Result<Type, Error> {
        let given = match self.expr(input)? {
            Type::Vector => return Ok(Type::Range),
            // Prometheus names the types by other words here than elsewhere.
            Type::Range => "matrix",
            Type::Scalar => "scalar",
            Type::Text => "string",
        };
        let message = format!("subquery is only allowed on instant vector, got {given} instead");
        Err(self.error(span, &message))
    }

    fn unary(&self, unary: &Unary, span: &Range<usize>) -> Result<Type, Error> {
        match self.expr(&unary.operand)? {
            given @ (Type::Scalar | Type::Vector) => Ok(given),
            given => {
                let message = format!(
                    "unary expression only allowed on expressions of type scalar or instant \
                     vector, got \"{given}\""
                );
                Err(self.error(span, &message))
            }
        }
    }

    fn binary(&self, binary: &Binary, span: &Range<usize>) -> Result<Type, Error> {
        let left = self.expr(&binary.left)?;
        let right = self.expr(&binary.right)?;
        let are_scalars = left == Type::Scalar && right == Type::Scalar;
        let op_span = binary.left.span.end..binary.right.span.start;
        let op_span = trimmed(self.text, op_span);
        if binary.returns_bool && !binary.op.is_comparison() {
            let message = "bool modifier can only be used on comparison operators";
            return Err(self.error(&op_span, message));
        }
        if binary.op.is_comparison() && !binary.returns_bool && are_scalars {
            let message = "comparisons between scalars must use BOOL modifier";
            return Err(self.error(&op_span, message));
        }
        self.group_labels(binary, &op_span)?;
        for (operand, given) in [(&binary.left, left), (&binary.right, right)] {
            if !matches!(given, Type::Scalar | Type::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                return Err(self.error(&operand.span, message));
            }
        }
        self.matching(binary, left == Type::Vector && right == Type::Vector, span)?;
        Ok(if are_scalars { Type::Scalar } else { Type::Vector })
    }

    /// A label that must agree cannot be copied as well.
    fn group_labels(&self, binary: &Binary, op_span: &Range<usize>) -> Result<(), Error> {
        let Some(matching) = binary.matching.as_ref().filter(|matching| matching.is_on) else {
            return Ok(());
        };
        let Some(group) = &matching.group else {
            return Ok(());
        };
        match matching.labels.iter().find(|label| group.include.contains(label)) {
            None => Ok(()),
            Some(label) => {
                let message =
                    format!("label {label:?} must not occur in ON and GROUP clause at once");
                Err(self.error(op_span, &message))
            }
        }
    }

    fn matching(
        &self,
        binary: &Binary,
        are_vectors: bool,
        span: &Range<usize>,
    ) -> Result<(), Error> {
        let is_filled = binary.fill.left.is_some() || binary.fill.right.is_some();
        let matching = binary.matching.as_ref();
        let op = binary.op.name();
        let message = if !are_vectors && matching.is_some_and(|on| !on.labels.is_empty()) {
            "vector matching only allowed between instant vectors".to_owned()
        } else if !are_vectors && is_filled {
            "filling in missing series only allowed between instant vectors".to_owned()
        } else if !are_vectors && binary.op.is_set() {
            format!("set operator {op:?} not allowed in binary scalar expression")
        } else if binary.op.is_set() && matching.is_some_and(|on| on.group.is_some()) {
            format!("no grouping allowed for {op:?} operation")
        } else if binary.op.is_set() && is_filled {
            "filling in missing series not allowed for set operators".to_owned()
        } else {
            return Ok(());
        };
        Err(self.error(span, &message))
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<Type, Error> {
        self.expect(&aggregate.input, Type::Vector, "aggregation expression")?;
        if let Some(parameter) = &aggregate.parameter {
            let expected = match aggregate.op {
                Aggregator::CountValues => Type::Text,
                _ => Type::Scalar,
            };
            self.expect(parameter, expected, "aggregation parameter")?;
        }
        Ok(Type::Vector)
    }

    fn call(&self, call: &Call, span: &Range<usize>) -> Result<Type, Error> {
        let function = call.function;
        let (name, given) = (function.name, call.arguments.len());
        let (min, max) = (function.arguments_min, function.arguments_max);
        let bound = if max == Some(min) && given != min {
            Some(("", min))
        } else if given < min {
            Some(("at least ", min))
        } else {
            max.filter(|max| given > *max).map(|max| ("at most ", max))
        };
        if let Some((bound, count)) = bound {
            let message =
                format!("expected {bound}{count} argument(s) in call to {name:?}, got {given}");
            return Err(self.error(span, &message));
        }
        let context = format!("call to function {name:?}");
        for (at, argument) in call.arguments.iter().enumerate() {
            if name == "info" && at == 1 {
                self.info_selector(argument, &context)?;
                continue;
            }
            let last = function.arguments.last();
            let Some(expected) = function.arguments.get(at).or(last) else {
                continue;
            };
            self.expect(argument, *expected, &context)?;
        }
        Ok(function.returns)
    }

    /// The second argument of `info` picks labels rather than series, so it may select all.
    fn info_selector(&self, argument: &Expr, context: &str) -> Result<(), Error> {
        let message = match &argument.kind {
            ExprKind::Selector(selector) if selector.name.is_none() => return Ok(()),
            ExprKind::Selector(_) => "expected label selectors only, got vector selector instead",
            _ => {
                self.expect(argument, Type::Vector, context)?;
                "expected label selectors only"
            }
        };
        Err(self.error(&argument.span, message))
    }
}

/// The span without the blanks at its ends.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let part = text.get(span.clone()).unwrap_or("");
    let start = span.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}
