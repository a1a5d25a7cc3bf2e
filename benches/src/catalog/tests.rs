//! Made-up segments get the folders that real ones would have.

use super::date_of;

#[test]
fn days_have_dates() {
    let days = [0, 59, 364, 11_016, 20_778].map(date_of);
    assert_eq!(days, ["1970-01-01", "1970-03-01", "1970-12-31", "2000-02-29", "2026-11-21"]);
}
