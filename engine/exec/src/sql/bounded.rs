//! Functions of SQL that can make more than they are given, held to a limit.
//!
//! ```text
//!  repeat(body, 1000000)  ─▶ bytes it would make of these rows ─ few ──▶ made at once
//!                                            │ many
//!                                            └▶ of half the rows, and so on ─▶ limit, error
//! ```
//!
//! A query's memory is reckoned where rows are kept. What a function makes of a batch is not kept
//! yet, so nothing else would stop it before the machine's memory is full.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, StringArray};
use arrow::compute::kernels::concat_elements::concat_elements_utf8_many;
use arrow::compute::{cast, concat, min};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::functions_nested::make_array::make_array_udf;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::{Error, ErrorKind};

/// Bytes that one call of a function may make of one batch of rows.
const CALL_BYTES_MAX: usize = 128 << 20;

/// How much a call makes at most, reckoned from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// So many times the bytes of all arguments.
    Sum(usize),
    /// The bytes of the first, as often as the second says.
    Times,
    /// As many characters as the second says.
    Width,
    /// The first, with the last at each place where the second may be.
    Replace,
    /// The first, with the third, which may repeat parts of the first, at each character.
    Pattern,
    /// All arguments, with the first between each two.
    Joined,
    /// The elements of the first, with the longest other argument at each.
    Elements,
}

/// Functions that can make much of little.
const GROWING: [(&str, Growth); 23] = [
    ("array_append", Growth::Sum(2)),
    ("array_concat", Growth::Sum(2)),
    ("array_prepend", Growth::Sum(2)),
    ("array_replace", Growth::Elements),
    ("array_replace_all", Growth::Elements),
    ("array_replace_n", Growth::Elements),
    ("array_to_string", Growth::Elements),
    ("array_union", Growth::Sum(2)),
    ("arrays_zip", Growth::Sum(2)),
    ("concat", Growth::Sum(1)),
    ("concat_ws", Growth::Joined),
    ("encode", Growth::Sum(2)),
    ("lpad", Growth::Width),
    ("make_array", Growth::Sum(2)),
    ("map", Growth::Sum(2)),
    ("overlay", Growth::Sum(1)),
    ("regexp_replace", Growth::Pattern),
    ("repeat", Growth::Times),
    ("replace", Growth::Replace),
    ("rpad", Growth::Width),
    ("string_to_array", Growth::Sum(16)),
    ("to_char", Growth::Sum(40)),
    ("translate", Growth::Sum(4)),
];

/// Functions that make arrays of any length out of two numbers; nothing in the lake needs them.
const LEFT_OUT: [&str; 4] = ["array_repeat", "array_resize", "generate_series", "range"];

/// Puts limits on the functions of a session.
pub(crate) fn bound(state: &mut SessionState) -> Result<()> {
    for name in LEFT_OUT {
        state.deregister_udf(name)?;
    }
    for (name, growth) in GROWING {
        let inner = state.udf(name)?;
        state.register_udf(bounded(inner, growth))?;
    }
    Ok(())
}

/// A function that makes no more than [`CALL_BYTES_MAX`].
fn bounded(inner: Arc<ScalarUDF>, growth: Growth) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Bounded { inner, growth, bytes_max: CALL_BYTES_MAX }))
}

/// A function with a limit on what it makes.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    /// Of one batch of rows.
    bytes_max: usize,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if self.growth == Growth::Width {
            raise_to_zero(&mut args)?;
        }
        let rows = if is_constant(&args) { 1 } else { args.number_rows };
        if self.growth.bytes(&args.args, 0, rows)? <= self.bytes_max {
            return self.inner.invoke_with_args(args);
        }
        let (mut made, mut bytes) = (Vec::new(), 0);
        self.in_parts(&args, 0, rows, &mut made, &mut bytes)?;
        let made: Vec<&dyn Array> = made.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&made)?))
    }
}

