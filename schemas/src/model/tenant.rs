//! Names of tenants: the one place that says which header names one, for every protocol.

/// Header of HTTP and metadata key of gRPC that names the tenant, in lower case.
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// Longest name of a tenant, in bytes.
pub const TENANT_BYTES_MAX: usize = 150;

/// What besides letters and digits a name may hold.
const MARKS: &[u8] = b"!-_.*'()";

/// Names that mean something else to file systems or to systems whose senders we take.
const RESERVED: &[&str] = &[".", "..", "__mimir_cluster"];

/// Why a request names no tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// There is no header, or an empty one.
    #[error("no org id")]
    Missing,
    /// Several tenants at once (`a|b`, or the header twice): each request is about one.
    #[error("multiple org IDs present: a request is about one tenant")]
    Several,
    /// The name is longer than [`TENANT_BYTES_MAX`].
    #[error("tenant ID is too long: max {TENANT_BYTES_MAX} characters")]
    TooLong,
    /// The name means something else.
    #[error("tenant ID '{0}' is not allowed")]
    Reserved(String),
    /// The name holds a character that names do not have.
    #[error(
        "tenant ID {0:?} contains unsupported characters: it may have letters, digits and \
         !-_.*'()"
    )]
    Characters(String),
}

/// The tenant that the values of all headers called [`TENANT_HEADER`] name.
///
/// A second header is refused even if it says the same: a proxy that adds its header where it
/// should set it would let its clients choose.
pub fn tenant_of<'h>(values: impl IntoIterator<Item = &'h [u8]>) -> Result<&'h str, TenantError> {
    let mut values = values.into_iter();
    let name = values.next().unwrap_or_default();
    if values.next().is_some() {
        return Err(TenantError::Several);
    }
    if name.len() > TENANT_BYTES_MAX {
        return Err(TenantError::TooLong);
    }
    let unsupported = || TenantError::Characters(String::from_utf8_lossy(name).into_owned());
    let name = std::str::from_utf8(name).map_err(|_| unsupported())?;
    check_tenant(name)?;
    Ok(name)
}

/// Whether this is the name of one tenant.
pub fn check_tenant(name: &str) -> Result<(), TenantError> {
    if name.is_empty() {
        return Err(TenantError::Missing);
    }
    if name.len() > TENANT_BYTES_MAX {
        return Err(TenantError::TooLong);
    }
    if RESERVED.contains(&name) {
        return Err(TenantError::Reserved(name.to_owned()));
    }
    if name.contains('|') {
        return Err(TenantError::Several);
    }
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || MARKS.contains(&byte)) {
        return Ok(());
    }
    Err(TenantError::Characters(name.to_owned()))
}

#[cfg(test)]
mod tests;
