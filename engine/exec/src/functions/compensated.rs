//! Compensated sums: Neumaier's variant of Kahan's algorithm, as Prometheus uses it.

/// A running sum with the low-order part that the sum alone would lose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    /// The sum of one value.
    pub(crate) fn of(value: f64) -> Self {
        Self { sum: value, lost: 0.0 }
    }

    /// The sum of this and another sum: what both lost stays lost. Equal to adding the other's
    /// values one by one, but for rounding of what is lost, as long as nothing overflows.
    pub(crate) fn join(mut self, next: Self) -> Self {
        self.add(next.sum);
        self.lost += next.lost;
        self
    }

    /// How far another sum lies above this one.
    pub(crate) fn distance(&self, other: Self) -> f64 {
        (other.sum - self.sum) + (other.lost - self.lost)
    }

    /// The sum divided by a number of values, as [`Mean`] does it.
    pub(crate) fn mean(&self, count: f64) -> f64 {
        self.sum / count + self.lost / count
    }

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

    /// The moments of these and other values (Chan, Golub, LeVeque): equal to adding the others
    /// one by one, but for rounding.
    pub(crate) fn join(self, next: Self) -> Self {
        let count = self.count + next.count;
        let delta = (next.mean - self.mean) + (next.mean_lost - self.mean_lost);
        let mut joined = Self { count, ..self };
        add(&mut joined.mean, &mut joined.mean_lost, delta * (next.count / count));
        add(&mut joined.squares, &mut joined.squares_lost, next.squares + next.squares_lost);
        let between = delta * delta * (self.count * next.count / count);
        add(&mut joined.squares, &mut joined.squares_lost, between);
        joined
    }

    /// Population variance; `None` without values.
    pub(crate) fn variance(&self) -> Option<f64> {
        (self.count > 0.0).then(|| (self.squares + self.squares_lost) / self.count)
    }
}

/// Count, means, and sums of squares and products of distances to the means, of pairs: what a
/// least-squares line needs. Compensated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joint {
    count: f64,
    x: Sum,
    y: Sum,
    xx: Sum,
    xy: Sum,
}

impl Joint {
    /// One pair.
    pub(crate) fn of(x: f64, y: f64) -> Self {
        let zero = Sum::default();
        Self { count: 1.0, x: Sum::of(x), y: Sum::of(y), xx: zero, xy: zero }
    }

    /// These and other pairs (Chan, Golub, LeVeque).
    pub(crate) fn join(mut self, next: Self) -> Self {
        let count = self.count + next.count;
        let dx = self.x.distance(next.x);
        let dy = self.y.distance(next.y);
        let (part, weight) = (next.count / count, self.count * next.count / count);
        self.x.add(dx * part);
        self.y.add(dy * part);
        self.xx = self.xx.join(next.xx);
        self.xx.add(dx * dx * weight);
        self.xy = self.xy.join(next.xy);
        self.xy.add(dx * dy * weight);
        Self { count, ..self }
    }

    /// Slope of the line; not a number if all pairs have one x.
    pub(crate) fn slope(&self) -> f64 {
        self.xy.total() / self.xx.total()
    }

    /// Value of the line at `x`.
    pub(crate) fn value(&self, x: f64) -> f64 {
        self.y.total() + self.slope() * self.x.distance(Sum::of(x))
    }
}
