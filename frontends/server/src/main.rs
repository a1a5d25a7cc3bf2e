//! The siglake binary.
fn main() {}
