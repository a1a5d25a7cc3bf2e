//! Postings: sets of ordinals, two bytes each where they are few and one bit where they are many.
//!
//! ```text
//!  ordinal = key (high 16 bits) · low 16 bits
//!  Many ─▶ chunk 0: list of low bits, up to 4,096        8 KiB at most either way
//!          chunk 3: bit field of 65,536
//! ```

use super::bits::Bits;

/// Ordinals of a list; a bit field is smaller beyond.
const LIST_MAX: usize = 4096;

/// Words of a bit field.
pub(super) const FIELD_WORDS: usize = 1024;

/// A set of ordinals.
#[derive(Clone, Debug, Default)]
pub(super) enum Posting {
    /// No ordinal.
    #[default]
    None,
    /// One ordinal: most values of identifying labels have no more.
    One(u32),
    /// Ordinals by their high bits, ascending; no chunk is empty.
    Many(Vec<Chunk>),
}

/// The ordinals with the same high bits.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    key: u16,
    set: Set,
}

#[derive(Clone, Debug)]
enum Set {
    /// Ascending.
    List(Vec<u16>),
    Field {
        words: Box<[u64; FIELD_WORDS]>,
        len: u32,
    },
}

fn split(ordinal: u32) -> (u16, u16) {
    ((ordinal >> 16) as u16, ordinal as u16)
}

impl Posting {
    /// Adds an ordinal; tells whether it is new. `bytes` follows the memory of the set.
    pub(super) fn insert(&mut self, ordinal: u32, bytes: &mut usize) -> bool {
        match self {
            Self::None => *self = Self::One(ordinal),
            Self::One(known) if *known == ordinal => return false,
            Self::One(known) => {
                let known = *known;
                let mut chunks = Vec::with_capacity(1);
                insert(&mut chunks, known, &mut 0);
                insert(&mut chunks, ordinal, &mut 0);
                *self = Self::Many(chunks);
                *bytes += self.bytes();
            }
            Self::Many(chunks) => return insert(chunks, ordinal, bytes),
        }
        true
    }

    /// Removes an ordinal; tells whether it was there. `bytes` follows the memory of the set.
    pub(super) fn remove(&mut self, ordinal: u32, bytes: &mut usize) -> bool {
        *bytes -= self.bytes();
        let was_there = self.take_out(ordinal);
        *bytes += self.bytes();
        was_there
    }

    fn take_out(&mut self, ordinal: u32) -> bool {
        match self {
            Self::None => return false,
            Self::One(known) if *known != ordinal => return false,
            Self::One(_) => *self = Self::None,
            Self::Many(chunks) => {
                let (key, low) = split(ordinal);
                let Ok(at) = chunks.binary_search_by_key(&key, |chunk| chunk.key) else {
                    return false;
                };
                if !chunks[at].set.remove(low) {
                    return false;
                }
                if chunks[at].set.len() == 0 {
                    chunks.remove(at);
                    if chunks.is_empty() {
                        *self = Self::None;
                    }
                }
            }
        }
        true
    }

    /// Whether an ordinal is in the set.
    pub(super) fn contains(&self, ordinal: u32) -> bool {
        match self {
            Self::None => false,
            Self::One(known) => *known == ordinal,
            Self::Many(chunks) => {
                let (key, low) = split(ordinal);
                chunks
                    .binary_search_by_key(&key, |chunk| chunk.key)
                    .is_ok_and(|at| chunks[at].set.contains(low))
            }
        }
    }

