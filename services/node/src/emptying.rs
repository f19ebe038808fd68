//! Emptying the node when it is wanted, and taking clients again when it is not wanted any more; only then are
//! they balanced against other nodes. How clients are moved is the edge's.

use std::sync::Arc;

use switchboard_edge::{DrainReport, Edge, RebalancePlan};
use switchboard_telemetry::Telemetry;
use tokio::sync::watch;

use crate::{config::DrainSettings, ops::Wanted, readiness::Readiness};

/// What is emptied, and how.
pub(crate) struct Emptying {
    pub(crate) edge: Arc<Edge>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) telemetry: Telemetry,
    pub(crate) settings: DrainSettings,
    pub(crate) rebalance: RebalancePlan,
}

impl Emptying {
    /// Does what is wanted; returns when the node is to stop and has been emptied.
    pub(crate) async fn obey(&self, mut orders: watch::Receiver<Wanted>) -> DrainReport {
        loop {
            let wanted = *orders.borrow_and_update();
            match wanted {
                Wanted::Stopped => return self.empty().await,
                Wanted::Serving => {
                    self.is_draining(false);
                    tokio::select! {
                        never = self.edge.run_rebalance(self.rebalance) => match never {},
                        () = changed(&mut orders) => {}
                    }
                }
                Wanted::Drained => {
                    let emptied = async {
                        self.empty().await;
                        std::future::pending::<()>().await;
                    };
                    tokio::select! {
                        () = emptied => {}
                        () = changed(&mut orders) => {}
                    }
                    if *orders.borrow() == Wanted::Serving {
                        self.edge.refuse_new(false);
                        tracing::info!("the drain was cancelled; clients are taken again");
                    }
                }
            }
        }
    }

    fn is_draining(&self, is_draining: bool) {
        self.readiness.draining(is_draining);
        self.telemetry.draining(is_draining);
    }

    async fn empty(&self) -> DrainReport {
        self.is_draining(true);
        tracing::info!(connections = self.edge.open_connections(), "draining");
        if self.edge.open_connections() > 0 {
            tokio::time::sleep(self.settings.settle).await;
        }
        let report = self.edge.drain(self.settings.plan).await;
        tracing::info!(told = report.told, cut_off = report.cut_off, "drained");
        report
    }
}

/// The next order; never, if there can be none.
async fn changed(orders: &mut watch::Receiver<Wanted>) {
    if orders.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
