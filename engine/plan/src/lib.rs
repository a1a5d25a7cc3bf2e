//! The one logical plan that PromQL, LogQL and TraceQL lower to.
//!
//! ```text
//!  promql ┐                                ┌ optimize (rules/)
//!  logql  ├─ lower ─▶ Node tree ───────────┤
//!  traceql┘                                └ exec::lower ─▶ DataFusion
//! ```
//!
//! A node consumes what its inputs return and says in its own fields everything that decides its
//! meaning: an operator never asks which language it serves. There are three shapes of data
//! between nodes, told by [`Node::shape`]:
//!
//! - **rows**: records of a signal, one row each;
//! - **series**: per label set one value or none at every step of a grid;
//! - **spansets**: per trace the spans that were selected.
//!
//! Read [`node`] first, then [`expr`] (what is asked of one row), then [`rules`]; [`annotation`]
//! has what may be remarked about a query.

pub mod annotation;
mod display;
mod error;
pub mod expr;
pub mod node;
pub mod rules;

pub use annotation::{Annotation, Position, Remark};
pub use display::explain;
pub use error::{Error, ErrorKind};
pub use expr::Expr;
pub use node::{Node, Shape};
