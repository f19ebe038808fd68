//! What tenants have on nodes, for quotas over all nodes, and its text for the shared store.

use hashbrown::HashMap;

/// Open connections of tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantUsage(HashMap<String, usize>);

impl TenantUsage {
    /// The most tenants that one node reports: those that have most.
    pub const MAX_TENANTS: usize = 1024;

    /// These connections of tenants.
    #[must_use]
    pub fn new(connections: HashMap<String, usize>) -> Self {
        Self(connections)
    }

    /// The connections of `tenant`.
    #[must_use]
    pub fn connections(&self, tenant: &str) -> usize {
        self.0.get(tenant).copied().unwrap_or(0)
    }

    /// Whether no tenant has anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what another node has.
    pub fn add(&mut self, other: &Self) {
        for (tenant, count) in &other.0 {
            let sum = self.0.entry_ref(tenant).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// The text `<tenant>/<connections> …` of the tenants that have most.
    #[must_use]
    pub fn text(&self) -> String {
        let mut tenants: Vec<_> = self.0.iter().collect();
        tenants.sort_unstable_by(|one, other| other.1.cmp(one.1).then_with(|| one.0.cmp(other.0)));
        let tenants = tenants.into_iter().take(Self::MAX_TENANTS);
        let words: Vec<_> = tenants
            .map(|(tenant, count)| format!("{tenant}/{count}"))
            .collect();
        words.join(" ")
    }

    /// Reads a text; a word that no node writes counts for nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let words = text.split(' ').take(Self::MAX_TENANTS);
        let read = words.filter_map(|word| {
            let (tenant, count) = word.split_once('/')?;
            Some((tenant.to_owned(), count.parse().ok()?))
        });
        Self(read.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(tenants: &[(&str, usize)]) -> TenantUsage {
        TenantUsage::new(
            tenants
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
        )
    }

    #[test]
    fn a_usage_is_read_as_it_was_written_and_adds_up() {
        let own = usage(&[("acme", 3), ("be:ta", 7)]);
        assert_eq!(own.text(), "be:ta/7 acme/3");
        assert_eq!(TenantUsage::parse(&own.text()), own);
        assert_eq!(TenantUsage::parse(""), TenantUsage::default());
        assert_eq!(TenantUsage::parse("x y/z acme/1"), usage(&[("acme", 1)]));
        let mut sum = own.clone();
        sum.add(&usage(&[("acme", usize::MAX), ("c", 1)]));
        assert_eq!(sum, usage(&[("acme", usize::MAX), ("be:ta", 7), ("c", 1)]));
    }

    #[test]
    fn a_node_reports_the_tenants_that_have_most() {
        let many = TenantUsage::new(
            (0..2000)
                .map(|number| (format!("t{number}"), number + 1))
                .collect(),
        );
        let read = TenantUsage::parse(&many.text());
        assert_eq!(read.0.len(), TenantUsage::MAX_TENANTS);
        assert_eq!((read.connections("t1999"), read.connections("t1")), (2000, 0));
    }
}
