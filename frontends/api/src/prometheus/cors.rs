//! Browser pages of other origins: who may read, in the headers that Prometheus sends.

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, HeaderName, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What a page of an origin that may read is told.
const ALLOWED: [(HeaderName, &str); 3] = [
    (ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin, X-Scope-OrgID"),
    (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
    (ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
];

/// Answers `OPTIONS` itself, with 204, and tells in every answer to a page of another origin
/// whether it may read it. `allowed` is the origin that may: `*` any, `None` none.
pub(super) async fn answer(
    State(allowed): State<Option<String>>,
    request: Request,
    next: Next,
) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let (Some(origin), Some(allowed)) = (origin, allowed) else { return response };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let told = match allowed.as_str() {
        "*" => HeaderValue::from_static("*"),
        allowed if origin.as_bytes() == allowed.as_bytes() => origin,
        _ => return response,
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, told);
    for (name, text) in ALLOWED {
        headers.insert(name, HeaderValue::from_static(text));
    }
    response
}
