//! How busy and how well the shop is at a second: a pure function of the seed and the time.
//!
//! ```text
//!  rate ▲      ╭──╮            day: least at midnight UTC, most at noon
//!       │ ╭~~~~╯  ╰~~~~╮       ripple: seven minutes
//!       └──────────────────▶
//!  slow spells    ▂▂       ▂▂▂      one in thirteen minutes: the database drags
//!  error spells      ▂▂        ▂    one in seventeen: the payment provider fails
//! ```

use std::f64::consts::TAU;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const DAY_S: u64 = 86_400;
const RIPPLE_S: u64 = 420;
const SLOW_PERIOD_S: u64 = 780;
const ERROR_PERIOD_S: u64 = 1020;

/// Share of the rate at noon that is left at midnight.
const NIGHT_SHARE: f64 = 0.35;

/// What the shop meets in one second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Conditions {
    /// Mean number of requests.
    pub(super) requests: f64,
    /// Factor on the time that database calls take; 1 in good times.
    pub(super) database_slowness: f64,
    /// Probability that a payment fails.
    pub(super) payment_failure: f64,
}

/// What the shop meets at `second`, counted from 1970, when `rate` requests come at noon.
pub(super) fn conditions(seed: u64, rate: f64, second: u64) -> Conditions {
    let day = 0.5 - 0.5 * phase(second, DAY_S).cos();
    let ripple = 1.0 + 0.15 * phase(second, RIPPLE_S).sin();
    let slow = spell(seed ^ 0x51_0E, second, SLOW_PERIOD_S, 90..180);
    let failing = spell(seed ^ 0xE4_40, second, ERROR_PERIOD_S, 60..120);
    Conditions {
        requests: rate * (NIGHT_SHARE + (1.0 - NIGHT_SHARE) * day) * ripple,
        database_slowness: if slow { 6.0 } else { 1.0 },
        payment_failure: if failing { 0.45 } else { 0.015 },
    }
}

/// A source of randomness that belongs to one second, so that telemetry of a second is the same
/// whether it is made live or later.
pub(super) fn rng_of(seed: u64, second: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ second)
}

/// How many of events with this mean happen (Poisson; normal above 30, where they are alike).
pub(super) fn count_of(mean: f64, rng: &mut impl Rng) -> u32 {
    if mean > 30.0 {
        return (mean + mean.sqrt() * normal(rng)).round().max(0.0) as u32;
    }
    let limit = (-mean).exp();
    let mut product: f64 = rng.random();
    let mut count = 0;
    while product > limit {
        product *= rng.random::<f64>();
        count += 1;
    }
    count
}

/// A normally distributed number (Box-Muller).
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}

/// Position of a second in a period, as an angle.
pub(super) fn phase(second: u64, period_s: u64) -> f64 {
    TAU * (second % period_s) as f64 / period_s as f64
}

/// Whether `second` lies in the one spell of its period.
fn spell(seed: u64, second: u64, period_s: u64, length_s: std::ops::Range<u64>) -> bool {
    let mut rng = rng_of(seed, second / period_s);
    let length_s = rng.random_range(length_s);
    let start = rng.random_range(0..period_s - length_s);
    (start..start + length_s).contains(&(second % period_s))
}
