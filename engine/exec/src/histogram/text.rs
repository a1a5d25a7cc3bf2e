//! Histograms as text, the way Prometheus writes them into labels.

use std::fmt::{self, Display};

use super::Histogram;
use super::bounds::Bounded;

impl Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", Shortest(self.count), Shortest(self.sum))?;
        for bucket in self.buckets() {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}

impl Display for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.includes_lower { '[' } else { '(' };
        let close = if self.includes_upper { ']' } else { ')' };
        let (lower, upper) = (Shortest(self.lower), Shortest(self.upper));
        write!(f, "{open}{lower},{upper}{close}:{}", Shortest(self.count))
    }
}

/// The shortest decimal that reads back as the same number, as `%g` of Go: with an exponent below
/// 1e-4 and from 1e6 on.
struct Shortest(f64);

impl Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0;
        if number.is_nan() {
            return f.write_str("NaN");
        }
        if number.is_infinite() {
            return f.write_str(if number > 0.0 { "+Inf" } else { "-Inf" });
        }
        let text = format!("{number:e}");
        let Some((digits, exponent)) = text.split_once('e') else { return f.write_str(&text) };
        let power: i32 = exponent.parse().unwrap_or_default();
        if number == 0.0 || (-4..6).contains(&power) {
            return write!(f, "{number}");
        }
        write!(f, "{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
    }
}
