//! Label filters.

use schemas::model::{MatchOp, Matcher};

use super::Parser;
use crate::Error;
use crate::syntax::ast::{Comparison, LabelFilter, Quantity};
use crate::syntax::lexer::Token;

/// Binds everything to the right.
const ALL: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;

impl Parser<'_> {
    pub(super) fn label_filter(&mut self) -> Result<LabelFilter, Error> {
        self.label_filter_above(ALL)
    }

    /// A filter whose operators bind at least as tight as `least`.
    ///
    /// A comma, or nothing at all, means `and` and takes everything to its right whatever stands
    /// to its left: `a, b or c` is `a and (b or c)`.
    fn label_filter_above(&mut self, least: u8) -> Result<LabelFilter, Error> {
        self.enter()?;
        let mut levels = 1;
        let mut left = self.label_filter_operand()?;
        loop {
            let both = |left, right| LabelFilter::And(Box::new(left), Box::new(right));
            let juxtaposed = matches!(self.peek(), Token::Name(_)) || self.at_symbol("(");
            if juxtaposed || self.take_symbol(",") {
                left = both(left, self.label_filter_above(ALL)?);
            } else if least <= AND && self.take_keyword("and") {
                left = both(left, self.label_filter_above(AND + 1)?);
            } else if least <= OR && self.take_keyword("or") {
                let right = self.label_filter_above(OR + 1)?;
                left = LabelFilter::Or(Box::new(left), Box::new(right));
            } else {
                break;
            }
            self.enter()?;
            levels += 1;
        }
        self.leave(levels);
        Ok(left)
    }

    fn label_filter_operand(&mut self) -> Result<LabelFilter, Error> {
        if self.take_symbol("(") {
            let filter = self.label_filter_above(ALL)?;
            self.expect_symbol(")")?;
            return Ok(filter);
        }
        let label = self.expect_name()?;
        let Token::Symbol(symbol) = *self.peek() else { return Err(self.unexpected()) };
        let match_op = self.match_op();
        let comparison = match symbol {
            "=" | "==" => Some(Comparison::Equal),
            "!=" => Some(Comparison::NotEqual),
            "<" => Some(Comparison::Less),
            "<=" => Some(Comparison::LessEqual),
            ">" => Some(Comparison::Greater),
            ">=" => Some(Comparison::GreaterEqual),
            _ => None,
        };
        if match_op.is_none() && comparison.is_none() {
            return Err(self.unexpected());
        }
        self.advance();
        if let (Some(op), Token::Text(_)) = (match_op, self.peek()) {
            return Ok(LabelFilter::Text(Matcher::new(label, op, self.expect_text()?)));
        }
        if let (Some(MatchOp::Equal | MatchOp::NotEqual), Token::Function("ip")) =
            (match_op, self.peek())
        {
            let addresses = self.addresses()?;
            return Ok(LabelFilter::Ip { label, equal: symbol == "=", addresses });
        }
        let Some(op) = comparison else { return Err(self.expected("STRING")) };
        Ok(LabelFilter::Quantity { label, op, value: self.quantity()? })
    }

    fn quantity(&mut self) -> Result<Quantity, Error> {
        let sign = if self.take_symbol("-") {
            -1.0
        } else if self.take_symbol("+") {
            1.0
        } else {
            match *self.peek() {
                Token::Duration(duration_ns) => {
                    self.advance();
                    return Ok(Quantity::Duration(duration_ns));
                }
                Token::Bytes(bytes) => {
                    self.advance();
                    return Ok(Quantity::Bytes(bytes));
                }
                _ => 1.0,
            }
        };
        let Token::Number(number) = *self.peek() else {
            return Err(self.expected("BYTES or DURATION or NUMBER"));
        };
        self.advance();
        Ok(Quantity::Number(sign * number))
    }
}
