//! Objects of the lake: created once, never changed, durable when created.
//!
//! `object_store`'s local file system does not sync, so on a local disk objects are written here:
//! a temporary file, synced, linked to its name, then the folders synced.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::{Error, ErrorKind};

/// Times a request to the object store is sent, at most.
const ATTEMPTS_MAX: u32 = 5;
/// Wait before the second attempt; doubled before each further one.
const BACKOFF: Duration = Duration::from_millis(100);

/// Whether an object was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// By this call.
    New,
    /// It was there before, or another writer was faster, or an answer of ours was lost.
    Exists,
}

/// Where segments and catalogs lie.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    local: Option<PathBuf>,
}

impl Objects {
    /// A folder of the local disk, created if absent.
    pub(crate) fn local(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(root).map_err(|error| disk(root, error))?;
        let store = LocalFileSystem::new_with_prefix(root).map_err(|error| {
            Error::with_source(ErrorKind::Unavailable, "the lake's folder cannot be opened", error)
        })?;
        Ok(Self { store: Arc::new(store), local: Some(root.to_owned()) })
    }

    /// An object store whose puts are durable when they are answered.
    pub(crate) fn remote(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, local: None }
    }

    /// The store for readers.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// Creates an object if there is none of that name.
    pub(crate) async fn create(&self, path: &str, bytes: Bytes) -> Result<Created, Error> {
        if let Some(root) = &self.local {
            let target = root.join(path);
            let created = tokio::task::spawn_blocking(move || {
                create_file(&target, &bytes).map_err(|error| disk(&target, error))
            });
            return created.await.map_err(|error| {
                Error::with_source(ErrorKind::Internal, "a write was cut off", error)
            })?;
        }
        let mut wait = BACKOFF;
        for attempt in 1.. {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let payload = PutPayload::from_bytes(bytes.clone());
            match self.store.put_opts(&ObjectPath::from(path), payload, options).await {
                Ok(_) => return Ok(Created::New),
                Err(object_store::Error::AlreadyExists { .. }) => return Ok(Created::Exists),
                // Throttling and what the network does are generic; all else stays as it is.
                Err(object_store::Error::Generic { .. }) if attempt < ATTEMPTS_MAX => {
                    tokio::time::sleep(wait).await;
                }
                Err(error) => return Err(remote(path, error)),
            }
            wait *= 2;
        }
        unreachable!("the loop returns at the last attempt")
    }

    /// Writes an object again that exists already, but that no commit names.
    pub(crate) async fn replace(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let Some(root) = &self.local else {
            let payload = PutPayload::from_bytes(bytes);
            let put = self.store.put(&ObjectPath::from(path), payload).await;
            return put.map(|_| ()).map_err(|error| remote(path, error));
        };
        let target = root.join(path);
        let removed = target.clone();
        let removing = tokio::task::spawn_blocking(move || fs::remove_file(&removed));
        let removing = removing.await.map_err(|error| {
            Error::with_source(ErrorKind::Internal, "a removal was cut off", error)
        })?;
        removing.map_err(|error| disk(&target, error))?;
        self.create(path, bytes).await.map(|_| ())
    }

    /// The whole object.
    pub(crate) async fn read(&self, path: &str) -> Result<Bytes, Error> {
        let object = self.store.get(&ObjectPath::from(path)).await;
        let object = object.map_err(|error| remote(path, error))?;
        object.bytes().await.map_err(|error| remote(path, error))
    }

    /// The whole object; `None` if there is none of that name.
    pub(crate) async fn find(&self, path: &str) -> Result<Option<Bytes>, Error> {
        let object = match self.store.get(&ObjectPath::from(path)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            object => object.map_err(|error| remote(path, error))?,
        };
        object.bytes().await.map(Some).map_err(|error| remote(path, error))
    }

    /// Paths below a folder, sorted.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        let listed = self.store.list(Some(&ObjectPath::from(folder)));
        let listed: Vec<_> = listed.try_collect().await.map_err(|error| remote(folder, error))?;
        let mut paths: Vec<String> =
            listed.into_iter().map(|object| object.location.to_string()).collect();
        paths.sort_unstable();
        Ok(paths)
    }
}

fn create_file(target: &Path, bytes: &[u8]) -> io::Result<Created> {
    let folder = target.parent().ok_or_else(|| io::Error::other("an object without a folder"))?;
    create_folders(folder)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unique = format!(".{name}.{}.tmp", std::process::id());
    let temporary = folder.join(unique);
    let written =
        write_synced(&temporary, bytes).and_then(|()| match fs::hard_link(&temporary, target) {
            Ok(()) => Ok(Created::New),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Exists),
            Err(error) => Err(error),
        });
    let removed = fs::remove_file(&temporary);
    let created = written?;
    removed?;
    sync_folder(folder)?;
    Ok(created)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Creates missing folders from the top down, each synced into the one above.
fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_folder(parent)?,
        }
    }
    Ok(())
}

/// Makes names that were added to or removed from a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The disk did not do what it was asked.
pub(crate) fn disk(path: &Path, error: io::Error) -> Error {
    let message = format!("{}: {error}", path.display());
    Error::with_source(ErrorKind::Unavailable, message, error)
}

fn remote(path: &str, error: object_store::Error) -> Error {
    Error::with_source(ErrorKind::Unavailable, format!("{path}: {error}"), error)
}
