//! Known dates.

use super::at;

#[test]
fn fields_of_known_instants() {
    let leap_day = at(1_709_210_096); // 2024-02-29T12:34:56Z, a Thursday
    assert_eq!((leap_day.year, leap_day.month, leap_day.day_of_month), (2024, 2, 29));
    assert_eq!((leap_day.hour, leap_day.minute, leap_day.day_of_week), (12, 34, 4));
    assert_eq!((leap_day.day_of_year, leap_day.days_in_month), (60, 29));
    let last_day = at(1_735_603_200); // 2024-12-31
    assert_eq!((last_day.day_of_year, last_day.days_in_month), (366, 31));
    let before = at(-1); // 1969-12-31T23:59:59Z, a Wednesday
    assert_eq!((before.year, before.day_of_year, before.day_of_week), (1969, 365, 3));
}
