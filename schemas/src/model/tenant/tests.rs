//! Names, and what is none.

use super::{TENANT_BYTES_MAX, TenantError, check_tenant, tenant_of};

#[test]
fn names_have_letters_digits_and_few_marks() {
    let longest = "x".repeat(TENANT_BYTES_MAX);
    for name in ["a", "team-a_1", "!-_.*'()", "...", longest.as_str()] {
        assert_eq!(tenant_of([name.as_bytes()]), Ok(name));
    }
    for name in ["../x", "a/b", "a\\b", "a b", "a%2Fb", "a\0", "a\n", "tenant=a", "é", "名"] {
        assert_eq!(check_tenant(name), Err(TenantError::Characters(name.to_owned())));
    }
    for name in [".", "..", "__mimir_cluster"] {
        assert_eq!(check_tenant(name), Err(TenantError::Reserved(name.to_owned())));
    }
    for bytes in [TENANT_BYTES_MAX + 1, 10_000] {
        let name = "|".repeat(bytes);
        assert_eq!(tenant_of([name.as_bytes()]), Err(TenantError::TooLong));
        assert_eq!(check_tenant(&name), Err(TenantError::TooLong));
    }
    assert!(matches!(tenant_of([b"a\xff".as_slice()]), Err(TenantError::Characters(_))));
}

#[test]
fn a_request_names_exactly_one_tenant() {
    assert_eq!(tenant_of([]), Err(TenantError::Missing));
    assert_eq!(tenant_of([b"".as_slice()]), Err(TenantError::Missing));
    for name in ["a|b", "a|", "|"] {
        assert_eq!(tenant_of([name.as_bytes()]), Err(TenantError::Several));
    }
    for second in ["a", "b", ""] {
        assert_eq!(tenant_of([b"a".as_slice(), second.as_bytes()]), Err(TenantError::Several));
    }
    assert_eq!(TenantError::Missing.to_string(), "no org id");
}
