//! What is chosen, what is not, and that it costs no more than it may.

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};
use proptest::prelude::*;
use schemas::tables::{Table, columns};

use super::*;

fn logs(objects: &[String]) -> RecordBatch {
    let objects: ArrayRef = Arc::new(StringArray::from_iter_values(objects));
    RecordBatch::try_from_iter([(columns::ATTRIBUTES, objects)]).unwrap()
}

fn layout() -> TableLayout {
    TableLayout::starting(Table::Logs).as_ref().clone()
}

fn options(rows_min: u64) -> PromotionOptions {
    PromotionOptions { rows_min, ..PromotionOptions::default() }
}

fn chosen(sketch: &mut Sketch, rows_min: u64) -> Vec<(String, PromotedType)> {
    let chosen = sketch.choose(&layout(), &options(rows_min)).into_iter();
    chosen.map(|it| (it.key.to_string(), it.value_type)).collect()
}

#[test]
fn frequent_keys_of_one_type_get_columns_the_most_frequent_first() {
    let object = |row: usize| {
        let mut object = format!(r#"{{"id":"{row:x}","n":{row},"http.route":"/","a b":1"#);
        object.push_str(if row.is_multiple_of(2) { r#","half":true"# } else { r#","other":1.5"# });
        object.push_str(if row.is_multiple_of(3) { r#","types":1"# } else { r#","types":"x""# });
        object.push_str(if row.is_multiple_of(50) { r#","rare":"x""# } else { r#","text":"y""# });
        object.push_str(r#","list":[1],"HALF":1,"null":null}"#);
        object
    };
    let objects: Vec<String> = (0..2_000).map(object).collect();
    let mut sketch = Sketch::default();
    sketch.observe(&logs(&objects), &layout());
    assert_eq!(chosen(&mut sketch, 2_001), []);
    let expected = [
        ("HALF", PromotedType::Int),
        ("id", PromotedType::UniqueText),
        ("n", PromotedType::Int),
        ("text", PromotedType::Text),
        ("other", PromotedType::Double),
    ];
    let expected = expected.map(|(key, of)| (key.to_owned(), of));
    assert_eq!(chosen(&mut sketch, 2_000), expected);
    assert_eq!(sketch.rows, 0, "the counting starts again");
}

#[test]
fn no_more_columns_than_allowed_and_no_long_values() {
    let long = "x".repeat(2_000);
    let object = format!(r#"{{"long":"{long}","a":1,"b":1,"c":1}}"#);
    let mut sketch = Sketch::default();
    sketch.observe(&logs(&vec![object; 100]), &layout());
    let columns_max = layout().promoted().len() + 2;
    let options = PromotionOptions { columns_max, ..options(100) };
    let found = sketch.choose(&layout(), &options);
    assert_eq!(found.iter().map(|it| it.key.as_ref()).collect::<Vec<_>>(), ["a", "b"]);
    sketch.observe(&logs(&vec![r#"{"a":1}"#.to_owned(); 100]), &layout());
    let none = PromotionOptions { columns_max: 0, ..options };
    assert_eq!(sketch.choose(&layout(), &none), []);
}

#[test]
fn resources_count_by_the_rows_that_have_them() {
    let mut resources = vec![r#"{"often":"a"}"#; 900];
    resources.extend([r#"{"seldom":"a"}"#; 30]);
    let resources: ArrayRef = Arc::new(StringArray::from(resources));
    let dictionary = cast(&resources, &Table::LogStreams.schema().field(4).data_type().clone());
    let schema = Schema::new(vec![Field::new(
        columns::RESOURCE_ATTRIBUTES,
        dictionary.as_ref().unwrap().data_type().clone(),
        true,
    )]);
    let rows = RecordBatch::try_new(Arc::new(schema), vec![dictionary.unwrap()]).unwrap();
    let layout = TableLayout::starting(Table::Spans);
    let mut sketch = Sketch::default();
    sketch.observe(&rows, layout);
    let found = sketch.choose(layout, &options(900));
    let found: Vec<_> = found.iter().map(|it| it.column.as_ref()).collect();
    assert_eq!(found, ["resource.often"]);
}

#[test]
fn too_many_keys_are_forgotten_but_not_the_frequent_ones() {
    let mut sketch = Sketch::default();
    for batch in 0..50 {
        let object = |row: usize| format!(r#"{{"k{}":1,"often":"x"}}"#, batch * 1_000 + row);
        let objects: Vec<String> = (0..1_000).map(object).collect();
        sketch.observe(&logs(&objects), &layout());
        let keys: usize = sketch.keys.iter().map(|(_, keys)| keys.len()).sum();
        assert!(keys <= 2 * KEYS_KEPT, "{keys} keys");
    }
    assert_eq!(chosen(&mut sketch, 1), [("often".to_owned(), PromotedType::Text)]);
}

proptest! {
    #[test]
    fn nothing_rare_is_chosen_and_the_choice_is_always_the_same(
        counts in prop::collection::vec(0_usize..200, 1..40),
    ) {
        let object = |row: usize| {
            let has = counts.iter().enumerate().filter(|(_, count)| row < **count);
            let members: Vec<String> = has.map(|(at, _)| format!("\"k{at}\":{row}")).collect();
            format!("{{{}}}", members.join(","))
        };
        let objects: Vec<String> = (0..200).map(object).collect();
        let choose = || {
            let mut sketch = Sketch::default();
            sketch.observe(&logs(&objects), &layout());
            sketch.choose(&layout(), &PromotionOptions { share_percent: 50, ..options(200) })
        };
        let found = choose();
        prop_assert_eq!(&found, &choose());
        let mut expected: Vec<(usize, String)> = counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count >= 100)
            .map(|(at, count)| (200 - count, format!("log.k{at}")))
            .collect();
        expected.sort();
        let expected: Vec<_> = expected.into_iter().map(|(_, column)| column).collect();
        let found: Vec<_> = found.iter().map(|it| it.column.to_string()).collect();
        prop_assert_eq!(found, expected);
    }
}
