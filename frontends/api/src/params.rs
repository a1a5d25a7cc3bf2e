//! Requests: parameters of URL and form, the tenant, and the headers that decide something.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use bytes::Bytes;
use schemas::model::{TENANT_HEADER, tenant_of};
use tokio::time::Instant;

use crate::error::{Dialect, Error, Refusal};
use crate::{Api, ApiOptions};

/// Parameters a request may have; more are refused.
const PARAMS_MAX: usize = 10_000;

/// The tenant of every request if tenants are not told apart.
const DEFAULT_TENANT: &str = "default";

/// Parameters by name, those of the form before those of the URL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads URL-encoded texts; earlier ones win over later ones.
    pub(crate) fn parse(encoded: &[&[u8]]) -> Result<Self, Error> {
        let mut pairs = Vec::new();
        for text in encoded {
            for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
                let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
                let value = pair.get(at + 1..).unwrap_or_default();
                pairs.push((decode(&pair[..at]), decode(value)));
                if pairs.len() > PARAMS_MAX {
                    return Err(Error::invalid(format!("more than {PARAMS_MAX} parameters")));
                }
            }
        }
        Ok(Self(pairs))
    }

    /// The first value of a parameter; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All parameters.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::invalid_parameter(
                name,
                format_args!("cannot parse {text:?} to an integer"),
            )),
        }
    }
}

/// Decodes `%20` and `+`; what is not valid is kept, what is not UTF-8 is replaced.
fn decode(encoded: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while let Some(byte) = encoded.get(at) {
        let hex = encoded.get(at + 1..at + 3).and_then(|digits| hex::decode(digits).ok());
        match (byte, hex) {
            (b'%', Some(decoded)) => {
                bytes.extend(decoded);
                at += 3;
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a handler gets: the request, read, and the API to ask.
#[derive(Debug)]
pub(crate) struct Call<D> {
    pub(crate) api: Arc<Api>,
    pub(crate) tenant: String,
    /// The options as they hold for the tenant.
    pub(crate) options: Arc<ApiOptions>,
    pub(crate) params: Params,
    pub(crate) headers: HeaderMap,
    /// The body, unless it was a form.
    pub(crate) body: Bytes,
    /// When the request was read.
    pub(crate) started: Instant,
    dialect: PhantomData<D>,
}

impl<D> Call<D> {
    /// When the query must have ended: after the tenant's timeout, or after a shorter one.
    pub(crate) fn deadline(&self, timeout: Option<Duration>) -> Instant {
        let longest = self.options.timeout.min(self.api.session.timeout(&self.tenant));
        self.started + timeout.map_or(longest, |timeout| timeout.min(longest))
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl<D: Dialect> FromRequest<Arc<Api>> for Call<D> {
    type Rejection = Refusal<D>;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Refusal<D>> {
        let started = Instant::now();
        let headers = request.headers().clone();
        let tenant = tenant(&headers, api.options.multi_tenant)?;
        let query = request.uri().query().unwrap_or_default().to_owned();
        let is_form = matches!(*request.method(), Method::POST | Method::PUT) && is_form(&headers);
        let mut body = match Bytes::from_request(request, &()).await {
            Ok(body) => body,
            Err(rejection) => return Err(Error::from_body(&rejection).into()),
        };
        let form = if is_form { std::mem::take(&mut body) } else { Bytes::new() };
        let params = Params::parse(&[&form, query.as_bytes()])?;
        let api = Arc::clone(api);
        let options = api.tenants.options(&tenant);
        Ok(Self { api, tenant, options, params, headers, body, started, dialect: PhantomData })
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| {
        let media = text.split(';').next().unwrap_or_default();
        media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// The tenant that a request belongs to.
fn tenant(headers: &HeaderMap, multi_tenant: bool) -> Result<String, Error> {
    if !multi_tenant {
        return Ok(DEFAULT_TENANT.to_owned());
    }
    let values = headers.get_all(TENANT_HEADER).iter().map(HeaderValue::as_bytes);
    Ok(tenant_of(values)?.to_owned())
}

#[cfg(test)]
mod tests;
