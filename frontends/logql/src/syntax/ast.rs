//! The tree of a query, as close to its text as the grammar is.

use schemas::model::Matcher;

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    /// Returns log records.
    Log(LogExpr),
    /// Returns series or a scalar.
    Metric(MetricExpr),
}

/// Streams and what is done with their records.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogExpr {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) stages: Vec<Stage>,
}

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    LineFilter(LineFilter),
    Logfmt {
        strict: bool,
        keep_empty: bool,
        extractions: Vec<Extraction>,
    },
    Json(Vec<Extraction>),
    Regexp(String),
    Pattern(String),
    Unpack,
    LabelFilter(LabelFilter),
    LineFormat(String),
    /// Targets and their sources, in order.
    LabelFormat(Vec<(String, LabelValue)>),
    Decolorize,
    Drop(Vec<Pick>),
    Keep(Vec<Pick>),
}

/// `op "a" or "b"`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LineFilter {
    pub(crate) op: LineOp,
    /// At least one.
    pub(crate) operands: Vec<LineOperand>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineOp {
    Contains,
    NotContains,
    Matches,
    NotMatches,
    Pattern,
    NotPattern,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LineOperand {
    Text(String),
    Ip(String),
}

/// `label` or `label="expression"` behind a parser.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extraction {
    pub(crate) label: String,
    /// The label's own name unless written.
    pub(crate) expression: Option<String>,
}

/// What `label_format` sets a label to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LabelValue {
    Rename(String),
    Template(String),
}

/// What `drop` and `keep` name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pick {
    Name(String),
    Matching(Matcher),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LabelFilter {
    Text(Matcher),
    Ip { label: String, equal: bool, addresses: String },
    Quantity { label: String, op: Comparison, value: Quantity },
    And(Box<LabelFilter>, Box<LabelFilter>),
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantity {
    Number(f64),
    /// Nanoseconds.
    Duration(i64),
    Bytes(u64),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MetricExpr {
    Range(RangeAggregation),
    Vector(VectorAggregation),
    Binary(Box<BinaryExpr>),
    Literal(f64),
    LabelReplace(Box<LabelReplace>),
    /// `vector(n)`.
    Constant(f64),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RangeAggregation {
    pub(crate) op: RangeOp,
    pub(crate) parameter: Option<f64>,
    pub(crate) log: LogExpr,
    pub(crate) unwrap: Option<UnwrapExpr>,
    pub(crate) range_ns: i64,
    pub(crate) offset_ns: i64,
    pub(crate) grouping: Option<Grouping>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UnwrapExpr {
    pub(crate) label: String,
    pub(crate) conversion: Conversion,
    pub(crate) filters: Vec<LabelFilter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conversion {
    Number,
    Bytes,
    Duration,
    DurationSeconds,
}

/// `by (…)` or `without (…)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grouping {
    pub(crate) without: bool,
    pub(crate) labels: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VectorAggregation {
    pub(crate) op: VectorOp,
    pub(crate) parameter: Option<f64>,
    pub(crate) input: Box<MetricExpr>,
    pub(crate) grouping: Option<Grouping>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LabelReplace {
    pub(crate) input: MetricExpr,
    pub(crate) target: String,
    pub(crate) replacement: String,
    pub(crate) source: String,
    pub(crate) pattern: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BinaryExpr {
    pub(crate) op: BinaryOp,
    pub(crate) left: MetricExpr,
    pub(crate) right: MetricExpr,
    pub(crate) returns_bool: bool,
    pub(crate) matching: Option<MatchingExpr>,
}

/// `on (…) group_left (…)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MatchingExpr {
    pub(crate) on: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) group: Option<GroupModifier>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupModifier {
    pub(crate) left: bool,
    pub(crate) include: Vec<String>,
}

/// Declares an enum of words with the way from and to their names.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant,)* }

        impl $name {
            pub(crate) fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words! {
    /// Functions over the records of a time range.
    RangeOp {
        Count "count_over_time",
        Rate "rate",
        RateCounter "rate_counter",
        Bytes "bytes_over_time",
        BytesRate "bytes_rate",
        Avg "avg_over_time",
        Sum "sum_over_time",
        Min "min_over_time",
        Max "max_over_time",
        Stdvar "stdvar_over_time",
        Stddev "stddev_over_time",
        Quantile "quantile_over_time",
        First "first_over_time",
        Last "last_over_time",
        Absent "absent_over_time",
    }
}

words! {
    /// Functions over the series of a step.
    VectorOp {
        Sum "sum",
        Avg "avg",
        Count "count",
        Max "max",
        Min "min",
        Stddev "stddev",
        Stdvar "stdvar",
        Bottomk "bottomk",
        Topk "topk",
        Sort "sort",
        SortDesc "sort_desc",
        ApproxTopk "approx_topk",
    }
}

words! {
    /// Operators between metric expressions.
    BinaryOp {
        Or "or",
        And "and",
        Unless "unless",
        Equal "==",
        NotEqual "!=",
        Less "<",
        LessEqual "<=",
        Greater ">",
        GreaterEqual ">=",
        Add "+",
        Subtract "-",
        Multiply "*",
        Divide "/",
        Modulo "%",
        Power "^",
    }
}

impl BinaryOp {
    /// Binds tighter the greater it is.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::Modulo => 5,
            Self::Power => 6,
        }
    }

    /// The comparison it makes, if it is one.
    pub(crate) fn comparison(self) -> Option<Comparison> {
        Some(match self {
            Self::Equal => Comparison::Equal,
            Self::NotEqual => Comparison::NotEqual,
            Self::Less => Comparison::Less,
            Self::LessEqual => Comparison::LessEqual,
            Self::Greater => Comparison::Greater,
            Self::GreaterEqual => Comparison::GreaterEqual,
            _ => return None,
        })
    }

    /// Whether it works on sets of series rather than on values.
    pub(crate) fn is_set(self) -> bool {
        matches!(self, Self::Or | Self::And | Self::Unless)
    }
}
