//! Modifiers: what may follow a selector, a range or a subquery, in any order.

use super::super::ast::{At, Edge, Expr, ExprKind, RangeSelector, Selector, Shift, Subquery};
use super::super::number::write_number;
use super::super::token::TokenKind;
use super::Parser;
use crate::Error;

impl Parser<'_> {
    /// `expr` with the modifiers that follow it.
    pub(super) fn modified(&mut self, mut expr: Expr) -> Result<Expr, Error> {
        loop {
            expr = if self.peek() == &TokenKind::LeftBracket {
                self.bracket(expr)?
            } else if self.peek() == &TokenKind::At {
                self.at_modifier(expr)?
            } else if self.is_word("offset") {
                self.offset(expr)?
            } else if self.is_word("anchored") {
                self.edge(expr, Edge::Anchored)?
            } else if self.is_word("smoothed") {
                self.edge(expr, Edge::Smoothed)?
            } else {
                return Ok(expr);
            };
            expr.span.end = self.end_of_last();
        }
    }

    /// `[range]` or `[range:step]`.
    fn bracket(&mut self, expr: Expr) -> Result<Expr, Error> {
        let start = self.span().start;
        self.advance();
        let range = self.range_duration("subquery or range selector")?;
        if self.take(&TokenKind::RightBracket) {
            let bracket = start..self.end_of_last();
            let ExprKind::Selector(selector) = expr.kind else {
                return Err(self.error(bracket, "ranges only allowed for vector selectors"));
            };
            if selector.shift.offset.is_some() {
                return Err(self.error(bracket, "no offset modifiers allowed before range"));
            }
            if selector.shift.at.is_some() {
                return Err(self.error(bracket, "no @ modifiers allowed before range"));
            }
            let range = RangeSelector { selector: *selector, range };
            return Ok(Expr { kind: ExprKind::Range(Box::new(range)), ..expr });
        }
        self.expect(&TokenKind::Colon, "subquery or range", "\":\" or \"]\"")?;
        let step = match self.peek() {
            TokenKind::RightBracket => None,
            _ => Some(self.range_duration("subquery selector")?),
        };
        self.expect(&TokenKind::RightBracket, "subquery selector", "\"]\"")?;
        let span = expr.span.start..self.end_of_last();
        let height = expr.height;
        let subquery = Subquery { input: expr, range, step, shift: Shift::default() };
        self.node(ExprKind::Subquery(Box::new(subquery)), span, height)
    }

    fn offset(&mut self, mut expr: Expr) -> Result<Expr, Error> {
        self.advance();
        let offset = self.offset_duration()?;
        let span = expr.span.clone();
        let Some(shift) = shift(&mut expr) else {
            let message = "offset modifier must be preceded by an instant vector selector or \
                           range vector selector or a subquery";
            return Err(self.error(span, message));
        };
        if shift.offset.is_some() {
            return Err(self.error(span, "offset may not be set multiple times"));
        }
        shift.offset = offset;
        Ok(expr)
    }

    fn at_modifier(&mut self, mut expr: Expr) -> Result<Expr, Error> {
        self.advance();
        let at = self.at_time()?;
        let span = expr.span.clone();
        let Some(shift) = shift(&mut expr) else {
            let message = "@ modifier must be preceded by an instant vector selector or \
                           range vector selector or a subquery";
            return Err(self.error(span, message));
        };
        if shift.at.is_some() {
            return Err(self.error(span, "@ <timestamp> may not be set multiple times"));
        }
        shift.at = Some(at);
        Ok(expr)
    }

    fn at_time(&mut self) -> Result<At, Error> {
        for (word, at) in [("start", At::Start), ("end", At::End)] {
            if self.take_word(word) {
                self.expect(&TokenKind::LeftParen, "@", "timestamp")?;
                self.expect(&TokenKind::RightParen, "@", "timestamp")?;
                return Ok(at);
            }
        }
        let start = self.span().start;
        let seconds = self.signed_number("@", "timestamp")?.value;
        let milliseconds = (seconds * 1000.0).round();
        // Both bounds are powers of two, and so exact as floats.
        if !(i64::MIN as f64..i64::MAX as f64).contains(&milliseconds) {
            let mut message = "timestamp out of bounds for @ modifier: ".to_owned();
            write_number(&mut message, seconds);
            return Err(self.error(start..self.end_of_last(), &message));
        }
        Ok(At::TimeMs(milliseconds as i64))
    }

    fn edge(&mut self, mut expr: Expr, edge: Edge) -> Result<Expr, Error> {
        let name = edge.name();
        self.advance();
        let span = expr.span.clone();
        let Some(selector) = selector(&mut expr) else {
            let message = match &expr.kind {
                ExprKind::Subquery(_) => format!("{name} modifier is not supported for subqueries"),
                _ => format!("{name} modifier not implemented"),
            };
            return Err(self.error(span, &message));
        };
        if selector.edge.is_some_and(|set| set != edge) {
            let message = "anchored and smoothed modifiers cannot be used together";
            return Err(self.error(span, message));
        }
        selector.edge = Some(edge);
        Ok(expr)
    }
}

fn selector(expr: &mut Expr) -> Option<&mut Selector> {
    match &mut expr.kind {
        ExprKind::Selector(selector) => Some(selector),
        ExprKind::Range(range) => Some(&mut range.selector),
        _ => None,
    }
}

fn shift(expr: &mut Expr) -> Option<&mut Shift> {
    match &mut expr.kind {
        ExprKind::Selector(selector) => Some(&mut selector.shift),
        ExprKind::Range(range) => Some(&mut range.selector.shift),
        ExprKind::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}
