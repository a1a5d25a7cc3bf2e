//! From text to tokens.
//!
//! What a character means depends on the bracket it stands in: a colon is part of a metric's name
//! outside, but separates range and step within `[…]`; words within `{…}` are never keywords.

use super::ast::BinaryOp;
use super::number::duration_end;
use super::token::{Token, TokenKind};

/// The tokens of a text. The last one is `End` or `Invalid`, and there is no other of these.
pub(super) fn lex(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, parens: 0, enclosure: Enclosure::None };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        let kind = match lexer.enclosure {
            Enclosure::Braces => lexer.in_braces(),
            Enclosure::None | Enclosure::Brackets { .. } => lexer.outside_braces(),
        };
        let kind = kind.unwrap_or_else(TokenKind::Invalid);
        let is_last = matches!(kind, TokenKind::End | TokenKind::Invalid(_));
        tokens.push(Token { kind, span: start..lexer.at });
        if is_last {
            return tokens;
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Parentheses that are open.
    parens: usize,
    enclosure: Enclosure,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Enclosure {
    None,
    Braces,
    Brackets { has_colon: bool },
}

/// A token, or why there is none.
type Lexed = Result<TokenKind, String>;

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes `text` if it comes next.
    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn skip_while(&mut self, belongs: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    }

    /// Skips blanks, line ends and comments.
    fn skip_blank(&mut self) {
        loop {
            self.skip_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            if self.peek() != Some('#') {
                return;
            }
            self.skip_while(|c| c != '\n' && c != '\r');
        }
    }

    fn in_braces(&mut self) -> Lexed {
        let Some(first) = self.peek() else {
            return Err("unexpected end of input inside braces".to_owned());
        };
        match first {
            '"' | '\'' | '`' => self.text_literal(first),
            '{' => Err("unexpected left brace '{'".to_owned()),
            _ if is_word_start(first) => {
                self.skip_while(is_word_part);
                Ok(TokenKind::Word)
            }
            _ => {
                self.at += first.len_utf8();
                match first {
                    ',' => Ok(TokenKind::Comma),
                    '}' => {
                        self.enclosure = Enclosure::None;
                        Ok(TokenKind::RightBrace)
                    }
                    '=' if self.take("~") => Ok(TokenKind::RegexMatch),
                    '=' => Ok(TokenKind::Assign),
                    '!' if self.take("~") => Ok(TokenKind::RegexNoMatch),
                    '!' if self.take("=") => Ok(TokenKind::Op(BinaryOp::NotEqual)),
                    '!' => Err(self.after_exclamation()),
                    _ => Err(format!("unexpected character inside braces: {first:?}")),
                }
            }
        }
    }

    fn outside_braces(&mut self) -> Lexed {
        let Some(first) = self.peek() else {
            return self.end();
        };
        let next_is_digit =
            self.rest()[first.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
        match first {
            '"' | '\'' | '`' => self.text_literal(first),
            '0'..='9' => self.number_or_duration(),
            '.' if next_is_digit => self.number_or_duration(),
            ':' if self.enclosure == Enclosure::None => self.word(),
            _ if is_word_start(first) => self.word(),
            _ => {
                self.at += first.len_utf8();
                match self.operator(first) {
                    Some(op) => Ok(TokenKind::Op(op)),
                    None => self.sign(first),
                }
            }
        }
    }

    fn end(&self) -> Lexed {
        if self.parens > 0 {
            Err("unclosed left parenthesis".to_owned())
        } else if self.enclosure != Enclosure::None {
            Err("unclosed left bracket".to_owned())
        } else {
            Ok(TokenKind::End)
        }
    }

    /// The operator that begins with `first`, which is already taken.
    fn operator(&mut self, first: char) -> Option<BinaryOp> {
        match first {
            '+' => Some(BinaryOp::Add),
            '-' => Some(BinaryOp::Subtract),
            '*' => Some(BinaryOp::Multiply),
            '/' => Some(BinaryOp::Divide),
            '%' => Some(BinaryOp::Modulo),
            '^' => Some(BinaryOp::Power),
            '=' if self.take("=") => Some(BinaryOp::Equal),
            '!' if self.take("=") => Some(BinaryOp::NotEqual),
            '<' if self.take("=") => Some(BinaryOp::LessEqual),
            '<' if self.take("/") => Some(BinaryOp::TrimUpper),
            '<' => Some(BinaryOp::Less),
            '>' if self.take("=") => Some(BinaryOp::GreaterEqual),
            '>' if self.take("/") => Some(BinaryOp::TrimLower),
            '>' => Some(BinaryOp::Greater),
            _ => None,
        }
    }

    /// The token that begins with `first`, which is already taken and no operator.
    fn sign(&mut self, first: char) -> Lexed {
        match first {
            ',' => Ok(TokenKind::Comma),
            '@' => Ok(TokenKind::At),
            '=' if self.take("~") => Ok(TokenKind::RegexMatch),
            '=' => Ok(TokenKind::Assign),
            '!' => Err(self.after_exclamation()),
            '(' => {
                self.parens += 1;
                Ok(TokenKind::LeftParen)
            }
            ')' if self.parens == 0 => Err("unexpected right parenthesis ')'".to_owned()),
            ')' => {
                self.parens -= 1;
                Ok(TokenKind::RightParen)
            }
            '{' => {
                self.enclosure = Enclosure::Braces;
                Ok(TokenKind::LeftBrace)
            }
            '}' => Err("unexpected right brace '}'".to_owned()),
            '[' | ']' | ':' => self.bracket(first),
            _ => Err(format!("unexpected character: {first:?}")),
        }
    }

    fn bracket(&mut self, first: char) -> Lexed {
        match (first, self.enclosure) {
            ('[', Enclosure::None) => {
                self.enclosure = Enclosure::Brackets { has_colon: false };
                Ok(TokenKind::LeftBracket)
            }
            (']', Enclosure::Brackets { .. }) => {
                self.enclosure = Enclosure::None;
                Ok(TokenKind::RightBracket)
            }
            (':', Enclosure::Brackets { has_colon: false }) => {
                self.enclosure = Enclosure::Brackets { has_colon: true };
                Ok(TokenKind::Colon)
            }
            ('[', _) => Err("unexpected left bracket '['".to_owned()),
            (']', _) => Err("unexpected right bracket ']'".to_owned()),
            _ => Err("unexpected colon ':'".to_owned()),
        }
    }

    fn after_exclamation(&self) -> String {
        match self.peek() {
            Some(next) => format!("unexpected character after '!': {next:?}"),
            None => "unexpected end of input after '!'".to_owned(),
        }
    }

    fn word(&mut self) -> Lexed {
        let start = self.at;
        let is_bracketed = self.enclosure != Enclosure::None;
        self.skip_while(|c| is_word_part(c) || (c == ':' && !is_bracketed));
        let word = &self.text[start..self.at];
        if word.contains(':') {
            Ok(TokenKind::MetricName)
        } else if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan") {
            Ok(TokenKind::Number)
        } else {
            Ok(TokenKind::Word)
        }
    }

    /// A number, or a duration if a unit follows the first digits.
    fn number_or_duration(&mut self) -> Lexed {
        let start = self.at;
        if let Some(length) = duration_end(self.rest()) {
            self.at += length;
            return self.unless_word_follows(start, TokenKind::Duration);
        }
        if self.take("0x") || self.take("0X") {
            self.skip_while(|c| c.is_ascii_hexdigit() || c == '_');
        } else {
            self.skip_while(|c| c.is_ascii_digit() || c == '_');
            if self.take(".") {
                self.skip_while(|c| c.is_ascii_digit() || c == '_');
            }
            if self.take("e") || self.take("E") {
                let _ = self.take("+") || self.take("-");
                self.skip_while(|c| c.is_ascii_digit() || c == '_');
            }
        }
        self.unless_word_follows(start, TokenKind::Number)
    }

    fn unless_word_follows(&mut self, start: usize, kind: TokenKind) -> Lexed {
        match self.peek() {
            Some(next) if is_word_part(next) || next == '.' => {
                self.at += next.len_utf8();
                Err(format!("bad number or duration syntax: {:?}", &self.text[start..self.at]))
            }
            _ => Ok(kind),
        }
    }

    /// A literal with its quotes; escapes are read later, here only its end is looked for.
    fn text_literal(&mut self, quote: char) -> Lexed {
        let start = self.at;
        self.at += 1;
        if quote == '`' {
            self.skip_while(|c| c != '`');
            return if self.take("`") {
                Ok(TokenKind::Text)
            } else {
                self.at = start;
                Err("unterminated raw string".to_owned())
            };
        }
        loop {
            self.skip_while(|c| c != quote && c != '\\' && c != '\n');
            match self.peek() {
                Some('\\') => {
                    self.at += 1;
                    self.at += self.peek().map_or(0, char::len_utf8);
                }
                Some(end) if end == quote => {
                    self.at += 1;
                    return Ok(TokenKind::Text);
                }
                _ => {
                    self.at = start;
                    return Err("unterminated quoted string".to_owned());
                }
            }
        }
    }
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_word_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
