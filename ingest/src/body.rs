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
    /// `prometheus.WriteRequest` of remote write 1.0; metrics only, snappy only.
    RemoteWrite1,
    /// `io.prometheus.write.v2.Request` of remote write 2.0; metrics only, snappy only.
    RemoteWrite2,
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
    /// Snappy's block format; remote write only.
    Snappy,
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

/// WAL frame encoding of remote write 1.0, compressed with snappy.
const FRAME_REMOTE_WRITE_1: u8 = 3;
/// WAL frame encoding of remote write 2.0, compressed with snappy.
const FRAME_REMOTE_WRITE_2: u8 = 4;

/// The frame encoding of a body; JSON is kept as the protobuf that it was made into.
pub(crate) fn frame_encoding(encoding: Encoding) -> Result<u8, Error> {
    match (encoding.format, encoding.compression) {
        (Format::Json, _) | (Format::Protobuf, Compression::None) => Ok(FRAME_PROTOBUF),
        (Format::Protobuf, Compression::Gzip) => Ok(FRAME_GZIP_PROTOBUF),
        (Format::Protobuf, Compression::Zstd) => Ok(FRAME_ZSTD_PROTOBUF),
        (Format::RemoteWrite1, Compression::Snappy) => Ok(FRAME_REMOTE_WRITE_1),
        (Format::RemoteWrite2, Compression::Snappy) => Ok(FRAME_REMOTE_WRITE_2),
        (format, compression) => {
            let message = format!("{format:?} compressed with {compression:?} is not known");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

/// How the payload of a WAL frame is encoded.
pub(crate) fn of_frame(encoding: u8) -> Result<Encoding, Error> {
    let (format, compression) = match encoding {
        FRAME_PROTOBUF => (Format::Protobuf, Compression::None),
        FRAME_GZIP_PROTOBUF => (Format::Protobuf, Compression::Gzip),
        FRAME_ZSTD_PROTOBUF => (Format::Protobuf, Compression::Zstd),
        FRAME_REMOTE_WRITE_1 => (Format::RemoteWrite1, Compression::Snappy),
        FRAME_REMOTE_WRITE_2 => (Format::RemoteWrite2, Compression::Snappy),
        other => {
            let message = format!("frame encoding {other} is not known");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    };
    Ok(Encoding { format, compression })
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
        Compression::Snappy => inflate_snappy(body, bytes_max, grown),
    }
}

/// A block of snappy says at its begin how long it is.
fn inflate_snappy(
    body: &Bytes,
    bytes_max: usize,
    mut grown: impl FnMut(usize) -> Result<(), Error>,
) -> Result<Bytes, Error> {
    let malformed = |error: snap::Error| {
        let message = format!("body cannot be decompressed: {error}");
        Error::with_source(ErrorKind::Invalid, message, error)
    };
    let bytes = snap::raw::decompress_len(body).map_err(malformed)?;
    if bytes > bytes_max {
        return Err(too_large(bytes_max));
    }
    grown(bytes)?;
    let inflated = snap::raw::Decoder::new().decompress_vec(body).map_err(malformed)?;
    Ok(inflated.into())
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
