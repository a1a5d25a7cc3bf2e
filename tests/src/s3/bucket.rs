//! Objects by bucket and key, as S3 answers about them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;

use axum::body::Bytes;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Call, xml};

/// Names in a page of a listing.
const PAGE_NAMES: usize = 1000;

/// When everything was written.
const WHEN: &str = "2026-01-01T00:00:00.000Z";

/// The same as headers have it.
const WHEN_IN_HEADERS: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// Objects and uploads under way.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    begun: u64,
}

impl Bucket {
    /// `PutObject`, with `If-None-Match: *`.
    pub(super) fn put(&self, call: &Call) -> Response {
        let mut state = self.state.lock().unwrap();
        let key = call.key();
        let once = call.is_conditional && call.header("if-none-match").is_some();
        if once && state.objects.contains_key(&key) {
            return xml::error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        state.objects.insert(key, call.body.clone());
        tagged(&call.body)
    }

    /// `GetObject`, with `Range`.
    pub(super) fn get(&self, call: &Call) -> Response {
        let Some(body) = self.find(call) else { return no_such_key() };
        let size = body.len();
        let Some(range) = call.header("range") else {
            return ([(header::ETAG, tag(&body)), when()], body).into_response();
        };
        let (start, end) = range.trim_start_matches("bytes=").split_once('-').unwrap();
        let (start, end) = match (start.parse::<usize>(), end.parse::<usize>()) {
            (Ok(start), Ok(last)) => (start, (last + 1).min(size)),
            (Ok(start), Err(_)) => (start, size),
            (Err(_), Ok(suffix)) => (size.saturating_sub(suffix), size),
            (Err(_), Err(_)) => (size, size),
        };
        if start >= end {
            return xml::error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
        }
        let told = format!("bytes {start}-{}/{size}", end - 1);
        let headers = [(header::ETAG, tag(&body)), (header::CONTENT_RANGE, told), when()];
        (StatusCode::PARTIAL_CONTENT, headers, body.slice(start..end)).into_response()
    }

    /// `HeadObject`.
    pub(super) fn head(&self, call: &Call) -> Response {
        let Some(body) = self.find(call) else { return StatusCode::NOT_FOUND.into_response() };
        let length = (header::CONTENT_LENGTH, body.len().to_string());
        ([(header::ETAG, tag(&body)), length, when()], ()).into_response()
    }

    /// `DeleteObject`.
    pub(super) fn delete(&self, call: &Call) -> Response {
        self.state.lock().unwrap().objects.remove(&call.key());
        StatusCode::NO_CONTENT.into_response()
    }

    /// `DeleteObjects`.
    pub(super) fn delete_many(&self, call: &Call) -> Response {
        let text = String::from_utf8_lossy(&call.body).into_owned();
        let mut told = String::new();
        for name in xml::elements(&text, "Key") {
            let key = format!("{}/{}", call.key().trim_end_matches('/'), xml::unescape(name));
            self.state.lock().unwrap().objects.remove(&key);
            told.push_str(&format!("<Deleted><Key>{name}</Key></Deleted>"));
        }
        xml::answer(&format!("<DeleteResult>{told}</DeleteResult>"))
    }

    /// `ListObjectsV2`.
    pub(super) fn list(&self, call: &Call) -> Response {
        let state = self.state.lock().unwrap();
        let folder = format!("{}/", call.key().trim_end_matches('/'));
        let prefix = format!("{folder}{}", call.parameter("prefix").unwrap_or_default());
        let after = call.parameter("continuation-token").or(call.parameter("start-after"));
        let from = match after {
            Some(after) => Bound::Excluded(format!("{folder}{after}").max(prefix.clone())),
            None => Bound::Included(prefix.clone()),
        };
        let mut found = state
            .objects
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(&prefix));
        let (mut told, mut last) = (String::new(), String::new());
        for (key, body) in found.by_ref().take(PAGE_NAMES) {
            last = key[folder.len()..].to_owned();
            told.push_str(&format!(
                "<Contents><Key>{}</Key><Size>{}</Size><LastModified>{WHEN}</LastModified>\
                 <ETag>{}</ETag></Contents>",
                xml::escape(&last),
                body.len(),
                xml::escape(&tag(body)),
            ));
        }
        if found.next().is_some() {
            let last = xml::escape(&last);
            told.push_str(&format!("<NextContinuationToken>{last}</NextContinuationToken>"));
        }
        xml::answer(&format!("<ListBucketResult>{told}</ListBucketResult>"))
    }

    /// `CreateMultipartUpload`.
    pub(super) fn begin(&self, call: &Call) -> Response {
        let mut state = self.state.lock().unwrap();
        state.begun += 1;
        let id = state.begun.to_string();
        state.uploads.insert(id.clone(), BTreeMap::new());
        let key = xml::escape(&call.key());
        xml::answer(&format!(
            "<InitiateMultipartUploadResult><Key>{key}</Key><UploadId>{id}</UploadId>\
             </InitiateMultipartUploadResult>"
        ))
    }

    /// `UploadPart`.
    pub(super) fn put_part(&self, call: &Call) -> Response {
        let mut state = self.state.lock().unwrap();
        let id = call.parameter("uploadId").unwrap();
        let number = call.parameter("partNumber").unwrap().parse().unwrap();
        let Some(upload) = state.uploads.get_mut(&id) else { return no_such_upload() };
        upload.insert(number, call.body.clone());
        tagged(&call.body)
    }

    /// `CompleteMultipartUpload`.
    pub(super) fn complete(&self, call: &Call) -> Response {
        let mut state = self.state.lock().unwrap();
        let id = call.parameter("uploadId").unwrap();
        let Some(parts) = state.uploads.remove(&id) else { return no_such_upload() };
        let told = String::from_utf8_lossy(&call.body).matches("<PartNumber>").count();
        if told != parts.len() {
            return xml::error(StatusCode::BAD_REQUEST, "InvalidPart");
        }
        let body: Bytes = parts.into_values().flatten().collect::<Vec<u8>>().into();
        let answer = format!(
            "<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>",
            xml::escape(&tag(&body))
        );
        state.objects.insert(call.key(), body);
        xml::answer(&answer)
    }

    /// `AbortMultipartUpload`.
    pub(super) fn abort(&self, call: &Call) -> Response {
        let id = call.parameter("uploadId").unwrap();
        self.state.lock().unwrap().uploads.remove(&id);
        StatusCode::NO_CONTENT.into_response()
    }

    fn find(&self, call: &Call) -> Option<Bytes> {
        self.state.lock().unwrap().objects.get(&call.key()).cloned()
    }
}

fn tag(body: &Bytes) -> String {
    format!("\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(body))
}

fn tagged(body: &Bytes) -> Response {
    [(header::ETAG, tag(body))].into_response()
}

fn when() -> (HeaderName, String) {
    (header::LAST_MODIFIED, WHEN_IN_HEADERS.to_owned())
}

fn no_such_key() -> Response {
    xml::error(StatusCode::NOT_FOUND, "NoSuchKey")
}

fn no_such_upload() -> Response {
    xml::error(StatusCode::NOT_FOUND, "NoSuchUpload")
}
