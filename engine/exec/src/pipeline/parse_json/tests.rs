//! Flattening against a tree that is walked the obvious way, and hostile lines.

use std::collections::BTreeMap;

use plan::node::Parser;
use proptest::prelude::*;

use crate::pipeline::tests::parse;

#[derive(Clone, Debug)]
enum Tree {
    Plain(String),
    Text(String),
    Null,
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        "-?[0-9]{1,4}(\\.[0-9]{1,3})?(e[0-9])?|true|false".prop_map(Tree::Plain),
        "[a-z \"\\\\/\n\té😀{}\\[\\],:]{0,6}".prop_map(Tree::Text),
        Just(Tree::Null),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::List),
            objects(inner),
        ]
    })
}

fn objects(inner: impl Strategy<Value = Tree>) -> impl Strategy<Value = Tree> {
    prop::collection::vec(("[ab_.1é\" ]{0,3}", inner), 0..5).prop_map(Tree::Object)
}

fn write(tree: &Tree, blank: &str, text: &mut String) {
    let quote = |value: &str| serde_json::to_string(value).expect("a text can be written");
    match tree {
        Tree::Plain(value) => text.push_str(value),
        Tree::Text(value) => text.push_str(&quote(value)),
        Tree::Null => text.push_str("null"),
        Tree::List(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                text.push_str(if i == 0 { blank } else { "," });
                write(item, blank, text);
            }
            text.push(']');
        }
        Tree::Object(members) => {
            text.push('{');
            for (i, (key, value)) in members.iter().enumerate() {
                text.push_str(if i == 0 { "" } else { "," });
                text.push_str(&format!("{blank}{}{blank}:{blank}", quote(key)));
                write(value, blank, text);
                text.push_str(blank);
            }
            text.push('}');
        }
    }
}

/// What a member is called: the sanitised keys on the way to it, joined.
fn name(prefix: &str, key: &str) -> Option<String> {
    let key = key.trim();
    if key.is_empty() {
        return None;
    }
    let clean: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    Some(match prefix {
        "" if key.starts_with(|c: char| c.is_ascii_digit()) => format!("_{clean}"),
        "" => clean,
        prefix => format!("{prefix}_{clean}"),
    })
}

fn walk(members: &[(String, Tree)], prefix: &str, found: &mut BTreeMap<String, String>) {
    for (key, value) in members {
        let Some(name) = name(prefix, key) else { continue };
        match value {
            Tree::Plain(value) | Tree::Text(value) => {
                found.entry(name).or_insert_with(|| value.clone());
            }
            Tree::Object(members) => walk(members, &name, found),
            Tree::Null | Tree::List(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn flattening_finds_what_the_tree_holds(
        tree in objects(trees()),
        blank in "[ \t]{0,2}",
        tail in "[a-z{}\" ]{0,4}",
    ) {
        let mut line = String::new();
        write(&tree, &blank, &mut line);
        line.push_str(&tail);
        let Tree::Object(members) = &tree else { unreachable!("objects are made") };
        let mut expected = BTreeMap::new();
        walk(members, "", &mut expected);
        prop_assert_eq!(parse(Parser::Json(vec![]), &line), (expected, None), "{}", line);
    }

    #[test]
    fn hostile_lines_are_at_worst_errors(line in "[{}\\[\\]\",:\\\\a1 utnéd8]{0,24}") {
        let _ = parse(Parser::Json(vec![]), &line);
        let _ = parse(Parser::Unpack, &line);
    }
}

#[test]
fn faults_are_errors_where_they_are_met() {
    for (line, names, error) in [
        ("", "", true),
        ("[1]", "", true),
        ("{}", "", false),
        (r#"{"a":1,}"#, "a", true),
        (r#"{"a":1 "b":2}"#, "a", true),
        (r#"{"a":"1","b":"#, "a", true),
        (r#"{"a":"\q","b":tru}"#, "a", true),
        (r#"{"a":{"b":1},"c":2}x"#, "a_b c", false),
        (r#"{"a":"\ud83d\ude00\ud800"}"#, "a", false),
        (r#" {"dup":1,"dup":2} "#, "dup", false),
    ] {
        let (found, failed) = parse(Parser::Json(vec![]), line);
        let found: Vec<String> = found.into_keys().collect();
        assert_eq!((found.join(" ").as_str(), failed.is_some()), (names, error), "{line}");
    }
    let deep = "{\"a\":".repeat(100_000);
    assert!(parse(Parser::Json(vec![]), &deep).1.is_some());
}
