//! Searching the whole buffer against asking line by line.

use arrow::array::{Array, StringArray};
use plan::Expr;
use proptest::prelude::*;
use schemas::model::compile_search;

use super::keep;
use crate::pipeline::predicate::LineTest;

fn tests() -> impl Strategy<Value = Expr> {
    let line = || Box::new(Expr::Line);
    let leaf = prop_oneof![
        "[ab]{0,3}".prop_map(move |needle| Expr::Contains { input: line(), needle }),
        "[ab.]{1,3}".prop_map(move |pattern| Expr::Matches {
            input: line(),
            pattern: compile_search(&pattern).expect("letters and dots compile"),
        }),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|test| Expr::Not(Box::new(test))),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Expr::And),
            prop::collection::vec(inner, 0..3).prop_map(Expr::Or),
        ]
    })
}

proptest! {
    #[test]
    fn a_batch_answers_as_its_lines_do(
        lines in prop::collection::vec("[ab]{0,4}", 1..40),
        expr in tests(),
        cut in 0_usize..40,
    ) {
        let test = LineTest::compile(&expr).expect("it asks only for the line");
        let array = StringArray::from(lines.clone());
        let cut = cut.min(lines.len());
        let array = array.slice(cut, lines.len() - cut);
        let mut alive = vec![true; array.len()];
        keep(&test, &array, &mut alive);
        let expected: Vec<bool> = lines[cut..].iter().map(|line| test.holds(line)).collect();
        prop_assert_eq!(alive, expected);
    }
}
