//! Operands: literals, selectors, aggregations, calls and parentheses.

use std::ops::Range;

use schemas::model::{Grouping, METRIC_NAME, MatchOp, Matcher};

use super::super::ast::{Aggregate, Aggregator, BinaryOp, Call, Expr, ExprKind, Number, Selector};
use super::super::functions::signature;
use super::super::quote::unquote;
use super::super::token::{TokenKind, aggregator};
use super::Parser;
use crate::Error;

/// Keywords that, unlike all others, cannot be the name of a metric.
const NEVER_METRICS: &[&str] = &["atan2", "bool", "group_left", "group_right", "ignoring", "on"];

impl Parser<'_> {
    /// An operand without signs and modifiers.
    pub(super) fn primary(&mut self) -> Result<Expr, Error> {
        let span = self.span();
        match self.peek() {
            TokenKind::Number | TokenKind::Duration => {
                let number: Number = self.number("", "")?;
                self.node(ExprKind::Number(number), span, 0)
            }
            TokenKind::Text => {
                let text = self.text_literal()?;
                self.node(ExprKind::Text(text), span, 0)
            }
            TokenKind::LeftParen => self.paren(),
            TokenKind::Word => self.word(),
            TokenKind::MetricName | TokenKind::LeftBrace => self.selector_expr(),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn paren(&mut self) -> Result<Expr, Error> {
        let start = self.span().start;
        self.advance();
        let inner = self.expr(0)?;
        self.expect(&TokenKind::RightParen, "", "")?;
        let height = inner.height;
        self.node(ExprKind::Paren(Box::new(inner)), start..self.end_of_last(), height)
    }

    fn word(&mut self) -> Result<Expr, Error> {
        let word = self.written();
        let opens = self.peek_second() == &TokenKind::LeftParen;
        if let Some(op) = aggregator(word)
            && (opens || self.grouping_follows())
        {
            return self.aggregate(op);
        }
        if NEVER_METRICS.iter().any(|never| word.eq_ignore_ascii_case(never)) {
            return Err(self.unexpected("", ""));
        }
        if opens { self.call() } else { self.selector_expr() }
    }

    /// Whether `by` or `without` stands after the next token.
    fn grouping_follows(&self) -> bool {
        let second = &self.tokens[(self.at + 1).min(self.tokens.len() - 1)];
        let written = &self.text[second.span.clone()];
        second.kind == TokenKind::Word
            && (written.eq_ignore_ascii_case("by") || written.eq_ignore_ascii_case("without"))
    }

    fn aggregate(&mut self, op: Aggregator) -> Result<Expr, Error> {
        let start = self.span().start;
        self.advance();
        let mut grouping = self.grouping()?;
        if self.peek() != &TokenKind::LeftParen {
            return Err(self.unexpected("aggregation", ""));
        }
        let mut arguments = self.arguments()?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let span = start..self.end_of_last();
        let expected = 1 + usize::from(op.has_parameter());
        if arguments.is_empty() {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        }
        let height = arguments.iter().map(|argument| argument.height).max().unwrap_or(0);
        match (arguments.len() == expected, arguments.pop()) {
            (true, Some(input)) => {
                let parameter = arguments.pop();
                let aggregate = Aggregate { op, parameter, input, grouping };
                self.node(ExprKind::Aggregate(Box::new(aggregate)), span, height)
            }
            (_, taken) => {
                let given = arguments.len() + usize::from(taken.is_some());
                let message = format!(
                    "wrong number of arguments for aggregate expression provided, \
                     expected {expected}, got {given}"
                );
                Err(self.error(span, &message))
            }
        }
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, Error> {
        if self.take_word("by") {
            Ok(Some(Grouping::By(self.label_list()?)))
        } else if self.take_word("without") {
            Ok(Some(Grouping::Without(self.label_list()?)))
        } else {
            Ok(None)
        }
    }

    fn call(&mut self) -> Result<Expr, Error> {
        let name = self.written();
        let name_span = self.span();
        self.advance();
        let Some(function) = signature(name) else {
            let message = format!("unknown function with name {name:?}");
            return Err(self.error(name_span, &message));
        };
        let arguments = self.arguments()?;
        let height = arguments.iter().map(|argument| argument.height).max().unwrap_or(0);
        let call = Call { function, arguments };
        let span = name_span.start..self.end_of_last();
        self.node(ExprKind::Call(Box::new(call)), span, height)
    }

    /// Expressions in parentheses, with commas between them.
    fn arguments(&mut self) -> Result<Vec<Expr>, Error> {
        self.expect(&TokenKind::LeftParen, "", "\"(\"")?;
        let mut arguments = Vec::new();
        if self.take(&TokenKind::RightParen) {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expr(0)?);
            let comma = self.span();
            if !self.take(&TokenKind::Comma) {
                break;
            }
            if self.peek() == &TokenKind::RightParen {
                let message = "trailing commas not allowed in function call args";
                return Err(self.error(comma, message));
            }
        }
        self.expect(&TokenKind::RightParen, "", "")?;
        Ok(arguments)
    }

    /// Label names in parentheses, with commas between them and perhaps after the last one.
    pub(super) fn label_list(&mut self) -> Result<Vec<String>, Error> {
        self.expect(&TokenKind::LeftParen, "grouping opts", "\"(\"")?;
        let mut labels = Vec::new();
        while !self.take(&TokenKind::RightParen) {
            labels.push(self.grouping_label()?);
            if self.take(&TokenKind::Comma) {
                continue;
            }
            if self.peek() != &TokenKind::RightParen {
                return Err(self.unexpected("grouping opts", "\",\" or \")\""));
            }
        }
        Ok(labels)
    }

    fn grouping_label(&mut self) -> Result<String, Error> {
        let span = self.span();
        let label = match self.peek() {
            TokenKind::Word => self.written().to_owned(),
            TokenKind::Text => {
                let label = self.utf8_literal()?;
                if !label.is_empty() {
                    return Ok(label);
                }
                return Err(self.error(span, "invalid label name for grouping: \"\""));
            }
            TokenKind::MetricName => {
                let name = self.written();
                let message = format!("invalid label name for grouping: {name:?}");
                return Err(self.error(span, &message));
            }
            _ => return Err(self.unexpected("grouping opts", "label")),
        };
        self.advance();
        Ok(label)
    }

    fn selector_expr(&mut self) -> Result<Expr, Error> {
        let start = self.span().start;
        let selector = self.selector()?;
        self.node(ExprKind::Selector(Box::new(selector)), start..self.end_of_last(), 0)
    }

    /// A metric name, matchers in braces, or both.
    pub(super) fn selector(&mut self) -> Result<Selector, Error> {
        let mut selector = Selector::default();
        let start = self.span().start;
        if matches!(self.peek(), TokenKind::Word | TokenKind::MetricName) {
            selector.name = Some(self.written().to_owned());
            self.advance();
        } else if self.peek() != &TokenKind::LeftBrace {
            return Err(self.unexpected("", ""));
        }
        if self.take(&TokenKind::LeftBrace) {
            while !self.take(&TokenKind::RightBrace) {
                self.matcher(&mut selector)?;
                if self.take(&TokenKind::Comma) {
                    continue;
                }
                if self.peek() != &TokenKind::RightBrace {
                    return Err(self.unexpected("label matching", "\",\" or \"}\""));
                }
            }
        }
        let again = selector.matchers.iter().find(|matcher| matcher.label == METRIC_NAME);
        if let (Some(name), Some(again)) = (&selector.name, again) {
            let span = start..self.end_of_last();
            return Err(self.name_set_twice(span, name, &again.value));
        }
        Ok(selector)
    }

    fn name_set_twice(&self, span: Range<usize>, first: &str, second: &str) -> Error {
        let message = format!("metric name must not be set twice: {first:?} or {second:?}");
        self.error(span, &message)
    }

    /// `label="value"`, or the quoted name of the metric.
    fn matcher(&mut self, selector: &mut Selector) -> Result<(), Error> {
        let start = self.span().start;
        let is_quoted = self.peek() == &TokenKind::Text;
        let label = match self.peek() {
            TokenKind::Text => self.utf8_literal()?,
            TokenKind::Word => {
                let label = self.written().to_owned();
                self.advance();
                label
            }
            _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
        };
        let op = match self.peek() {
            TokenKind::Assign => MatchOp::Equal,
            TokenKind::Op(BinaryOp::NotEqual) => MatchOp::NotEqual,
            TokenKind::RegexMatch => MatchOp::Regex,
            TokenKind::RegexNoMatch => MatchOp::NotRegex,
            _ if is_quoted => {
                if let Some(name) = &selector.name {
                    let span = start..self.end_of_last();
                    return Err(self.name_set_twice(span, name, &label));
                }
                selector.name = Some(label);
                return Ok(());
            }
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.advance();
        if self.peek() != &TokenKind::Text {
            return Err(self.unexpected("label matching", "string"));
        }
        let value = self.utf8_literal()?;
        let matcher = Matcher::new(label, op, value);
        if let Err(error) = matcher.compile() {
            let message = format!("error parsing regexp: {error}");
            return Err(self.error(start..self.end_of_last(), &message));
        }
        selector.matchers.push(matcher);
        Ok(())
    }

    fn text_literal(&mut self) -> Result<Vec<u8>, Error> {
        let literal = self.written();
        let bytes = unquote(literal).map_err(|reason| {
            let message = format!("error unquoting string {literal:?}: {reason}");
            self.error(self.span(), &message)
        })?;
        self.advance();
        Ok(bytes)
    }

    /// A string literal where only UTF-8 makes sense.
    fn utf8_literal(&mut self) -> Result<String, Error> {
        let span = self.span();
        String::from_utf8(self.text_literal()?)
            .map_err(|_| self.error(span, "string is not valid UTF-8"))
    }
}
