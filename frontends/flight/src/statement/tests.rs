//! Handles come back as they went, and only to their tenant.

use schemas::model::TenantError;
use tonic::metadata::MetadataMap;

use super::{Statement, tenant};
use crate::Options;
use crate::error::Error;

#[test]
fn a_handle_comes_back_to_its_tenant_only() {
    let made = Statement { tenant: "a".to_owned(), sql: "select 1".to_owned() };
    let handle = made.to_handle();
    assert_eq!(Statement::from_handle(&handle, "a").unwrap(), made);
    assert!(matches!(Statement::from_handle(&handle, "b"), Err(Error::ForeignTicket)));
}

#[test]
fn hostile_handles_are_refused() {
    assert!(matches!(Statement::from_handle(&[0xff; 40], "a"), Err(Error::BadTicket(_))));
}

#[test]
fn the_tenant_comes_from_the_metadata_when_there_are_many() {
    let many = Options { multi_tenant: true, ..Options::default() };
    let mut metadata = MetadataMap::new();
    assert!(matches!(tenant(&metadata, &many), Err(Error::Tenant(TenantError::Missing))));
    metadata.insert("x-scope-orgid", "blue".parse().unwrap());
    assert_eq!(tenant(&metadata, &many).unwrap(), "blue");
    assert_eq!(tenant(&metadata, &Options::default()).unwrap(), "default");
    metadata.insert("x-scope-orgid", "".parse().unwrap());
    let refused = tenant(&metadata, &many);
    assert!(matches!(refused, Err(Error::Tenant(TenantError::Missing))));
    for name in ["..", "a/b", "a|b", "__mimir_cluster"] {
        metadata.insert("x-scope-orgid", name.parse().unwrap());
        assert!(matches!(tenant(&metadata, &many), Err(Error::Tenant(_))), "{name}");
    }
    metadata.insert("x-scope-orgid", "blue".parse().unwrap());
    metadata.append("x-scope-orgid", "red".parse().unwrap());
    let refused = tenant(&metadata, &many);
    assert!(matches!(refused, Err(Error::Tenant(TenantError::Several))));
}
