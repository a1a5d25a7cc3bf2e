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
        add(&mut self.sum, &mut self.lost, value);
    }

    /// The sum of all values added.
    pub(crate) fn total(&self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}

/// Adds one value to a sum and the low-order part it lost.
pub(crate) fn add(sum: &mut f64, lost: &mut f64, value: f64) {
    let total = *sum + value;
    if total.is_infinite() {
        *lost = 0.0;
    } else if sum.abs() >= value.abs() {
        *lost += (*sum - total) + value;
    } else {
        *lost += (value - total) + *sum;
    }
    *sum = total;
}

/// A running mean: a sum that is divided at last, or, from where the sum would overflow, the mean
/// itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    sum: f64,
    lost: f64,
    count: u32,
    is_mean: bool,
}

impl Mean {
    /// Adds one value.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        if self.count == 1 {
            self.sum = value;
            return;
        }
        let count = f64::from(self.count);
        if !self.is_mean {
            let (mut sum, mut lost) = (self.sum, self.lost);
            add(&mut sum, &mut lost, value);
            if !sum.is_infinite() {
                (self.sum, self.lost) = (sum, lost);
                return;
            }
            self.is_mean = true;
            self.sum /= count - 1.0;
            self.lost /= count - 1.0;
        }
        let kept = (count - 1.0) / count;
        let (mut mean, mut lost) = (kept * self.sum, kept * self.lost);
        add(&mut mean, &mut lost, value / count);
        (self.sum, self.lost) = (mean, lost);
    }

    /// The mean of all values added; `None` without values.
    pub(crate) fn value(&self) -> Option<f64> {
        let count = f64::from(self.count);
        let mean =
            if self.is_mean { self.sum + self.lost } else { self.sum / count + self.lost / count };
        (self.count > 0).then_some(mean)
    }
}

/// Count, mean and population variance of some values, in one pass (Welford), compensated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    count: f64,
    mean: f64,
    mean_lost: f64,
    squares: f64,
    squares_lost: f64,
}

impl Moments {
    /// Adds one value.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - (self.mean + self.mean_lost);
        add(&mut self.mean, &mut self.mean_lost, delta / self.count);
        let delta_after = value - (self.mean + self.mean_lost);
        add(&mut self.squares, &mut self.squares_lost, delta * delta_after);
    }

    /// Population variance; `None` without values.
    pub(crate) fn variance(&self) -> Option<f64> {
        (self.count > 0.0).then(|| (self.squares + self.squares_lost) / self.count)
    }
}
