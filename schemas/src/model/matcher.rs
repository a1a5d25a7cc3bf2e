//! Matchers: the conditions on labels that select series and streams.

use std::fmt;

use regex::Regex;

use super::pattern::{PatternError, Reach, compile_anchored, reach_anchored};

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends.
    Regex,
    /// `!~`, anchored at both ends.
    NotRegex,
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        })
    }
}

/// `label op "value"`.
///
/// A series without the label has the empty string as its value, so `job=""` holds for
/// it and `job!=""` does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matcher {
    /// Label name; `__name__` for the metric itself.
    pub label: String,
    /// The comparison.
    pub op: MatchOp,
    /// Literal value, or pattern for the regex operators.
    pub value: String,
}

impl Matcher {
    /// A matcher from its parts; the pattern is checked by [`Matcher::compile`].
    pub fn new(label: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Self {
        Self { label: label.into(), op, value: value.into() }
    }

    /// The matcher ready to be asked about values.
    pub fn compile(&self) -> Result<CompiledMatcher, PatternError> {
        let test = match self.op {
            MatchOp::Equal | MatchOp::NotEqual => Test::Literal(self.value.clone()),
            MatchOp::Regex | MatchOp::NotRegex => {
                Test::Pattern(Box::new(compile_anchored(&self.value)?))
            }
        };
        let reach = match &test {
            Test::Literal(literal) => Reach::OneOf(vec![literal.clone()]),
            Test::Pattern(_) => reach_anchored(&self.value),
        };
        let negated = matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex);
        Ok(CompiledMatcher { label: self.label.clone(), test, reach, negated })
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.label, self.op, self.value)
    }
}

/// A matcher whose pattern is compiled.
#[derive(Clone, Debug)]
pub struct CompiledMatcher {
    label: String,
    test: Test,
    reach: Reach,
    negated: bool,
}

#[derive(Clone, Debug)]
enum Test {
    Literal(String),
    Pattern(Box<Regex>),
}

impl CompiledMatcher {
    /// The label it asks about.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether a series with this value of the label is selected; `""` stands for absent.
    pub fn matches(&self, value: &str) -> bool {
        self.hits(value) != self.negated
    }

    /// Whether the value passes the comparison itself, before `!=` and `!~` turn it round.
    pub fn hits(&self, value: &str) -> bool {
        match &self.test {
            Test::Literal(literal) => literal == value,
            Test::Pattern(pattern) => pattern.is_match(value),
        }
    }

    /// Which values [`Self::hits`] can accept.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Whether the matcher is `!=` or `!~`: what hits is refused.
    pub fn is_negated(&self) -> bool {
        self.negated
    }

    /// The one value that is selected, if the matcher is an equality with a non-empty value.
    pub fn equal_to(&self) -> Option<&str> {
        match &self.test {
            Test::Literal(literal) if !self.negated && !literal.is_empty() => Some(literal),
            _ => None,
        }
    }
}
