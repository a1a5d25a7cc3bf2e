//! What another parser of PromQL makes of the same texts: the crate `promql-parser`, which shares
//! no line with ours. It never sees anything deep, which would overflow its stack.
//!
//! ```text
//!  text ─┬─ theirs ───────────────────────▶ tree ─┐
//!        └─ ours ─ format ─ text ─ theirs ─▶ tree ─┴─ equal
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use promql_parser::parser;

use crate::tidy::root;

/// Longest text that is shown to the other parser, in bytes: it takes a stack for each level.
const TEXT_BYTES_MAX: usize = 4_096;

/// What is known to differ, and by which part of the text it is told.
type Known = (&'static str, fn(&str) -> bool);

/// Texts that they refuse and we take, as Prometheus does.
const ONLY_OURS: &[Known] = &[
    ("anchored and smoothed windows are not in their grammar", |text| {
        text.contains("anchored") || text.contains("smoothed")
    }),
    ("their durations are no expressions", |text| {
        let parts = text.split('[').skip(1).chain(text.split("offset").skip(1));
        parts.into_iter().any(|part| {
            let part = part.split(']').next().unwrap_or_default();
            part.contains(['+', '-', '*', '/', '%', '^', '('])
        })
    }),
    ("they want a matcher that is not empty in info(), too", |text| text.contains("info(")),
];

/// Texts that both take and that they read otherwise once we have written them.
const READ_OTHERWISE: &[Known] = &[
    ("a filling of NaN equals nothing, itself included", |text| {
        text.contains("fill") && text.contains("NaN")
    }),
    (
        "a name in quotes is a matcher to them, and a name once it stands before the braces",
        |text| text.contains("{\""),
    ),
];

/// All expressions of case files in a folder.
fn expressions(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "test") {
            let text = fs::read_to_string(&path).unwrap();
            found.extend(text.lines().filter_map(expression));
        }
    }
    found
}

/// The expression of a line that begins with `eval`.
fn expression(line: &str) -> Option<String> {
    let (_, rest) = line.trim().strip_prefix("eval")?.split_once(char::is_whitespace)?;
    let words = match rest.trim_start().strip_prefix("instant") {
        Some(rest) => match rest.trim_start().strip_prefix("at ") {
            Some(rest) => rest.trim_start().split_once(char::is_whitespace)?.1,
            None => rest,
        },
        None => {
            let (_, rest) = rest.split_once(" step ")?;
            rest.trim_start().split_once(char::is_whitespace)?.1
        }
    };
    Some(words.trim().to_owned())
}

/// Texts about which both agree, with the differences: each with what explains it.
#[derive(Default)]
struct Compared {
    agreed: usize,
    explained: BTreeSet<&'static str>,
    unexplained: Vec<String>,
}

impl Compared {
    fn differ(&mut self, text: &str, known: &[Known], what: &str) {
        match known.iter().find(|(_, explains)| explains(text)) {
            Some((reason, _)) => {
                self.explained.insert(*reason);
            }
            None => self.unexplained.push(format!("{what}: {text}")),
        }
    }

    fn add(&mut self, text: &str) {
        let ours = promql::format(text);
        let theirs = match (parser::parse(text), &ours) {
            (Ok(theirs), _) => theirs,
            (Err(_), Err(_)) => return,
            (Err(error), Ok(_)) => return self.differ(text, ONLY_OURS, &error),
        };
        let ours = match ours {
            Ok(ours) => ours,
            Err(error) => return self.differ(text, &[], &error.to_string()),
        };
        match parser::parse(&ours) {
            Ok(again) if again == theirs => self.agreed += 1,
            Ok(_) => self.differ(text, READ_OTHERWISE, &format!("written as {ours}")),
            Err(error) => self.differ(text, READ_OTHERWISE, &format!("{error} in {ours}")),
        }
    }
}

#[test]
fn another_parser_reads_the_same() {
    let shared = root().join("../shared/conformance/promql");
    let mut texts = expressions(&root().join("tests/cases/promql"));
    assert!(texts.len() > 100, "{} expressions of our own", texts.len());
    let has_all = shared.exists();
    if has_all {
        texts.extend(expressions(&shared));
    } else {
        eprintln!("{} is not here: fewer texts are compared", shared.display());
    }
    let mut compared = Compared::default();
    for text in texts.iter().filter(|text| text.len() <= TEXT_BYTES_MAX) {
        compared.add(text);
    }
    let Compared { agreed, explained, unexplained } = compared;
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    eprintln!("{agreed} of {} texts read alike", texts.len());
    // What explains nothing any more is to be struck from the lists.
    for (reason, _) in ONLY_OURS.iter().chain(READ_OTHERWISE).filter(|_| has_all) {
        assert!(explained.contains(reason), "nothing differs any more: {reason}");
    }
}

/// Both refuse the same nonsense, of which Prometheus says why.
#[test]
fn another_parser_refuses_the_same() {
    for text in [
        "",
        "sum(",
        "sum()",
        "rate(up)",
        "up[5m]) ",
        "up{a=}",
        "up{a=\"b\"",
        "up == bool",
        "up + on(a) group_left(b) group_right(c) up",
        "1 and 1",
        "1 == 1",
        "topk(up)",
        "up offset",
        "up @ x",
        "{}",
        "{a=~\".*\"}",
        "up[5m:1m][2m]",
        "absent(up, up)",
        "no_such_function(up)",
        "\"a\" + 1",
        "sum by (a (up)",
        "up{a=~\"(\"}",
    ] {
        let (ours, theirs) = (promql::format(text).is_err(), parser::parse(text).is_err());
        assert_eq!((ours, theirs), (true, true), "{text}");
    }
}
