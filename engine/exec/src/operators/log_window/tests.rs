//! Which windows a row belongs to, against the definition.

use proptest::prelude::*;

use super::touched;
use crate::functions::window::Windows;

proptest! {
    #[test]
    fn a_row_touches_the_windows_that_hold_it(
        time in -500_i64..500,
        first_end in -100_i64..100,
        step in 0_i64..50,
        range in 1_i64..200,
        count in 1_usize..12,
    ) {
        let windows = Windows {
            first_end,
            step,
            first_eval: first_end,
            eval_step: step,
            count,
            range,
            units_per_second: 1e9,
        };
        let holds: Vec<bool> = (0..count)
            .map(|k| {
                let end = first_end + step * k as i64;
                end - range < time && time <= end
            })
            .collect();
        let mut got = vec![false; count];
        if let Some((first, behind)) = touched(&windows, time) {
            got[first..behind].fill(true);
        }
        prop_assert_eq!(got, holds);
    }
}
