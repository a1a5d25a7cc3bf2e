//! Layouts grow at the end and never hold two columns of one name.

use super::super::{Promoted, PromotedType, Table};
use super::{PROMOTED_MAX, TableLayout};
use crate::model::Scope;

fn span(key: &str) -> Promoted {
    Promoted::new(Scope::Span, key, PromotedType::Double).unwrap()
}

#[test]
fn columns_are_added_behind_the_others() {
    let start = TableLayout::starting(Table::Spans);
    assert_eq!(start.schema(), &Table::Spans.schema());
    let more = start.with([span("x"), span("y")]);
    let columns = start.promoted().len();
    assert_eq!(&more.promoted()[..columns], start.promoted());
    assert_eq!(more.position(Scope::Span, "y"), Some(columns + 1));
    assert_eq!(more.position(Scope::Resource, "y"), None);
    assert_eq!(more.schema().fields().len(), start.schema().fields().len() + 2);
    let again = TableLayout::of(Table::Spans, more.promoted().to_vec());
    assert_eq!(again, more);
}

#[test]
fn a_lake_of_an_older_version_gets_the_starting_list_at_the_end() {
    let start = TableLayout::starting(Table::Logs).promoted();
    let own = Promoted::new(Scope::Log, "own", PromotedType::Bool).unwrap();
    let layout = TableLayout::of(Table::Logs, [start[1].clone(), own.clone()]);
    let expected = [&start[1], &own, &start[0], &start[2], &start[3]];
    assert_eq!(layout.promoted().iter().collect::<Vec<_>>(), expected);
}

#[test]
fn names_that_differ_in_case_alone_are_one_and_no_table_grows_without_end() {
    let start = TableLayout::starting(Table::Spans);
    let more = start.with([span("Abc"), span("aBC"), span("http.ROUTE")]);
    assert_eq!(more.promoted().len(), start.promoted().len() + 1);
    let log = Promoted::new(Scope::Log, "x", PromotedType::Int).unwrap();
    assert_eq!(start.with([log]).promoted().len(), start.promoted().len());
    let many = start.with((0..1_000).map(|at| span(&format!("k{at}"))));
    assert_eq!(many.promoted().len(), PROMOTED_MAX);
}

#[test]
fn a_field_says_what_it_holds_and_odd_keys_have_none() {
    for promoted in TableLayout::starting(Table::Spans).promoted() {
        assert_eq!(Promoted::of_field(&promoted.field()).as_ref(), Some(promoted));
    }
    for field in Table::Spans.fixed_fields() {
        assert_eq!(Promoted::of_field(&field), None, "{}", field.name());
    }
    for key in ["", "a b", "a,b", "{a}", "a=b", "ä", "a\"b", "a;b", "a\nb", &"k".repeat(129)] {
        assert_eq!(Promoted::new(Scope::Span, key, PromotedType::Int), None, "{key}");
    }
    for key in ["a", "a.b-c_d/e:f@g", "1", ".", &"k".repeat(128)] {
        assert!(Promoted::new(Scope::Span, key, PromotedType::Int).is_some(), "{key}");
    }
}
