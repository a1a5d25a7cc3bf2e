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

/// How deep expressions may nest: parentheses, calls, signs, powers of powers. A chain of operators
/// that is read from left to right, `a + b + c`, does not nest, however long it is.
pub(crate) const DEPTH_MAX: usize = 128;

/// How high the tree may be: nesting, and the operators of chains.
///
/// Every later stage walks the tree by recursion on a stack that grows, see [`on_stack`].
pub(crate) const HEIGHT_MAX: usize = 1024;

/// Stack that must be left for a step of a walk, and stack that is added if it is not.
const STACK_LEFT_BYTES: usize = 128 * 1024;
const STACK_ADDED_BYTES: usize = 1024 * 1024;

/// Takes a step of a walk down the tree, on new stack if little is left.
pub(crate) fn on_stack<T>(step: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK_LEFT_BYTES, STACK_ADDED_BYTES, step)
}

/// How many numbers, calls, signs and operators one duration expression may have.
pub(crate) const DURATION_TERMS_MAX: usize = 64;