    /// Number of ordinals.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(chunks) => chunks.iter().map(|chunk| chunk.set.len()).sum(),
        }
    }

    /// Whether there is no ordinal.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The least ordinal.
    pub(super) fn first(&self) -> Option<u32> {
        match self {
            Self::None => None,
            Self::One(ordinal) => Some(*ordinal),
            Self::Many(chunks) => {
                let chunk = chunks.first()?;
                let low = match &chunk.set {
                    Set::List(lows) => u32::from(*lows.first()?),
                    Set::Field { words, .. } => {
                        let at = words.iter().position(|word| *word != 0)?;
                        at as u32 * 64 + words[at].trailing_zeros()
                    }
                };
                Some((u32::from(chunk.key) << 16) | low)
            }
        }
    }

    /// Adds all ordinals to `bits`; those beyond its length are left out.
    pub(super) fn add_to(&self, bits: &mut Bits) {
        self.each_part(
            bits,
            |bits, ordinal| bits.insert(ordinal),
            |bits, key, words| bits.add_field(key, words),
        );
    }

    /// Takes all ordinals out of `bits`.
    pub(super) fn take_from(&self, bits: &mut Bits) {
        self.each_part(
            bits,
            |bits, ordinal| bits.remove(ordinal),
            |bits, key, words| bits.take_field(key, words),
        );
    }

    /// Whether an ordinal is in both.
    pub(super) fn meets(&self, bits: &Bits) -> bool {
        match self {
            Self::None => false,
            Self::One(ordinal) => bits.contains(*ordinal),
            Self::Many(chunks) => chunks.iter().any(|chunk| match &chunk.set {
                Set::List(lows) => {
                    let base = u32::from(chunk.key) << 16;
                    lows.iter().any(|low| bits.contains(base | u32::from(*low)))
                }
                Set::Field { words, .. } => bits.meets_field(chunk.key, words),
            }),
        }
    }

    fn each_part(
        &self,
        bits: &mut Bits,
        one: impl Fn(&mut Bits, u32),
        field: impl Fn(&mut Bits, u16, &[u64; FIELD_WORDS]),
    ) {
        match self {
            Self::None => {}
            Self::One(ordinal) => one(bits, *ordinal),
            Self::Many(chunks) => {
                for chunk in chunks {
                    let base = u32::from(chunk.key) << 16;
                    match &chunk.set {
                        Set::List(lows) => {
                            lows.iter().for_each(|low| one(bits, base | u32::from(*low)));
                        }
                        Set::Field { words, .. } => field(bits, chunk.key, words),
                    }
                }
            }
        }
    }

    /// Memory that the set points to.
    pub(super) fn bytes(&self) -> usize {
        let Self::Many(chunks) = self else { return 0 };
        let sets = chunks.iter().map(|chunk| chunk.set.bytes()).sum::<usize>();
        chunks.capacity() * size_of::<Chunk>() + sets
    }
}

fn insert(chunks: &mut Vec<Chunk>, ordinal: u32, bytes: &mut usize) -> bool {
    let (key, low) = split(ordinal);
    // Most ordinals are the newest ones.
    let at = match chunks.last() {
        Some(last) if last.key == key => Ok(chunks.len() - 1),
        Some(last) if last.key < key => Err(chunks.len()),
        _ => chunks.binary_search_by_key(&key, |chunk| chunk.key),
    };
    match at {
        Ok(at) => {
            let set = &mut chunks[at].set;
            let before = set.bytes();
            let is_new = set.insert(low);
            *bytes = *bytes + set.bytes() - before;
            is_new
        }
        Err(at) => {
            let before = chunks.capacity();
            reserve_a_third(chunks);
            let set = Set::List(vec![low]);
            *bytes += (chunks.capacity() - before) * size_of::<Chunk>() + set.bytes();
            chunks.insert(at, Chunk { key, set });
            true
        }
    }
}

impl Set {
    fn bytes(&self) -> usize {
        match self {
            Self::List(lows) => lows.capacity() * size_of::<u16>(),
            Self::Field { .. } => FIELD_WORDS * size_of::<u64>(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::List(lows) => lows.len(),
            Self::Field { len, .. } => *len as usize,
        }
    }

    fn contains(&self, low: u16) -> bool {
        match self {
            Self::List(lows) => lows.binary_search(&low).is_ok(),
            Self::Field { words, .. } => words[usize::from(low) / 64] & (1 << (low % 64)) != 0,
        }
    }

    fn insert(&mut self, low: u16) -> bool {
        match self {
            Self::List(lows) => {
                let at = match lows.last() {
                    Some(last) if *last < low => Err(lows.len()),
                    _ => lows.binary_search(&low),
                };
                let Err(at) = at else { return false };
                if lows.len() < LIST_MAX {
                    reserve_a_third(lows);
                    lows.insert(at, low);
                    return true;
                }
                let mut words = Box::new([0; FIELD_WORDS]);
                for low in lows.iter().chain([&low]) {
                    words[usize::from(*low) / 64] |= 1 << (low % 64);
                }
                *self = Self::Field { words, len: LIST_MAX as u32 + 1 };
                true
            }
            Self::Field { words, len } => {
                let word = &mut words[usize::from(low) / 64];
                let is_new = *word & (1 << (low % 64)) == 0;
                *word |= 1 << (low % 64);
                *len += u32::from(is_new);
                is_new
            }
        }
    }

    fn remove(&mut self, low: u16) -> bool {
        match self {
            Self::List(lows) => match lows.binary_search(&low) {
                Ok(at) => {
                    lows.remove(at);
                    true
                }
                Err(_) => false,
            },
            Self::Field { words, len } => {
                let word = &mut words[usize::from(low) / 64];
                let was_there = *word & (1 << (low % 64)) != 0;
                *word &= !(1 << (low % 64));
                *len -= u32::from(was_there);
                was_there
            }
        }
    }
}

/// Makes room for one more by growing a third: less is left empty than by doubling.
fn reserve_a_third<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 3 + 1);
    }
}
