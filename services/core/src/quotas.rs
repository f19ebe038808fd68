//! Quotas of tenants over all nodes: each node says what its tenants have here, and hears what they have elsewhere. Nothing is
//! counted up and down in the shared store, so nothing leaks when a node dies. Between two exchanges, of 3 s, nodes together
//! may pass a quota.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use crate::context::Context;

/// How often the numbers are taken.
const EVERY: Duration = Duration::from_secs(1);

/// Shares what tenants have on this node until it is dropped. Without a quota it does nothing.
pub(crate) async fn run(cx: Arc<Context>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if cx.budgets.has_quotas()
            && let Ok(broker) = cx.broker()
        {
            let elsewhere = broker.tenant_usage(cx.budgets.usage());
            // While nothing recent is known, the last numbers stay.
            if let Some(elsewhere) = elsewhere {
                cx.budgets.set_elsewhere(&elsewhere);
            }
        }
    }
}
