//! Bounded functions against themselves without a limit.

use arrow::array::{Array, Int64Array, StringArray};
use arrow::datatypes::Field;
use datafusion::common::config::ConfigOptions;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

use super::*;

/// A limit that small arguments go over.
const BYTES_MAX: usize = 400;

fn texts(values: &[String]) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(StringArray::from_iter_values(values)))
}

fn constant(value: &str) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::from(value))
}

fn arguments(function: &ScalarUDF, args: Vec<ColumnarValue>, rows: usize) -> ScalarFunctionArgs {
    let field = |arg: &ColumnarValue| Arc::new(Field::new("a", arg.data_type(), true));
    let types: Vec<DataType> = args.iter().map(ColumnarValue::data_type).collect();
    let made = function.return_type(&types).unwrap();
    ScalarFunctionArgs {
        arg_fields: args.iter().map(|arg| field(arg) as FieldRef).collect(),
        args,
        number_rows: rows,
        return_field: Arc::new(Field::new("made", made, true)),
        config_options: Arc::new(ConfigOptions::default()),
    }
}

/// What a function makes of rows without a limit and with one, and what it should make at most.
fn both(
    name: &str,
    args: Vec<ColumnarValue>,
    rows: usize,
) -> (ArrayRef, std::result::Result<ArrayRef, Error>, usize) {
    let inner = SessionContext::new().udf(name).unwrap();
    let growth = GROWING.iter().find(|growing| growing.0 == name).unwrap().1;
    let mut args = arguments(&inner, args, rows);
    if growth == Growth::Width {
        raise_to_zero(&mut args).unwrap();
    }
    let most = growth.bytes(&args.args, 0, rows).unwrap();
    let free = inner.invoke_with_args(args.clone()).unwrap().into_array(rows).unwrap();
    let bounded = Bounded { inner, growth, bytes_max: BYTES_MAX };
    let made = bounded.invoke_with_args(args).map_err(crate::error::from_datafusion);
    (free, made.map(|made| made.into_array(rows).unwrap()), most)
}

proptest! {
    #[test]
    fn within_the_limit_nothing_changes(
        rows in prop::collection::vec(("[ab,é]{0,12}", -2..40_i64, "[ab]{0,3}", "[xyz]{0,9}"), 1..12),
        constants in prop::option::of(("[ab]{1,2}", "[xy\\\\1]{0,8}")),
    ) {
        let count = rows.len();
        let column = |of: fn(&(String, i64, String, String)) -> &String| {
            texts(&rows.iter().map(|row| of(row).clone()).collect::<Vec<_>>())
        };
        let text = || column(|row| &row.0);
        let numbers: Int64Array = rows.iter().map(|row| row.1).collect();
        let numbers = ColumnarValue::Array(Arc::new(numbers));
        let (from, to) = match &constants {
            Some((from, to)) => (constant(from), constant(to)),
            None => (column(|row| &row.2), column(|row| &row.3)),
        };
        let calls = [
            ("repeat", vec![text(), numbers.clone()]),
            ("lpad", vec![text(), numbers.clone()]),
            ("rpad", vec![text(), numbers, to.clone()]),
            ("replace", vec![text(), from.clone(), to.clone()]),
            ("regexp_replace", vec![text(), from.clone(), to.clone()]),
            ("concat", vec![text(), to.clone(), from.clone()]),
            ("concat_ws", vec![to.clone(), text(), from.clone(), text()]),
            ("translate", vec![text(), from, to]),
            ("string_to_array", vec![text(), constant(",")]),
        ];
        for (name, args) in calls {
            let (free, made, most) = both(name, args, count);
            let bytes = bytes_of(&free, 0, count);
            prop_assert!(bytes <= most.max(8), "{} makes {} bytes, not {}", name, bytes, most);
            match made {
                Ok(made) => {
                    prop_assert_eq!(&made, &free, "{}", name);
                    prop_assert!(bytes <= BYTES_MAX);
                }
                Err(error) => {
                    prop_assert_eq!(error.kind(), ErrorKind::Limit);
                    prop_assert!(error.to_string().contains(name));
                    prop_assert!(most > BYTES_MAX);
                }
            }
        }
    }
}

#[test]
fn rows_are_taken_in_parts_where_little_is_made() {
    // Each could become 146 bytes or more, and stays as it is.
    let rows: Vec<String> = (0..30).map(|at| format!("line {at}")).collect();
    let by = "x".repeat(20);
    let (free, made, most) = both("replace", vec![texts(&rows), constant("q"), constant(&by)], 30);
    assert!(most > 10 * BYTES_MAX);
    assert_eq!(made.unwrap().as_ref(), free.as_ref());
}

#[test]
fn constants_are_reckoned_once() {
    let count = ColumnarValue::Scalar(ScalarValue::from(100_i64));
    let (_, made, _) = both("repeat", vec![constant("abc"), count], 1_000);
    assert_eq!(made.unwrap().len(), 1_000);
    let count = ColumnarValue::Scalar(ScalarValue::from(200_i64));
    let (_, made, _) = both("repeat", vec![constant("abc"), count], 1_000);
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Limit);
}
