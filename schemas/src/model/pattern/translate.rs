//! RE2, as Go reads it, rewritten into the dialect of the `regex` crate.
//!
//! Only what the two read differently is touched: Perl classes are ASCII, braces that do not
//! repeat are literal, sets have no operators, `\Q…\E` quotes, octal escapes exist, and a repeat
//! cannot be repeated. Everything else, errors included, is left to the compiler.

use std::iter::Peekable;
use std::str::Chars;

/// Greatest count of a repetition in RE2.
const REPEAT_MAX: u32 = 1000;

type Input<'a> = Peekable<Chars<'a>>;

/// The pattern in the dialect of the `regex` crate, or why RE2 refuses it.
pub(super) fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut output = String::with_capacity(pattern.len() + 16);
    let mut input = pattern.chars().peekable();
    let mut depth = 0_usize;
    let mut after_repeat = false;
    while let Some(c) = input.next() {
        let mut repeats = false;
        match c {
            '\\' => escape(&mut input, &mut output)?,
            '[' => class(&mut input, &mut output)?,
            '{' => match repetition(&input)? {
                Some(text) => {
                    input.nth(text.len() - 2);
                    output.push_str(&text);
                    repeats = true;
                }
                None => output.push_str("\\{"),
            },
            '}' => output.push_str("\\}"),
            '*' | '+' | '?' => {
                output.push(c);
                repeats = true;
            }
            '(' => {
                depth += 1;
                output.push('(');
                group(&mut input, &mut output)?;
            }
            ')' => {
                depth = depth.checked_sub(1).ok_or("unexpected )")?;
                output.push(')');
            }
            _ => output.push(c),
        }
        if repeats {
            if after_repeat {
                return Err("invalid nested repetition operator");
            }
            if let Some(lazy) = input.next_if_eq(&'?') {
                output.push(lazy);
            }
        }
        after_repeat = repeats;
    }
    Ok(output)
}

/// The text of a repetition whose `{` was just read, braces included; `None` if it is literal.
fn repetition(input: &Input<'_>) -> Result<Option<String>, &'static str> {
    let mut text = String::from("{");
    for c in input.clone() {
        text.push(c);
        match c {
            '}' => break,
            '0'..='9' | ',' => {}
            _ => return Ok(None),
        }
    }
    let Some(counts) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return Ok(None);
    };
    let (least, most) = counts.split_once(',').unwrap_or((counts, ""));
    if least.is_empty() || most.contains(',') {
        return Ok(None);
    }
    for count in [least, most].into_iter().filter(|count| !count.is_empty()) {
        if count.parse::<u32>().map_or(true, |count| count > REPEAT_MAX) {
            return Err("invalid repeat count");
        }
    }
    Ok(Some(text))
}

