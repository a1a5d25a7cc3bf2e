//! The manifest of a backup: every object with its size and checksum.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::objects::Objects;
use crate::{Error, ErrorKind};

/// Its path at the backup's place.
pub(super) const PATH: &str = "backup.json";

/// The version of its form.
const FORMAT: u64 = 1;

/// An object of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its size.
    pub(super) bytes: u64,
    /// CRC-32C of its bytes; 0 if that is not known.
    pub(super) crc32c: u32,
}

/// All objects of a backup, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) objects: BTreeMap<String, Entry>,
}

impl Manifest {
    /// The manifest of a place; `None` if there is none, `Damaged` if it cannot be read.
    pub(super) async fn read(objects: &Objects) -> Result<Option<Self>, Error> {
        let Some(bytes) = objects.find(PATH).await? else { return Ok(None) };
        let damaged = |what: &str| Error::new(ErrorKind::Damaged, format!("{PATH}: {what}"));
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|error| damaged(&error.to_string()))?;
        if value["format"].as_u64() != Some(FORMAT) {
            return Err(damaged("it has a form that we do not know"));
        }
        let listed = &value["objects"];
        let checksum = crc32c::crc32c(listed.to_string().as_bytes());
        if value["crc32c"].as_u64() != Some(u64::from(checksum)) {
            return Err(damaged("its checksum is wrong"));
        }
        let mut objects = BTreeMap::new();
        for entry in listed.as_array().into_iter().flatten() {
            let read = || {
                let crc32c = u32::try_from(entry.get(2)?.as_u64()?).ok()?;
                let entry_of = Entry { bytes: entry.get(1)?.as_u64()?, crc32c };
                Some((entry.get(0)?.as_str()?.to_owned(), entry_of))
            };
            let (path, entry) = read().ok_or_else(|| damaged("an entry is none"))?;
            objects.insert(path, entry);
        }
        Ok(Some(Self { objects }))
    }

    /// Puts the manifest in the place of an earlier one.
    pub(super) async fn write(&self, objects: &Objects) -> Result<(), Error> {
        let listed: Value =
            self.objects.iter().map(|(path, it)| json!([path, it.bytes, it.crc32c])).collect();
        let checksum = crc32c::crc32c(listed.to_string().as_bytes());
        let manifest = json!({
            "format": FORMAT,
            "created_ms": now_ms(),
            "crc32c": checksum,
            "objects": listed,
        });
        objects.overwrite(PATH, Bytes::from(manifest.to_string())).await
    }
}
