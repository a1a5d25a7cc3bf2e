//! Days and dates.

use super::{date_of_day, day_of_ms, day_of_ns};

#[test]
fn dates_follow_the_calendar() {
    for (day, date) in [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (59, "1970-03-01"),
        (11_016, "2000-02-29"),
        (20_778, "2026-11-21"),
    ] {
        assert_eq!(date_of_day(day), date);
    }
}

#[test]
fn instants_before_the_epoch_belong_to_the_day_they_lie_in() {
    assert_eq!(day_of_ns(-1), -1);
    assert_eq!(day_of_ms(-1), -1);
    assert_eq!(day_of_ms(86_400_000), 1);
}
