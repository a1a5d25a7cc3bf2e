//! Line filters and label filters.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use plan::Expr;
use plan::expr::{CompareOp, LabelType, Literal};
use schemas::model::{MatchOp, Matcher, compile_anchored, compile_search};

use super::pipeline::line_pattern_parts;
use crate::Error;
use crate::syntax::ast::{Comparison, LabelFilter, LineFilter, LineOp, LineOperand, Quantity};

/// The label that holds a line's error.
const ERROR_LABEL: &str = "__error__";

pub(super) fn lower_line(filter: &LineFilter) -> Result<Expr, Error> {
    let mut asked = Vec::with_capacity(filter.operands.len());
    for operand in &filter.operands {
        asked.push(lower_operand(filter.op, operand)?);
    }
    let negative =
        matches!(filter.op, LineOp::NotContains | LineOp::NotMatches | LineOp::NotPattern);
    // A negative filter rejects a line that any operand matches.
    Ok(if negative {
        let none = asked.into_iter().map(not).collect();
        one_or(Expr::And, none)
    } else {
        one_or(Expr::Or, asked)
    })
}

fn one_or(many: fn(Vec<Expr>) -> Expr, mut exprs: Vec<Expr>) -> Expr {
    if exprs.len() == 1 { exprs.remove(0) } else { many(exprs) }
}

fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

fn lower_operand(op: LineOp, operand: &LineOperand) -> Result<Expr, Error> {
    let input = Box::new(Expr::Line);
    match (op, operand) {
        (LineOp::Contains | LineOp::NotContains, LineOperand::Text(text)) => {
            Ok(Expr::Contains { input, needle: text.clone() })
        }
        (LineOp::Matches | LineOp::NotMatches, LineOperand::Text(text)) => {
            let pattern = compile_search(text).map_err(Error::pattern)?;
            Ok(Expr::Matches { input, pattern })
        }
        (LineOp::Pattern | LineOp::NotPattern, LineOperand::Text(text)) => {
            Ok(Expr::LinePattern(line_pattern_parts(text).map_err(Error::invalid)?))
        }
        (LineOp::Contains | LineOp::NotContains, LineOperand::Ip(text)) => {
            let (first, last) = addresses(text)?;
            Ok(Expr::ContainsAddress { input, first, last })
        }
        (_, LineOperand::Ip(_)) => Err(Error::invalid("ip: invalid operation")),
    }
}

pub(super) fn lower_label(filter: &LabelFilter) -> Result<Expr, Error> {
    Ok(match filter {
        LabelFilter::Text(matcher) => lower_matcher(matcher)?,
        LabelFilter::Ip { label, equal, addresses } => lower_ip(label, *equal, addresses)?,
        LabelFilter::Quantity { label, op, value } => lower_quantity(label, *op, *value),
        LabelFilter::And(left, right) => Expr::And(vec![lower_label(left)?, lower_label(right)?]),
        LabelFilter::Or(left, right) => Expr::Or(vec![lower_label(left)?, lower_label(right)?]),
    })
}

fn label(name: &str, read_as: LabelType) -> Expr {
    Expr::Label { name: name.to_owned(), read_as }
}

fn compare(op: CompareOp, left: Expr, right: Literal) -> Expr {
    Expr::Compare { op, left: Box::new(left), right: Box::new(Expr::Literal(right)) }
}

fn lower_matcher(matcher: &Matcher) -> Result<Expr, Error> {
    let text = label(&matcher.label, LabelType::Text);
    Ok(match matcher.op {
        MatchOp::Equal => compare(CompareOp::Equal, text, Literal::Text(matcher.value.clone())),
        MatchOp::NotEqual => {
            compare(CompareOp::NotEqual, text, Literal::Text(matcher.value.clone()))
        }
        MatchOp::Regex | MatchOp::NotRegex => {
            let pattern = compile_anchored(&matcher.value).map_err(Error::pattern)?;
            let matches = Expr::Matches { input: Box::new(text), pattern };
            if matcher.op == MatchOp::Regex { matches } else { not(matches) }
        }
    })
}

fn lower_quantity(name: &str, op: Comparison, value: Quantity) -> Expr {
    let (read_as, literal) = match value {
        Quantity::Number(number) => (LabelType::Number, number),
        Quantity::Duration(duration_ns) => (LabelType::Duration, duration_ns as f64 / 1e9),
        Quantity::Bytes(bytes) => (LabelType::Bytes, bytes as f64),
    };
    compare(compare_op(op), label(name, read_as), Literal::Float(literal))
}

pub(super) fn compare_op(op: Comparison) -> CompareOp {
    match op {
        Comparison::Equal => CompareOp::Equal,
        Comparison::NotEqual => CompareOp::NotEqual,
        Comparison::Less => CompareOp::Less,
        Comparison::LessEqual => CompareOp::LessEqual,
        Comparison::Greater => CompareOp::Greater,
        Comparison::GreaterEqual => CompareOp::GreaterEqual,
    }
}

/// An absent label is dropped whatever is asked; a line with an error passes.
fn lower_ip(name: &str, equal: bool, text: &str) -> Result<Expr, Error> {
    let (first, last) = addresses(text)?;
    let read = || Box::new(label(name, LabelType::Text));
    let contains = Expr::ContainsAddress { input: read(), first, last };
    let asked = if equal { contains } else { not(contains) };
    let error = label(ERROR_LABEL, LabelType::Text);
    Ok(Expr::Or(vec![
        compare(CompareOp::NotEqual, error, Literal::Text(String::new())),
        Expr::And(vec![Expr::Exists(read()), asked]),
    ]))
}

/// The closed range that `a`, `a-b` or `a/bits` names.
fn addresses(text: &str) -> Result<(IpAddr, IpAddr), Error> {
    let invalid = || Error::invalid(format!("ip: invalid pattern: {text:?}"));
    let address = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| invalid());
    if let Some((first, last)) = text.split_once('-') {
        let (first, last) = (address(first)?, address(last)?);
        if first.is_ipv4() != last.is_ipv4() || first > last {
            return Err(invalid());
        }
        return Ok((first, last));
    }
    let Some((base, bits)) = text.split_once('/') else {
        let only = address(text)?;
        return Ok((only, only));
    };
    let bits: u32 = bits.parse().map_err(|_| invalid())?;
    match address(base)? {
        IpAddr::V4(base) if bits <= 32 => {
            let host = u32::MAX.checked_shr(bits).unwrap_or(0);
            let base = u32::from(base);
            let (first, last) = (Ipv4Addr::from(base & !host), Ipv4Addr::from(base | host));
            Ok((first.into(), last.into()))
        }
        IpAddr::V6(base) if bits <= 128 => {
            let host = u128::MAX.checked_shr(bits).unwrap_or(0);
            let base = u128::from(base);
            let (first, last) = (Ipv6Addr::from(base & !host), Ipv6Addr::from(base | host));
            Ok((first.into(), last.into()))
        }
        _ => Err(invalid()),
    }
}
