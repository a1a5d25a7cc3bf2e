//! Bodies: how they are encoded, and how they are inflated without trusting them.

use std::io::{self, Read};

use bytes::Bytes;

use crate::error::{Error, ErrorKind};

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OTLP protobuf.
    Protobuf,
    /// OTLP JSON.
    Json,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, one or more members.
    Gzip,
    /// RFC 8878, one or more frames.
    Zstd,
}

/// How a body is encoded: first written in the format, then compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// What it is written in.
    pub format: Format,
    /// How that is compressed.
    pub compression: Compression,
}

impl Encoding {
    /// Protobuf as it is.
    pub const PROTOBUF: Self = Self { format: Format::Protobuf, compression: Compression::None };
}

/// WAL frame encoding of protobuf as it is.
pub(crate) const FRAME_PROTOBUF: u8 = 0;
/// WAL frame encoding of gzipped protobuf.
pub(crate) const FRAME_GZIP_PROTOBUF: u8 = 1;
/// WAL frame encoding of protobuf compressed with zstd.
pub(crate) const FRAME_ZSTD_PROTOBUF: u8 = 2;

/// The frame encoding of a protobuf body.
pub(crate) fn frame_encoding(compression: Compression) -> u8 {
    match compression {
        Compression::None => FRAME_PROTOBUF,
        Compression::Gzip => FRAME_GZIP_PROTOBUF,
        Compression::Zstd => FRAME_ZSTD_PROTOBUF,
    }
}

/// The compression of a WAL frame.
pub(crate) fn frame_compression(encoding: u8) -> Result<Compression, Error> {
    match encoding {
        FRAME_PROTOBUF => Ok(Compression::None),
        FRAME_GZIP_PROTOBUF => Ok(Compression::Gzip),
        FRAME_ZSTD_PROTOBUF => Ok(Compression::Zstd),
        other => {
            Err(Error::new(ErrorKind::Invalid, format!("frame encoding {other} is not known")))
        }
    }
}

/// Largest window of a zstd frame, as a power of two: 8 MiB, what every decoder must support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// How much is inflated before the limit is looked at again.
const STEP_BYTES: usize = 64 << 10;

/// The bytes that `body` stands for. `grown` is told of each step of memory before it is filled
/// and may refuse it.
pub(crate) fn inflate(
    body: &Bytes,
    compression: Compression,
    bytes_max: usize,
    grown: impl FnMut(usize) -> Result<(), Error>,
) -> Result<Bytes, Error> {
    let malformed = |error: io::Error| {
        let message = format!("body cannot be decompressed: {error}");
        Error::with_source(ErrorKind::Invalid, message, error)
    };
    match compression {
        Compression::None if body.len() > bytes_max => Err(too_large(bytes_max)),
        Compression::None => Ok(body.clone()),
        Compression::Gzip => {
            let reader = flate2::read::MultiGzDecoder::new(body.as_ref());
            read_to_limit(reader, bytes_max, malformed, grown)
        }
        Compression::Zstd => {
            let mut reader = zstd::Decoder::with_buffer(body.as_ref()).map_err(malformed)?;
            reader.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(malformed)?;
            read_to_limit(reader, bytes_max, malformed, grown)
        }
    }
}

fn read_to_limit(
    mut reader: impl Read,
    bytes_max: usize,
    malformed: impl Fn(io::Error) -> Error,
    mut grown: impl FnMut(usize) -> Result<(), Error>,
) -> Result<Bytes, Error> {
    let mut inflated = Vec::new();
    let mut filled = 0;
    loop {
        if filled == inflated.len() {
            // Doubling, so that few bytes are copied again, but never far beyond the limit.
            let step = filled.clamp(STEP_BYTES, bytes_max.max(STEP_BYTES));
            grown(step)?;
            inflated.resize(filled + step, 0);
        }
        match reader.read(&mut inflated[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(malformed(error)),
        }
        if filled > bytes_max {
            return Err(too_large(bytes_max));
        }
    }
    inflated.truncate(filled);
    Ok(inflated.into())
}

/// The error of a body that is larger than `bytes_max`.
pub(crate) fn too_large(bytes_max: usize) -> Error {
    let message = format!("body is larger than {bytes_max} bytes, the limit");
    Error::new(ErrorKind::TooLarge, message)
}

#[cfg(test)]
mod tests;
