//! What an attack sees: the cluster, its own address and tokens, and its time.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt as _;
use switchboard_client::{Client, ConnectOptions};
use switchboard_testkit::{Cluster, token};
use tokio::time::{Instant, sleep_until};

use crate::raw::{Raw, RawOptions};

/// The address of all attackers.
pub(crate) const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 66, 6));

/// Addresses for the peers that an attack needs and that are no attackers.
const OTHERS: u8 = 250;

/// Peers that connect at the same time before they vanish.
const DETACHING: usize = 32;

/// The longest attack.
pub(crate) const LONGEST: Duration = Duration::from_secs(25);

/// The bystander of a node to which newcomers send: the victim of attacks on one peer.
pub(crate) const GREETERS: [&str; 2] = ["greeter-1", "greeter-2"];

/// A cluster under attack.
#[derive(Clone)]
pub(crate) struct Scene {
    /// The two nodes and their Redis.
    pub(crate) cluster: Arc<Cluster>,
    /// What the node said against the attack's configuration, if it refused it.
    pub(crate) refused_config: Option<String>,
    over: Instant,
}

/// How long an attack goes on that has no end of its own.
pub(crate) const LASTS: Duration = Duration::from_secs(8);

impl Scene {
    pub(crate) fn new(cluster: Arc<Cluster>, refused_config: Option<String>) -> Self {
        Self {
            cluster,
            refused_config,
            over: Instant::now() + LASTS,
        }
    }

    /// The same with that much time from now on.
    pub(crate) fn lasting(self, lasts: Duration) -> Self {
        Self {
            over: Instant::now() + lasts,
            ..self
        }
    }

    /// Whether the time of the attack is over.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.over
    }

    /// Waits until the time is over.
    pub(crate) async fn over(&self) {
        sleep_until(self.over).await;
    }

    /// The public port of a node, counted from 0.
    pub(crate) fn port(&self, node: usize) -> u16 {
        self.cluster.nodes[node].public_port()
    }

    /// How the attacker connects as `peer`.
    pub(crate) fn options(&self, node: usize, peer: &str) -> anyhow::Result<ConnectOptions> {
        let url = self.cluster.nodes[node].url();
        Ok(ConnectOptions::new(url, token(peer)?).bind_address(ATTACKER))
    }

    /// Connects the attacker as `peer`.
    pub(crate) async fn connect(&self, node: usize, peer: &str) -> anyhow::Result<Client> {
        Ok(Client::connect(&self.options(node, peer)?).await?)
    }

    /// Connects the attacker as `peer`, without a WebSocket library.
    pub(crate) async fn raw(&self, node: usize, peer: &str) -> anyhow::Result<Raw> {
        Raw::connect(&RawOptions::new(self.port(node), ATTACKER, peer)).await
    }

    /// How a peer connects that is no attacker, the `number`th of its kind.
    pub(crate) fn other(&self, node: usize, kind: &str, number: usize) -> anyhow::Result<ConnectOptions> {
        let url = self.cluster.nodes[node].url();
        let options = ConnectOptions::new(url, token(&format!("{kind}-{number}"))?);
        Ok(options.bind_address(address_of(number)))
    }

    /// Lets that many peers connect and vanish without a close, so that they can resume; returns how many did.
    pub(crate) async fn detach(&self, kind: &str, count: usize) -> usize {
        let visits = (0..count).map(|number| async move {
            let options = self.other(number % 2, kind, number).ok()?;
            Client::connect(&options).await.ok()
        });
        let visits = futures_util::stream::iter(visits).buffer_unordered(DETACHING);
        visits
            .filter(|client| std::future::ready(client.is_some()))
            .count()
            .await
    }
}

/// An address for the `number`th of many peers.
pub(crate) fn address_of(number: usize) -> IpAddr {
    let last = u8::try_from(number % usize::from(OTHERS)).unwrap_or_default() + 1;
    IpAddr::V4(Ipv4Addr::new(127, 0, 67, last))
}
