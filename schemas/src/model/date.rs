//! Dates of the proleptic Gregorian calendar, and RFC 3339.

use std::fmt::{self, Display, Formatter};

use super::{NANOS_PER_DAY, NANOS_PER_MILLI, NANOS_PER_SECOND, TimestampNs};

/// A day of the proleptic Gregorian calendar; shown as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// 0 is the year before the year 1.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

impl Date {
    /// The date of a day counted from 1970-01-01; of any whose year is an `i64`.
    ///
    /// The civil-from-days formula of Howard Hinnant's "chrono-Compatible Low-Level Date
    /// Algorithms": years begin in March, so that the leap day is the last of its year.
    pub fn of_day(days: i64) -> Self {
        let shifted = days.saturating_add(719_468);
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }

    /// The day, counted from 1970-01-01: the inverse of [`Self::of_day`].
    pub fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }
}

impl Display for Date {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// An instant in nanoseconds as RFC 3339 in UTC, to the millisecond: `2026-01-31T12:00:00.000Z`.
pub fn rfc3339(time_ns: TimestampNs) -> impl Display {
    let date = Date::of_day(time_ns.div_euclid(NANOS_PER_DAY));
    let millis = time_ns.rem_euclid(NANOS_PER_DAY) / NANOS_PER_MILLI;
    fmt::from_fn(move |f| {
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    })
}

/// Reads `2026-01-02T03:04:05.678Z` or the like with an offset such as `+02:00`, in nanoseconds;
/// times that an `i64` cannot tell become its ends. `None` if the text is no such time.
pub fn parse_rfc3339(text: &str) -> Option<TimestampNs> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let days = parse_date(date)?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':').map(two_digits);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = hour * 3_600 + minute * 60 + second - zone_seconds(zone)?;
    let nanos = i128::from(days) * i128::from(NANOS_PER_DAY)
        + i128::from(seconds) * i128::from(NANOS_PER_SECOND)
        + i128::from(fraction_ns(fraction)?);
    Some(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
}

/// Days from 1970-01-01 of `YYYY-MM-DD`.
fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let (month, day) = (two_digits(parts.next()?)?, two_digits(parts.next()?)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(Date { year, month, day }.days())
}

fn two_digits(text: &str) -> Option<i64> {
    digits(text, 2)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn fraction_ns(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{:0<9}", &digits[..digits.len().min(9)]).parse().ok()
}

fn zone_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone[1..].split_once(':')?;
    Some(sign * (two_digits(hours)? * 3_600 + two_digits(minutes)? * 60))
}

#[cfg(test)]
mod tests;
