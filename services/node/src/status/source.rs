//! What this node knows of itself and of the others. Once a second it measures its own rates and says what it is to the others;
//! everything else is computed when an operator asks.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use switchboard_core::{BusServer, NodeRecord, Router};
use switchboard_protocol::WireVersion;
use switchboard_telemetry::{ActivityWindow, Telemetry};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::report::{NodeStatus, RedisStatus, RoomStatus, Status, TenantStatus};
use crate::{readiness::Readiness, wanted::Wanted};

/// How often rates are measured.
const EVERY: Duration = Duration::from_secs(1);

/// The most tenants, and the most rooms, of an answer.
pub(super) const MAX_LARGEST: usize = 10;

/// The source of a node's status.
pub(crate) struct StatusSource {
    router: Arc<Router>,
    readiness: Arc<Readiness>,
    telemetry: Telemetry,
    wanted: watch::Receiver<Wanted>,
    started: Instant,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    window: ActivityWindow,
    /// The other nodes. Bounded by `ClusterLoad::MAX_NODES`.
    others: Vec<NodeRecord>,
}

impl StatusSource {
    pub(crate) fn new(
        router: Arc<Router>,
        readiness: Arc<Readiness>,
        telemetry: Telemetry,
        wanted: watch::Receiver<Wanted>,
    ) -> Self {
        Self {
            router,
            readiness,
            telemetry,
            wanted,
            started: Instant::now(),
            seen: Mutex::default(),
        }
    }

    /// Measures, and says what this node is to the others, until it is dropped.
    pub(crate) async fn run(&self) -> Infallible {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.seen.lock().window.observe(self.telemetry.totals());
            let others = self.router.node_records(self.own());
            self.seen.lock().others = others;
        }
    }

    /// All of it, for an operator.
    pub(crate) fn status(&self) -> Status {
        let own = NodeStatus {
            asked: true,
            problems: self.readiness.report().problems(),
            ..self.own().into()
        };
        let others = self.seen.lock().others.clone();
        let mut nodes: Vec<NodeStatus> = others.into_iter().map(Into::into).collect();
        nodes.push(own);
        nodes.sort_by(|one, other| one.node.cmp(&other.node));
        let servers = self.router.bus_servers().into_iter();
        let tenants = self.router.largest_tenants(MAX_LARGEST).into_iter();
        let rooms = self.router.largest_rooms(MAX_LARGEST).into_iter();
        Status {
            nodes,
            redis: servers.map(|server| self.redis(server)).collect(),
            tenants: tenants
                .map(|large| TenantStatus {
                    tenant: large.tenant,
                    sessions: large.sessions,
                })
                .collect(),
            rooms: rooms
                .map(|large| RoomStatus {
                    tenant: large.tenant,
                    room: large.room,
                    members: large.members,
                    members_here: large.members_here,
                })
                .collect(),
            unreachable: Vec::new(),
        }
    }

    fn own(&self) -> NodeRecord {
        let activity = self.seen.lock().window.activity();
        let state = match *self.wanted.borrow() {
            Wanted::Serving => "serving",
            Wanted::Drained => "draining",
            Wanted::Stopped => "stopping",
        };
        NodeRecord {
            node: self.router.node().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            wire: WireVersion::OWN,
            state: state.to_owned(),
            bus: self.router.bus().state.as_str().to_owned(),
            uptime: self.started.elapsed(),
            connections: self.telemetry.connections(),
            connects_per_second: activity.connects_per_second,
            messages_per_second: activity.messages_per_second,
            delivery_p99: activity.delivery_p99,
        }
    }

    fn redis(&self, server: BusServer) -> RedisStatus {
        let lease = match server.lease_age {
            None => "none",
            Some(_) if server.is_lease_over => "over",
            Some(_) => "held",
        };
        let age = server.lease_age;
        RedisStatus {
            server: server.server,
            node: self.router.node().to_string(),
            percent_of_peers: server.percent_of_peers,
            state: server.status.state.as_str().to_owned(),
            detail: server.status.detail,
            lease: lease.to_owned(),
            lease_age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            subscriptions_desired: server.status.desired,
            subscriptions_confirmed: server.status.confirmed,
        }
    }
}
