//! The nouns of Siglake: what every other crate calls things, and what is stored.
//!
//! ```text
//!  model/   label matcher selector attribute time signal grouping pattern   words of a question
//!  tables/  columns metrics logs traces sort_key partition                  words of the lake
//! ```
//!
//! No I/O, no async, no DataFusion: the crate can be read, built and tested in seconds.

pub mod model;
pub mod tables;
