//! What Logs Drilldown asks for.

use super::*;

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn labels_of_ids_are_left_out() {
    let values = BTreeMap::from([
        ("app".to_owned(), set(&["a", "b"])),
        ("flag".to_owned(), set(&["0", "1"])),
        ("pod".to_owned(), set(&["17"])),
        ("port".to_owned(), set(&["80", "443"])),
        ("request".to_owned(), set(&["123e4567-e89b-12d3-a456-426614174000"])),
    ]);
    assert_eq!(
        detected_labels(&values),
        concat!(
            r#"{"detectedLabels":[{"label":"app","cardinality":2},"#,
            r#"{"label":"flag","cardinality":2},{"label":"pod","cardinality":1}]}"#
        )
    );
    assert_eq!(detected_labels(&BTreeMap::new()), r#"{"detectedLabels":[]}"#);
}

#[test]
fn fields_have_the_narrowest_type() {
    for (values, name) in [
        (set(&["1", "-2"]), "int"),
        (set(&["1", "2.5"]), "float"),
        (set(&["true", "false"]), "boolean"),
        (set(&["1s", "2ms"]), "duration"),
        (set(&["5MB", "1KiB"]), "bytes"),
        (set(&["1s", "x"]), "string"),
    ] {
        assert_eq!(type_of(&values), name);
    }
}

#[test]
fn structured_metadata_needs_no_parser() {
    let field = |values, parsers: &[&'static str]| Field {
        values: set(values),
        parsers: parsers.iter().copied().collect(),
    };
    let fields = Fields::from([
        ("code".to_owned(), field(&["200"], &["json", "logfmt"])),
        ("own".to_owned(), field(&["1s"], &[QUERYS_OWN])),
        ("trace_id".to_owned(), field(&["ab"], &[])),
    ]);
    assert_eq!(
        detected_fields(&fields, 1000),
        concat!(
            r#"{"fields":[{"label":"code","type":"int","cardinality":1,"#,
            r#""parsers":["json","logfmt"]},"#,
            r#"{"label":"own","type":"duration","cardinality":1,"parsers":[]},"#,
            r#"{"label":"trace_id","type":"string","cardinality":1,"parsers":null}],"limit":1000}"#
        )
    );
}

#[test]
fn what_is_tried_on_lines_is_logql() {
    for (_, stages) in PARSERS {
        assert!(logql::is_log_query(&format!("{{a=\"b\"}} {stages}")).unwrap(), "{stages}");
    }
}
