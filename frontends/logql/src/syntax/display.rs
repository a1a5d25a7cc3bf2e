//! From the tree to its canonical text, which reads back as the same tree.

use std::fmt::{self, Display, Formatter};

use schemas::model::Matcher;

use super::ast::{
    BinaryExpr, Comparison, Conversion, Expr, Extraction, Grouping, LabelFilter, LabelReplace,
    LabelValue, LineFilter, LineOp, LineOperand, LogExpr, MatchingExpr, MetricExpr, Pick, Quantity,
    RangeAggregation, Stage, UnwrapExpr, VectorAggregation,
};

/// A text between quotes, escaped as Go reads it.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Items with a comma between them.
struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            item.fmt(f)?;
        }
        Ok(())
    }
}

/// A matcher whose value is quoted as Go reads it.
struct Match<'a>(&'a Matcher);

impl Display for Match<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.0.label, self.0.op, Quoted(&self.0.value))
    }
}

/// Whole units of Prometheus' form where they say it exactly, else nanoseconds.
struct Duration(i64);

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 5] =
            [(3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms"), (0, "")];
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let duration_ns = self.0.unsigned_abs();
        if duration_ns == 0 || !duration_ns.is_multiple_of(1_000_000) {
            return write!(f, "{duration_ns}ns");
        }
        let mut rest = duration_ns / 1_000_000;
        for (unit, name) in UNITS {
            let count = rest.checked_div(unit.unsigned_abs()).unwrap_or(0);
            if count > 0 {
                write!(f, "{count}{name}")?;
                rest %= unit.unsigned_abs();
            }
        }
        Ok(())
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(log) => log.fmt(f),
            Self::Metric(metric) => metric.fmt(f),
        }
    }
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let matchers: Vec<Match<'_>> = self.matchers.iter().map(Match).collect();
        write!(f, "{{{}}}", List(&matchers))?;
        for stage in &self.stages {
            write!(f, " {stage}")?;
        }
        Ok(())
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let with = |f: &mut Formatter<'_>, extractions: &[Extraction]| {
            let space = if extractions.is_empty() { "" } else { " " };
            write!(f, "{space}{}", List(extractions))
        };
        match self {
            Self::LineFilter(filter) => filter.fmt(f),
            Self::Logfmt { strict, keep_empty, extractions } => {
                f.write_str("| logfmt")?;
                f.write_str(if *strict { " --strict" } else { "" })?;
                f.write_str(if *keep_empty { " --keep-empty" } else { "" })?;
                with(f, extractions)
            }
            Self::Json(extractions) => {
                f.write_str("| json")?;
                with(f, extractions)
            }
            Self::Regexp(pattern) => write!(f, "| regexp {}", Quoted(pattern)),
            Self::Pattern(pattern) => write!(f, "| pattern {}", Quoted(pattern)),
            Self::Unpack => f.write_str("| unpack"),
            Self::LabelFilter(filter) => write!(f, "| {filter}"),
            Self::LineFormat(template) => write!(f, "| line_format {}", Quoted(template)),
            Self::LabelFormat(formats) => {
                f.write_str("| label_format ")?;
                for (i, (target, source)) in formats.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    match source {
                        LabelValue::Rename(source) => write!(f, "{target}={source}")?,
                        LabelValue::Template(text) => write!(f, "{target}={}", Quoted(text))?,
                    }
                }
                Ok(())
            }
            Self::Decolorize => f.write_str("| decolorize"),
            Self::Drop(picks) => write!(f, "| drop {}", List(picks)),
            Self::Keep(picks) => write!(f, "| keep {}", List(picks)),
        }
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.op {
            LineOp::Contains => "|=",
            LineOp::NotContains => "!=",
            LineOp::Matches => "|~",
            LineOp::NotMatches => "!~",
            LineOp::Pattern => "|>",
            LineOp::NotPattern => "!>",
        })?;
        for (i, operand) in self.operands.iter().enumerate() {
            f.write_str(if i == 0 { " " } else { " or " })?;
            match operand {
                LineOperand::Text(text) => write!(f, "{}", Quoted(text))?,
                LineOperand::Ip(addresses) => write!(f, "ip({})", Quoted(addresses))?,
            }
        }
        Ok(())
    }
}

impl Display for Extraction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)?;
        match &self.expression {
            Some(expression) => write!(f, "={}", Quoted(expression)),
            None => Ok(()),
        }
    }
}

impl Display for Pick {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Matching(matcher) => Match(matcher).fmt(f),
        }
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(matcher) => Match(matcher).fmt(f),
            Self::Ip { label, equal, addresses } => {
                write!(f, "{label}{}ip({})", if *equal { "=" } else { "!=" }, Quoted(addresses))
            }
            Self::Quantity { label, op, value } => write!(f, "{label}{op}{value}"),
            Self::And(left, right) => write!(f, "({left} and {right})"),
            Self::Or(left, right) => write!(f, "({left} or {right})"),
        }
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        })
    }
}

impl Display for Quantity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Duration(duration_ns) => Duration(*duration_ns).fmt(f),
            Self::Bytes(bytes) => write!(f, "{bytes}B"),
        }
    }
}

impl Display for MetricExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::Vector(vector) => vector.fmt(f),
            Self::Binary(binary) => binary.fmt(f),
            Self::Literal(number) => write!(f, "{number}"),
            Self::LabelReplace(replace) => replace.fmt(f),
            Self::Constant(number) => write!(f, "vector({number})"),
        }
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op.word())?;
        if let Some(parameter) = self.parameter {
            write!(f, "{parameter}, ")?;
        }
        self.log.fmt(f)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, " {unwrap}")?;
        }
        write!(f, "[{}]", Duration(self.range_ns))?;
        if self.offset_ns != 0 {
            write!(f, " offset {}", Duration(self.offset_ns))?;
        }
        f.write_str(")")?;
        self.grouping.as_ref().map_or(Ok(()), |grouping| write!(f, " {grouping}"))
    }
}

impl Display for UnwrapExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let label = &self.label;
        match self.conversion {
            Conversion::Number => write!(f, "| unwrap {label}")?,
            Conversion::Bytes => write!(f, "| unwrap bytes({label})")?,
            Conversion::Duration => write!(f, "| unwrap duration({label})")?,
            Conversion::DurationSeconds => write!(f, "| unwrap duration_seconds({label})")?,
        }
        self.filters.iter().try_for_each(|filter| write!(f, " | {filter}"))
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", if self.without { "without" } else { "by" }, List(&self.labels))
    }
}

impl Display for VectorAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.word())?;
        if let Some(grouping) = &self.grouping {
            write!(f, " {grouping} ")?;
        }
        f.write_str("(")?;
        if let Some(parameter) = self.parameter {
            write!(f, "{parameter}, ")?;
        }
        write!(f, "{})", self.input)
    }
}

impl Display for LabelReplace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "label_replace({}, {}, {}, {}, {})",
            self.input,
            Quoted(&self.target),
            Quoted(&self.replacement),
            Quoted(&self.source),
            Quoted(&self.pattern)
        )
    }
}

impl Display for BinaryExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "({} {}", self.left, self.op.word())?;
        f.write_str(if self.returns_bool { " bool" } else { "" })?;
        if let Some(matching) = &self.matching {
            write!(f, " {matching}")?;
        }
        write!(f, " {})", self.right)
    }
}

impl Display for MatchingExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", if self.on { "on" } else { "ignoring" }, List(&self.labels))?;
        match &self.group {
            Some(group) => {
                let word = if group.left { "group_left" } else { "group_right" };
                write!(f, " {word} ({})", List(&group.include))
            }
            None => Ok(()),
        }
    }
}
