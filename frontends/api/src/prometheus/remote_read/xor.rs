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

use super::bits::{Bits, Values};
use super::messages::Chunk;

/// The number of this encoding.
const XOR: i32 = 1;

/// Widths in bits of changes of the difference, each with its prefix and the prefix's width.
const CHANGES: [(u32, u64, u32); 3] = [(14, 0b10, 2), (17, 0b110, 3), (20, 0b1110, 4)];

/// Samples with ascending times, packed; 65,535 at most, and at least one.
pub(super) fn chunk(samples: &[(i64, f64)]) -> Chunk {
    Chunk {
        min_time_ms: samples.first().map_or(0, |sample| sample.0),
        max_time_ms: samples.last().map_or(0, |sample| sample.0),
        kind: XOR,
        data: pack(samples),
    }
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
            0 => values.begin(&mut bits, *value),
            _ => values.write(&mut bits, *value),
        }
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

#[cfg(test)]
mod tests;