impl Bounded {
    /// Makes what some rows give, in parts that are within the limit.
    fn in_parts(
        &self,
        args: &ScalarFunctionArgs,
        first: usize,
        rows: usize,
        made: &mut Vec<ArrayRef>,
        bytes: &mut usize,
    ) -> Result<()> {
        if self.growth.bytes(&args.args, first, rows)? > self.bytes_max {
            if rows == 1 {
                return Err(refused(self));
            }
            self.in_parts(args, first, rows / 2, made, bytes)?;
            return self.in_parts(args, first + rows / 2, rows - rows / 2, made, bytes);
        }
        let part = |arg: &ColumnarValue| match arg {
            ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(first, rows)),
            ColumnarValue::Scalar(scalar) => ColumnarValue::Scalar(scalar.clone()),
        };
        let part = ScalarFunctionArgs {
            args: args.args.iter().map(part).collect(),
            number_rows: rows,
            ..args.clone()
        };
        let part = self.inner.invoke_with_args(part)?.into_array(rows)?;
        *bytes += bytes_of(&part, 0, rows);
        if *bytes > self.bytes_max {
            return Err(refused(self));
        }
        made.push(part);
        Ok(())
    }
}

fn refused(function: &Bounded) -> DataFusionError {
    let (name, bytes_max) = (function.inner.name(), function.bytes_max);
    let message = format!("{name} makes over {bytes_max} bytes of one batch of rows");
    DataFusionError::External(Box::new(Error::new(ErrorKind::Limit, message)))
}

impl Growth {
    /// Bytes that a call makes of some rows at most.
    fn bytes(self, args: &[ColumnarValue], first: usize, rows: usize) -> Result<usize> {
        let all = |args: &[ColumnarValue]| -> usize {
            args.iter().map(|arg| total(arg, first, rows)).fold(0, usize::saturating_add)
        };
        let of = |at: usize, row: usize| args.get(at).map_or(0, |arg| total(arg, row, 1));
        let each = |bytes: &dyn Fn(usize) -> usize| {
            (first..first + rows).map(bytes).fold(0, usize::saturating_add)
        };
        Ok(match self {
            Self::Sum(times) => all(args).saturating_mul(times),
            Self::Times => {
                let counts = Counts::of(args.get(1))?;
                each(&|row| of(0, row).saturating_mul(counts.at(row)))
            }
            Self::Width => {
                let counts = Counts::of(args.get(1))?;
                // A character has four bytes at most.
                each(&|row| counts.at(row).saturating_mul(4))
            }
            Self::Replace => each(&|row| {
                let (text, places) = (of(0, row), of(0, row) / of(1, row).max(1) + 1);
                text.saturating_add(places.saturating_mul(of(2, row)))
            }),
            Self::Pattern => each(&|row| {
                let (text, by) = (of(0, row), of(2, row));
                // Each reference takes two bytes, and those of one kind fill the text once.
                let literal = (text + 1).saturating_mul(by);
                text.saturating_add(literal).saturating_add(text.saturating_mul(by / 2))
            }),
            Self::Joined => {
                let first = args.first().map_or(0, |arg| total(arg, first, rows));
                all(args).saturating_add(first.saturating_mul(args.len()))
            }
            Self::Elements => each(&|row| {
                // An element takes four bytes at least, if only for where it begins.
                let elements = of(0, row) / size_of::<i32>() + 1;
                let longest = (1..args.len()).map(|at| of(at, row)).max().unwrap_or(0);
                of(0, row).saturating_add(elements.saturating_mul(longest))
            }),
        })
    }
}

