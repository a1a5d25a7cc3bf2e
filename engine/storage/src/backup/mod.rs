//! Backup and restore: all tables as of one moment, and the delete requests, at another place.
//!
//! ```text
//!  lake ─ logs read, labels last ─▶ objects that are live ─ not there yet? ─▶ copied, checked
//!                                   logs up to that commit ─────────────────▶ copied
//!                                   backup.json: every object, size, CRC-32C ◀ written last
//! ```
//!
//! A backup is itself a lake that can be read, verified and backed up. It takes no lock and works
//! while the lake is used; what is in memory only is not in it, unless it is flushed before. The
//! next backup to the same place copies what is new and removes what its moment does not have any
//! more. A segment that is vacuumed away meanwhile makes it begin again with a newer moment.
//! Readers of `backup.json` know that everything it names was there, whole, when it was written.

mod copy;
mod manifest;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use schemas::tables::Table;

use self::copy::copy;
use self::manifest::{Entry, Manifest};
use crate::catalog::Catalog;
use crate::objects::Objects;
use crate::{Error, ErrorKind, Remote, Segment, Store};

/// Where a lake or a backup lies.
#[derive(Clone, Debug)]
pub enum LakePlace {
    /// A folder of the local disk.
    Folder(PathBuf),
    /// A folder of a bucket.
    Bucket(Remote),
}

impl LakePlace {
    /// The objects there; a folder is made if it is not there.
    pub(crate) fn open(&self) -> Result<Objects, Error> {
        match self {
            Self::Folder(path) => Objects::local(path),
            Self::Bucket(remote) => Ok(Objects::remote(remote.clone())),
        }
    }
}

/// What a backup has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Objects of the backup.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were copied now; the others were there.
    pub copied_objects: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Objects that an earlier backup had and this one has not.
    pub removed_objects: u64,
}

/// What a restore has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Objects that were copied.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Where snapshots lie in the data folder.
const SNAPSHOTS: &str = "snapshots";

/// Times that a backup begins again because segments were vacuumed away.
const ATTEMPTS_MAX: u32 = 5;

/// Copies a lake as it is now to another place.
///
/// `Damaged` if an object of the lake is; then an earlier backup there stays as it was.
pub async fn backup(from: &LakePlace, to: &LakePlace) -> Result<BackedUp, Error> {
    copy_lake(&from.open()?, &to.open()?).await
}

impl Store {
    /// Backs the lake up into the folder `snapshots/name` of the data folder, which nothing takes
    /// away again. What is in memory only is not in it; see [`Store::flush`]. A copy that is
    /// dropped before its end has no `backup.json`.
    ///
    /// `Invalid` if the name has anything but letters, digits, `-` and `_`; otherwise as
    /// [`backup`].
    pub async fn keep_snapshot(&self, name: &str) -> Result<BackedUp, Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || !name.bytes().all(is_plain) {
            let message = format!("{name:?} is no name of a snapshot");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let folder = self.options.data_dir.join(SNAPSHOTS).join(name);
        copy_lake(&self.objects, &Objects::local(&folder)?).await
    }
}