/// What follows the `(` of a group: flags that RE2 does not have are refused.
fn group(input: &mut Input<'_>, output: &mut String) -> Result<(), &'static str> {
    if input.next_if_eq(&'?').is_none() {
        return Ok(());
    }
    output.push('?');
    while let Some(flag) = input.next_if(|c| c.is_ascii_alphabetic() || *c == '-') {
        match flag {
            'i' | 'm' | 's' | 'U' | 'P' | '-' => output.push(flag),
            _ => return Err("invalid or unsupported Perl syntax"),
        }
    }
    // The name of a group may hold what looks like an operator to the main loop.
    if input.next_if_eq(&'<').is_some() {
        output.push('<');
        while let Some(c) = input.next_if(|c| *c != '>' && *c != ')') {
            output.push(c);
        }
    }
    Ok(())
}

/// An escape outside of a class, its backslash just read.
fn escape(input: &mut Input<'_>, output: &mut String) -> Result<(), &'static str> {
    let Some(c) = input.next() else { return Err("trailing backslash at end of expression") };
    match c {
        'd' => output.push_str("[0-9]"),
        'D' => output.push_str("[^0-9]"),
        'w' => output.push_str("[0-9A-Za-z_]"),
        'W' => output.push_str("[^0-9A-Za-z_]"),
        's' => output.push_str(r"[\t\n\f\r ]"),
        'S' => output.push_str(r"[^\t\n\f\r ]"),
        'b' => output.push_str(r"(?-u:\b)"),
        'B' => output.push_str(r"(?-u:\B)"),
        'A' | 'z' => output.extend(['\\', c]),
        'Q' => quoted(input, output),
        _ => character_escape(c, input, output)?,
    }
    Ok(())
}

/// `\Q…\E`: everything is literal; without `\E` up to the end of the pattern.
fn quoted(input: &mut Input<'_>, output: &mut String) {
    while let Some(c) = input.next() {
        if c == '\\' && input.next_if_eq(&'E').is_some() {
            return;
        }
        push_literal(c, output);
    }
}

/// An escape that means the same in and outside of a class; `c` stood behind the backslash.
fn character_escape(
    c: char,
    input: &mut Input<'_>,
    output: &mut String,
) -> Result<(), &'static str> {
    match c {
        'a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x' => output.extend(['\\', c]),
        'p' | 'P' => {
            output.extend(['\\', c]);
            // The braces of `\p{Greek}` are neither a repetition nor literal.
            if input.peek() == Some(&'{') {
                copy_braces(input, output);
            } else {
                output.extend(input.next());
            }
        }
        '0'..='7' => {
            let mut value = c.to_digit(8).unwrap_or(0);
            let second = input.peek().is_some_and(|next| next.is_digit(8));
            if c != '0' && !second {
                return Err("invalid escape sequence");
            }
            for _ in 0..2 {
                let Some(digit) = input.peek().and_then(|next| next.to_digit(8)) else { break };
                input.next();
                value = value * 8 + digit;
            }
            output.push_str(&format!("\\x{{{value:x}}}"));
        }
        _ if c.is_ascii_alphanumeric() || !c.is_ascii() => return Err("invalid escape sequence"),
        _ => push_literal(c, output),
    }
    if c == 'x' && input.peek() == Some(&'{') {
        copy_braces(input, output);
    }
    Ok(())
}

fn copy_braces(input: &mut Input<'_>, output: &mut String) {
    for c in input.by_ref() {
        output.push(c);
        if c == '}' {
            break;
        }
    }
}

fn push_literal(c: char, output: &mut String) {
    if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
        output.push('\\');
    }
    output.push(c);
}

/// A class, its `[` just read. Ranges are read as Go does, so no set operator can arise.
fn class(input: &mut Input<'_>, output: &mut String) -> Result<(), &'static str> {
    output.push('[');
    if input.next_if_eq(&'^').is_some() {
        output.push('^');
    }
    let mut first = true;
    loop {
        let Some(c) = input.next() else { return Err("missing closing ]") };
        if c == ']' && !first {
            break;
        }
        first = false;
        if c == '[' && input.peek() == Some(&':') && posix_class(input, output) {
            continue;
        }
        if class_item(c, input, output)? && range_follows(input) {
            input.next();
            output.push('-');
            let Some(end) = input.next() else { return Err("missing closing ]") };
            if !class_item(end, input, output)? {
                return Err("invalid character class range");
            }
        }
    }
    output.push(']');
    Ok(())
}

/// One character of a class, or a Perl class (then `false`: it cannot begin a range).
fn class_item(c: char, input: &mut Input<'_>, output: &mut String) -> Result<bool, &'static str> {
    if c != '\\' {
        push_literal(c, output);
        return Ok(true);
    }
    let Some(c) = input.next() else { return Err("missing closing ]") };
    let perl = match c {
        'd' => "0-9",
        'D' => "[^0-9]",
        'w' => "0-9A-Za-z_",
        'W' => "[^0-9A-Za-z_]",
        's' => r"\t\n\f\r ",
        'S' => r"[^\t\n\f\r ]",
        _ => {
            character_escape(c, input, output)?;
            return Ok(!matches!(c, 'p' | 'P'));
        }
    };
    output.push_str(perl);
    Ok(false)
}

/// Whether a `-` and something to end a range with come next.
fn range_follows(input: &Input<'_>) -> bool {
    let mut ahead = input.clone();
    ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']')
}

/// `[:alpha:]`, its `[` just read; `false` and nothing read if it is none.
fn posix_class(input: &mut Input<'_>, output: &mut String) -> bool {
    let rest: String = input.clone().skip(1).take_while(|c| *c != ']').collect();
    let Some(name) = rest.strip_suffix(':') else { return false };
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphabetic() || c == '^') {
        return false;
    }
    output.push_str(&format!("[:{name}:]"));
    input.nth(name.chars().count() + 2);
    true
}
