//! Reading requests.

use axum::http::HeaderMap;

use super::{Params, tenant};
use crate::error::ErrorKind;

#[test]
fn form_and_url_are_merged_and_the_form_wins() {
    let params = Params::parse(&[b"query=up&match[]=a", b"query=down&match%5B%5D=b"]).unwrap();
    assert_eq!(params.get("query"), Some("up"));
    assert_eq!(params.all("match[]").collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn values_are_decoded() {
    let params = Params::parse(&[b"q=a%2Bb+c%zz%&empty=&flag&u=%C3%BC&bad=%ff"]).unwrap();
    assert_eq!(params.get("q"), Some("a+b c%zz%"));
    assert_eq!(params.get("empty"), None);
    assert_eq!(params.get("flag"), None);
    assert_eq!(params.get("u"), Some("ü"));
    assert_eq!(params.get("bad"), Some("\u{fffd}"));
}

#[test]
fn integers_name_their_parameter_when_refused() {
    let params = Params::parse(&[b"limit=x"]).unwrap();
    let message = params.integer("limit").unwrap_err().to_string();
    assert_eq!(message, r#"invalid parameter "limit": cannot parse "x" to an integer"#);
}

#[test]
fn tenants_are_named_only_where_there_are_several() {
    let mut headers = HeaderMap::new();
    assert_eq!(tenant(&headers, false).unwrap(), "default");
    assert_eq!(tenant(&headers, true).unwrap_err().to_string(), "no org id");
    headers.insert("X-Scope-OrgID", "team-a".parse().unwrap());
    assert_eq!(tenant(&headers, true).unwrap(), "team-a");
    assert_eq!(tenant(&headers, false).unwrap(), "default");
    for name in ["a/b", "..", "a|b", "a b", "__mimir_cluster"] {
        headers.insert("X-Scope-OrgID", name.parse().unwrap());
        let error = tenant(&headers, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
    }
    headers.insert("X-Scope-OrgID", "".parse().unwrap());
    assert_eq!(tenant(&headers, true).unwrap_err().kind(), ErrorKind::NoTenant);
    headers.insert("X-Scope-OrgID", "a".parse().unwrap());
    headers.append("X-Scope-OrgID", "b".parse().unwrap());
    let error = tenant(&headers, true).unwrap_err();
    assert_eq!(error.to_string(), "multiple org IDs present: a request is about one tenant");
}
