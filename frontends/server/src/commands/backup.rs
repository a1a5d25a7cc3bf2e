//! `siglake backup`, `siglake restore`: the lake at another place, and back.

use std::io::Write as _;
use std::path::PathBuf;

use storage::LakePlace;

use crate::cli::{BackupArgs, RestoreArgs};
use crate::config::{self, Config, format_size};
use crate::error::Error;
use crate::objects;

/// Backs a lake up.
pub(crate) fn backup(args: &BackupArgs) -> Result<(), Error> {
    let config = Config::new(&config::load(&args.config, config::environment())?);
    super::runtime()?.block_on(async {
        let from = match &args.from {
            Some(from) => existing(&config, from).await?,
            None => lake(&config, true).await?,
        };
        let to = place(&config, &args.to).await?;
        let done = storage::backup(&from, &to).await;
        let what = || format!("cannot back up to {}", args.to);
        let done = done.map_err(|source| Error::Store { what: what(), source })?;
        print(&format!(
            "{} objects of {}; {} of {} copied, {} of the last backup removed\n",
            done.objects,
            format_size(done.bytes),
            done.copied_objects,
            format_size(done.copied_bytes),
            done.removed_objects,
        ))
    })
}

/// Restores a lake.
pub(crate) fn restore(args: &RestoreArgs) -> Result<(), Error> {
    let config = Config::new(&config::load(&args.config, config::environment())?);
    super::runtime()?.block_on(async {
        let from = existing(&config, &args.from).await?;
        let to = lake(&config, false).await?;
        let done = storage::restore(&from, &to).await;
        let what = || format!("cannot restore from {}", args.from);
        let done = done.map_err(|source| Error::Store { what: what(), source })?;
        print(&format!("{} objects of {} restored\n", done.objects, format_size(done.bytes)))
    })
}

/// Where the configured lake lies; whether it `must_exist`.
pub(super) async fn lake(config: &Config, must_exist: bool) -> Result<LakePlace, Error> {
    if let Some(s3) = &config.s3 {
        return Ok(LakePlace::Bucket(objects::open(s3).await?));
    }
    let configured = config.storage.lake_dir.clone();
    let folder = configured.unwrap_or_else(|| config.data.join("lake"));
    if must_exist {
        check_exists(&folder)?;
    }
    Ok(LakePlace::Folder(folder))
}

/// A place that must be there, if it is a folder.
pub(super) async fn existing(config: &Config, text: &str) -> Result<LakePlace, Error> {
    let place = place(config, text).await?;
    if let LakePlace::Folder(folder) = &place {
        check_exists(folder)?;
    }
    Ok(place)
}

fn check_exists(folder: &std::path::Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(Error::Usage(format!("{} is no folder", folder.display())))
}

/// A folder, or `s3://bucket/prefix` on the configured S3 server.
async fn place(config: &Config, text: &str) -> Result<LakePlace, Error> {
    let Some(rest) = text.strip_prefix("s3://") else {
        return Ok(LakePlace::Folder(PathBuf::from(text)));
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let s3 = config.s3_of(bucket, prefix);
    Ok(LakePlace::Bucket(objects::open(&s3).await?))
}

fn print(text: &str) -> Result<(), Error> {
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(|source| Error::io("cannot write to stdout", source))
}
