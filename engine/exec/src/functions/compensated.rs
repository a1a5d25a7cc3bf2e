//! Compensated sums: Neumaier's variant of Kahan's algorithm, as Prometheus uses it.

/// A running sum with the low-order part that the sum alone would lose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    /// Adds one value.
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    /// The sum of all values added.
    pub(crate) fn total(&self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}

/// The mean of some values: their compensated sum over their number, or a running mean where the
/// sum would overflow.
pub(crate) fn mean(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let mut sum = Sum::default();
    let mut count = 0_u64;
    for value in values.clone() {
        sum.add(value);
        count += 1;
    }
    if count == 0 {
        return None;
    }
    let total = sum.total();
    if total.is_finite() || values.clone().any(|value| !value.is_finite()) {
        return Some(total / count as f64);
    }
    let mut mean = 0.0;
    for (seen, value) in values.enumerate() {
        mean += value / (seen + 1) as f64 - mean / (seen + 1) as f64;
    }
    Some(mean)
}

/// Count, mean and population variance of some values, in one pass (Welford).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Adds one value.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    /// Population variance; `None` without values.
    pub(crate) fn variance(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.squares / self.count)
    }
}
