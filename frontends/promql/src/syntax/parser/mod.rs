//! From tokens to the tree: precedence climbing, with bounded recursion.
//!
//! | file | reads |
//! |---|---|
//! | here | operators and their modifiers, signs |
//! | `primary` | literals, selectors, aggregations, calls, parentheses |
//! | `postfix` | `[range]`, `[range:step]`, `@`, `offset`, `anchored`, `smoothed` |
//! | `duration` | what stands in brackets and after `offset` |

mod duration;
mod postfix;
mod primary;

use std::ops::Range;

use super::ast::{
    Binary, BinaryOp, Expr, ExprKind, Fill, Group, MatchClause, Number, Selector, UNARY_PRECEDENCE,
    Unary,
};
use super::lexer::lex;
use super::number::{parse_duration, parse_number};
use super::token::{Token, TokenKind, describe, word_operator};
use super::{DEPTH_MAX, HEIGHT_MAX, QUERY_BYTES_MAX};
use crate::Error;

/// The tree of a whole query.
pub(crate) fn parse(text: &str) -> Result<Expr, Error> {
    let mut parser = Parser::new(text)?;
    if parser.peek() == &TokenKind::End {
        return Err(Error::parse(text, 0..0, "no expression found in input"));
    }
    let expr = parser.expr(0)?;
    parser.end()?;
    Ok(expr)
}