/// Widths below zero are none; DataFusion's own functions stumble over a column of them.
fn raise_to_zero(args: &mut ScalarFunctionArgs) -> Result<()> {
    let Some(ColumnarValue::Array(widths)) = args.args.get_mut(1) else { return Ok(()) };
    let numbers = cast(widths, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>();
    if min(numbers).is_some_and(|least| least < 0) {
        let raised = numbers.unary::<_, Int64Type>(|width| width.max(0));
        *widths = cast(&raised, widths.data_type())?;
    }
    Ok(())
}

/// Whether a call has one answer for all rows.
fn is_constant(args: &ScalarFunctionArgs) -> bool {
    args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
}

/// Whole numbers of an argument; those below zero count as zero.
enum Counts {
    One(usize),
    Each(ArrayRef),
}

impl Counts {
    fn of(arg: Option<&ColumnarValue>) -> Result<Self> {
        Ok(match arg {
            None => Self::One(0),
            Some(ColumnarValue::Scalar(scalar)) => {
                let ScalarValue::Int64(count) = scalar.cast_to(&DataType::Int64)? else {
                    return Ok(Self::One(0));
                };
                Self::One(usize::try_from(count.unwrap_or(0)).unwrap_or(0))
            }
            Some(ColumnarValue::Array(array)) => Self::Each(cast(array, &DataType::Int64)?),
        })
    }

    fn at(&self, row: usize) -> usize {
        match self {
            Self::One(count) => *count,
            Self::Each(counts) => {
                let counts = counts.as_primitive::<Int64Type>();
                let count = if counts.is_valid(row) { counts.value(row) } else { 0 };
                usize::try_from(count).unwrap_or(0)
            }
        }
    }
}

/// Bytes of an argument over some rows.
fn total(arg: &ColumnarValue, first: usize, rows: usize) -> usize {
    match arg {
        ColumnarValue::Array(array) => bytes_of(array, first, rows),
        ColumnarValue::Scalar(scalar) => {
            let one = match scalar {
                ScalarValue::Utf8(text)
                | ScalarValue::LargeUtf8(text)
                | ScalarValue::Utf8View(text) => text.as_ref().map_or(0, String::len),
                other => other.size(),
            };
            one.saturating_mul(rows)
        }
    }
}

/// Bytes of the values of some rows.
fn bytes_of(array: &ArrayRef, first: usize, rows: usize) -> usize {
    match array.data_type() {
        DataType::Utf8 => span(&array.as_string::<i32>().value_offsets()[first..=first + rows]),
        DataType::Binary => span(&array.as_binary::<i32>().value_offsets()[first..=first + rows]),
        DataType::LargeUtf8 => {
            span(&array.as_string::<i64>().value_offsets()[first..=first + rows])
        }
        DataType::LargeBinary => {
            span(&array.as_binary::<i64>().value_offsets()[first..=first + rows])
        }
        DataType::Utf8View => sum(array.as_string_view().lengths().skip(first).take(rows)),
        DataType::BinaryView => sum(array.as_binary_view().lengths().skip(first).take(rows)),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = &list.value_offsets()[first..=first + rows];
            let start = usize::try_from(offsets[0]).unwrap_or(0);
            size_of_val(offsets) + bytes_of(list.values(), start, span(offsets))
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| bytes_of(column, first, rows)).sum()
        }
        // Of other nested types all rows are counted, which is too much rather than too little.
        _ => array.slice(first, rows).to_data().get_slice_memory_size().unwrap_or(usize::MAX),
    }
}

/// What lies between the first of some offsets and the last.
fn span<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    let ends = offsets.first().zip(offsets.last());
    ends.map_or(0, |(first, last)| last.as_usize() - first.as_usize())
}

fn sum(lengths: impl Iterator<Item = u32>) -> usize {
    lengths.map(|length| length as usize).sum()
}

/// Puts limits on what operators make: `a || b` of texts and `[a, b]` become functions.
#[derive(Debug)]
pub(crate) struct BoundedOperators {
    join_texts: Arc<ScalarUDF>,
    make_array: Arc<ScalarUDF>,
}

impl BoundedOperators {
    pub(crate) fn new() -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        let join_texts = Arc::new(ScalarUDF::from(JoinTexts { signature }));
        Self {
            join_texts: bounded(join_texts, Growth::Sum(1)),
            make_array: bounded(make_array_udf(), Growth::Sum(2)),
        }
    }

    /// The texts that an operand is joined of.
    fn parts(&self, operand: Expr) -> Vec<Expr> {
        match operand {
            Expr::ScalarFunction(call) if call.func == self.join_texts => call.args,
            operand => vec![operand],
        }
    }
}

impl ExprPlanner for BoundedOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let types = [expr.left.get_type(schema)?, expr.right.get_type(schema)?];
        if !types.iter().any(is_text) || types.iter().any(DataType::is_nested) {
            return Ok(PlannerResult::Original(expr));
        }
        // A chain is one call, however long.
        let mut parts = self.parts(expr.left);
        parts.extend(self.parts(expr.right));
        Ok(PlannerResult::Planned(self.join_texts.call(parts)))
    }

    fn plan_array_literal(
        &self,
        elements: Vec<Expr>,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.make_array.call(elements)))
    }
}

fn is_text(of: &DataType) -> bool {
    match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// What `||` makes of texts: null if one of them is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JoinTexts {
    signature: Signature,
}

impl ScalarUDFImpl for JoinTexts {
    fn name(&self) -> &str {
        "||"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(names.join(" || "))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Utf8; types.len()])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let texts: Vec<&StringArray> =
            columns.iter().map(|column| column.as_string::<i32>()).collect();
        let joined = concat_elements_utf8_many(&texts)?;
        Ok(match is_constant(&args) {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?),
            false => ColumnarValue::Array(Arc::new(joined)),
        })
    }
}

#[cfg(test)]
mod tests;
