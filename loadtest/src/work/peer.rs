//! A connected peer of any driver, with what is noted about its connection: where it is, when it was lost, when it
//! came back. Not what it sends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    drivers::{Driver, Greeting, Heard, Link as _, Refusal, Who},
    record::{Counter, Metric, Recorder},
};

/// What connections are noted under where a server does not name its nodes.
const NAMELESS: &str = "?";

/// A connected peer.
pub(crate) struct Peer<D: Driver> {
    link: Option<D::Link>,
    pub(crate) name: String,
    /// What others send to.
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
        match driver.connect(who).await {
            Ok((link, greeting)) => Ok(Self::adopt(link, greeting, who, recorder, late)),
            Err(refusal) => {
                recorder.count(Counter::ConnectsFailed);
                recorder.error(&format!("connect: {refusal}"));
                Err(refusal)
            }
        }
    }

    fn adopt(link: D::Link, greeting: Greeting, who: &Who, recorder: &Arc<Recorder>, late: Duration) -> Self {
        recorder.count(Counter::Connects);
        recorder.time(Metric::Connect, greeting.connect, late);
        recorder.time(Metric::Authenticate, greeting.authenticate, Duration::ZERO);
        let node = greeting.node.unwrap_or_else(|| NAMELESS.to_owned());
        recorder.connected(&node);
        Self {
            link: Some(link),
            name: who.peer.clone(),
            address: greeting.address,
            node: Some(node),
            lost_at: None,
            recorder: Arc::clone(recorder),
        }
    }

    /// Its link, until it leaves.
    pub(crate) fn link(&mut self) -> Option<&mut D::Link> {
        self.link.as_mut()
    }

    /// What it hears next; nothing any more once it has left.
    pub(crate) async fn next(&mut self) -> Heard {
        let heard = match self.link.as_mut() {
            Some(link) => link.next().await,
            None => std::future::pending().await,
        };
        self.note(&heard);
        heard
    }

    fn note(&mut self, heard: &Heard) {
        match heard {
            Heard::Message { .. } | Heard::Word { .. } => {}
            Heard::Lost(reason) => self.lose("disconnected", reason),
            Heard::Ended(reason) => {
                self.lose("connection ended", reason);
                self.link = None;
            }
            Heard::Back { node, resumed, gap } => {
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
                let node = node.clone().unwrap_or_else(|| NAMELESS.to_owned());
                self.recorder.connected(&node);
                self.node = Some(node);
            }
        }
    }

    /// A session says so at each attempt that fails; the first one counts.
    fn lose(&mut self, how: &str, reason: &str) {
        if self.node.is_some() {
            self.recorder.count(Counter::Disconnects);
            self.recorder.error(&format!("{how}: {reason}"));
            self.lost_at = Some(Instant::now());
        }
        self.leave_node();
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
