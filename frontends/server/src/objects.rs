//! The S3 bucket that holds the lake, if one is configured.
//!
//! The client sends each request once: how often it is repeated is storage's to decide, which
//! therefore must see a refusal as the server gave it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{ClientOptions, RetryConfig};
use storage::{Refused, Remote};
use tracing::info;

use crate::config::S3;
use crate::error::Error;

/// Time to reach the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a refusal's text that are kept.
const MESSAGE_BYTES_MAX: usize = 500;

/// The bucket, checked for what the catalog relies on.
pub(crate) async fn open(s3: &S3) -> Result<Remote, Error> {
    let client = ClientOptions::new()
        .with_allow_http(s3.allow_http)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout_disabled();
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&s3.bucket)
        .with_region(&s3.region)
        .with_client_options(client)
        .with_retry(once)
        .with_http_connector(Connector)
        .with_virtual_hosted_style_request(s3.virtual_hosted);
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some((id, secret)) = &s3.key {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    }
    let bucket = builder.build().map_err(Error::Objects)?;
    let name = format!("s3://{}", s3.bucket);
    let remote = Remote::new(Arc::new(bucket), &name, s3.requests.clone());
    let remote = remote.with_prefix(s3.prefix.as_deref().unwrap_or(""));
    let what = || format!("cannot use the bucket {name}");
    let checked = remote.check_create_once().await;
    checked.map_err(|source| Error::Store { what: what(), source })?;
    info!(bucket = s3.bucket, "the lake is in an S3 bucket");
    Ok(remote)
}

/// Makes clients that tell refusals as they were given.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Service { client }))
    }
}

#[derive(Debug)]
struct Service {
    client: HttpClient,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.client.execute(request).await?;
        let status = response.status().as_u16();
        match status {
            // The client knows what these mean.
            0..=399 | 401 | 403 | 412 => return Ok(response),
            _ => {}
        }
        let (parts, body) = response.into_parts();
        let body = body.bytes().await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let refused = Refused {
            status,
            code: element(&text, "Code").unwrap_or_default().to_owned(),
            message: element(&text, "Message").unwrap_or(&text).to_owned(),
            retry_after: parts
                .headers
                .get("retry-after")
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .map(Duration::from_secs),
        };
        // An object that is not there is an answer; a bucket that is not there is none.
        if status == 404 && refused.code != "NoSuchBucket" {
            return Ok(HttpResponse::from_parts(parts, text.into()));
        }
        let refused = Refused { message: shorten(&refused.message), ..refused };
        Err(HttpError::new(HttpErrorKind::Unknown, refused))
    }
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text)
}

fn shorten(text: &str) -> String {
    let mut end = text.len().min(MESSAGE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim().to_owned()
}

#[cfg(test)]
mod tests;
