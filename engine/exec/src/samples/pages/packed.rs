//! Integers as Parquet packs them: variable lengths, the hybrid of runs and bits, differences.
//!
//! Every function gives `None` for bytes that end too early or contradict themselves.

/// Integers of one miniblock, at most: far more than any writer uses.
const MINIBLOCK_MAX: usize = 512;

/// Bytes that are read beyond the last integer of a miniblock.
const SLACK: usize = 16;

/// An integer in groups of seven bits, the least first.
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

fn zigzag(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let value = varint(bytes, at)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// `width` bits from bit `bit` on, of bytes that go on for [`SLACK`] more.
fn bits(bytes: &[u8], bit: usize, width: u32) -> u64 {
    let at = bit / 8;
    let shift = (bit % 8) as u32;
    let word: [u8; 8] = bytes[at..at + 8].try_into().expect("eight bytes were taken");
    let mut value = u64::from_le_bytes(word) >> shift;
    if shift + width > 64 {
        value |= u64::from(bytes[at + 8]) << (64 - shift);
    }
    if width < 64 { value & ((1 << width) - 1) } else { value }
}

/// Calls `each` with a value and how often it follows, for `count` integers of `width` bits in
/// the hybrid of run lengths and packed bits.
pub(super) fn hybrid(
    bytes: &[u8],
    width: u32,
    count: usize,
    mut each: impl FnMut(u32, usize) -> Option<()>,
) -> Option<()> {
    if width > 32 {
        return None;
    }
    let (mut at, mut left) = (0, count);
    while left > 0 {
        let header = varint(bytes, &mut at)?;
        let times = usize::try_from(header >> 1).ok()?;
        if times == 0 {
            return None;
        }
        if header & 1 == 0 {
            let length = width.div_ceil(8) as usize;
            let mut value = [0; 4];
            value[..length].copy_from_slice(bytes.get(at..at + length)?);
            at += length;
            each(u32::from_le_bytes(value), times.min(left))?;
            left -= times.min(left);
            continue;
        }
        // Groups of eight; the last may be cut where the values end.
        for _ in 0..times {
            let length = width as usize;
            let group = bytes.get(at..)?;
            let mut padded = [0; 32 + SLACK];
            let there = length.min(group.len());
            padded[..there].copy_from_slice(&group[..there]);
            let wanted = left.min(8);
            if there * 8 < wanted * length {
                return None;
            }
            for place in 0..wanted {
                each(bits(&padded, place * length, width) as u32, 1)?;
            }
            left -= wanted;
            at += length;
            if left == 0 {
                break;
            }
        }
    }
    Some(())
}

/// Adds `eights` times eight integers, each `least` and what `W` bits say above the one before it.
fn unpack<const W: usize>(
    bytes: &[u8],
    eights: usize,
    least: i64,
    value: &mut i64,
    to: &mut Vec<i64>,
) {
    let mask = (1_u128 << W) - 1;
    for eight in bytes.chunks_exact(W).take(eights) {
        let mut word = [0; 16];
        word[..W].copy_from_slice(eight);
        let word = u128::from_le_bytes(word);
        let mut unpacked = [0; 8];
        for (place, to) in unpacked.iter_mut().enumerate() {
            let above = ((word >> (place * W)) & mask) as i64;
            *value = value.wrapping_add(least).wrapping_add(above);
            *to = *value;
        }
        to.extend_from_slice(&unpacked);
    }
}

type Unpack = fn(&[u8], usize, i64, &mut i64, &mut Vec<i64>);

/// By width, from 1 on: with the width known, shifts and masks are constants. Eight integers of
/// the widest fit into 128 bits.
const UNPACK: [Unpack; 16] = [
    unpack::<1>,
    unpack::<2>,
    unpack::<3>,
    unpack::<4>,
    unpack::<5>,
    unpack::<6>,
    unpack::<7>,
    unpack::<8>,
    unpack::<9>,
    unpack::<10>,
    unpack::<11>,
    unpack::<12>,
    unpack::<13>,
    unpack::<14>,
    unpack::<15>,
    unpack::<16>,
];

/// Adds `count` integers, packed as differences, to `to`.
pub(super) fn differences(bytes: &[u8], count: usize, to: &mut Vec<i64>) -> Option<()> {
    let mut at = 0;
    let block = usize::try_from(varint(bytes, &mut at)?).ok()?;
    let miniblocks = usize::try_from(varint(bytes, &mut at)?).ok()?;
    let total = usize::try_from(varint(bytes, &mut at)?).ok()?;
    let mut value = zigzag(bytes, &mut at)?;
    let each = block.checked_div(miniblocks)?;
    if total != count || each == 0 || each > MINIBLOCK_MAX || !each.is_multiple_of(32) {
        return None;
    }
    if count == 0 {
        return Some(());
    }
    to.reserve(count);
    to.push(value);
    let mut left = count - 1;
    let mut padded = [0; MINIBLOCK_MAX * 8 + SLACK];
    while left > 0 {
        let least = zigzag(bytes, &mut at)?;
        let widths = bytes.get(at..at.checked_add(miniblocks)?)?;
        at += miniblocks;
        for width in widths {
            if left == 0 {
                break;
            }
            let wanted = left.min(each);
            let width = u32::from(*width);
            if width > 64 {
                return None;
            }
            if width == 0 {
                to.extend((1..=wanted as i64).map(|n| value.wrapping_add(least.wrapping_mul(n))));
                value = value.wrapping_add(least.wrapping_mul(wanted as i64));
            } else {
                let length = each * width as usize / 8;
                let rest = bytes.get(at..)?;
                let there = length.min(rest.len());
                if there * 8 < wanted * width as usize {
                    return None;
                }
                let eights = match UNPACK.get(width as usize - 1) {
                    Some(unpack) => {
                        unpack(&rest[..there], wanted / 8, least, &mut value, to);
                        wanted / 8 * 8
                    }
                    None => 0,
                };
                if eights < wanted {
                    padded[..there].copy_from_slice(&rest[..there]);
                    to.extend((eights..wanted).map(|place| {
                        let above = bits(&padded, place * width as usize, width) as i64;
                        value = value.wrapping_add(least).wrapping_add(above);
                        value
                    }));
                }
                at += length;
            }
            left -= wanted;
        }
    }
    Some(())
}
