//! Pairs against a reader that goes letter by letter.

use std::collections::BTreeMap;

use plan::node::Parser;
use proptest::prelude::*;

use crate::pipeline::tests::parse;

/// Key, value and whether the pair is well formed, letter by letter.
fn reference(line: &str) -> Vec<Option<(String, String)>> {
    let letters: Vec<char> = line.chars().collect();
    let blank = |c: char| c <= ' ';
    let skip_to_blank = |mut at: usize| {
        while at < letters.len() && !blank(letters[at]) {
            at += 1;
        }
        at
    };
    let mut pairs = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        if blank(letters[at]) {
            at += 1;
            continue;
        }
        let mut key = String::new();
        while at < letters.len() && !blank(letters[at]) && !['=', '"'].contains(&letters[at]) {
            key.push(letters[at]);
            at += 1;
        }
        if at == letters.len() || blank(letters[at]) {
            pairs.push(Some((key, String::new())));
            continue;
        }
        if letters[at] == '"' || key.is_empty() {
            pairs.push(None);
            at = skip_to_blank(at);
            continue;
        }
        at += 1;
        let mut value = String::new();
        if letters.get(at) == Some(&'"') {
            at += 1;
            let mut closed = false;
            let mut wrong = false;
            while at < letters.len() && !closed {
                match letters[at] {
                    '"' => closed = true,
                    '\\' => {
                        at += 1;
                        match letters.get(at) {
                            Some('n') => value.push('\n'),
                            Some('b') => value.push('\u{8}'),
                            Some(c @ ('"' | '\\')) => value.push(*c),
                            _ => wrong = true,
                        }
                    }
                    c => value.push(c),
                }
                at += 1;
            }
            at = at.min(letters.len());
            pairs.push((closed && !wrong).then_some((key, value)));
            continue;
        }
        while at < letters.len() && !blank(letters[at]) && !['=', '"'].contains(&letters[at]) {
            value.push(letters[at]);
            at += 1;
        }
        if at < letters.len() && !blank(letters[at]) {
            pairs.push(None);
            at = skip_to_blank(at);
            continue;
        }
        pairs.push(Some((key, value)));
    }
    pairs
}

fn labels(pairs: &[Option<(String, String)>], keep_empty: bool) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, value) in pairs.iter().flatten() {
        if keep_empty || !value.is_empty() {
            let name: String =
                key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            labels.entry(name).or_insert_with(|| value.clone());
        }
    }
    labels
}

proptest! {
    #[test]
    fn pairs_are_those_of_the_slow_reader(line in "[ab=\"\\\\n é]{0,16}") {
        let pairs = reference(&line);
        for keep_empty in [false, true] {
            let parser = Parser::Logfmt { expressions: vec![], strict: false, keep_empty };
            prop_assert_eq!(parse(parser, &line), (labels(&pairs, keep_empty), None));
        }
        let strict = Parser::Logfmt { expressions: vec![], strict: true, keep_empty: true };
        let well_formed = pairs.iter().position(Option::is_none).unwrap_or(pairs.len());
        let error = (well_formed < pairs.len()).then(|| "LogfmtParserErr".to_owned());
        prop_assert_eq!(parse(strict, &line), (labels(&pairs[..well_formed], true), error));
    }
}

#[test]
fn names_are_sanitised_and_the_first_wins() {
    let parser = Parser::Logfmt { expressions: vec![], strict: false, keep_empty: false };
    let (found, error) = parse(parser, r#"a-b=1 9x=2 dup=first dup=second msg="hi there" empty="#);
    let found: Vec<String> = found.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(found.join(" "), "_9x=2 a_b=1 dup=first msg=hi there");
    assert_eq!(error, None);
}
