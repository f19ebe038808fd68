//! The values that labels may take: closed sets, each an enum whose index finds its counter.

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
        }

        impl $name {
            pub(crate) const ALL: [Self; [$($text),*].len()] = [$(Self::$value),*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)*
                }
            }

            pub(crate) const fn index(self) -> usize {
                self as usize
            }
        }
    )*};
}

labels! {
    /// How a client is connected.
    Transport {
        /// WebSocket.
        WebSocket = "websocket",
    }

    /// Why a handshake was refused.
    RefusalReason {
        /// No token, or one that does not verify.
        Token = "token",
        /// The page's origin is not allowed.
        Origin = "origin",
        /// The node is full.
        Limit = "limit",
        /// More clients than the node lets in per second.
        Pace = "pace",
        /// The node is draining.
        Draining = "draining",
        /// The request is no valid handshake.
        BadRequest = "bad-request",
        /// A good signature, but the claims do not permit it.
        NotAllowed = "not-allowed",
        /// Keys could not be fetched.
        Keys = "keys",
    }

    /// What became of a client's wish to go on with its session.
    Resume {
        /// It goes on and nothing is missing.
        Complete = "complete",
        /// It goes on; something may be missing, and the client was told.
        Gap = "gap",
        /// There was nothing to go on with; a new session began.
        Refused = "refused",
    }

    /// Whether a message stayed on one node.
    Path {
        /// Sender and receiver on this node.
        Local = "local",
        /// Through the bus.
        Remote = "remote",
    }

    /// A bounded queue.
    Queue {
        /// Messages for one receiver's socket.
        SendQueue = "send-queue",
        /// Messages for a peer that is not connected.
        OfflineQueue = "offline-queue",
        /// Sends without a final word.
        Pending = "pending",
        /// Commands on their way to the bus.
        Publisher = "publisher",
        /// Acknowledgements for other nodes.
        AckBatch = "ack-batch",
        /// Senders that a receiver keeps track of.
        DuplicateFilter = "duplicate-filter",
        /// From the bus to the node.
        BusHandOff = "bus-hand-off",
    }

    /// A command to Redis.
    RedisOp {
        /// PUBLISH.
        Publish = "publish",
        /// SUBSCRIBE and UNSUBSCRIBE, up to the confirmation.
        Subscribe = "subscribe",
        /// The script that claims a peer.
        Claim = "claim",
        /// The script that releases a claim.
        Release = "release",
        /// The scripts around the offline queue of a detached peer.
        OfflineQueue = "offline-queue",
        /// Where a peer is.
        Locate = "locate",
        /// A node's lease.
        Lease = "lease",
        /// The script by which nodes tell each other how many connections they have.
        ClusterLoad = "cluster-load",
        /// PING.
        Ping = "ping",
    }

    /// Why a client was told to go.
    Goaway {
        /// The node empties itself.
        Draining = "draining",
        /// The node has more than its share of the cluster's connections.
        Rebalance = "rebalance",
        /// The connection has reached its maximum age.
        Age = "age",
    }

    /// Why a pub/sub connection was built anew.
    BusRebuild {
        /// The first connection, or one after a failed attempt.
        Connect = "connect",
        /// The node did not hear its own probe.
        Deaf = "deaf",
        /// The connection was closed.
        Closed = "closed",
        /// More arrived than the node could take.
        Overflow = "overflow",
        /// Something arrived that is not the protocol.
        Protocol = "protocol",
    }
}
