//! The grammar of LogQL: text to tokens to tree, and back.
//!
//! ```text
//!  text ─ lexer ─▶ tokens ─ parser ─▶ ast ─ display ─▶ canonical text
//! ```

pub(crate) mod ast;
mod display;
mod lexer;
mod limits;
mod parser;

pub(crate) use parser::{parse, parse_selector};
