//! Partitions: each segment holds one tenant and one UTC day.

use crate::model::NANOS_PER_DAY;

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
///
/// The civil-from-days formula of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
pub fn date_of_day(day: i32) -> String {
    let shifted = i64::from(day) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests;
