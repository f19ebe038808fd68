//! A node's broker, as an edge uses it.

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};
use switchboard_core::{Claim, SessionSnapshot};

use super::{
    Contender, MESSAGE, Operation,
    common::{Node, claim, keep, key, next_mid, redis_node, session_id},
};

/// A node whose bus is up.
pub(super) struct Connected(Node);

impl Connected {
    pub(super) async fn start(url: &str) -> Self {
        let node = redis_node("n1", url);
        node.is_up().await;
        Self(node)
    }

    async fn attach(&self, peers: &[String], claim: &Claim) {
        let attached = join_all(
            peers
                .iter()
                .map(|peer| async move { self.0.broker.attach(&key(peer), claim.clone()).await.unwrap() }),
        );
        assert!(attached.await.iter().all(|outcome| outcome.confirmed));
    }

    fn detach(&self, peers: &[String], is_kept: bool) {
        for peer in peers {
            let retention = is_kept.then(|| keep(SessionSnapshot::default())).flatten();
            self.0.broker.detach(&key(peer), session_id(1), 0, retention);
        }
    }
}

impl Contender for Connected {
    fn perform<'a>(&'a self, operation: Operation, peers: &'a [String]) -> BoxFuture<'a, ()> {
        let resumed = Claim {
            resume: true,
            ..claim(1)
        };
        async move {
            match operation {
                Operation::Connect => self.attach(peers, &claim(1)).await,
                Operation::Resume => self.attach(peers, &resumed).await,
                Operation::Disconnect => self.detach(peers, false),
                Operation::Detach => self.detach(peers, true),
                Operation::Message => {
                    for peer in peers {
                        self.0
                            .broker
                            .publish(next_mid(), &key(peer), MESSAGE.to_vec())
                            .unwrap();
                    }
                }
            }
        }
        .boxed()
    }
}
