//! What patterns can match.

use super::super::{compile_anchored, reach_anchored};
use super::*;

fn one_of(texts: &[&str]) -> Reach {
    Reach::OneOf(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn prefix(text: &str) -> Reach {
    Reach::Prefix(text.to_owned())
}

#[test]
fn patterns_reach_what_they_can_match() {
    for (pattern, expected) in [
        (".*", Reach::All),
        ("(.*)", Reach::All),
        (".+", Reach::NotEmpty),
        ("", one_of(&[""])),
        ("a", one_of(&["a"])),
        ("a|b|cd", one_of(&["a", "b", "cd"])),
        ("(a|b)c", one_of(&["ac", "bc"])),
        ("node-[12]\\.local", one_of(&["node-1.local", "node-2.local"])),
        ("x?", one_of(&["x", ""])),
        ("(?i)ab", one_of(&["AB", "Ab", "aB", "ab"])),
        ("\\Qa.b\\E", one_of(&["a.b"])),
        ("pod-.*", prefix("pod-")),
        ("pod-(a|b).*", prefix("pod-")),
        ("(foo|foobar).+", prefix("foo")),
        ("^pod$", prefix("pod")),
        (".*pod", prefix("")),
        ("[^a]*", prefix("")),
        ("é.*", prefix("é")),
        ("[éè].*", prefix("")),
    ] {
        assert_eq!(reach_anchored(pattern), expected, "{pattern}");
    }
}

#[test]
fn a_long_selection_is_a_list() {
    let names: Vec<String> = (0..1000).map(|at| format!("some-long-instance-{at}:9100")).collect();
    let Reach::OneOf(texts) = reach_anchored(&names.join("|")) else { panic!("is no list") };
    assert_eq!(texts, names);
}

/// Whatever matches is within reach.
#[test]
fn reach_never_loses_a_match() {
    let patterns = [
        "a",
        "a|b",
        "a.*",
        "(a|b)+",
        "a{2}",
        "(ab|a)b?",
        "[ab]c",
        "^a",
        "a$",
        "\\ba",
        "(?i)a.",
        "a*",
        "(a|)",
        ".",
        "..",
        "a.b|ac",
        "b?a",
        "(?:ab){1,3}",
        "c|.*",
        "(.+)",
        "[^a]",
    ];
    let letters = ["", "a", "b", "c", "A"];
    for pattern in patterns {
        let regex = compile_anchored(pattern).unwrap();
        let reach = reach_anchored(pattern);
        for at in 0..letters.len().pow(4) {
            let text: String = (0..4)
                .map(|digit| letters[at / letters.len().pow(digit) % letters.len()])
                .collect();
            let is_match = regex.is_match(&text);
            match &reach {
                Reach::All => assert!(is_match, "{pattern} {text}"),
                Reach::NotEmpty => assert_eq!(is_match, !text.is_empty(), "{pattern} {text}"),
                Reach::OneOf(texts) => {
                    assert_eq!(is_match, texts.contains(&text), "{pattern} {text}");
                }
                Reach::Prefix(prefix) => {
                    assert!(!is_match || text.starts_with(prefix.as_str()), "{pattern} {text}");
                }
            }
        }
    }
}
