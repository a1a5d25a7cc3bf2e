//! What is packed comes out again, by a reader that knows only the format.

use super::super::unpacked;
use super::*;

fn check(samples: &[(i64, f64)]) {
    let packed: Vec<Chunk> = samples.chunks(120).map(chunk).collect();
    let unpacked = packed.iter().flat_map(|chunk| unpacked::numbers(&chunk.data));
    let unpacked: Vec<(i64, u64)> = unpacked.map(|(time, value)| (time, value.to_bits())).collect();
    let wanted: Vec<(i64, u64)> =
        samples.iter().map(|(time, value)| (*time, value.to_bits())).collect();
    assert_eq!(unpacked, wanted);
}

#[test]
fn what_is_packed_comes_out_again() {
    check(&[]);
    check(&[(-5, f64::NAN)]);
    let steady: Vec<(i64, f64)> = (0..1000).map(|at| (at * 15_000, at as f64 * 0.1)).collect();
    check(&steady);
    let values = [0.0, -0.0, f64::INFINITY, f64::from_bits(0x7ff0_0000_0000_0002), 1e-300, 1.0];
    // Changes of the difference around the widths that tell them.
    let mut time = 1_767_225_600_000;
    let mut difference = 1_i64 << 33;
    let mut odd = Vec::new();
    for (at, width) in [13, 14, 16, 17, 19, 20, 21, 30].into_iter().enumerate() {
        for change in [(1 << (width - 1)) - 1, 1 << (width - 1), (1 << (width - 1)) + 1] {
            for change in [change, -change] {
                difference += change;
                time += difference;
                odd.push((time, values[at % values.len()] + change as f64));
            }
        }
    }
    check(&odd);
}

#[test]
fn bytes_are_those_of_prometheus() {
    // Made by hand from the description of the format: times 1000, 2000, 3000; values 1, 1, 2.
    let chunk = pack(&[(1_000, 1.0), (2_000, 1.0), (3_000, 2.0)]);
    let one = 1.0_f64.to_bits().to_be_bytes();
    let mut wanted = vec![0, 3, 0xD0, 0x0F];
    wanted.extend(one);
    // 1000 as a varint, then: value as before; no change; another value, whose first differing
    // bit is the second one, 11 of them.
    wanted.extend([0xE8, 0x07]);
    let difference = 1.0_f64.to_bits() ^ 2.0_f64.to_bits();
    assert_eq!((difference.leading_zeros(), difference.trailing_zeros()), (1, 52));
    // 0 | 0 | 1 1 00001 001011 11111111111 -> 26 bits
    wanted.extend([0b0011_0000, 0b1001_0111, 0b1111_1111, 0b1100_0000]);
    assert_eq!(chunk, wanted);
}
