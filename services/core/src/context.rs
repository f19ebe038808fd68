//! What all parts of a router share: the node's name, its bounds, its sessions, the broker, the clock. State
//! only; the parts decide.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use switchboard_protocol::{NodeId, NodeMessage, PeerKey};
use switchboard_telemetry::Telemetry;

use crate::{
    broker::{error::BrokerError, interface::Broker},
    clock::Clock,
    limits::{Limits, budgets::Budgets},
    observer::{NodeEvent, Observer},
    relay::Relay,
    revocations::Revocations,
    session::registry::Registry,
    wire_versions::WireVersions,
};

pub(crate) struct Context {
    pub(crate) node: NodeId,
    pub(crate) limits: Arc<Limits>,
    pub(crate) budgets: Budgets,
    pub(crate) telemetry: Telemetry,
    pub(crate) registry: Registry,
    pub(crate) revocations: Revocations,
    pub(crate) clock: Clock,
    pub(crate) wire_versions: WireVersions,
    broker: OnceLock<Arc<dyn Broker>>,
    observer: OnceLock<Arc<dyn Observer>>,
    relay: OnceLock<Arc<dyn Relay>>,
}

impl Context {
    pub(crate) fn new(node: NodeId, limits: Limits, telemetry: Telemetry) -> Arc<Self> {
        let limits = Arc::new(limits);
        Arc::new(Self {
            node,
            budgets: Budgets::new(&limits, &telemetry),
            limits,
            telemetry,
            registry: Registry::new(),
            revocations: Revocations::default(),
            clock: Clock::new(),
            wire_versions: WireVersions::default(),
            broker: OnceLock::new(),
            observer: OnceLock::new(),
            relay: OnceLock::new(),
        })
    }

    /// Only the first call counts.
    pub(crate) fn set_broker(&self, broker: Arc<dyn Broker>) {
        let _ = self.broker.set(broker);
    }

    /// # Errors
    /// [`BrokerError::Unavailable`] before [`Context::set_broker`].
    pub(crate) fn broker(&self) -> Result<&Arc<dyn Broker>, BrokerError> {
        self.broker.get().ok_or(BrokerError::Unavailable)
    }

    /// Sends `message` about a session of `peer` to `node`; at most once, without a report.
    ///
    /// # Errors
    /// [`BrokerError::OtherVersion`] when the node would not understand it, and as [`Broker::send_to_node`].
    pub(crate) fn send_to_node(
        &self,
        node: &NodeId,
        peer: &PeerKey,
        message: &NodeMessage,
    ) -> Result<(), BrokerError> {
        if !self.wire_versions.knows(node, message.since()) {
            self.telemetry.node_message_withheld();
            return Err(BrokerError::OtherVersion);
        }
        let broker = self.broker()?;
        broker.send_to_node(node, broker.route_of(peer), message.encode())
    }

    /// Only the first call counts.
    pub(crate) fn set_relay(&self, relay: Arc<dyn Relay>) {
        let _ = self.relay.set(relay);
    }

    /// The public port, if it takes requests of other nodes.
    pub(crate) fn relay(&self) -> Option<&Arc<dyn Relay>> {
        self.relay.get()
    }

    /// Only the first call counts.
    pub(crate) fn set_observer(&self, observer: Arc<dyn Observer>) {
        let _ = self.observer.set(observer);
    }

    /// Reports `event`. Without an observer this costs one branch: the event is never built.
    pub(crate) fn observe<'a>(&self, event: impl FnOnce() -> NodeEvent<'a>) {
        if let Some(observer) = self.observer.get() {
            observer.on_event(&event());
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The second of `now` by the node's clock, from 1.
    pub(crate) fn second(&self, now: Instant) -> u32 {
        self.clock.second(now)
    }
}
