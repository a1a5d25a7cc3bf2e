//! From tokens to the tree: recursive descent, with precedence climbing for operators.
//!
//! ```text
//!  query ─▶ pipeline ─▶ expression ─▶ { field }
//!               └─▶ metrics
//! ```
//!
//! Braces decide between the two expression languages: inside stand values of one span
//! (`field`), outside stand spansets, numbers computed over them, and series (`expression`).

mod expression;
mod field;
mod metrics;
mod pipeline;

use std::ops::Range;

use schemas::model::Attribute;

use super::ast::{Field, Hint, Literal, Query, Root};
use super::lexer::{Token, TokenKind, tokens};
use super::literal::keyword;
use super::{NESTING_MAX, OPERATORS_MAX, QUERY_BYTES_MAX};
use crate::Error;
use pipeline::Top;

/// The tree of a text.
pub(crate) fn parse(text: &str) -> Result<Query, Error> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("query of {} bytes is over {QUERY_BYTES_MAX} bytes", text.len());
        return Err(Error::limit(0..text.len(), message));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, nesting: 0, operators: 0 };
    let root = match pipeline::top(&mut parser)? {
        Top::Pipeline(stages) => Root::Pipeline(stages),
        Top::Metrics(metrics) => Root::Metrics(metrics),
        Top::Scalar(..) | Top::Number(..) => {
            return Err(Error::parse(
                0..text.len(),
                "a query must select spans or series; compare the number with another",
            ));
        }
    };
    let mut hints = Vec::new();
    while parser.accept_word("with") {
        hints.extend(parser.list(hint)?);
    }
    if *parser.peek() != TokenKind::End {
        return Err(parser.unexpected("the end of the query"));
    }
    Ok(Query { root, hints })
}

/// A position in the tokens, and what has been used of the limits.
struct Parser {
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
    operators: usize,
}

impl Parser {
    fn peek(&self) -> &TokenKind {
        &self.tokens[self.at].kind
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.at].span.clone()
    }

    /// From `start` to the end of the token read last.
    fn span_from(&self, start: usize) -> Range<usize> {
        start..self.tokens[self.at.saturating_sub(1)].span.end.max(start)
    }

    /// The next token; the end is never passed.
    fn next(&mut self) -> TokenKind {
        let kind = self.peek().clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        kind
    }

    fn peek_sign(&self) -> Option<&'static str> {
        match self.peek() {
            TokenKind::Sign(sign) => Some(sign),
            _ => None,
        }
    }

    fn peek_word(&self) -> Option<&str> {
        match self.peek() {
            TokenKind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn accept(&mut self, sign: &str) -> bool {
        let found = self.peek_sign() == Some(sign);
        if found {
            self.next();
        }
        found
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == Some(word);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Error> {
        if self.accept(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    /// `( item, … )`, at least one.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        self.expect("(")?;
        let mut items = vec![item(self)?];
        while self.accept(",") {
            items.push(item(self)?);
        }
        self.expect(")")?;
        Ok(items)
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = match self.peek() {
            TokenKind::Sign(sign) => format!("`{sign}`"),
            TokenKind::Word(word) if keyword(word).is_none() => format!("identifier `{word}`"),
            TokenKind::Word(word) => format!("`{word}`"),
            TokenKind::Intrinsic(_) => "an intrinsic".to_owned(),
            TokenKind::Attribute(_) | TokenKind::ParentAttribute(_) => "an attribute".to_owned(),
            TokenKind::Text(_) => "a text".to_owned(),
            TokenKind::Int(_) | TokenKind::Float(_) => "a number".to_owned(),
            TokenKind::Duration(_) => "a duration".to_owned(),
            TokenKind::End => "the end of the query".to_owned(),
        };
        Error::parse(self.span(), format!("unexpected {found}, expected {expected}"))
    }

    /// Runs `read` one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.nesting == NESTING_MAX {
            let message = format!("query is nested deeper than {NESTING_MAX} levels");
            return Err(Error::limit(self.span(), message));
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    fn count_operator(&mut self) -> Result<(), Error> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            let message = format!("query has more than {OPERATORS_MAX} operators");
            return Err(Error::limit(self.span(), message));
        }
        Ok(())
    }

    /// A constant that stands by itself.
    fn literal(&mut self) -> Result<Literal, Error> {
        let literal = match self.peek() {
            TokenKind::Int(value) => Some(Literal::Int(*value)),
            TokenKind::Float(value) => Some(Literal::Float(*value)),
            TokenKind::Duration(value) => Some(Literal::Duration(*value)),
            TokenKind::Text(value) => Some(Literal::Text(value.clone())),
            TokenKind::Word(word) => keyword(word),
            _ => None,
        };
        let literal = literal.ok_or_else(|| self.unexpected("a constant"))?;
        self.next();
        Ok(literal)
    }
}

fn hint(parser: &mut Parser) -> Result<Hint, Error> {
    let TokenKind::Word(name) = parser.peek().clone() else {
        return Err(parser.unexpected("the name of a hint"));
    };
    parser.next();
    parser.expect("=")?;
    let negative = parser.accept("-");
    let value = match (parser.literal()?, negative) {
        (literal, false) => literal,
        (Literal::Int(value), true) => Literal::Int(value.wrapping_neg()),
        (Literal::Float(value), true) => Literal::Float(-value),
        (Literal::Duration(value), true) => Literal::Duration(value.wrapping_neg()),
        (_, true) => return Err(Error::parse(parser.span(), "only a number can be negative")),
    };
    Ok(Hint { name, value })
}

/// The complete `attribute op constant` of a text that is not a query yet, between one pair of
/// braces; `None` if they are not simply joined by `&&`.
pub(crate) fn conditions_of(text: &str) -> Option<Vec<Field>> {
    if text.len() > QUERY_BYTES_MAX {
        return None;
    }
    let mut parser = Parser { tokens: tokens(text).ok()?, at: 0, nesting: 0, operators: 0 };
    let is_joined_otherwise =
        |token: &Token| matches!(token.kind, TokenKind::Sign("||" | "(" | ")" | "!" | "|" | "-"));
    let braces = parser.tokens.iter().filter(|token| token.kind == TokenKind::Sign("{")).count();
    if braces > 1 || parser.tokens.iter().any(is_joined_otherwise) {
        return None;
    }
    let mut conditions = Vec::new();
    while *parser.peek() != TokenKind::End {
        let at = parser.at;
        match field::condition(&mut parser) {
            Some(condition) => conditions.push(condition),
            None => {
                parser.at = at;
                parser.next();
            }
        }
    }
    Some(conditions)
}

/// The attribute that a whole text names, in one of its forms with a dot.
pub(crate) fn attribute_of(text: &str) -> Option<Attribute> {
    match tokens(text).ok()?.as_slice() {
        [Token { kind: TokenKind::Attribute(attribute), .. }, _] => Some(attribute.clone()),
        _ => None,
    }
}
