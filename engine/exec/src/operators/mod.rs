//! Physical operators of our own, one file each: they move tiles (see `crate::tiles`).
//!
//! Labels are resolved when a plan is lowered or when a series is first met, by the query's
//! roster; the operators themselves move ordinals and numbers.

mod aggregate;
mod binary;
mod collect;
mod constant;
mod function;
mod histogram;
mod histogram_input;
mod info;
mod kept;
mod log_lines;
mod log_rows;
mod log_window;

mod node;
mod raw_input;
mod scalar;
mod series_input;
mod series_output;
mod series_window;
mod tile_window;
mod window_parameters;
mod window_remarks;

pub(crate) use aggregate::{AggregateExec, AggregateRemarks, Aggregation};
pub(crate) use binary::{BinaryExec, Operands, Operation};
pub(crate) use constant::ConstantExec;
pub(crate) use function::{Change, FunctionExec};
pub(crate) use histogram::{HistogramExec, HistogramStatistic};
pub(crate) use histogram_input::HISTOGRAM_COLUMNS;
pub(crate) use info::{InfoExec, InfoMatchers};
pub(crate) use log_lines::LogLinesExec;
pub(crate) use log_rows::{LogRows, Streams};
pub(crate) use log_window::LogWindowExec;
pub(crate) use series_input::{Scratch, SeriesKey, power_of_ten};
pub(crate) use series_output::{SeriesOutputExec, label_maps};

pub(crate) use raw_input::RawInput;
pub(crate) use scalar::ScalarOfExec;
pub(crate) use series_window::{Kernel, Leaf, Selected, SeriesWindowExec};
pub(crate) use tile_window::{TileWindow, TileWindowExec};
pub(crate) use window_remarks::WindowRemarks;
