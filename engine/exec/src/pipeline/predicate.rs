//! What filters ask of a row.

use std::net::IpAddr;

use memchr::memmem::Finder;
use plan::Expr;
use plan::expr::{CompareOp, LabelType, Literal};
use plan::node::PatternPart;
use regex::Regex;
use schemas::model::{parse_float, parse_go_duration, parse_size};

use super::labels::RowLabels;
use super::names::{ERROR, ERROR_DETAILS, NameId, Names};
use super::{Asked, address, line_pattern};
use crate::{Error, ErrorKind};

/// A question to a row.
#[derive(Debug)]
pub(super) enum Test {
    /// Of the line alone.
    Line(LineTest),
    Text {
        name: NameId,
        equal: bool,
        value: String,
    },
    Matches {
        name: NameId,
        pattern: Box<Regex>,
    },
    Quantity {
        name: NameId,
        read_as: LabelType,
        op: CompareOp,
        value: f64,
    },
    Address {
        name: NameId,
        first: IpAddr,
        last: IpAddr,
    },
    Exists(NameId),
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
}

/// A question to a line.
#[derive(Debug)]
pub(super) enum LineTest {
    Contains(Box<Finder<'static>>),
    Matches(Box<Regex>),
    Pattern(Vec<PatternPart>),
    Address { first: IpAddr, last: IpAddr },
    And(Vec<LineTest>),
    Or(Vec<LineTest>),
    Not(Box<LineTest>),
}

impl Test {
    /// The question that an expression asks.
    pub(super) fn compile(expr: &Expr, names: &mut Names) -> Result<Self, Error> {
        if let Some(line) = LineTest::compile(expr) {
            return Ok(Self::Line(line));
        }
        Ok(match expr {
            Expr::Compare { op, left, right } => compile_compare(*op, left, right, names)?,
            Expr::Matches { input, pattern } => {
                Self::Matches { name: label(input, names)?, pattern: Box::new(pattern.clone()) }
            }
            Expr::ContainsAddress { input, first, last } => {
                Self::Address { name: label(input, names)?, first: *first, last: *last }
            }
            Expr::Exists(input) => Self::Exists(label(input, names)?),
            Expr::Not(inner) => Self::Not(Box::new(Self::compile(inner, names)?)),
            Expr::And(all) => Self::And(compile_all(all, names)?),
            Expr::Or(any) => Self::Or(compile_all(any, names)?),
            _ => return Err(refused(expr)),
        })
    }

    /// Whether it holds. A quantity that cannot be read holds and leaves an error.
    pub(super) fn holds(&self, line: &str, labels: &mut RowLabels) -> bool {
        match self {
            Self::Line(test) => test.holds(line),
            Self::Text { name, equal, value } => {
                (labels.get(*name).unwrap_or_default() == value) == *equal
            }
            Self::Matches { name, pattern } => {
                pattern.is_match(labels.get(*name).unwrap_or_default())
            }
            // Errors are texts: no quantity can be read from them, and that is no error again.
            Self::Quantity { name: ERROR | ERROR_DETAILS, .. } => false,
            Self::Quantity { name, read_as, op, value } => {
                let Some(text) = labels.get(*name) else { return false };
                match read(text, *read_as) {
                    Some(number) => op.holds(&number, value),
                    None => {
                        let details = unreadable(text, *read_as);
                        labels.fail("LabelFilterErr", || details);
                        true
                    }
                }
            }
            Self::Address { name, first, last } => {
                labels.get(*name).is_some_and(|text| address::contains(text, *first, *last))
            }
            Self::Exists(name) => labels.get(*name).is_some(),
            // Every part is asked: each may leave its error.
            Self::And(all) => {
                let mut holds = true;
                for test in all {
                    holds &= test.holds(line, labels);
                }
                holds
            }
            Self::Or(any) => any.iter().any(|test| test.holds(line, labels)),
            Self::Not(inner) => !inner.holds(line, labels),
        }
    }

    /// Calls `visit` with every label that is asked about.
    pub(super) fn labels(&self, visit: &mut dyn FnMut(NameId)) {
        match self {
            Self::Line(_) => {}
            Self::Text { name, .. }
            | Self::Matches { name, .. }
            | Self::Quantity { name, .. }
            | Self::Address { name, .. }
            | Self::Exists(name) => visit(*name),
            Self::And(tests) | Self::Or(tests) => {
                tests.iter().for_each(|test| test.labels(visit));
            }
            Self::Not(inner) => inner.labels(visit),
        }
    }

    /// Adds what must hold of labels.
    pub(super) fn asked<'a>(&'a self, names: &'a Names, out: &mut Vec<Asked<'a>>) {
        match self {
            Self::Text { name, equal: true, value } if !value.is_empty() => {
                out.push(Asked::Equal(names.text(*name), value));
            }
            Self::Quantity { name, read_as: LabelType::Number, op, value } => {
                out.push(Asked::Compare(names.text(*name), *op, *value));
            }
            Self::And(tests) => tests.iter().for_each(|test| test.asked(names, out)),
            _ => {}
        }
    }

