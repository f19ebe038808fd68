//! What the drivers of other servers share: numbers for sends, one end of a link, one place to choose a node. A
//! driver supplies its server's protocol only.

use serde_json::value::RawValue;
use switchboard_protocol::MessageKind;

use super::{Broken, Driver, Greeting, Link, LinkEvent, Promises, Refusal, Who};

/// How to connect to one kind of server.
pub(crate) trait Protocol: Send + Sync + 'static {
    /// A connection on which messages can be exchanged.
    type Connection: Connection;

    /// What the server promises.
    const PROMISES: Promises;

    /// Connects to the node at `url` and waits until the server says that messages can come.
    fn connect(
        &self,
        url: &str,
        who: &Who,
    ) -> impl Future<Output = Result<(Self::Connection, Greeting), Refusal>> + Send;
}

/// A connection of that protocol. It is not used any more after an error of `next`.
pub(crate) trait Connection: Send + 'static {
    /// Sends a message; `id` is its number.
    fn send(
        &mut self,
        id: u64,
        kind: MessageKind,
        to: &str,
        payload: &RawValue,
    ) -> impl Future<Output = Result<(), Broken>> + Send;

    /// Reads until something means something, or gives the reason why the connection is over. Nothing is lost when the
    /// future is dropped.
    fn next(&mut self) -> impl Future<Output = Result<LinkEvent, String>> + Send;

    /// Leaves in good order.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A driver for servers of one protocol, one address each.
pub(crate) struct Relay<P> {
    protocol: P,
    urls: Vec<String>,
}

impl<P> Relay<P> {
    pub(crate) const fn new(protocol: P, urls: Vec<String>) -> Self {
        Self { protocol, urls }
    }
}

/// A connected peer.
pub(crate) struct RelayLink<C> {
    connection: C,
    sent: u64,
    has_ended: bool,
}

impl<P: Protocol> Driver for Relay<P> {
    type Link = RelayLink<P::Connection>;

    fn promises(&self) -> Promises {
        P::PROMISES
    }

    fn nodes(&self) -> usize {
        self.urls.len()
    }

    async fn connect(&self, who: &Who) -> Result<(Self::Link, Greeting), Refusal> {
        let (connection, greeting) = self.protocol.connect(who.pick(&self.urls)?, who).await?;
        Ok((
            RelayLink {
                connection,
                sent: 0,
                has_ended: false,
            },
            greeting,
        ))
    }
}

impl<C: Connection> Link for RelayLink<C> {
    async fn send(&mut self, kind: MessageKind, to: &str, payload: &RawValue) -> Result<u64, Broken> {
        if self.has_ended {
            return Err(Broken);
        }
        self.sent += 1;
        self.connection.send(self.sent, kind, to, payload).await?;
        Ok(self.sent)
    }

    async fn next(&mut self) -> LinkEvent {
        if self.has_ended {
            return std::future::pending().await;
        }
        self.connection.next().await.unwrap_or_else(|reason| {
            self.has_ended = true;
            LinkEvent::Ended(reason)
        })
    }

    async fn close(self) {
        self.connection.close().await;
    }
}
