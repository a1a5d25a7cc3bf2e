//! The window on the disk: a file a generation, 32 bytes a request.
//!
//! ```text
//!  data/dedup/00000000000000000001.dedup
//!  request   hash u128 │ records u32 │ rejected u32 │ zero u32 │ crc32c u32 of all before
//! ```
//!
//! Files are written by flushes only, behind what they held. Damage costs that a request is not
//! recognised when it comes again, never a record, so it is told and stepped over.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Window;
use crate::disk::{Disk, read_all};
use crate::objects::disk as disk_error;
use crate::{Error, Identity};

/// Bytes of a request.
const ENTRY_BYTES: usize = 32;

/// The folder of the files.
#[derive(Clone, Debug)]
pub(crate) struct DedupLog {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

impl DedupLog {
    /// The log in a folder, which is created if absent.
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: PathBuf) -> Result<Self, Error> {
        disk.create_folder(&folder).map_err(|error| disk_error(&folder, error))?;
        Ok(Self { disk, folder })
    }

    /// Enters what the files hold into a window.
    pub(crate) fn load(&self, window: &Window) -> Result<(), Error> {
        for (number, path) in self.files()? {
            let file = self.disk.open(&path).map_err(|error| disk_error(&path, error))?;
            let bytes = read_all(file.as_ref()).map_err(|error| disk_error(&path, error))?;
            window.restore(number, read(&path, &bytes));
        }
        Ok(())
    }

    /// Makes requests durable, each with the number of its generation, and forgets generations
    /// before `oldest`.
    pub(crate) fn append(&self, requests: &[(u64, Identity)], oldest: u64) -> Result<(), Error> {
        let mut start = 0;
        while let Some((generation, _)) = requests.get(start) {
            let run = requests[start..].iter().take_while(|(of, _)| of == generation).count();
            if *generation >= oldest {
                let path = self.path(*generation);
                let written = self.append_to(&path, &requests[start..start + run]);
                written.map_err(|error| disk_error(&path, error))?;
            }
            start += run;
        }
        for (number, path) in self.files()? {
            if number < oldest {
                self.disk.remove(&path).map_err(|error| disk_error(&path, error))?;
            }
        }
        // Always: an attempt that failed may have left a name that is not durable.
        self.disk.sync_folder(&self.folder).map_err(|error| disk_error(&self.folder, error))
    }

    fn append_to(&self, path: &Path, requests: &[(u64, Identity)]) -> io::Result<()> {
        let mut file = match self.disk.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.disk.create(path),
            opened => opened,
        }?;
        let mut bytes = Vec::with_capacity(requests.len() * ENTRY_BYTES);
        for (_, identity) in requests {
            encode(identity, &mut bytes);
        }
        // What a failed attempt has left of an entry is written over.
        let end = file.bytes()? / ENTRY_BYTES as u64 * ENTRY_BYTES as u64;
        file.write_at(end, &bytes)?;
        file.sync()
    }

    fn files(&self) -> Result<Vec<(u64, PathBuf)>, Error> {
        let listed = self.disk.list(&self.folder);
        let mut files = Vec::new();
        for path in listed.map_err(|error| disk_error(&self.folder, error))? {
            let is_ours = path.extension().is_some_and(|extension| extension == "dedup");
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            if let Some(number) = number.filter(|_| is_ours) {
                files.push((number, path));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn path(&self, generation: u64) -> PathBuf {
        self.folder.join(format!("{generation:020}.dedup"))
    }
}

fn encode(identity: &Identity, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend_from_slice(&identity.hash.to_le_bytes());
    bytes.extend_from_slice(&identity.records.to_le_bytes());
    bytes.extend_from_slice(&identity.rejected.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    let checksum = crc32c::crc32c(&bytes[start..]);
    bytes.extend_from_slice(&checksum.to_le_bytes());
}

/// The requests of a file; what is damaged is stepped over.
fn read(path: &Path, bytes: &[u8]) -> Vec<Identity> {
    let mut known = Vec::with_capacity(bytes.len() / ENTRY_BYTES);
    for (at, entry) in bytes.chunks(ENTRY_BYTES).enumerate() {
        match decode(entry) {
            Some(identity) => known.push(identity),
            // What was being written when the process ended is in the WAL still.
            None if (at + 1) * ENTRY_BYTES >= bytes.len() => {}
            None => tracing::error!(
                file = %path.display(), offset = at * ENTRY_BYTES,
                "damaged: one request will not be recognised if it comes again"
            ),
        }
    }
    known
}

fn decode(entry: &[u8]) -> Option<Identity> {
    let (content, checksum) = entry.split_at_checked(ENTRY_BYTES - 4)?;
    if crc32c::crc32c(content) != u32::from_le_bytes(checksum.try_into().ok()?) {
        return None;
    }
    Some(Identity {
        hash: u128::from_le_bytes(content[..16].try_into().ok()?),
        records: u32::from_le_bytes(content[16..20].try_into().ok()?),
        rejected: u32::from_le_bytes(content[20..24].try_into().ok()?),
    })
}
