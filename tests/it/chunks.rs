//! Chunks of remote read, unpacked by the description of their formats alone: Prometheus'
//! `tsdb/docs/format/chunks.md`. The unit tests of the packing read with this, too.

use exec::output::{Histogram, ResetHint};

/// Widths of numbers of few bits, by how many ones stand before them.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

/// The histograms of a chunk: `kind` 2 has whole counts, 3 any. Hints are those of the format: all
/// but the first sample of a counter are told not to be reset.
pub(crate) fn histograms(kind: i32, data: &[u8]) -> Vec<(i64, Histogram)> {
    let mut bits = Bits { bytes: data, at: 0 };
    let count = bits.take(16);
    let header = bits.take(2);
    assert_eq!(bits.take(6), 0);
    let mut layout = Histogram { zero_threshold: bits.threshold(), ..Histogram::default() };
    layout.schema = bits.signed() as i32;
    let (positive, negative) = (bits.spans(), bits.spans());
    if layout.is_custom() {
        layout.bounds = (0..bits.unsigned()).map(|_| bits.bound()).collect();
    }
    let buckets = positive.len() + negative.len();
    let (mut time, mut totals) = (Whole::default(), [Whole::default(), Whole::default()]);
    let (mut whole, mut any) = (vec![Whole::default(); buckets], vec![Xor::default(); buckets + 3]);
    let mut found = Vec::new();
    for at in 0..count {
        let mut it = layout.clone();
        let time_ms = time.next(bits.signed(), at);
        let mut counts = Vec::new();
        if kind == 2 {
            for (total, number) in totals.iter_mut().zip([&mut it.count, &mut it.zero_count]) {
                let told = if at == 0 { bits.unsigned() as i64 } else { bits.signed() };
                *number = total.next(told, at) as f64;
            }
            it.sum = any[0].next(&mut bits, at);
            let mut running = 0;
            for (place, number) in whole.iter_mut().enumerate() {
                let told = number.next(bits.signed(), at);
                running = if place == positive.len() { told } else { running + told };
                counts.push(running as f64);
            }
        } else {
            it.count = any[0].next(&mut bits, at);
            it.zero_count = any[1].next(&mut bits, at);
            it.sum = any[2].next(&mut bits, at);
            counts.extend(any[3..].iter_mut().map(|number| number.next(&mut bits, at)));
        }
        let mut counts = counts.into_iter();
        it.positive = positive.iter().copied().zip(counts.by_ref()).collect();
        it.negative = negative.iter().copied().zip(counts).collect();
        it.hint = match (header, at) {
            (3, _) => ResetHint::Gauge,
            (2, 0) => ResetHint::Reset,
            (0, 0) => ResetHint::Unknown,
            _ => ResetHint::NotReset,
        };
        found.push((time_ms, it));
    }
    assert!(data.len() * 8 - bits.at < 8, "nothing stands behind the last sample");
    found
}

/// The samples of an XOR chunk, by the description of the format.
pub(crate) fn numbers(data: &[u8]) -> Vec<(i64, f64)> {
    let mut bits = Bits { bytes: data, at: 0 };
    let count = bits.take(16);
    let mut samples = Vec::new();
    let (mut time, mut difference, mut value) = (0_i64, 0_i64, Xor::default());
    for at in 0..count {
        match at {
            0 => {
                let raw = bits.varint();
                time = (raw >> 1) as i64 ^ -((raw & 1) as i64);
            }
            1 => difference = bits.varint() as i64,
            _ => difference = difference.wrapping_add(bits.change()),
        }
        if at > 0 {
            time = time.wrapping_add(difference);
        }
        samples.push((time, value.next(&mut bits, at)));
    }
    samples
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> u64 {
        let mut number = 0;
        for _ in 0..count {
            let bit = self.bytes[self.at / 8] >> (7 - self.at % 8) & 1;
            number = number << 1 | u64::from(bit);
            self.at += 1;
        }
        number
    }

    fn varint(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.take(8);
            number |= (byte & 0x7F) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    fn change(&mut self) -> i64 {
        let ones = (0..4).take_while(|_| self.take(1) == 1).count();
        self.narrow([0, 14, 17, 20, 64][ones])
    }

    /// A number of so many bits: one more above zero than below.
    fn narrow(&mut self, width: u32) -> i64 {
        let number = self.take(width) as i64;
        let is_negative = (1..64).contains(&width) && number > 1 << (width - 1);
        if is_negative { number - (1 << width) } else { number }
    }

    /// How many ones stand before the next zero, eight at most.
    fn ones(&mut self) -> usize {
        (0..8).take_while(|_| self.take(1) == 1).count()
    }

    fn unsigned(&mut self) -> u64 {
        let ones = self.ones();
        self.take(WIDTHS[ones])
    }

    fn signed(&mut self) -> i64 {
        let ones = self.ones();
        self.narrow(WIDTHS[ones])
    }

    fn float(&mut self) -> f64 {
        f64::from_bits(self.take(64))
    }

    fn threshold(&mut self) -> f64 {
        match self.take(8) {
            0 => 0.0,
            255 => self.float(),
            number => 0.5 * 2.0_f64.powi(number as i32 - 243),
        }
    }

    fn bound(&mut self) -> f64 {
        match self.unsigned() {
            0 => self.float(),
            number => (number - 1) as f64 / 1_000.0,
        }
    }

    /// Indexes of the buckets of spans.
    fn spans(&mut self) -> Vec<i32> {
        let (mut indexes, mut next) = (Vec::new(), 0);
        for _ in 0..self.unsigned() {
            let (length, offset) = (self.unsigned() as i32, self.signed() as i32);
            next += offset;
            indexes.extend(next..next + length);
            next += length;
        }
        indexes
    }
}

/// A value that is told by its difference in bits from the one before.
#[derive(Clone, Default)]
struct Xor {
    value: u64,
    leading: u32,
    length: u32,
}

impl Xor {
    fn next(&mut self, bits: &mut Bits<'_>, at: u64) -> f64 {
        if at == 0 {
            self.value = bits.take(64);
        } else if bits.take(1) == 1 {
            if bits.take(1) == 1 {
                self.leading = bits.take(5) as u32;
                self.length = bits.take(6) as u32;
                self.length = if self.length == 0 { 64 } else { self.length };
            }
            self.value ^= bits.take(self.length) << (64 - self.leading - self.length);
        }
        f64::from_bits(self.value)
    }
}

/// A whole number that is told by how its difference changes.
#[derive(Clone, Default)]
struct Whole {
    value: i64,
    difference: i64,
}

impl Whole {
    fn next(&mut self, told: i64, at: u64) -> i64 {
        match at {
            0 => self.value = told,
            1 => self.difference = told,
            _ => self.difference = self.difference.wrapping_add(told),
        }
        if at > 0 {
            self.value = self.value.wrapping_add(self.difference);
        }
        self.value
    }
}
