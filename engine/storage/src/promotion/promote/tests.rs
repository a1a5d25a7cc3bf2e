//! Promoting loses nothing, says where everything is, and may be done again.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schemas::tables::object::write_member;
use schemas::tables::{Promoted, PromotedType, Table};

use super::*;

/// What readers are told of a row: of each key of a scope its value, the column before the first
/// member, and how many there are.
type Told = BTreeMap<String, (String, usize)>;

const ODD: &[&str] = &["null", "[1,\"a\"]", r#"{"a":{"b":1}}"#, r#"{"$bytes":"AA=="}"#];

const SCOPES: &[Scope] = &[Scope::Span, Scope::Resource, Scope::Log];

const TYPES: &[PromotedType] = &[
    PromotedType::Text,
    PromotedType::UniqueText,
    PromotedType::Int,
    PromotedType::Double,
    PromotedType::Bool,
];

const RESERVED: &[&str] = &["tenant", "date", "attributes", "service.name", "$bytes"];

fn layout(table: Table, keys: &[(Scope, &str, PromotedType)]) -> Arc<TableLayout> {
    let promoted = keys.iter().map(|(scope, key, of)| Promoted::new(*scope, key, *of).unwrap());
    Arc::new(TableLayout::starting(table).with(promoted))
}

/// Rows of the starting layout; of each the objects of the scopes of its table.
fn rows(table: Table, objects: &[Vec<Option<String>>]) -> RecordBatch {
    let schema = table.schema();
    let column = |field: &arrow::datatypes::FieldRef| -> ArrayRef {
        let scope = overflow_columns(table).iter().position(|(_, name)| name == field.name());
        match scope {
            Some(at) => {
                let texts: StringArray = objects.iter().map(|row| row[at].as_deref()).collect();
                cast(&(Arc::new(texts) as ArrayRef), field.data_type()).unwrap()
            }
            None => new_null_array(field.data_type(), objects.len()),
        }
    };
    let columns = schema.fields().iter().map(column).collect();
    // Only attributes matter here, so columns that must have values may do without.
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let schema = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// `Promoter::promote` of rows that lack what does not matter here.
fn promoted(layout: &Arc<TableLayout>, rows: &RecordBatch) -> (RecordBatch, Occupied) {
    let mut promoter = Promoter::new(layout);
    let loosened = loosened(layout, rows);
    let mut columns = loosened.columns().to_vec();
    promoter.move_values(&mut columns).unwrap();
    (RecordBatch::try_new(loosened.schema(), columns).unwrap(), promoter.occupied())
}

/// Rows among all columns of a layout, each of which may be null.
fn loosened(layout: &TableLayout, rows: &RecordBatch) -> RecordBatch {
    let fields = layout.schema().fields().iter();
    let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
    let schema = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
    crate::fit(rows, &Arc::new(schema)).unwrap()
}

fn told(rows: &RecordBatch, row: usize, scope: Scope, overflow: &str) -> Told {
    let mut told = Told::new();
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let Some(of) = Promoted::of_field(field).filter(|of| of.scope == scope) else { continue };
        let mut text = String::new();
        let cell = cast(column, &DataType::Utf8).unwrap();
        let cell = cell.as_string::<i32>();
        if column.is_null(row) {
            continue;
        }
        let value = match of.value_type {
            PromotedType::Int => Scalar::Int(column.as_primitive::<Int64Type>().value(row)),
            PromotedType::Double => Scalar::Double(column.as_primitive::<Float64Type>().value(row)),
            PromotedType::Bool => Scalar::Bool(column.as_boolean().value(row)),
            _ => Scalar::Text(cell.value(row).into()),
        };
        write_member(&mut text, "", &value);
        told.insert(of.key.to_string(), (text, 1));
    }
    let objects = cast(rows.column_by_name(overflow).unwrap(), &DataType::Utf8).unwrap();
    let objects = objects.as_string::<i32>();
    if objects.is_null(row) {
        return told;
    }
    assert_ne!(objects.value(row), "", "no members make no object");
    for member in members(objects.value(row)) {
        let mut text = String::new();
        match scalar(member.value) {
            Some(value) => write_member(&mut text, "", &value),
            None => text.push_str(member.value),
        }
        told.entry(member.key.into_owned()).or_insert((text, 0)).1 += 1;
    }
    told
}

fn all_told(rows: &RecordBatch, table: Table) -> Vec<Vec<Told>> {
    let of_row = |row| {
        let scopes = overflow_columns(table).iter();
        scopes.map(|(scope, column)| told(rows, row, *scope, column)).collect()
    };
    (0..rows.num_rows()).map(of_row).collect()
}

#[test]
fn values_of_the_columns_type_move_and_others_stay() {
    let layout = layout(
        Table::Logs,
        &[
            (Scope::Log, "t", PromotedType::Text),
            (Scope::Log, "i", PromotedType::Int),
            (Scope::Log, "d", PromotedType::Double),
            (Scope::Log, "b", PromotedType::Bool),
            (Scope::Log, "u", PromotedType::UniqueText),
        ],
    );
    let object = r#"{"t":"x","i":1,"d":1.0,"b":true,"u":"y"}"#;
    let other = r#"{"t":1,"i":1.0,"d":1,"b":"true","u":null}"#;
    let nested = r#"{"t":["x"],"i":{"a":1},"d":{"$double":"NaN"},"b":false,"x\"":7}"#;
    let objects = [Some(object), None, Some(other), Some(nested), Some("{}"), Some("{\"t\":")];
    let objects = objects.map(|object| vec![object.map(str::to_owned)]);
    let (left, occupied) = promoted(&layout, &rows(Table::Logs, &objects));
    let overflow = left.column_by_name("attributes").unwrap().as_string::<i32>();
    let overflow: Vec<_> = overflow.iter().collect();
    let kept = r#"{"t":["x"],"i":{"a":1},"x\"":7}"#;
    let expected = [None, None, Some(other), Some(kept), Some("{}"), Some("{\"t\":")];
    assert_eq!(overflow, expected);
    let at = |key| layout.position(Scope::Log, key).unwrap();
    assert!(["t", "i", "d", "b", "u"].into_iter().all(|key| occupied.is_filled(at(key))));
    assert!(!["t", "i", "d", "b"].into_iter().any(|key| occupied.is_settled(at(key))));
    assert!(!occupied.is_settled(at("u")), "an empty value is a value");
    let absent = layout.position(Scope::Log, "http.route").unwrap();
    assert!(occupied.is_absent(absent) && !occupied.is_settled(layout.promoted().len()));
}

#[test]
fn what_gives_the_same_label_is_not_settled() {
    let column = (Scope::Log, "http.x", PromotedType::Text);
    let layout = layout(Table::Logs, &[column]);
    let at = layout.position(Scope::Log, "http.x").unwrap();
    for (object, is_settled) in [
        (r#"{"http.x":"a"}"#, true),
        (r#"{"http.y":"a","httpx":1}"#, true),
        (r#"{"http_x":"a"}"#, false),
        (r#"{"http--x":"a"}"#, false),
        (r#"{"http":{"x":"a"}}"#, false),
        (r#"{"http.x":{"y":"a"}}"#, false),
        (r#"{"other":{"x":"a"}}"#, true),
    ] {
        let (_, occupied) = promoted(&layout, &rows(Table::Logs, &[vec![Some(object.into())]]));
        assert_eq!(occupied.is_settled(at), is_settled, "{object}");
    }
    let layout = self::layout(Table::Spans, &[(Scope::Span, "http.x", PromotedType::Text)]);
    let at = layout.position(Scope::Span, "http.x").unwrap();
    let object = vec![Some(r#"{"http_x":"a"}"#.to_owned()), None];
    let (_, occupied) = promoted(&layout, &rows(Table::Spans, &[object]));
    assert!(occupied.is_settled(at), "spans have no labels");
}

#[test]
fn a_tag_says_the_same_and_holds_for_its_layout_alone() {
    let layout = layout(Table::Spans, &[(Scope::Span, "x", PromotedType::Int)]);
    let object = vec![Some(r#"{"x":1,"http.route":5}"#.to_owned()), None];
    let (_, occupied) = promoted(&layout, &rows(Table::Spans, &[object]));
    assert_eq!(Occupied::of_tag(&occupied.to_tag()), occupied);
    assert_eq!(Occupied::of_tag("x"), Occupied::default());
    assert_eq!(occupied.under(&layout), occupied);
    let more = layout.with(Promoted::new(Scope::Span, "y", PromotedType::Int));
    assert_eq!(occupied.under(&more), occupied);
    let other = self::layout(Table::Spans, &[(Scope::Span, "y", PromotedType::Int)]);
    assert_eq!(occupied.under(&other), Occupied::default());
    assert_eq!(occupied.union(&occupied), occupied);
    assert_eq!(occupied.union(&Occupied::of(&more)), Occupied::default());
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(RESERVED).prop_map(str::to_owned),
        "[abAB]{1,2}",
        "[a.b_\\- ]{0,4}",
        "[aä\"\\\\\n😀$]{0,3}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        "[ab\"\\\\ä\n]{0,4}".prop_map(|text| Scalar::Text(text.into())),
        any::<i64>().prop_map(Scalar::Int),
        any::<f64>().prop_map(Scalar::Double),
        any::<bool>().prop_map(Scalar::Bool),
    ];
    let scalar = scalar.prop_map(|value| {
        let mut text = String::new();
        write_member(&mut text, "", &value);
        text.split_off("{\"\":".len())
    });
    prop_oneof![4 => scalar, 1 => prop::sample::select(ODD).prop_map(str::to_owned)]
}

fn object() -> impl Strategy<Value = Option<String>> {
    let member = (key(), value());
    prop::option::of(prop::collection::vec(member, 0..8)).prop_map(|members| {
        let members: Vec<String> = members?
            .into_iter()
            .map(|(key, value)| {
                let mut quoted = String::new();
                schemas::tables::object::write_text(&mut quoted, &key);
                format!("{quoted}:{value}")
            })
            .collect();
        Some(format!("{{{}}}", members.join(",")))
    })
}

fn columns() -> impl Strategy<Value = Vec<(Scope, String, PromotedType)>> {
    let column = (prop::sample::select(SCOPES), key(), prop::sample::select(TYPES));
    prop::collection::vec(column, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn readers_are_told_the_same_before_and_after(
        objects in prop::collection::vec(prop::collection::vec(object(), 2), 1..12),
        first in columns(),
        second in columns(),
        is_spans in any::<bool>(),
    ) {
        let table = if is_spans { Table::Spans } else { Table::Logs };
        let of = |columns: Vec<(Scope, String, PromotedType)>| {
            columns.into_iter().filter_map(|(scope, key, of)| Promoted::new(scope, &key, of))
        };
        let first = Arc::new(TableLayout::starting(table).with(of(first)));
        let second = Arc::new(first.with(of(second)));
        let start = rows(table, &objects);
        let before = all_told(&start, table);
        // In one step, and in two as a segment meets them that is merged later.
        let (once, occupied) = promoted(&second, &start);
        let (half, _) = promoted(&first, &start);
        let (twice, occupied_twice) = promoted(&second, &half);
        for after in [&once, &half, &twice] {
            prop_assert_eq!(&all_told(after, table), &before);
        }
        prop_assert_eq!(occupied.to_tag(), occupied_twice.to_tag());
        let again = promoted(&second, &once);
        prop_assert_eq!(&again.0, &once);
        for (position, of) in second.promoted().iter().enumerate() {
            let overflow = overflow_columns(table).iter().find(|(scope, _)| *scope == of.scope);
            let objects = cast(once.column_by_name(overflow.unwrap().1).unwrap(), &DataType::Utf8);
            let left = objects.unwrap().as_string::<i32>().iter().flatten().any(|object| {
                members(object).any(|member| member.key == *of.key)
            });
            prop_assert!(!(left && occupied.is_settled(position)), "{}", of.column);
            let column = once.column_by_name(&of.column).unwrap();
            prop_assert_eq!(occupied.is_filled(position), column.null_count() < column.len());
        }
    }
}
