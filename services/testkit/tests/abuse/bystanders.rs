//! The honest peers of a run: four pairs that stay, on each node and across in both directions, and newcomers.

use std::sync::Arc;

use switchboard_testkit::Cluster;
use tokio::{sync::watch, task::JoinHandle};

use crate::{newcomers::come_and_go, resident::Resident, scene::GREETERS, tally::Tally};

/// The pairs: two names, and the node of each.
const PAIRS: [([&str; 2], [usize; 2]); 4] = [
    ([GREETERS[0], "near-1"], [0, 0]),
    ([GREETERS[1], "near-2"], [1, 1]),
    (["far-1", "far-2"], [0, 1]),
    (["far-3", "far-4"], [1, 0]),
];

/// The running bystanders.
pub(crate) struct Bystanders {
    /// What they notice.
    pub(crate) tally: Arc<Tally>,
    residents: Vec<JoinHandle<Resident>>,
    newcomers: JoinHandle<()>,
    sending: watch::Sender<bool>,
}

impl Bystanders {
    /// Connects the residents, over TLS or not, and begins to send.
    pub(crate) async fn start(cluster: &Cluster, over_tls: bool) -> anyhow::Result<Self> {
        let tally = Arc::new(Tally::new());
        let (sending, _) = watch::channel(true);
        let scheme = if over_tls { "wss:" } else { "ws:" };
        let urls = [0, 1].map(|node: usize| cluster.nodes[node].url().replace("ws:", scheme));
        let mut connected = Vec::new();
        let mut number = 0;
        for ([a, b], nodes) in PAIRS {
            for (names, node) in [((a, b), nodes[0]), ((b, a), nodes[1])] {
                number += 1;
                connected.push(Resident::connect(&tally, number, urls[node].clone(), names).await?);
            }
        }
        let residents = connected.into_iter();
        let residents = residents.map(|resident| tokio::spawn(resident.stay(sending.subscribe())));
        Ok(Self {
            residents: residents.collect(),
            newcomers: tokio::spawn(come_and_go(Arc::clone(&tally), urls, sending.subscribe())),
            tally,
            sending,
        })
    }

    /// Ends the sending, and waits for all outcomes and arrivals.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.sending.send_replace(false);
        self.newcomers.await?;
        let mut residents = Vec::new();
        for resident in self.residents {
            residents.push(resident.await?);
        }
        let delivered: Vec<_> = residents.iter().map(|resident| resident.delivered).collect();
        for (index, resident) in residents.into_iter().enumerate() {
            // The two of a pair follow one another.
            resident.finish(delivered[index ^ 1]).await;
        }
        Ok(())
    }
}
