//! The S3 bucket that holds the lake, if one is configured.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tracing::info;

use crate::config::S3;
use crate::error::Error;

/// The bucket, checked for what the catalog relies on.
pub(crate) async fn open(s3: &S3) -> Result<Arc<dyn ObjectStore>, Error> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&s3.bucket)
        .with_region(&s3.region)
        .with_allow_http(s3.allow_http)
        .with_virtual_hosted_style_request(s3.virtual_hosted);
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some((id, secret)) = &s3.key {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    }
    let bucket = builder.build().map_err(Error::Objects)?;
    let objects: Arc<dyn ObjectStore> = match &s3.prefix {
        Some(prefix) => Arc::new(PrefixStore::new(bucket, prefix.as_str())),
        None => Arc::new(bucket),
    };
    check_create_once(objects.as_ref()).await?;
    info!(bucket = s3.bucket, "the lake is in an S3 bucket");
    Ok(objects)
}

/// Commits of the catalog are objects that only one writer can create. A server that ignores the
/// condition would let two writers overwrite each other, so it is tried before it is trusted.
async fn check_create_once(objects: &dyn ObjectStore) -> Result<(), Error> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let path = Path::from(format!("_self_test/{}-{}", std::process::id(), since.as_nanos()));
    let create = || {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        objects.put_opts(&path, "self test".into(), options)
    };
    create().await.map_err(Error::Objects)?;
    let second = create().await;
    objects.delete(&path).await.map_err(Error::Objects)?;
    match second {
        Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(Error::Objects(error)),
        Ok(_) => Err(Error::Usage(
            "the S3 server ignores If-None-Match: two writers could overwrite each other"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests;
