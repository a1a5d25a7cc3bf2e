//! Steps with functions of their own answer what each function answers there.

use plan::node::WindowFunction as F;
use proptest::prelude::*;

use super::super::tests::milliseconds;
use super::*;

proptest! {
    #[test]
    fn every_step_has_its_own_function(
        samples in prop::collection::vec((1_i64..20_000, -5_i32..5), 0..50),
        parameters in prop::collection::vec(prop::sample::select(vec![0.1, 0.5, 0.9, 7.0]), 9),
        step in prop::sample::select(vec![0_i64, 1_000, 30_000]),
    ) {
        let mut time = 0;
        let (mut times, mut values) = (Vec::new(), Vec::new());
        for (distance, value) in samples {
            time += distance;
            times.push(time);
            values.push(f64::from(value));
        }
        let samples = Samples { times: &times, values: &values };
        let windows = milliseconds(40_000, step, 9, 60_000);
        for function in [F::Quantile(f64::NAN), F::PredictLinear(f64::NAN)] {
            let stepwise = Stepwise::new(&function, std::slice::from_ref(&parameters), 9).unwrap();
            let run = |work: &dyn Fn(&mut Output<'_>)| {
                let (mut values, mut valid) = ([0.0_f64; 9], [false; 9]);
                work(&mut Output { values: &mut values, valid: &mut valid });
                values.iter().zip(valid).map(|(v, valid)| valid.then_some(v.to_bits())).collect()
            };
            let got: Vec<Option<u64>> = run(&|out| stepwise.evaluate(samples, &windows, out));
            for (k, parameter) in parameters.iter().enumerate() {
                let function = function.with_parameters(&[*parameter]).unwrap();
                let all: Vec<_> = run(&|out| evaluate(&function, samples, &windows, out));
                prop_assert_eq!(got[k], all[k], "{:?} at {}", function, k);
            }
        }
    }
}

#[test]
fn a_factor_that_means_nothing_is_refused() {
    let function = F::DoubleExponentialSmoothing { smoothing: 0.5, trend: 0.5 };
    let parameters = [vec![0.5, 1.0], vec![0.5, 0.5]];
    let error = Stepwise::new(&function, &parameters, 2).unwrap_err();
    assert_eq!(error.to_string(), "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000");
}
