//! A connected peer of any driver, and the records of its connection: its node, its loss, its return. `pair` has its
//! messages.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    drivers::{Driver, Link as _, LinkEvent, Refusal, Who},
    record::{Counter, Metric, Recorder},
};

/// Stands for the node where a server does not name its nodes.
const NAMELESS: &str = "?";

/// A connected peer.
pub(crate) struct Peer<D: Driver> {
    link: Option<D::Link>,
    pub(crate) name: String,
    /// The address that others send to.
    pub(crate) address: String,
    /// The node it is on; `None` while it has no connection.
    pub(crate) node: Option<String>,
    lost_at: Option<Instant>,
    recorder: Arc<Recorder>,
}

impl<D: Driver> Peer<D> {
    /// Connects. `late` is how much later than planned this begins.
    pub(crate) async fn connect(
        driver: &D,
        recorder: &Arc<Recorder>,
        who: &Who,
        late: Duration,
    ) -> Result<Self, Refusal> {
        recorder.count(Counter::ConnectsTried);
        let (link, greeting) = driver.connect(who).await.inspect_err(|refusal| {
            recorder.count(Counter::ConnectsFailed);
            recorder.error(&format!("connect: {refusal}"));
        })?;
        recorder.count(Counter::Connects);
        recorder.time(Metric::Connect, greeting.connect, late);
        recorder.time(Metric::Authenticate, greeting.authenticate, Duration::ZERO);
        let mut peer = Self {
            link: Some(link),
            name: who.peer.clone(),
            address: greeting.address,
            node: None,
            lost_at: None,
            recorder: Arc::clone(recorder),
        };
        peer.enter_node(greeting.node);
        Ok(peer)
    }

    /// Its link, until it leaves.
    pub(crate) fn link(&mut self) -> Option<&mut D::Link> {
        self.link.as_mut()
    }

    /// What it receives next; nothing any more once it has left.
    pub(crate) async fn next(&mut self) -> LinkEvent {
        let event = match self.link.as_mut() {
            Some(link) => link.next().await,
            None => std::future::pending().await,
        };
        match &event {
            LinkEvent::Message { .. }
            | LinkEvent::Outcome { .. }
            | LinkEvent::Room(_)
            | LinkEvent::RoomMessage { .. }
            | LinkEvent::Refused { .. } => {}
            LinkEvent::Disconnected(reason) => self.lose("disconnected", reason),
            LinkEvent::Ended(reason) => {
                self.lose("connection ended", reason);
                self.link = None;
            }
            LinkEvent::Reconnected { node, resumed, gap } => {
                if let Some(lost_at) = self.lost_at.take() {
                    self.recorder.count(Counter::Reconnects);
                    self.recorder
                        .time(Metric::Reconnect, lost_at.elapsed(), Duration::ZERO);
                }
                if *resumed {
                    self.recorder.count(Counter::Resumes);
                }
                if *gap {
                    self.recorder.count(Counter::Gaps);
                }
                // A move makes the new connection before it leaves the old one.
                self.leave_node();
                self.enter_node(node.clone());
            }
        }
        event
    }

    /// A session reports every attempt that fails; only the first report counts.
    fn lose(&mut self, how: &str, reason: &str) {
        if self.node.is_some() {
            self.recorder.count(Counter::Disconnects);
            self.recorder.error(&format!("{how}: {reason}"));
            self.lost_at = Some(Instant::now());
        }
        self.leave_node();
    }

    fn enter_node(&mut self, node: Option<String>) {
        let node = node.unwrap_or_else(|| NAMELESS.to_owned());
        self.recorder.connected(&node);
        self.node = Some(node);
    }

    fn leave_node(&mut self) {
        if let Some(node) = self.node.take() {
            self.recorder.disconnected(&node);
        }
    }

    /// Leaves in good order.
    pub(crate) async fn close(mut self) {
        self.leave_node();
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }
}

impl<D: Driver> Drop for Peer<D> {
    fn drop(&mut self) {
        self.leave_node();
    }
}
