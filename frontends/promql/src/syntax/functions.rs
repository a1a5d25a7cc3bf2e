//! The functions of PromQL with the types they take and return.

use std::fmt;

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// One number at each step.
    Scalar,
    /// A value per series at each step.
    Vector,
    /// A range of samples per series at each step.
    Range,
    /// A text.
    Text,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Range => "range vector",
            Self::Text => "string",
        })
    }
}

/// What a function takes and returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Its name.
    pub(crate) name: &'static str,
    /// Types of the arguments; the last one stands for all that follow.
    pub(crate) arguments: &'static [Type],
    /// How many arguments are needed.
    pub(crate) arguments_min: usize,
    /// How many arguments are allowed; absent means any number.
    pub(crate) arguments_max: Option<usize>,
    /// Type of the result.
    pub(crate) returns: Type,
}

/// The function of this name. Names are told apart by case.
pub(crate) fn signature(name: &str) -> Option<&'static Signature> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

use Type::{Range, Scalar, Text, Vector};

const fn fixed(name: &'static str, arguments: &'static [Type], returns: Type) -> Signature {
    let count = arguments.len();
    Signature { name, arguments, arguments_min: count, arguments_max: Some(count), returns }
}

const fn varied(
    name: &'static str,
    arguments: &'static [Type],
    arguments_min: usize,
    arguments_max: Option<usize>,
) -> Signature {
    Signature { name, arguments, arguments_min, arguments_max, returns: Vector }
}

const fn map(name: &'static str) -> Signature {
    fixed(name, &[Vector], Vector)
}

const fn window(name: &'static str) -> Signature {
    fixed(name, &[Range], Vector)
}

const fn constant(name: &'static str) -> Signature {
    fixed(name, &[], Scalar)
}

/// A function of a time, which is that of the step if no argument is given.
const fn date(name: &'static str) -> Signature {
    varied(name, &[Vector], 0, Some(1))
}

/// All functions by name.
pub(crate) const FUNCTIONS: &[Signature] = &[
    map("abs"),
    map("absent"),
    window("absent_over_time"),
    map("acos"),
    map("acosh"),
    map("asin"),
    map("asinh"),
    map("atan"),
    map("atanh"),
    window("avg_over_time"),
    map("ceil"),
    window("changes"),
    fixed("clamp", &[Vector, Scalar, Scalar], Vector),
    fixed("clamp_max", &[Vector, Scalar], Vector),
    fixed("clamp_min", &[Vector, Scalar], Vector),
    map("cos"),
    map("cosh"),
    window("count_over_time"),
    date("day_of_month"),
    date("day_of_week"),
    date("day_of_year"),
    date("days_in_month"),
    map("deg"),
    window("delta"),
    window("deriv"),
    fixed("double_exponential_smoothing", &[Range, Scalar, Scalar], Vector),
    constant("end"),
    map("exp"),
    window("first_over_time"),
    map("floor"),
    map("histogram_avg"),
    map("histogram_count"),
    fixed("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    fixed("histogram_quantile", &[Scalar, Vector], Vector),
    varied("histogram_quantiles", &[Vector, Text, Scalar, Scalar], 3, Some(12)),
    map("histogram_stddev"),
    map("histogram_stdvar"),
    map("histogram_sum"),
    date("hour"),
    window("idelta"),
    window("increase"),
    varied("info", &[Vector, Vector], 1, Some(2)),
    window("irate"),
    varied("label_join", &[Vector, Text, Text, Text], 3, None),
    fixed("label_replace", &[Vector, Text, Text, Text, Text], Vector),
    window("last_over_time"),
    map("ln"),
    map("log10"),
    map("log2"),
    window("mad_over_time"),
    fixed("max_of", &[Scalar, Scalar], Scalar),
    window("max_over_time"),
    fixed("min_of", &[Scalar, Scalar], Scalar),
    window("min_over_time"),
    date("minute"),
    date("month"),
    constant("pi"),
    fixed("predict_linear", &[Range, Scalar], Vector),
    window("present_over_time"),
    fixed("quantile_over_time", &[Scalar, Range], Vector),
    map("rad"),
    constant("range"),
    window("rate"),
    window("resets"),
    varied("round", &[Vector, Scalar], 1, Some(2)),
    fixed("scalar", &[Vector], Scalar),
    map("sgn"),
    map("sin"),
    map("sinh"),
    map("sort"),
    varied("sort_by_label", &[Vector, Text], 1, None),
    varied("sort_by_label_desc", &[Vector, Text], 1, None),
    map("sort_desc"),
    map("sqrt"),
    constant("start"),
    map("start_timestamp"),
    window("stddev_over_time"),
    window("stdvar_over_time"),
    constant("step"),
    window("sum_over_time"),
    map("tan"),
    map("tanh"),
    constant("time"),
    map("timestamp"),
    window("ts_of_first_over_time"),
    window("ts_of_last_over_time"),
    window("ts_of_max_over_time"),
    window("ts_of_min_over_time"),
    fixed("vector", &[Scalar], Vector),
    date("year"),
];
