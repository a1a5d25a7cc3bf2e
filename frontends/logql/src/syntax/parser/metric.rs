//! Metric expressions.

use super::Parser;
use crate::Error;
use crate::syntax::ast::{
    BinaryExpr, BinaryOp, Expr, GroupModifier, Grouping, LabelReplace, LogExpr, MatchingExpr,
    MetricExpr, RangeAggregation, RangeOp, UnwrapExpr, VectorAggregation, VectorOp,
};
use crate::syntax::lexer::Token;

/// A log range while it is read; the parts come in several orders.
struct LogRange {
    log: LogExpr,
    unwrap: Option<UnwrapExpr>,
    range_ns: Option<i64>,
    offset_ns: i64,
}

impl Parser<'_> {
    /// An expression whose operators bind at least as tight as `least`.
    pub(super) fn expr(&mut self, least: u8) -> Result<Expr, Error> {
        self.enter()?;
        let mut levels = 1;
        let mut left = self.operand()?;
        while let Some(op) = self.binary_op().filter(|op| op.precedence() >= least) {
            let place = self.at;
            self.enter()?;
            levels += 1;
            self.advance();
            let returns_bool = self.take_keyword("bool");
            let matching = self.matching()?;
            // Only the power operator takes an equal one to its right first.
            let right_least = op.precedence() + u8::from(op != BinaryOp::Power);
            let right = self.expr(right_least)?;
            let (Expr::Metric(left_metric), Expr::Metric(right)) = (left, right) else {
                self.at = place;
                let message =
                    format!("unexpected type for leg of binary operation ({})", op.word());
                return Err(self.error_here(message));
            };
            left =
                Expr::Metric(self.binary(op, left_metric, right, returns_bool, matching, place)?);
        }
        self.leave(levels);
        Ok(left)
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: MetricExpr,
        right: MetricExpr,
        returns_bool: bool,
        matching: Option<MatchingExpr>,
        place: usize,
    ) -> Result<MetricExpr, Error> {
        if op.is_set() {
            for (side, leg) in [("left", &left), ("right", &right)] {
                if let MetricExpr::Literal(value) = leg {
                    self.at = place;
                    return Err(self.error_here(format!(
                        "unexpected literal for {side} leg of logical/set binary operation ({}): \
                         {value:.6}",
                        op.word()
                    )));
                }
            }
        }
        let binary = BinaryExpr { op, left, right, returns_bool, matching };
        Ok(MetricExpr::Binary(Box::new(binary)))
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        match self.peek() {
            Token::Symbol(word) | Token::Keyword(word) => BinaryOp::from_word(word),
            // `- 5m` was read as one token; between operands it cannot mean anything.
            _ => None,
        }
    }

    fn operand(&mut self) -> Result<Expr, Error> {
        match *self.peek() {
            Token::Symbol("{") => Ok(Expr::Log(self.log_expr()?)),
            Token::Symbol("(") => {
                self.advance();
                let expr = self.expr(0)?;
                self.expect_symbol(")")?;
                Ok(expr)
            }
            Token::Symbol("+" | "-") | Token::Number(_) => {
                Ok(Expr::Metric(MetricExpr::Literal(self.signed_number()?)))
            }
            Token::Function(word) => Ok(Expr::Metric(self.function(word)?)),
            _ => Err(self.unexpected()),
        }
    }

    fn metric(&mut self) -> Result<MetricExpr, Error> {
        let place = self.at;
        match self.expr(0)? {
            Expr::Metric(metric) => Ok(metric),
            Expr::Log(_) => {
                self.at = place;
                Err(self.error_here("syntax error: unexpected log query, expecting a metric"))
            }
        }
    }

    fn signed_number(&mut self) -> Result<f64, Error> {
        let negative = self.at_symbol("-");
        if negative || self.at_symbol("+") {
            self.advance();
        }
        let number = self.number()?;
        Ok(if negative { -number } else { number })
    }

    fn number(&mut self) -> Result<f64, Error> {
        let Token::Number(number) = *self.peek() else { return Err(self.expected("NUMBER")) };
        self.advance();
        Ok(number)
    }

    fn function(&mut self, word: &'static str) -> Result<MetricExpr, Error> {
        if let Some(op) = RangeOp::from_word(word) {
            self.advance();
            return self.range_aggregation(op);
        }
        if let Some(op) = VectorOp::from_word(word) {
            self.advance();
            return self.vector_aggregation(op);
        }
        match word {
            "vector" => {
                self.advance();
                self.expect_symbol("(")?;
                let number = self.number()?;
                self.expect_symbol(")")?;
                Ok(MetricExpr::Constant(number))
            }
            "label_replace" => {
                self.advance();
                self.label_replace()
            }
            _ => Err(self.unexpected()),
        }
    }

    fn label_replace(&mut self) -> Result<MetricExpr, Error> {
        self.expect_symbol("(")?;
        let input = self.metric()?;
        let mut texts = [const { String::new() }; 4];
        for text in &mut texts {
            self.expect_symbol(",")?;
            *text = self.expect_text()?;
        }
        self.expect_symbol(")")?;
        let [target, replacement, source, pattern] = texts;
        let replace = LabelReplace { input, target, replacement, source, pattern };
        Ok(MetricExpr::LabelReplace(Box::new(replace)))
    }

    /// `5,` in front of what is aggregated.
    fn parameter(&mut self) -> Result<Option<f64>, Error> {
        if !matches!(self.peek(), Token::Number(_)) || *self.peek_behind() != Token::Symbol(",") {
            return Ok(None);
        }
        let number = self.number()?;
        self.expect_symbol(",")?;
        Ok(Some(number))
    }

    fn vector_aggregation(&mut self, op: VectorOp) -> Result<MetricExpr, Error> {
        let mut grouping = self.grouping()?;
        self.expect_symbol("(")?;
        let parameter = self.parameter()?;
        let input = Box::new(self.metric()?);
        self.expect_symbol(")")?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        Ok(MetricExpr::Vector(VectorAggregation { op, parameter, input, grouping }))
    }

    fn range_aggregation(&mut self, op: RangeOp) -> Result<MetricExpr, Error> {
        self.expect_symbol("(")?;
        let parameter = self.parameter()?;
        let read = self.log_range()?;
        let Some(range_ns) = read.range_ns else { return Err(self.expected("RANGE")) };
        self.expect_symbol(")")?;
        let grouping = self.grouping()?;
        let LogRange { log, unwrap, offset_ns, .. } = read;
        Ok(MetricExpr::Range(RangeAggregation {
            op,
            parameter,
            log,
            unwrap,
            range_ns,
            offset_ns,
            grouping,
        }))
    }

    /// Selector, pipeline, unwrap, range and offset in one of their orders: the range stands
    /// behind any of the first three, and what it precedes may follow the offset.
    fn log_range(&mut self) -> Result<LogRange, Error> {
        if self.take_symbol("(") {
            self.enter()?;
            let mut inner = self.log_range()?;
            self.leave(1);
            self.expect_symbol(")")?;
            if inner.range_ns.is_none() {
                self.range_and_offset(&mut inner)?;
            }
            return Ok(inner);
        }
        let matchers = self.matchers()?;
        let log = LogExpr { matchers, stages: Vec::new() };
        let mut read = LogRange { log, unwrap: None, range_ns: None, offset_ns: 0 };
        self.pipeline_and_unwrap(&mut read)?;
        let bare = read.log.stages.is_empty() && read.unwrap.is_none();
        self.range_and_offset(&mut read)?;
        if bare && read.range_ns.is_some() {
            self.pipeline_and_unwrap(&mut read)?;
        }
        Ok(read)
    }

    fn pipeline_and_unwrap(&mut self, read: &mut LogRange) -> Result<(), Error> {
        self.stages(&mut read.log.stages)?;
        if self.at_unwrap() {
            read.unwrap = Some(self.unwrap()?);
        }
        Ok(())
    }

    fn range_and_offset(&mut self, read: &mut LogRange) -> Result<(), Error> {
        let Token::Range(range_ns) = *self.peek() else { return Ok(()) };
        self.advance();
        read.range_ns = Some(range_ns);
        if self.take_keyword("offset") {
            let Token::Duration(offset_ns) = *self.peek() else {
                return Err(self.expected("DURATION"));
            };
            self.advance();
            read.offset_ns = offset_ns;
        }
        Ok(())
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, Error> {
        let without = self.at_keyword("without");
        if !without && !self.at_keyword("by") {
            return Ok(None);
        }
        self.advance();
        Ok(Some(Grouping { without, labels: self.names()? }))
    }

    /// `(a, b)`
    fn names(&mut self) -> Result<Vec<String>, Error> {
        self.expect_symbol("(")?;
        let mut names = Vec::new();
        if self.take_symbol(")") {
            return Ok(names);
        }
        loop {
            names.push(self.expect_name()?);
            if !self.take_symbol(",") {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok(names)
    }

    fn matching(&mut self) -> Result<Option<MatchingExpr>, Error> {
        let on = self.at_keyword("on");
        if !on && !self.at_keyword("ignoring") {
            return Ok(None);
        }
        self.advance();
        let labels = self.names()?;
        let left = self.at_keyword("group_left");
        let group = if left || self.at_keyword("group_right") {
            self.advance();
            // The parenthesis of `group_left (a) (b)` is a list, that of an operand is not.
            let include =
                if self.at_symbol("(") && self.names_follow() { self.names()? } else { Vec::new() };
            Some(GroupModifier { left, include })
        } else {
            None
        };
        Ok(Some(MatchingExpr { on, labels, group }))
    }

    /// Whether the parenthesis here opens a list of names.
    fn names_follow(&self) -> bool {
        matches!(self.peek_behind(), Token::Name(_) | Token::Symbol(")"))
    }
}
