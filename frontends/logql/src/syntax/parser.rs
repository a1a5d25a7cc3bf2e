//! From tokens to the tree: recursive descent, operators by precedence climbing.
//!
//! Every way to nest counts towards one depth limit, so neither parsing a hostile text nor
//! walking or dropping its tree can exhaust the stack.

mod filter;
mod metric;
mod pipeline;
#[cfg(test)]
mod tests;

use schemas::model::{MatchOp, Matcher};

use super::ast::{Expr, LogExpr};
use super::lexer::{Spanned, Token, lex};
use super::limits::DEPTH_MAX;
use crate::Error;

/// The tree of a query.
pub(crate) fn parse(text: &str) -> Result<Expr, Error> {
    let mut parser = Parser::new(text)?;
    let expr = parser.expr(0)?;
    parser.end()?;
    Ok(expr)
}

/// The tree of a log query; a metric query is an error.
pub(crate) fn parse_selector(text: &str) -> Result<LogExpr, Error> {
    let mut parser = Parser::new(text)?;
    if !parser.at_symbol("{") {
        return Err(parser.expected("{"));
    }
    let log = parser.log_expr()?;
    parser.end()?;
    Ok(log)
}

struct Parser<'a> {
    text: &'a str,
    /// The last one is `End`.
    tokens: Vec<Spanned>,
    at: usize,
    /// Levels entered and not left yet.
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, Error> {
        Ok(Self { text, tokens: lex(text)?, at: 0, depth: 0 })
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn peek_behind(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].token
    }

    /// The current token, which is left; the end is never left.
    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Token::Keyword(found) if *found == keyword)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.at_keyword(keyword);
        self.at += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), Error> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.expected(symbol)) }
    }

    fn expect_text(&mut self) -> Result<String, Error> {
        if !matches!(self.peek(), Token::Text(_)) {
            return Err(self.expected("STRING"));
        }
        match self.advance() {
            Token::Text(text) => Ok(text),
            _ => Err(self.expected("STRING")),
        }
    }

    fn expect_name(&mut self) -> Result<String, Error> {
        if !matches!(self.peek(), Token::Name(_)) {
            return Err(self.expected("IDENTIFIER"));
        }
        match self.advance() {
            Token::Name(name) => Ok(name),
            _ => Err(self.expected("IDENTIFIER")),
        }
    }

    fn end(&self) -> Result<(), Error> {
        if *self.peek() == Token::End { Ok(()) } else { Err(self.unexpected()) }
    }

    fn error_here(&self, message: impl Into<String>) -> Error {
        Error::parse(self.text, self.tokens[self.at].span.clone(), message)
    }

    fn unexpected(&self) -> Error {
        self.error_here(format!("syntax error: unexpected {}", self.found()))
    }

    fn expected(&self, what: &str) -> Error {
        self.error_here(format!("syntax error: unexpected {}, expecting {what}", self.found()))
    }

    /// The current token in the words of an error.
    fn found(&self) -> String {
        match self.peek() {
            Token::End => "$end".to_owned(),
            Token::Name(_) => "IDENTIFIER".to_owned(),
            Token::Text(_) => "STRING".to_owned(),
            Token::Number(_) => "NUMBER".to_owned(),
            Token::Duration(_) => "DURATION".to_owned(),
            Token::Bytes(_) => "BYTES".to_owned(),
            Token::Range(_) => "RANGE".to_owned(),
            Token::Flag(flag) => format!("--{flag}"),
            Token::Keyword(word) | Token::Function(word) | Token::Symbol(word) => {
                (*word).to_owned()
            }
        }
    }

    /// Counts a level of the tree; `leave` must be called as often.
    fn enter(&mut self) -> Result<(), Error> {
        if self.depth >= DEPTH_MAX {
            return Err(Error::limit(format!("query is nested deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self, levels: usize) {
        self.depth -= levels;
    }

    /// `{…}` and what follows it.
    fn log_expr(&mut self) -> Result<LogExpr, Error> {
        let matchers = self.matchers()?;
        let mut log = LogExpr { matchers, stages: Vec::new() };
        self.stages(&mut log.stages)?;
        Ok(log)
    }

    /// `{a="b", c=~"d"}`
    fn matchers(&mut self) -> Result<Vec<Matcher>, Error> {
        self.expect_symbol("{")?;
        let mut matchers = Vec::new();
        if self.take_symbol("}") {
            return Ok(matchers);
        }
        loop {
            let label = self.expect_name()?;
            let Some(op) = self.match_op() else {
                return Err(self.expected("= or =~ or != or !~"));
            };
            self.advance();
            matchers.push(Matcher::new(label, op, self.expect_text()?));
            if !self.take_symbol(",") {
                break;
            }
        }
        if !self.take_symbol("}") {
            return Err(self.expected("} or ,"));
        }
        Ok(matchers)
    }

    /// The matching operator at this token.
    fn match_op(&self) -> Option<MatchOp> {
        let Token::Symbol(symbol) = self.peek() else { return None };
        Some(match *symbol {
            "=" => MatchOp::Equal,
            "!=" => MatchOp::NotEqual,
            "=~" => MatchOp::Regex,
            "!~" => MatchOp::NotRegex,
            _ => return None,
        })
    }
}
