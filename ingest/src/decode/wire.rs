//! The protobuf wire format, read where it lies.
//!
//! ```text
//!  message = (tag value)*      tag = varint(field << 3 | type)
//!  type 0  varint              type 2  varint(length) bytes
//!  type 1  8 bytes             type 5  4 bytes            types 3, 4  group, skipped
//! ```
//!
//! Nothing is copied and nothing allocated. Of a field that occurs more often than it should the
//! last value counts; messages are merged, which is up to the reader of the message.

use crate::limits::GROUP_DEPTH_MAX;

/// What is wrong with bytes that should be a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// Type 0.
    Varint(u64),
    /// Type 1.
    Fixed64(u64),
    /// Type 2.
    Bytes(&'a [u8]),
    /// Type 5.
    Fixed32(u32),
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WRONG_TYPE),
        }
    }

    pub(crate) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(WRONG_TYPE),
        }
    }

    /// `uint32`: the lower half, as protobuf says.
    pub(crate) fn uint32(self) -> Result<u32, Malformed> {
        Ok(self.varint()? as u32)
    }

    /// `int32` and enums: the lower half, as protobuf says.
    pub(crate) fn int32(self) -> Result<i32, Malformed> {
        Ok(self.varint()? as i32)
    }

    /// `sint32`.
    pub(crate) fn sint32(self) -> Result<i32, Malformed> {
        let zigzag = self.uint32()?;
        Ok((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32))
    }

    pub(crate) fn bool(self) -> Result<bool, Malformed> {
        Ok(self.varint()? != 0)
    }

    pub(crate) fn fixed64(self) -> Result<u64, Malformed> {
        match self {
            Self::Fixed64(value) => Ok(value),
            _ => Err(WRONG_TYPE),
        }
    }

    pub(crate) fn double(self) -> Result<f64, Malformed> {
        Ok(f64::from_bits(self.fixed64()?))
    }

    pub(crate) fn fixed32(self) -> Result<u32, Malformed> {
        match self {
            Self::Fixed32(value) => Ok(value),
            _ => Err(WRONG_TYPE),
        }
    }

    /// One occurrence of `repeated fixed64`, packed or not.
    pub(crate) fn each_fixed64(self, mut each: impl FnMut(u64)) -> Result<(), Malformed> {
        match self {
            Self::Fixed64(value) => each(value),
            Self::Bytes(bytes) => {
                let (words, rest) = bytes.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(Malformed("a packed field ends within a value"));
                }
                words.iter().for_each(|word| each(u64::from_le_bytes(*word)));
            }
            _ => return Err(WRONG_TYPE),
        }
        Ok(())
    }

    /// One occurrence of `repeated uint64`, packed or not.
    pub(crate) fn each_varint(self, mut each: impl FnMut(u64)) -> Result<(), Malformed> {
        match self {
            Self::Varint(value) => each(value),
            Self::Bytes(bytes) => {
                let mut fields = Fields::new(bytes);
                while !fields.rest.is_empty() {
                    each(fields.read_varint()?);
                }
            }
            _ => return Err(WRONG_TYPE),
        }
        Ok(())
    }
}

const WRONG_TYPE: Malformed = Malformed("a field has the wrong wire type");
const TRUNCATED: Malformed = Malformed("a message ends within a field");

/// The fields of a message, in the order sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's number and value; `None` at the end of the message.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let (field, wire_type) = self.read_tag()?;
            match wire_type {
                3 => self.skip_group(field)?,
                4 => return Err(Malformed("a group ends that was not begun")),
                _ => return Ok(Some((field, self.read_value(wire_type)?))),
            }
        }
    }

    #[inline]
    fn read_tag(&mut self) -> Result<(u32, u8), Malformed> {
        let tag = self.read_varint()?;
        let field =
            u32::try_from(tag >> 3).map_err(|_| Malformed("a field number is too large"))?;
        if field == 0 || field >= 1 << 29 {
            return Err(Malformed("a field number is out of range"));
        }
        Ok((field, (tag & 7) as u8))
    }

    #[inline]
    fn read_value(&mut self, wire_type: u8) -> Result<Value<'a>, Malformed> {
        match wire_type {
            0 => Ok(Value::Varint(self.read_varint()?)),
            1 => {
                let (bytes, rest) = self.rest.split_first_chunk::<8>().ok_or(TRUNCATED)?;
                self.rest = rest;
                Ok(Value::Fixed64(u64::from_le_bytes(*bytes)))
            }
            2 => {
                let length = self.read_varint()?;
                let length = usize::try_from(length).map_err(|_| TRUNCATED)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
                self.rest = rest;
                Ok(Value::Bytes(bytes))
            }
            5 => {
                let (bytes, rest) = self.rest.split_first_chunk::<4>().ok_or(TRUNCATED)?;
                self.rest = rest;
                Ok(Value::Fixed32(u32::from_le_bytes(*bytes)))
            }
            _ => Err(Malformed("a wire type is not known")),
        }
    }

    #[inline]
    fn read_varint(&mut self) -> Result<u64, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(TRUNCATED)?;
        if *first < 0x80 {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        self.read_long_varint()
    }

    fn read_long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            if i == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7F) << (7 * i);
            if *byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { TRUNCATED } else { Malformed("a varint is too long") })
    }

    /// Skips to the end of the group that `field` has begun.
    fn skip_group(&mut self, field: u32) -> Result<(), Malformed> {
        let mut open = vec![field];
        while let Some(innermost) = open.last().copied() {
            let (field, wire_type) = self.read_tag()?;
            match wire_type {
                3 if open.len() == GROUP_DEPTH_MAX => {
                    return Err(Malformed("groups are nested too deeply"));
                }
                3 => open.push(field),
                4 if field == innermost => {
                    open.pop();
                }
                4 => return Err(Malformed("a group ends that was not begun")),
                _ => {
                    self.read_value(wire_type)?;
                }
            }
        }
        Ok(())
    }
}

/// The fields of a message, and where those of one number lie, which are messages themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MarkedFields<'a> {
    message: &'a [u8],
    fields: Fields<'a>,
    mark: u32,
    from: usize,
    to: usize,
    is_torn: bool,
}

impl<'a> MarkedFields<'a> {
    /// Fields of this message, of which those of the number `mark` are noted.
    pub(crate) fn new(message: &'a [u8], mark: u32) -> Self {
        Self { message, fields: Fields::new(message), mark, from: 0, to: 0, is_torn: false }
    }

    /// As [`Fields::next`].
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        let from = self.message.len() - self.fields.rest.len();
        let Some((field, value)) = self.fields.next()? else { return Ok(None) };
        if field == self.mark {
            value.bytes()?;
            if self.from == self.to {
                self.from = from;
            } else if self.to != from {
                self.is_torn = true;
            }
            self.to = self.message.len() - self.fields.rest.len();
        }
        Ok(Some((field, value)))
    }

    /// The noted fields with their tags, if nothing lies between them.
    #[inline]
    pub(crate) fn marked(&self) -> Option<&'a [u8]> {
        if self.is_torn { None } else { self.message.get(self.from..self.to) }
    }
}

#[cfg(test)]
mod tests;
