//! Syntax: text to tree and back. Knows nothing of plans.
//!
//! ```text
//!  text ─ lexer ─▶ tokens ─ parser ─▶ Expr ─ display ─▶ text
//! ```

pub(crate) mod ast;
mod display;
pub(crate) mod functions;
mod lexer;
mod number;
mod parser;
pub(crate) mod quote;
mod token;

#[cfg(test)]
mod tests;

pub(crate) use display::display;
pub(crate) use parser::{parse, parse_selector};

/// Longest query in bytes. Dashboards that list hundreds of values in a pattern stay far below.
pub(crate) const QUERY_BYTES_MAX: usize = 256 * 1024;

/// How deep expressions may nest, chains of operators included: `a + b + c` is three deep.
///
/// Every later stage walks the tree by recursion, so this bounds their stacks as well.
pub(crate) const DEPTH_MAX: usize = 128;

/// How many numbers, calls, signs and operators one duration expression may have.
pub(crate) const DURATION_TERMS_MAX: usize = 64;
