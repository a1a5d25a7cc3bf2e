//! XOR chunks: how Prometheus packs samples, after Facebook's Gorilla.
//!
//! ```text
//!  count (2 bytes), then bits, the highest first:
//!  sample 0   time as a signed varint, value in 64 bits
//!  sample 1   difference of times as a varint, value
//!  sample n   change of the difference:  0            none
//!                                        10   + 14    bits
//!                                        110  + 17
//!                                        1110 + 20
//!                                        1111 + 64
//!  value      0                          as before
//!             10 + bits                  differs within the window of the one before
//!             11 + 5 + 6 + bits          leading zeros, length, differing bits
//! ```

use super::messages::{Chunk, push_varint};

/// Samples of a chunk, as in Prometheus.
const SAMPLES_PER_CHUNK: usize = 120;

/// The number of this encoding.
const XOR: i32 = 1;

/// Widths in bits of changes of the difference, each with its prefix and the prefix's width.
const CHANGES: [(u32, u64, u32); 3] = [(14, 0b10, 2), (17, 0b110, 3), (20, 0b1110, 4)];

/// Samples with ascending times, packed.
pub(super) fn chunks(samples: &[(i64, f64)]) -> impl Iterator<Item = Chunk> {
    samples.chunks(SAMPLES_PER_CHUNK).map(|samples| Chunk {
        min_time_ms: samples.first().map_or(0, |sample| sample.0),
        max_time_ms: samples.last().map_or(0, |sample| sample.0),
        kind: XOR,
        data: pack(samples),
    })
}

fn pack(samples: &[(i64, f64)]) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.write(samples.len() as u64, 16);
    let mut values = Values::default();
    let (mut time, mut difference) = (0, 0);
    for (at, (time_ms, value)) in samples.iter().enumerate() {
        let next = time_ms.wrapping_sub(time);
        match at {
            0 => bits.write_varint(zigzag(*time_ms)),
            1 => bits.write_varint(next as u64),
            _ => write_change(&mut bits, next.wrapping_sub(difference)),
        }
        (time, difference) = (*time_ms, next);
        match at {
            0 => bits.write(value.to_bits(), 64),
            _ => values.write(&mut bits, value.to_bits()),
        }
        values.last = value.to_bits();
    }
    bits.bytes
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

fn write_change(bits: &mut Bits, change: i64) {
    if change == 0 {
        return bits.write(0, 1);
    }
    for (width, prefix, prefix_width) in CHANGES {
        // One more above zero than below, as the reader undoes it.
        let most = 1_i64 << (width - 1);
        if -(most - 1) <= change && change <= most {
            bits.write(prefix, prefix_width);
            return bits.write(change as u64, width);
        }
    }
    bits.write(0b1111, 4);
    bits.write(change as u64, 64);
}

/// The value before, and the bits in which it differed.
#[derive(Default)]
struct Values {
    last: u64,
    /// Zeros before and behind them; none before the first difference.
    window: Option<(u32, u32)>,
}

impl Values {
    fn write(&mut self, bits: &mut Bits, value: u64) {
        let difference = value ^ self.last;
        if difference == 0 {
            return bits.write(0, 1);
        }
        bits.write(1, 1);
        // Five bits tell them.
        let leading = difference.leading_zeros().min(31);
        let trailing = difference.trailing_zeros();
        if let Some((before, behind)) = self.window
            && leading >= before
            && trailing >= behind
        {
            bits.write(0, 1);
            return bits.write(difference >> behind, 64 - before - behind);
        }
        self.window = Some((leading, trailing));
        let length = 64 - leading - trailing;
        bits.write(1, 1);
        bits.write(u64::from(leading), 5);
        // Of 64 the lowest six bits are zeros, which no other length has.
        bits.write(u64::from(length), 6);
        bits.write(difference >> trailing, length);
    }
}

/// Bits, the highest of a byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not taken.
    free: u32,
}

impl Bits {
    /// Appends the lowest `count` bits of a number, 64 at most.
    fn write(&mut self, number: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            let part = (number >> (left - taken)) as u8 & (0xFF >> (8 - taken));
            self.free -= taken;
            if let Some(last) = self.bytes.last_mut() {
                *last |= part << self.free;
            }
            left -= taken;
        }
    }

    fn write_varint(&mut self, number: u64) {
        let mut bytes = Vec::new();
        push_varint(&mut bytes, number);
        bytes.into_iter().for_each(|byte| self.write(u64::from(byte), 8));
    }
}

#[cfg(test)]
mod tests;
