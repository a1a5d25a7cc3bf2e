//! Stages of a pipeline.

use super::Parser;
use crate::Error;
use crate::syntax::ast::{
    Conversion, Extraction, LabelValue, LineFilter, LineOp, LineOperand, Pick, Stage, UnwrapExpr,
};
use crate::syntax::lexer::Token;
use crate::syntax::limits::STAGES_MAX;
use schemas::model::Matcher;

impl Parser<'_> {
    /// Stages up to what is none; `| unwrap` is none.
    pub(super) fn stages(&mut self, stages: &mut Vec<Stage>) -> Result<(), Error> {
        loop {
            if let Some(op) = self.line_op() {
                self.advance();
                stages.push(Stage::LineFilter(self.line_filter(op)?));
            } else if self.at_symbol("|") && !self.at_unwrap() {
                self.advance();
                stages.push(self.stage()?);
            } else {
                return Ok(());
            }
            if stages.len() > STAGES_MAX {
                return Err(Error::limit(format!("pipeline has more than {STAGES_MAX} stages")));
            }
        }
    }

    fn line_op(&self) -> Option<LineOp> {
        let Token::Symbol(symbol) = self.peek() else { return None };
        Some(match *symbol {
            "|=" => LineOp::Contains,
            "!=" => LineOp::NotContains,
            "|~" => LineOp::Matches,
            "!~" => LineOp::NotMatches,
            "|>" => LineOp::Pattern,
            "!>" => LineOp::NotPattern,
            _ => return None,
        })
    }

    fn line_filter(&mut self, op: LineOp) -> Result<LineFilter, Error> {
        let mut operands = vec![self.line_operand()?];
        while self.take_keyword("or") {
            operands.push(self.line_operand()?);
        }
        Ok(LineFilter { op, operands })
    }

    fn line_operand(&mut self) -> Result<LineOperand, Error> {
        if *self.peek() == Token::Function("ip") {
            return Ok(LineOperand::Ip(self.addresses()?));
        }
        if !matches!(self.peek(), Token::Text(_)) {
            return Err(self.expected("STRING or ip"));
        }
        Ok(LineOperand::Text(self.expect_text()?))
    }

    /// `ip("…")`
    pub(super) fn addresses(&mut self) -> Result<String, Error> {
        self.advance();
        self.expect_symbol("(")?;
        let addresses = self.expect_text()?;
        self.expect_symbol(")")?;
        Ok(addresses)
    }

    /// What follows a `|`.
    fn stage(&mut self) -> Result<Stage, Error> {
        let Token::Keyword(word) = *self.peek() else {
            return Ok(Stage::LabelFilter(self.label_filter()?));
        };
        self.advance();
        match word {
            "json" => Ok(Stage::Json(self.extractions()?)),
            "logfmt" => self.logfmt(),
            "regexp" => Ok(Stage::Regexp(self.expect_text()?)),
            "pattern" => Ok(Stage::Pattern(self.expect_text()?)),
            "unpack" => Ok(Stage::Unpack),
            "line_format" => Ok(Stage::LineFormat(self.expect_text()?)),
            "label_format" => self.label_format(),
            "decolorize" => Ok(Stage::Decolorize),
            "drop" => Ok(Stage::Drop(self.picks()?)),
            "keep" => Ok(Stage::Keep(self.picks()?)),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    fn logfmt(&mut self) -> Result<Stage, Error> {
        let (mut strict, mut keep_empty) = (false, false);
        while let Token::Flag(flag) = *self.peek() {
            match flag {
                "strict" => strict = true,
                _ => keep_empty = true,
            }
            self.advance();
        }
        Ok(Stage::Logfmt { strict, keep_empty, extractions: self.extractions()? })
    }

    /// `a, b="expression"`, or nothing.
    fn extractions(&mut self) -> Result<Vec<Extraction>, Error> {
        let mut extractions = Vec::new();
        if !matches!(self.peek(), Token::Name(_)) {
            return Ok(extractions);
        }
        loop {
            let label = self.expect_name()?;
            let expression = if self.take_symbol("=") { Some(self.expect_text()?) } else { None };
            extractions.push(Extraction { label, expression });
            if !self.take_symbol(",") {
                return Ok(extractions);
            }
        }
    }

    fn label_format(&mut self) -> Result<Stage, Error> {
        let mut formats = Vec::new();
        loop {
            let target = self.expect_name()?;
            self.expect_symbol("=")?;
            let source = match self.peek() {
                Token::Name(_) => LabelValue::Rename(self.expect_name()?),
                Token::Text(_) => LabelValue::Template(self.expect_text()?),
                _ => return Err(self.expected("STRING or IDENTIFIER")),
            };
            formats.push((target, source));
            if !self.take_symbol(",") {
                return Ok(Stage::LabelFormat(formats));
            }
        }
    }

    fn picks(&mut self) -> Result<Vec<Pick>, Error> {
        let mut picks = Vec::new();
        loop {
            let name = self.expect_name()?;
            // A `!=` or `!~` here can only compare: a line filter cannot follow a name.
            picks.push(match self.match_op() {
                Some(op) => {
                    self.advance();
                    Pick::Matching(Matcher::new(name, op, self.expect_text()?))
                }
                None => Pick::Name(name),
            });
            if !self.take_symbol(",") {
                return Ok(picks);
            }
        }
    }

    pub(super) fn at_unwrap(&self) -> bool {
        self.at_symbol("|") && *self.peek_behind() == Token::Keyword("unwrap")
    }

    /// `| unwrap bytes(label) | filter …`
    pub(super) fn unwrap(&mut self) -> Result<UnwrapExpr, Error> {
        self.expect_symbol("|")?;
        self.advance();
        let conversion = match *self.peek() {
            Token::Function("bytes") => Conversion::Bytes,
            Token::Function("duration") => Conversion::Duration,
            Token::Function("duration_seconds") => Conversion::DurationSeconds,
            _ => Conversion::Number,
        };
        let label = if conversion == Conversion::Number {
            self.expect_name()?
        } else {
            self.advance();
            self.expect_symbol("(")?;
            let label = self.expect_name()?;
            self.expect_symbol(")")?;
            label
        };
        let mut filters = Vec::new();
        while self.take_symbol("|") {
            filters.push(self.label_filter()?);
            if filters.len() > STAGES_MAX {
                return Err(Error::limit(format!("pipeline has more than {STAGES_MAX} stages")));
            }
        }
        Ok(UnwrapExpr { label, conversion, filters })
    }
}