    /// Whether the line is asked about.
    pub(super) fn reads_line(&self) -> bool {
        match self {
            Self::Line(_) => true,
            Self::And(tests) | Self::Or(tests) => tests.iter().any(Self::reads_line),
            Self::Not(inner) => inner.reads_line(),
            _ => false,
        }
    }
}

fn refused(expr: &Expr) -> Error {
    Error::new(ErrorKind::Internal, format!("a log row cannot be asked {expr:?}"))
}

fn compile_all(exprs: &[Expr], names: &mut Names) -> Result<Vec<Test>, Error> {
    exprs.iter().map(|expr| Test::compile(expr, names)).collect()
}

fn label(expr: &Expr, names: &mut Names) -> Result<NameId, Error> {
    match expr {
        Expr::Label { name, .. } => Ok(names.id(name)),
        _ => Err(refused(expr)),
    }
}

fn compile_compare(
    op: CompareOp,
    left: &Expr,
    right: &Expr,
    names: &mut Names,
) -> Result<Test, Error> {
    let (Expr::Label { name, read_as }, Expr::Literal(literal)) = (left, right) else {
        return Err(refused(left));
    };
    let name = names.id(name);
    let value = match literal {
        Literal::Text(value) => {
            let equal = match op {
                CompareOp::Equal => true,
                CompareOp::NotEqual => false,
                _ => return Err(refused(left)),
            };
            return Ok(Test::Text { name, equal, value: value.clone() });
        }
        Literal::Int(value) => *value as f64,
        Literal::Float(value) => *value,
        Literal::Duration(value_ns) => *value_ns as f64 / 1e9,
        _ => return Err(refused(right)),
    };
    Ok(Test::Quantity { name, read_as: *read_as, op, value })
}

/// A label's text as a number: seconds for durations, bytes for sizes.
pub(super) fn read(text: &str, read_as: LabelType) -> Option<f64> {
    match read_as {
        LabelType::Text | LabelType::Number => parse_float(text),
        LabelType::Duration => parse_go_duration(text).map(|duration_ns| duration_ns as f64 / 1e9),
        LabelType::Bytes => parse_size(text).map(|bytes| bytes as f64),
    }
}

/// Why a text could not be read, in the words of Go's library, which clients look for.
pub(super) fn unreadable(text: &str, read_as: LabelType) -> String {
    match read_as {
        LabelType::Text | LabelType::Number => {
            format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")
        }
        LabelType::Duration => unreadable_duration(text),
        LabelType::Bytes => {
            let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
            let number = &text[..text.find(|c| !is_number(c)).unwrap_or(text.len())];
            if parse_float(number).is_some() {
                format!("unhandled size name: {}", text[number.len()..].trim())
            } else {
                format!("strconv.ParseFloat: parsing {number:?}: invalid syntax")
            }
        }
    }
}

fn unreadable_duration(text: &str) -> String {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    while rest.starts_with(is_number) {
        let behind = rest.trim_start_matches(is_number);
        let unit = &behind[..behind.find(is_number).unwrap_or(behind.len())];
        if unit.is_empty() {
            return format!("time: missing unit in duration {text:?}");
        }
        if parse_go_duration(&format!("1{unit}")).is_none() {
            return format!("time: unknown unit {unit:?} in duration {text:?}");
        }
        rest = &behind[unit.len()..];
    }
    format!("time: invalid duration {text:?}")
}

impl LineTest {
    /// The question that an expression asks of the line; `None` if it asks for more.
    pub(super) fn compile(expr: &Expr) -> Option<Self> {
        let all = |exprs: &[Expr]| exprs.iter().map(Self::compile).collect::<Option<Vec<_>>>();
        Some(match expr {
            Expr::Contains { input, needle } if is_line(input) => {
                Self::Contains(Box::new(Finder::new(needle.as_bytes()).into_owned()))
            }
            Expr::Matches { input, pattern } if is_line(input) => {
                Self::Matches(Box::new(pattern.clone()))
            }
            Expr::LinePattern(parts) => Self::Pattern(parts.clone()),
            Expr::ContainsAddress { input, first, last } if is_line(input) => {
                Self::Address { first: *first, last: *last }
            }
            Expr::And(exprs) => Self::And(all(exprs)?),
            Expr::Or(exprs) => Self::Or(all(exprs)?),
            Expr::Not(inner) => Self::Not(Box::new(Self::compile(inner)?)),
            _ => return None,
        })
    }

    /// Whether it holds for a line.
    pub(super) fn holds(&self, line: &str) -> bool {
        match self {
            Self::Contains(finder) => finder.find(line.as_bytes()).is_some(),
            Self::Matches(pattern) => pattern.is_match(line),
            Self::Pattern(parts) => line_pattern::matches(parts, line),
            Self::Address { first, last } => address::contains(line, *first, *last),
            Self::And(all) => all.iter().all(|test| test.holds(line)),
            Self::Or(any) => any.iter().any(|test| test.holds(line)),
            Self::Not(inner) => !inner.holds(line),
        }
    }
}

fn is_line(expr: &Expr) -> bool {
    matches!(expr, Expr::Line)
}
