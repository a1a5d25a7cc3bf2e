//! What a ticket or a prepared handle holds: a statement, and the tenant it was made for.
//!
//! The tenant is inside so that a ticket that leaks is of no use to another tenant: whoever
//! redeems it must be the one it was made for.

use prost::Message;
use prost::bytes::Bytes;
use schemas::model::{TENANT_HEADER, tenant_of};
use tonic::metadata::MetadataMap;

use crate::Options;
use crate::error::Error;

/// A statement of a tenant.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Statement {
    /// Whose data it reads.
    #[prost(string, tag = "1")]
    pub(crate) tenant: String,
    /// SQL text.
    #[prost(string, tag = "2")]
    pub(crate) sql: String,
}

impl Statement {
    /// The bytes of a ticket or handle.
    pub(crate) fn to_handle(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// The statement in a ticket or handle, if it was made for `tenant`.
    pub(crate) fn from_handle(handle: &[u8], tenant: &str) -> Result<Self, Error> {
        let statement = Self::decode(handle).map_err(Error::BadTicket)?;
        if statement.tenant != tenant {
            return Err(Error::ForeignTicket);
        }
        Ok(statement)
    }
}

/// The tenant of a call.
pub(crate) fn tenant(metadata: &MetadataMap, options: &Options) -> Result<String, Error> {
    if !options.multi_tenant {
        return Ok(options.default_tenant.clone());
    }
    let values = metadata.get_all(TENANT_HEADER);
    let values: Vec<&[u8]> = values.iter().map(|value| value.as_encoded_bytes()).collect();
    Ok(tenant_of(values)?.to_owned())
}

#[cfg(test)]
mod tests;
