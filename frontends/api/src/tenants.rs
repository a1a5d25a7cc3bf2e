//! Limits of tenants on what an answer may hold; `exec` has those on what a query may use.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::ApiOptions;

/// What one tenant's answers may hold; 0 is the limit of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantLimits {
    /// Log records a request may ask for. Default 0.
    pub log_records_max: usize,
    /// Traces a search may ask for. Default 0.
    pub traces_max: usize,
    /// Bytes of one trace, as Protobuf. Default 0.
    pub trace_bytes_max: usize,
    /// Rows of a SQL answer in JSON or CSV. Default 0.
    pub sql_rows_max: usize,
    /// Bytes of an answer before compression. Default 0.
    pub answer_bytes_max: u64,
}

impl TenantLimits {
    /// The options of all with what a tenant has of its own.
    fn over(&self, options: &ApiOptions) -> ApiOptions {
        let own = |own: usize, all: usize| if own == 0 { all } else { own };
        ApiOptions {
            log_records_max: own(self.log_records_max, options.log_records_max),
            traces_max: own(self.traces_max, options.traces_max),
            trace_bytes_max: own(self.trace_bytes_max, options.trace_bytes_max),
            sql_rows_max: own(self.sql_rows_max, options.sql_rows_max),
            answer_bytes_max: match self.answer_bytes_max {
                0 => options.answer_bytes_max,
                own => own,
            },
            ..options.clone()
        }
    }
}

/// The options as they hold for each tenant.
#[derive(Debug)]
pub(crate) struct Tenants(RwLock<Options>);

#[derive(Debug)]
struct Options {
    defaults: Arc<ApiOptions>,
    overrides: HashMap<String, Arc<ApiOptions>>,
}

impl Tenants {
    /// The limits that the options name.
    pub(crate) fn new(options: &ApiOptions) -> Self {
        let overrides = options.tenant_overrides.iter();
        Self(RwLock::new(Options {
            defaults: Arc::new(options.tenant_limits.over(options)),
            overrides: overrides
                .map(|(name, own)| (name.clone(), Arc::new(own.over(options))))
                .collect(),
        }))
    }

    /// From now on the limits of other options hold.
    pub(crate) fn set(&self, options: &ApiOptions) {
        *self.0.write() = Self::new(options).0.into_inner();
    }

    /// The options as they hold for a tenant.
    pub(crate) fn options(&self, tenant: &str) -> Arc<ApiOptions> {
        let options = self.0.read();
        Arc::clone(options.overrides.get(tenant).unwrap_or(&options.defaults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tenant_has_of_its_own_holds_for_it_alone() {
        let own = TenantLimits { log_records_max: 7, ..TenantLimits::default() };
        let mut options = ApiOptions {
            tenant_overrides: [("a".to_owned(), own)].into(),
            ..ApiOptions::default()
        };
        let tenants = Tenants::new(&options);
        assert_eq!(tenants.options("a").log_records_max, 7);
        assert_eq!(tenants.options("a").traces_max, options.traces_max);
        assert_eq!(tenants.options("b").log_records_max, options.log_records_max);
        options.tenant_overrides.clear();
        options.tenant_limits.traces_max = 3;
        tenants.set(&options);
        let both = ["a", "b"].map(|tenant| tenants.options(tenant));
        assert!(both.iter().all(|of| of.log_records_max > 7 && of.traces_max == 3));
    }
}
