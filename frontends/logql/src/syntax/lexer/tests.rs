//! Texts and their tokens.

use super::{Token, lex};

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> =
        lex(text).expect("the text has tokens").into_iter().map(|found| found.token).collect();
    assert_eq!(tokens.pop(), Some(Token::End));
    tokens
}

fn name(text: &str) -> Token {
    Token::Name(text.to_owned())
}

#[test]
fn functions_are_names_unless_called() {
    assert_eq!(tokens("SUM (").first(), Some(&Token::Function("sum")));
    assert_eq!(tokens("sum By(a)").first(), Some(&Token::Function("sum")));
    assert_eq!(tokens("duration > 1s")[0], name("duration"));
    assert_eq!(tokens("count)")[0], name("count"));
    assert_eq!(tokens("Json")[0], Token::Keyword("json"));
}

#[test]
fn numbers_run_into_units() {
    const S: i64 = 1_000_000_000;
    for (text, token) in [
        ("5m", Token::Duration(300 * S)),
        ("1.5h", Token::Duration(5400 * S)),
        ("1d", Token::Duration(86_400 * S)),
        ("1h30m", Token::Duration(5400 * S)),
        ("-5m", Token::Duration(-300 * S)),
        ("5MB", Token::Bytes(5_000_000)),
        ("5KiB", Token::Bytes(5120)),
        (".5", Token::Number(0.5)),
        ("1e3", Token::Number(1000.0)),
        ("[500ms]", Token::Range(S / 2)),
        ("[1w2d]", Token::Range(9 * 86_400 * S)),
    ] {
        assert_eq!(tokens(text), [token], "{text}");
    }
    assert_eq!(tokens("1mb"), [Token::Duration(60 * S), name("b")]);
    assert_eq!(tokens("- 2"), [Token::Symbol("-"), Token::Number(2.0)]);
}

#[test]
fn texts_are_unescaped_and_blanks_skipped() {
    let text = Token::Text("a\"\n\u{e9}\u{7f}A".to_owned());
    assert_eq!(tokens(r#""a\"\n\u00e9\x7f\101""#), [text]);
    assert_eq!(tokens("`a\\n\"`"), [Token::Text("a\\n\"".to_owned())]);
    assert_eq!(tokens("a # b\n// c\n/* d */ e"), [name("a"), name("e")]);
}

#[test]
fn refused_texts() {
    for text in [
        "\"a",
        "`a",
        "\"\\q\"",
        "\"\\xff\"",
        "\"\\ud800\"",
        "[5m",
        "[]",
        "[1.5h]",
        "[ 5m]",
        "[0s]",
        "[5m1h]",
        "'x'",
        "/* a",
        "0x1F",
        "a ! b",
        "$x",
        "\u{1f600}",
        "\"\\",
        "1_000",
        "\"a\nb\"",
        "[99999999999y]",
    ] {
        assert!(lex(text).is_err(), "{text}");
    }
    assert!(lex(&" ".repeat(131_072)).is_err());
}