async fn copy_lake(from: &Objects, to: &Objects) -> Result<BackedUp, Error> {
    let known = Manifest::read(to).await?.unwrap_or_default();
    let mut last = None;
    for _ in 0..ATTEMPTS_MAX {
        let moment = Moment::of(from).await?;
        match moment.copy(from, to, &known).await {
            Ok((manifest, mut done)) => {
                manifest.write(to).await?;
                done.removed_objects = prune(to, &known, &manifest).await?;
                return Ok(done);
            }
            Err(error) if error.kind() == ErrorKind::Conflict => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    let message = "segments went faster than they could be copied; is the grace too short?";
    Err(last.unwrap_or_else(|| Error::new(ErrorKind::Unavailable, message)))
}

/// Copies a backup to a place where there is nothing yet.
///
/// `Invalid` if there is no backup or something at the target, `Damaged` if an object is not as
/// it was backed up; what was copied until then stays, without a log that names it.
pub async fn restore(from: &LakePlace, to: &LakePlace) -> Result<Restored, Error> {
    let (from, to) = (from.open()?, to.open()?);
    let Some(manifest) = Manifest::read(&from).await? else {
        let message = format!("there is no {}: no backup was finished here", manifest::PATH);
        return Err(Error::new(ErrorKind::Invalid, message));
    };
    if let Some(found) = to.list_with_sizes("").await?.first() {
        let message = format!("the target is not empty: it has {}", found.path);
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let mut done = Restored::default();
    // Segments first: a log never names what is not there.
    let is_log = |path: &str| path.contains("/_delta_log/");
    for logs in [false, true] {
        for (path, entry) in manifest.objects.iter().filter(|(path, _)| is_log(path) == logs) {
            let copied = copy(&from, &to, path, Some(entry)).await?;
            done.objects += 1;
            done.bytes += copied.bytes;
        }
    }
    Ok(done)
}

/// All tables at one moment.
struct Moment {
    tables: Vec<(Table, Option<u64>, Vec<Arc<Segment>>)>,
}

impl Moment {
    /// Tables of rows before the tables of their labels: no row is without labels.
    async fn of(objects: &Objects) -> Result<Self, Error> {
        let mut tables = Vec::new();
        for table in Table::ALL.into_iter().rev() {
            let catalog = Catalog::load(table, objects.clone(), Arc::from("")).await?;
            let log = catalog.lock().await;
            tables.push((table, log.version(), log.live().cloned().collect()));
        }
        Ok(Self { tables })
    }

    /// Copies what the target does not have. `Conflict` if something is not there any more.
    async fn copy(
        &self,
        from: &Objects,
        to: &Objects,
        known: &Manifest,
    ) -> Result<(Manifest, BackedUp), Error> {
        let mut copier =
            Copier { from, to, known, found: BTreeMap::new(), done: BackedUp::default() };
        for (_, _, segments) in &self.tables {
            for segment in segments {
                let expected = Entry { bytes: segment.bytes, crc32c: segment.crc32c };
                copier.add(&segment.path, Some(&expected)).await?;
            }
        }
        for object in from.list_with_sizes(crate::deletes::FOLDER).await? {
            copier.add(&object.path, None).await?;
        }
        for (table, version, _) in &self.tables {
            let Some(version) = version else { continue };
            for object in from.list_with_sizes(&format!("{}/_delta_log", table.name())).await? {
                let name = object.path.rsplit('/').next().unwrap_or_default();
                let number = name.split('.').next().and_then(|number| number.parse::<u64>().ok());
                // The hint to the newest checkpoint may be ahead of the moment: it is left out.
                if number.is_some_and(|number| number <= *version) {
                    copier.add(&object.path, None).await?;
                }
            }
        }
        Ok((Manifest { objects: copier.found }, copier.done))
    }
}

struct Copier<'a> {
    from: &'a Objects,
    to: &'a Objects,
    known: &'a Manifest,
    found: BTreeMap<String, Entry>,
    done: BackedUp,
}

impl Copier<'_> {
    async fn add(&mut self, path: &str, expected: Option<&Entry>) -> Result<(), Error> {
        let entry = match self.there(path, expected).await? {
            Some(entry) => entry,
            None => {
                let entry = copy(self.from, self.to, path, expected).await?;
                self.done.copied_objects += 1;
                self.done.copied_bytes += entry.bytes;
                entry
            }
        };
        self.done.objects += 1;
        self.done.bytes += entry.bytes;
        self.found.insert(path.to_owned(), entry);
        Ok(())
    }

    /// What an earlier backup has put there, if it is the same and still has its size.
    async fn there(&self, path: &str, expected: Option<&Entry>) -> Result<Option<Entry>, Error> {
        let Some(known) = self.known.objects.get(path) else { return Ok(None) };
        let source = match expected {
            Some(expected) if expected.crc32c != 0 => Some(*expected),
            _ => {
                let head = self.from.head(path).await?;
                head.map(|head| Entry { bytes: head.bytes, crc32c: known.crc32c })
            }
        };
        let head = self.to.head(path).await?;
        let is_same = source == Some(*known) && head.is_some_and(|it| it.bytes == known.bytes);
        Ok(is_same.then_some(*known))
    }
}

/// Removes what an earlier backup has and the new one has not.
async fn prune(to: &Objects, known: &Manifest, new: &Manifest) -> Result<u64, Error> {
    let mut removed = 0;
    for path in known.objects.keys().filter(|path| !new.objects.contains_key(*path)) {
        to.delete(path).await?;
        removed += 1;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
