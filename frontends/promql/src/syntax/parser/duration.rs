//! Durations: what stands in brackets and after `offset`.
//!
//! Within brackets the whole arithmetic is open. After `offset` only one operand is taken, so that
//! `x offset 5m + 1` adds one to the shifted series; parentheses open the arithmetic again.

use super::super::DURATION_TERMS_MAX;
use super::super::ast::{BinaryOp, Duration, Number, UNARY_PRECEDENCE};
use super::super::token::TokenKind;
use super::Parser;
use crate::Error;

/// Largest duration in seconds: what fits an `i64` of nanoseconds.
const SECONDS_MAX: f64 = (i64::MAX / 1_000_000_000) as f64;

const EXPECTED: &str = "number, duration, step(), or range()";

impl Parser<'_> {
    /// A duration in brackets; it must not be a literal of zero or less.
    pub(super) fn range_duration(&mut self, context: &str) -> Result<Duration, Error> {
        let start = self.span().start;
        self.duration_terms = 0;
        let duration = self.duration(0, context)?;
        let span = start..self.end_of_last();
        match duration {
            Duration::Literal(number) if number.value <= 0.0 => {
                Err(self.error(span, "duration must be greater than 0"))
            }
            Duration::Literal(number) => Ok(whole(number)),
            duration => Ok(duration),
        }
    }

    /// The duration after `offset`; zero is no offset at all.
    pub(super) fn offset_duration(&mut self) -> Result<Option<Duration>, Error> {
        self.duration_terms = 0;
        let duration = match self.sign() {
            Some(negates) => {
                let operand = self.duration_operand("offset")?;
                signed(negates, operand)
            }
            None => self.duration_operand("offset")?,
        };
        match duration {
            Duration::Literal(number) if number.value == 0.0 => Ok(None),
            Duration::Literal(number) => Ok(Some(whole(number))),
            duration => Ok(Some(duration)),
        }
    }

    fn duration(&mut self, precedence: u8, context: &str) -> Result<Duration, Error> {
        let mut left = match self.sign() {
            Some(negates) => {
                self.count_duration_term()?;
                let operand = self.duration(UNARY_PRECEDENCE + 1, context)?;
                signed(negates, operand)
            }
            None => self.duration_operand(context)?,
        };
        while let TokenKind::Op(op) = *self.peek()
            && op.is_arithmetic()
            && op.precedence() >= precedence
        {
            self.count_duration_term()?;
            self.advance();
            let precedence = op.precedence() + u8::from(op != BinaryOp::Power);
            let right = self.duration(precedence, context)?;
            left = Duration::Binary(op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    /// Takes a sign; whether it is a minus.
    fn sign(&mut self) -> Option<bool> {
        let negates = match self.peek() {
            TokenKind::Op(BinaryOp::Subtract) => true,
            TokenKind::Op(BinaryOp::Add) => false,
            _ => return None,
        };
        self.advance();
        Some(negates)
    }

    fn duration_operand(&mut self, context: &str) -> Result<Duration, Error> {
        self.count_duration_term()?;
        if self.take(&TokenKind::LeftParen) {
            let inner = self.duration(0, context)?;
            self.expect(&TokenKind::RightParen, context, "\")\"")?;
            return Ok(Duration::Paren(Box::new(inner)));
        }
        if self.peek() == &TokenKind::Word {
            return self.duration_call(context);
        }
        let span = self.span();
        let number = self.number(context, EXPECTED)?;
        if number.value.is_nan() || number.value.abs() > SECONDS_MAX {
            return Err(self.error(span, "duration out of range"));
        }
        Ok(Duration::Literal(number))
    }

    fn duration_call(&mut self, context: &str) -> Result<Duration, Error> {
        let name = self.written().to_ascii_lowercase();
        if !matches!(name.as_str(), "step" | "range" | "min_of" | "max_of") {
            return Err(self.unexpected(context, EXPECTED));
        }
        self.advance();
        self.expect(&TokenKind::LeftParen, context, "\"(\"")?;
        let duration = match name.as_str() {
            "step" => Duration::Step,
            "range" => Duration::Range,
            _ => {
                let first = Box::new(self.duration(0, context)?);
                self.expect(&TokenKind::Comma, context, "\",\"")?;
                let second = Box::new(self.duration(0, context)?);
                if name == "min_of" {
                    Duration::Min(first, second)
                } else {
                    Duration::Max(first, second)
                }
            }
        };
        self.expect(&TokenKind::RightParen, context, "\")\"")?;
        Ok(duration)
    }

    fn count_duration_term(&mut self) -> Result<(), Error> {
        self.duration_terms += 1;
        if self.duration_terms <= DURATION_TERMS_MAX {
            return Ok(());
        }
        let message = format!("duration expression has more than {DURATION_TERMS_MAX} terms");
        Err(Error::limit(self.text, self.span(), &message))
    }
}

/// A literal that is the whole duration; it counts as written in units.
fn whole(number: Number) -> Duration {
    Duration::Literal(Number { is_duration: true, ..number })
}

fn signed(negates: bool, operand: Duration) -> Duration {
    match operand {
        operand if !negates => operand,
        Duration::Literal(number) => Duration::Literal(Number { value: -number.value, ..number }),
        operand => Duration::Negate(Box::new(operand)),
    }
}
