//! What all kinds of chunks are made of: bits, and numbers as differences from those before.

use super::messages::push_varint;

/// Widths in bits of numbers of few bits: the n-th has n + 1 ones and, but for the last one, a zero
/// before it.
const WIDTHS: [u32; 8] = [3, 6, 9, 12, 18, 25, 56, 64];

/// Bits, the highest of a byte first.
#[derive(Debug, Default)]
pub(super) struct Bits {
    pub(super) bytes: Vec<u8>,
    /// Bits of the last byte that are not taken.
    free: u32,
}

impl Bits {
    /// Appends the lowest `count` bits of a number, 64 at most.
    pub(super) fn write(&mut self, number: u64, count: u32) {
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

    /// Appends bytes of seven bits each, the lowest first.
    pub(super) fn write_varint(&mut self, number: u64) {
        let mut bytes = Vec::new();
        push_varint(&mut bytes, number);
        bytes.into_iter().for_each(|byte| self.write(u64::from(byte), 8));
    }

    /// Appends a whole number: the nearer to zero, the fewer bits.
    pub(super) fn write_signed(&mut self, number: i64) {
        // One more above zero than below, as the reader undoes it.
        let fits = |width: u32| {
            let most = 1_i64 << (width - 1);
            width == 64 || (1 - most <= number && number <= most)
        };
        self.write_narrow(number as u64, fits);
    }

    /// Appends a whole number that is not negative.
    pub(super) fn write_unsigned(&mut self, number: u64) {
        self.write_narrow(number, |width| width == 64 || number >> width == 0);
    }

    fn write_narrow(&mut self, number: u64, fits: impl Fn(u32) -> bool) {
        if number == 0 {
            return self.write(0, 1);
        }
        let last = WIDTHS.len() - 1;
        let at = WIDTHS.iter().position(|width| fits(*width)).unwrap_or(last);
        let ones = (2_u64 << at) - 1;
        match at == last {
            true => self.write(ones, 8),
            false => self.write(ones << 1, at as u32 + 2),
        }
        self.write(number, WIDTHS[at]);
    }
}

/// The value before, and the bits in which it differed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values {
    last: u64,
    /// Zeros before and behind them; none before the first difference.
    window: Option<(u32, u32)>,
}

impl Values {
    /// The first value, in 64 bits.
    pub(super) fn begin(&mut self, bits: &mut Bits, value: f64) {
        self.last = value.to_bits();
        bits.write(self.last, 64);
    }

    /// The next value: how its bits differ from those of the one before.
    pub(super) fn write(&mut self, bits: &mut Bits, value: f64) {
        let difference = value.to_bits() ^ self.last;
        self.last = value.to_bits();
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
