//! `Binary`: operations between series.

use super::Node;
use crate::Position;
use crate::expr::{ArithmeticOp, CompareOp};

/// An operation between two sets of series, a set and a scalar, or two scalars.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Left operand.
    pub left: Box<Node>,
    /// Right operand.
    pub right: Box<Node>,
    /// The operation.
    pub op: BinaryOp,
    /// How series find their partners; ignored where an operand is a scalar.
    pub matching: Matching,
    /// Where it stands; without it no remarks are made.
    pub position: Option<Position>,
}

/// What is computed between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// A number from two numbers; the metric name is dropped.
    Arithmetic(ArithmeticOp),
    /// Keeps the left value (the vector's, beside a scalar) where the comparison holds.
    Keep(CompareOp),
    /// 1 or 0 (PromQL's `bool`); the metric name is dropped.
    Test(CompareOp),
    /// Left series that have a partner.
    And,
    /// Left series, and right series without a partner.
    Or,
    /// Left series that have no partner.
    Unless,
}

impl BinaryOp {
    /// The operator as it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Arithmetic(op) => op.symbol(),
            Self::Keep(op) | Self::Test(op) => op.symbol(),
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }
}

/// How series of the two sides find their partners.
#[derive(Clone, Debug, PartialEq)]
pub struct Matching {
    /// Which labels must agree.
    pub on: MatchOn,
    /// How many partners a series may have.
    pub cardinality: Cardinality,
    /// What stands in for a partner that is missing.
    pub fill: Fill,
}

/// Values for missing partners; without one a series that has no partner has no result. The
/// labels of what is filled in are those that must agree.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fill {
    /// Where the left side is missing.
    pub left: Option<f64>,
    /// Where the right side is missing.
    pub right: Option<f64>,
}

impl Matching {
    /// All labels but the metric name agree, each series has one partner.
    pub fn all_labels() -> Self {
        Self {
            on: MatchOn::Ignoring(Vec::new()),
            cardinality: Cardinality::OneToOne,
            fill: Fill::default(),
        }
    }
}

/// Which labels must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatchOn {
    /// Exactly these.
    On(Vec<String>),
    /// All but these and the metric name.
    Ignoring(Vec<String>),
}

/// How many partners a series may have. Set operations are many-to-many whatever is said here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// One on each side.
    OneToOne,
    /// `group_left`: many on the left; these labels are copied from the right.
    ManyToOne(Vec<String>),
    /// `group_right`: many on the right; these labels are copied from the left.
    OneToMany(Vec<String>),
}
