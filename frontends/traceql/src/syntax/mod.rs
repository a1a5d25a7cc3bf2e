//! The shape of TraceQL: text to tree and back.
//!
//! ```text
//!  text ─ lexer ─▶ tokens ─ parser ─▶ ast ─ display ─▶ text
//! ```
//!
//! Nothing here knows what a query means; types and arguments are the business of `check`.

pub(crate) mod ast;
mod display;
mod lexer;
mod literal;
mod parser;
#[cfg(test)]
mod tests;

pub(crate) use lexer::intrinsic_of;
pub(crate) use literal::{KIND_NAMES, STATUS_NAMES};
pub(crate) use parser::{attribute_of, conditions_of, parse};

/// Longest accepted query in bytes.
pub(crate) const QUERY_BYTES_MAX: usize = 128 * 1024;

/// How deep braces, parentheses and prefixes may nest: the parser recurses once for each.
pub(crate) const NESTING_MAX: usize = 64;

/// Operators outside braces in one query; bounds the depth of the tree, which every later stage
/// walks recursively.
pub(crate) const OPERATORS_MAX: usize = 250;

/// How deep the tree between two braces may be; a chain of the same `&&` or `||` is one level.
pub(crate) const FIELD_DEPTH_MAX: usize = 250;
