//! Draining the node when that is wanted, and serving again when it is not wanted any more. Connections are kept in
//! balance with other nodes only while the node serves. How clients are moved is decided in `edge`.

use std::sync::Arc;

use switchboard_edge::{DrainReport, Edge, RebalancePlan};
use switchboard_telemetry::Telemetry;
use tokio::sync::watch;

use crate::{config::DrainSettings, readiness::Readiness, wanted::Wanted};

/// Brings the node into the state that is wanted.
pub(crate) struct DrainControl {
    pub(crate) edge: Arc<Edge>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) telemetry: Telemetry,
    pub(crate) settings: DrainSettings,
    pub(crate) rebalance: RebalancePlan,
}

impl DrainControl {
    /// Follows `wanted`; returns when the node is to stop and has drained.
    pub(crate) async fn run(&self, mut wanted: watch::Receiver<Wanted>) -> DrainReport {
        loop {
            let now = *wanted.borrow_and_update();
            match now {
                Wanted::Stopped => return self.drain().await,
                Wanted::Serving => {
                    self.set_draining(false);
                    tokio::select! {
                        never = self.edge.run_rebalance(self.rebalance) => match never {},
                        () = changed(&mut wanted) => {}
                    }
                }
                Wanted::Drained => {
                    let drained = async {
                        self.drain().await;
                        std::future::pending::<()>().await;
                    };
                    tokio::select! {
                        () = drained => {}
                        () = changed(&mut wanted) => {}
                    }
                    if *wanted.borrow() == Wanted::Serving {
                        self.edge.refuse_new(false);
                        tracing::info!("the drain was cancelled; the node takes clients again");
                    }
                }
            }
        }
    }

    fn set_draining(&self, is_draining: bool) {
        self.readiness.set_draining(is_draining);
        self.telemetry.draining(is_draining);
    }

    async fn drain(&self) -> DrainReport {
        self.set_draining(true);
        tracing::info!(connections = self.edge.open_connections(), "draining");
        if self.edge.open_connections() > 0 {
            tokio::time::sleep(self.settings.settle).await;
        }
        let report = self.edge.drain(self.settings.plan).await;
        tracing::info!(asked = report.asked, cut_off = report.cut_off, "drained");
        report
    }
}

/// Waits for the next change; for ever, if there can be none.
async fn changed(wanted: &mut watch::Receiver<Wanted>) {
    if wanted.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
