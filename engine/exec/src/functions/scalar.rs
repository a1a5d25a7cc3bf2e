//! Functions of one number; those of two are `plan::expr::{ArithmeticOp, CompareOp}` themselves.

use plan::node::MapFunction;

use super::calendar;

/// Applies a function of one number.
pub(crate) fn map(function: MapFunction, value: f64) -> f64 {
    match function {
        MapFunction::Abs => value.abs(),
        MapFunction::Ceil => value.ceil(),
        MapFunction::Floor => value.floor(),
        MapFunction::Exp => value.exp(),
        MapFunction::Ln => value.ln(),
        MapFunction::Log2 => value.log2(),
        MapFunction::Log10 => value.log10(),
        MapFunction::Sqrt => value.sqrt(),
        MapFunction::Sgn => sign(value),
        MapFunction::Sin => value.sin(),
        MapFunction::Cos => value.cos(),
        MapFunction::Tan => value.tan(),
        MapFunction::Asin => value.asin(),
        MapFunction::Acos => value.acos(),
        MapFunction::Atan => value.atan(),
        MapFunction::Sinh => value.sinh(),
        MapFunction::Cosh => value.cosh(),
        MapFunction::Tanh => value.tanh(),
        MapFunction::Asinh => value.asinh(),
        MapFunction::Acosh => value.acosh(),
        MapFunction::Atanh => value.atanh(),
        MapFunction::Deg => value * 180.0 / std::f64::consts::PI,
        MapFunction::Rad => value * std::f64::consts::PI / 180.0,
        MapFunction::Minute => calendar::of(value, |time| time.minute),
        MapFunction::Hour => calendar::of(value, |time| time.hour),
        MapFunction::DayOfWeek => calendar::of(value, |time| time.day_of_week),
        MapFunction::DayOfMonth => calendar::of(value, |time| time.day_of_month),
        MapFunction::DayOfYear => calendar::of(value, |time| time.day_of_year),
        MapFunction::DaysInMonth => calendar::of(value, |time| time.days_in_month),
        MapFunction::Month => calendar::of(value, |time| time.month),
        MapFunction::Year => calendar::of(value, |time| time.year),
    }
}

/// -1, 0 or 1; NaN and zeros stay what they are.
fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// `value` rounded to the nearest multiple of `nearest`, halves up.
pub(crate) fn round(value: f64, nearest: f64) -> f64 {
    let inverse = 1.0 / nearest;
    (value * inverse + 0.5).floor() / inverse
}
