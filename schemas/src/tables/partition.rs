//! Partitions: each segment holds one tenant and one UTC day.

use crate::model::{Date, NANOS_PER_DAY};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// The UTC day of an instant, counted from 1970-01-01.
pub fn day_of_ns(time_ns: i64) -> i32 {
    i32::try_from(time_ns.div_euclid(NANOS_PER_DAY)).expect("i64 nanoseconds are under 2^31 days")
}

/// The UTC day of an instant in milliseconds; clamped to what `i32` days can tell.
pub fn day_of_ms(time_ms: i64) -> i32 {
    let day = time_ms.div_euclid(MILLIS_PER_DAY);
    i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX })
}

/// `YYYY-MM-DD` of a day counted from 1970-01-01, proleptic Gregorian.
pub fn date_of_day(day: i32) -> String {
    Date::of_day(day.into()).to_string()
}

#[cfg(test)]
mod tests;
