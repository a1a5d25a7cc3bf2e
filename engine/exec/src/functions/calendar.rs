//! The UTC calendar of an instant given in seconds.

use schemas::model::Date;

const SECONDS_PER_DAY: i64 = 86_400;

/// Fields of a UTC date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Calendar {
    /// Proleptic Gregorian year.
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    /// 1 to 31.
    pub(crate) day_of_month: i64,
    /// 1 to 366.
    pub(crate) day_of_year: i64,
    /// Sunday is 0.
    pub(crate) day_of_week: i64,
    /// 28 to 31.
    pub(crate) days_in_month: i64,
    /// 0 to 23.
    pub(crate) hour: i64,
    /// 0 to 59.
    pub(crate) minute: i64,
}

/// A field of the calendar at `seconds` since the epoch; NaN if that is not a number of seconds.
pub(crate) fn of(seconds: f64, field: impl Fn(&Calendar) -> i64) -> f64 {
    if !seconds.is_finite() {
        return f64::NAN;
    }
    field(&at(seconds as i64)) as f64
}

fn at(seconds: i64) -> Calendar {
    let days = seconds.div_euclid(SECONDS_PER_DAY);
    let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let Date { year, month, day } = Date::of_day(days);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let first_of_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let month_at = usize::try_from(month).expect("month is 1 to 12");
    let days_in_month = first_of_month[month_at] - first_of_month[month_at - 1];
    Calendar {
        year,
        month,
        day_of_month: day,
        day_of_year: first_of_month[month_at - 1] + day + i64::from(leap && month > 2),
        day_of_week: (days + 4).rem_euclid(7),
        days_in_month: days_in_month + i64::from(leap && month == 2),
        hour: second_of_day / 3_600,
        minute: second_of_day % 3_600 / 60,
    }
}

#[cfg(test)]
mod tests;
