//! Which texts a pattern can match, so that whoever has a sorted dictionary looks at few.

use regex_syntax::Parser;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Most texts of [`Reach::OneOf`]; selections in dashboards have some hundreds.
const TEXTS_MAX: usize = 4096;

/// Longest text of [`Reach::OneOf`] in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// Which texts a pattern that must match the whole text can match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every text: `.*`.
    All,
    /// Every text but the empty one: `.+`.
    NotEmpty,
    /// Exactly these, in no order: `a|b|c`.
    OneOf(Vec<String>),
    /// Texts that begin so, though not all of them: `a.*b`.
    Prefix(String),
}

impl Reach {
    /// Nothing is known.
    pub(super) const ANYWHERE: Self = Self::Prefix(String::new());

    /// What a pattern in the dialect of the `regex` crate can match.
    pub(super) fn of(pattern: &str) -> Self {
        let Ok(hir) = Parser::new().parse(pattern) else { return Self::ANYWHERE };
        if let Some(reach) = everything(&hir) {
            return reach;
        }
        let mut extractor = Extractor::new();
        extractor.limit_total(TEXTS_MAX).limit_literal_len(TEXT_BYTES_MAX).limit_repeat(8);
        let literals = extractor.extract(&hir);
        // Assertions are left out of literals: with one of them a literal is a necessary beginning
        // only. The same holds for what is not UTF-8 as a whole.
        let has_assertions = !hir.properties().look_set().is_empty();
        if let Some(found) = literals.literals()
            && !has_assertions
            && literals.is_exact()
        {
            let texts = found.iter().map(|text| String::from_utf8(text.as_bytes().to_vec()));
            if let Ok(texts) = texts.collect() {
                return Self::OneOf(texts);
            }
        }
        let prefix = literals.longest_common_prefix().unwrap_or_default();
        let valid = match std::str::from_utf8(prefix) {
            Ok(prefix) => prefix,
            Err(error) => std::str::from_utf8(&prefix[..error.valid_up_to()]).unwrap_or(""),
        };
        Self::Prefix(valid.to_owned())
    }
}

/// `.*` and `.+`, in groups or not.
fn everything(hir: &Hir) -> Option<Reach> {
    match hir.kind() {
        HirKind::Capture(capture) => everything(&capture.sub),
        HirKind::Repetition(repetition) if repetition.max.is_none() => {
            let is_any = match repetition.sub.kind() {
                HirKind::Class(Class::Unicode(class)) => {
                    let ranges = class.ranges();
                    ranges.len() == 1 && ranges[0].start() == '\0' && ranges[0].end() == char::MAX
                }
                _ => false,
            };
            match (is_any, repetition.min) {
                (true, 0) => Some(Reach::All),
                (true, 1) => Some(Reach::NotEmpty),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
