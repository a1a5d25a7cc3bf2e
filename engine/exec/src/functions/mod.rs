//! Arithmetic: pure functions of numbers, each written once and used by every language.

pub(crate) mod calendar;
pub(crate) mod compensated;
pub(crate) mod histogram;
pub(crate) mod quantile;
pub(crate) mod scalar;
pub(crate) mod window;
