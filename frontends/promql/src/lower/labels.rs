//! Functions that set labels, and the labels of what is absent.

use std::ops::Range;

use plan::Node;
use plan::node::{Call, Function};
use schemas::model::{METRIC_NAME, MatchOp, compile_anchored};

use super::{unsupported, unwrapped};
use crate::Error;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::quote::quote;

/// `label_replace(input, target, replacement, source, pattern)`.
pub(super) fn label_replace(
    input: Node,
    texts: Vec<Vec<u8>>,
    span: Range<usize>,
) -> Result<Node, Error> {
    let Ok([target, replacement, source, pattern]) = <[Vec<u8>; 4]>::try_from(texts) else {
        return Err(unsupported("this call of label_replace", span));
    };
    let pattern = utf8(pattern, &span)?;
    if compile_anchored(&pattern).is_err() {
        let message = format!("invalid regular expression in label_replace(): {pattern}");
        return Err(Error::invalid(message).at(span));
    }
    let function = Function::LabelReplace {
        target: label_name(target, "invalid destination label name in label_replace():", &span)?,
        replacement: utf8(replacement, &span)?,
        source: utf8(source, &span)?,
        pattern,
    };
    Ok(Node::Call(Call::new(function, vec![input])))
}

/// `label_join(input, target, separator, source…)`.
pub(super) fn label_join(
    input: Node,
    texts: Vec<Vec<u8>>,
    span: Range<usize>,
) -> Result<Node, Error> {
    let mut texts = texts.into_iter();
    let (Some(target), Some(separator)) = (texts.next(), texts.next()) else {
        return Err(unsupported("this call of label_join", span));
    };
    let source = |text| label_name(text, "invalid source label name in label_join():", &span);
    let sources = texts.map(source).collect::<Result<Vec<_>, _>>()?;
    let function = Function::LabelJoin {
        target: label_name(target, "invalid destination label name in label_join():", &span)?,
        separator: utf8(separator, &span)?,
        sources,
    };
    Ok(Node::Call(Call::new(function, vec![input])))
}

/// The bytes of string literals.
pub(super) fn texts(arguments: Vec<Expr>) -> Result<Vec<Vec<u8>>, Error> {
    arguments.into_iter().map(text).collect()
}

/// The bytes of a string literal.
pub(super) fn text(argument: Expr) -> Result<Vec<u8>, Error> {
    let argument = unwrapped(argument);
    match argument.kind {
        ExprKind::Text(text) => Ok(text),
        _ => Err(unsupported("this argument", argument.span)),
    }
}

/// A label name; `message` says what it was for.
pub(super) fn label_name(
    name: Vec<u8>,
    message: &str,
    span: &Range<usize>,
) -> Result<String, Error> {
    match String::from_utf8(name) {
        Ok(name) if !name.is_empty() => Ok(name),
        Ok(_) => Err(Error::invalid(format!("{message} \"\"")).at(span.clone())),
        Err(error) => {
            let message = format!("{message} {}", quote(error.as_bytes()));
            Err(Error::invalid(message).at(span.clone()))
        }
    }
}

fn utf8(text: Vec<u8>, span: &Range<usize>) -> Result<String, Error> {
    String::from_utf8(text).map_err(|error| {
        let message = format!("string {} is not valid UTF-8", quote(error.as_bytes()));
        Error::invalid(message).at(span.clone())
    })
}

/// The labels that `absent` gives to its result: those that a selector fixes to one value.
///
/// A label with several matchers is left out, and so is the metric name.
pub(super) fn absent_labels(selected: &Expr) -> Vec<(String, String)> {
    let selector = match &selected.kind {
        ExprKind::Selector(selector) => selector,
        ExprKind::Range(range) => &range.selector,
        _ => return Vec::new(),
    };
    let matchers = &selector.matchers;
    let mut labels = Vec::new();
    for matcher in matchers {
        let is_only = matchers.iter().filter(|other| other.label == matcher.label).count() == 1;
        let is_fixed = matcher.op == MatchOp::Equal && !matcher.value.is_empty();
        if is_only && is_fixed && matcher.label != METRIC_NAME {
            labels.push((matcher.label.clone(), matcher.value.clone()));
        }
    }
    labels
}