/// The selector that is the whole text.
pub(crate) fn parse_selector(text: &str) -> Result<Selector, Error> {
    let mut parser = Parser::new(text)?;
    let selector = parser.selector()?;
    parser.end()?;
    Ok(selector)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// The token that comes next; never beyond the last one.
    at: usize,
    /// Calls of `expr` that are under way.
    depth: usize,
    /// Parts of the current duration expression so far.
    duration_terms: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, Error> {
        if text.len() > QUERY_BYTES_MAX {
            let message = format!("query of {} bytes is over {QUERY_BYTES_MAX}", text.len());
            return Err(Error::limit(text, 0..0, &message));
        }
        Ok(Self { text, tokens: lex(text), at: 0, depth: 0, duration_terms: 0 })
    }

    fn peek(&self) -> &TokenKind {
        &self.tokens[self.at].kind
    }

    fn peek_second(&self) -> &TokenKind {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].kind
    }

    /// The bytes of the next token.
    fn span(&self) -> Range<usize> {
        self.tokens[self.at].span.clone()
    }

    /// The text of the next token.
    fn written(&self) -> &'a str {
        &self.text[self.span()]
    }

    /// The end of the token before the next one.
    fn end_of_last(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |last| self.tokens[last].span.end)
    }

    /// Goes on to the next token; the last one stays.
    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn take(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek() == kind;
        if found {
            self.advance();
        }
        found
    }

    fn is_word(&self, word: &str) -> bool {
        self.peek() == &TokenKind::Word && self.written().eq_ignore_ascii_case(word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, kind: &TokenKind, context: &str, expected: &str) -> Result<(), Error> {
        if self.take(kind) { Ok(()) } else { Err(self.unexpected(context, expected)) }
    }

    fn error(&self, span: Range<usize>, message: &str) -> Error {
        Error::parse(self.text, span, message)
    }

    /// The next token does not belong here; empty texts are left out of the message.
    fn unexpected(&self, context: &str, expected: &str) -> Error {
        if let TokenKind::Invalid(message) = self.peek() {
            return self.error(self.span(), message);
        }
        let mut message = format!("unexpected {}", describe(self.peek(), self.written()));
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.error(self.span(), &message)
    }

    fn end(&self) -> Result<(), Error> {
        if self.peek() == &TokenKind::End { Ok(()) } else { Err(self.unexpected("", "")) }
    }

    fn too_deep(&self, span: Range<usize>) -> Error {
        let message = format!("expression nests deeper than {DEPTH_MAX}");
        Error::limit(self.text, span, &message)
    }

    /// A node over children of which the highest has `height`.
    fn node(&self, kind: ExprKind, span: Range<usize>, height: usize) -> Result<Expr, Error> {
        if height >= HEIGHT_MAX {
            let message = format!("expression chains more than {HEIGHT_MAX} operators");
            return Err(Error::limit(self.text, span, &message));
        }
        Ok(Expr { kind, span, height: height + 1 })
    }

    /// Operands joined by operators that bind at least as tightly as `precedence`.
    fn expr(&mut self, precedence: u8) -> Result<Expr, Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.too_deep(self.span()));
        }
        let mut left = self.operand()?;
        while let Some(op) = self.operator()
            && op.precedence() >= precedence
        {
            self.advance();
            left = self.binary(op, left)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The operator that comes next.
    fn operator(&self) -> Option<BinaryOp> {
        match self.peek() {
            TokenKind::Op(op) => Some(*op),
            TokenKind::Word => word_operator(self.written()),
            _ => None,
        }
    }

    /// An operand with its signs and modifiers.
    fn operand(&mut self) -> Result<Expr, Error> {
        let negates = match self.peek() {
            TokenKind::Op(BinaryOp::Subtract) => true,
            TokenKind::Op(BinaryOp::Add) => false,
            _ => {
                let primary = self.primary()?;
                return self.modified(primary);
            }
        };
        let start = self.span().start;
        self.advance();
        let operand = self.expr(UNARY_PRECEDENCE + 1)?;
        let span = start..operand.span.end;
        if let ExprKind::Number(number) = operand.kind {
            let value = if negates { -number.value } else { number.value };
            let kind = ExprKind::Number(Number { value, ..number });
            return Ok(Expr { kind, span, height: operand.height });
        }
        let height = operand.height;
        self.node(ExprKind::Unary(Box::new(Unary { negates, operand })), span, height)
    }

    /// What follows an operator, joined to what stands before it.
    fn binary(&mut self, op: BinaryOp, left: Expr) -> Result<Expr, Error> {
        let returns_bool = self.take_word("bool");
        let matching = self.match_clause()?;
        let fill = self.fill()?;
        // The power operator takes its right side first, all others their left side.
        let precedence = op.precedence() + u8::from(op != BinaryOp::Power);
        let right = self.expr(precedence)?;
        let span = left.span.start..right.span.end;
        let height = left.height.max(right.height);
        let binary = Binary { op, returns_bool, matching, fill, left, right };
        self.node(ExprKind::Binary(Box::new(binary)), span, height)
    }

    fn match_clause(&mut self) -> Result<Option<MatchClause>, Error> {
        let is_on = self.take_word("on");
        if !is_on && !self.take_word("ignoring") {
            return Ok(None);
        }
        let labels = self.label_list()?;
        let many_left = self.take_word("group_left");
        let group = if many_left || self.take_word("group_right") {
            let has_labels = self.peek() == &TokenKind::LeftParen;
            let include = if has_labels { self.label_list()? } else { Vec::new() };
            Some(Group { many_left, include })
        } else {
            None
        };
        Ok(Some(MatchClause { is_on, labels, group }))
    }

    fn fill(&mut self) -> Result<Fill, Error> {
        let mut fill = Fill::default();
        // `fill` that no parenthesis follows is a metric of that name.
        while self.peek_second() == &TokenKind::LeftParen {
            let span = self.span();
            let (takes_left, takes_right) = match self.written().to_ascii_lowercase().as_str() {
                "fill" => (true, true),
                "fill_left" => (true, false),
                "fill_right" => (false, true),
                _ => break,
            };
            self.advance();
            self.advance();
            let value = self.signed_number("fill modifier", "number")?;
            self.expect(&TokenKind::RightParen, "fill modifier", "\")\"")?;
            let is_set =
                (takes_left && fill.left.is_some()) || (takes_right && fill.right.is_some());
            if is_set {
                return Err(self.error(span, "fill value may not be set multiple times"));
            }
            if takes_left {
                fill.left = Some(value);
            }
            if takes_right {
                fill.right = Some(value);
            }
        }
        Ok(fill)
    }

    fn signed_number(&mut self, context: &str, expected: &str) -> Result<Number, Error> {
        let negates = self.take(&TokenKind::Op(BinaryOp::Subtract));
        if !negates {
            self.take(&TokenKind::Op(BinaryOp::Add));
        }
        let number = self.number(context, expected)?;
        Ok(Number { value: if negates { -number.value } else { number.value }, ..number })
    }

    fn number(&mut self, context: &str, expected: &str) -> Result<Number, Error> {
        let (value, is_duration) = match self.peek() {
            TokenKind::Number => (parse_number(self.written()), false),
            TokenKind::Duration => (parse_duration(self.written()), true),
            _ => return Err(self.unexpected(context, expected)),
        };
        let value = value.map_err(|message| self.error(self.span(), &message))?;
        self.advance();
        Ok(Number { value, is_duration })
    }
}
