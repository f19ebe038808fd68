//! The rate of one client address over all its connections, where the operator bounds it. Not who the client is: the edge
//! knows addresses, and which proxies to believe.

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_telemetry::{Budget, BudgetScope};

use super::{bucket::Bucket, rules::Rules};

/// Addresses that are kept without looking for those that are gone.
const SWEEP_FROM: usize = 1024;

/// The account of one address. Its connections share it, and it goes with the last of them.
#[derive(Debug)]
pub struct AddressAccount {
    rules: Arc<Rules>,
    commands: Bucket,
}

impl AddressAccount {
    /// Takes `count` commands out of the address' rate.
    ///
    /// # Errors
    /// The time to wait.
    pub(crate) fn take_commands(&self, count: usize) -> Result<(), Duration> {
        let taken = self
            .commands
            .take(count, self.rules.address_commands, self.rules.ns(Instant::now()));
        taken.inspect_err(|_| self.rules.refused(Budget::Commands, BudgetScope::Address))
    }
}

/// The accounts of all addresses. Bounded by the open connections.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    accounts: HashMap<IpAddr, Weak<AddressAccount>>,
    /// At this many addresses those that are gone are removed.
    sweep_at: usize,
}

impl Addresses {
    pub(super) fn account(&self, address: IpAddr, rules: &Arc<Rules>) -> Arc<AddressAccount> {
        let mut table = self.0.lock();
        if let Some(account) = table.accounts.get(&address).and_then(Weak::upgrade) {
            return account;
        }
        if table.accounts.len() >= table.sweep_at {
            table.accounts.retain(|_, account| account.strong_count() > 0);
            table.sweep_at = (table.accounts.len() * 2).max(SWEEP_FROM);
            let room = table.sweep_at;
            table.accounts.shrink_to(room);
        }
        let account = Arc::new(AddressAccount {
            rules: Arc::clone(rules),
            commands: Bucket::default(),
        });
        table.accounts.insert(address, Arc::downgrade(&account));
        account
    }
}
