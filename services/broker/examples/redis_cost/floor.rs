//! The least that a peer needs of Redis: a channel and a record. No claim, no fence, no end of a session, and no answer to
//! a message.

use futures_util::{FutureExt as _, future::BoxFuture};
use redis::{
    Client, Pipeline,
    aio::{MultiplexedConnection, PubSub},
};
use tokio::sync::Mutex;

use super::{Contender, MESSAGE, Operation};

/// Two connections.
pub(super) struct Floor {
    subscriber: Mutex<PubSub>,
    publisher: MultiplexedConnection,
}

impl Floor {
    pub(super) async fn connect(url: &str) -> anyhow::Result<Self> {
        let client = Client::open(url)?;
        Ok(Self {
            subscriber: Mutex::new(client.get_async_pubsub().await?),
            publisher: client.get_multiplexed_async_connection().await?,
        })
    }
}

fn channel(peer: &str) -> String {
    format!("sb:{{15}}:p:acme/{peer}")
}

fn add(pipeline: &mut Pipeline, operation: Operation, peer: &str) {
    let record = format!("sb:{{15}}:s:acme/{peer}");
    match operation {
        Operation::Connect | Operation::Resume => pipeline
            .cmd("HSET")
            .arg(record)
            .arg(&[
                "v",
                "1795785600000000",
                "session",
                "BQUFBQUFBQUFBQUF",
                "node",
                "n1",
            ])
            .arg(&["inc", "BQUFBQUFBQUFBQUF", "state", "attached", "secret"])
            .arg("9".repeat(64)),
        Operation::Detach => pipeline.cmd("PEXPIRE").arg(record).arg(60_000),
        Operation::Disconnect => pipeline.cmd("DEL").arg(record),
        Operation::Message => pipeline.cmd("PUBLISH").arg(channel(peer)).arg(&MESSAGE),
    };
}

impl Contender for Floor {
    fn perform<'a>(&'a self, operation: Operation, peers: &'a [String]) -> BoxFuture<'a, ()> {
        async move {
            let channels: Vec<String> = peers.iter().map(|peer| channel(peer)).collect();
            let mut subscriber = self.subscriber.lock().await;
            match operation {
                Operation::Connect | Operation::Resume => subscriber.subscribe(&channels).await.unwrap(),
                Operation::Disconnect | Operation::Detach => subscriber.unsubscribe(&channels).await.unwrap(),
                Operation::Message => {}
            }
            let mut pipeline = Pipeline::new();
            for peer in peers {
                add(&mut pipeline, operation, peer);
            }
            let mut publisher = self.publisher.clone();
            let sent: Vec<redis::Value> = pipeline.query_async(&mut publisher).await.unwrap();
            assert_eq!(sent.len(), peers.len());
        }
        .boxed()
    }
}
