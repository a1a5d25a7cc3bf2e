//! Tests of tables.

use super::*;

#[test]
fn columns_are_aligned_and_numbers_stand_right() {
    let mut table = Table::new(&["name", "value"]);
    table.rows.push(vec!["a".to_owned(), "1.5".to_owned()]);
    table.rows.push(vec!["longer".to_owned(), "10".to_owned()]);
    assert_eq!(table.to_text(), "name    value\na         1.5\nlonger     10\n");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let mut table = Table::new(&["line"]);
    table.rows.push(vec!["a\n\u{1b}[31mred".to_owned()]);
    assert_eq!(table.to_text(), "line\na\\n\\u{1b}[31mred\n");
}

#[test]
fn nothing_is_said_in_words() {
    assert_eq!(Table::new(&["a"]).to_text(), "(nothing found)\n");
}
