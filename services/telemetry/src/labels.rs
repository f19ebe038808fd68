//! The values of labels. Each label is an enum, and a value's index finds its counter.

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
        }

        impl $name {
            pub(crate) const ALL: [Self; [$($text),*].len()] = [$(Self::$value),*];

            /// The label's value.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
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
    /// A part of the node that reads its files again.
    ReloadPart {
        /// Keys of issuers, and authorities of key servers.
        Keys = "keys",
        /// Secrets of webhooks, and authorities of their endpoints.
        Webhooks = "webhooks",
        /// The secret shared with TURN servers.
        Ice = "ice",
        /// The token of the operations port.
        Ops = "ops",
        /// The user and the password of Redis.
        Broker = "broker",
        /// Certificate and key of the public port.
        ServerTls = "server-tls",
        /// Certificate and key of the backend API's own port.
        ApiTls = "api-tls",
        /// Certificate and key of the operations port.
        OpsTls = "ops-tls",
    }

    /// A port of the node.
    Port {
        /// The public port.
        Public = "public",
        /// The backend API's own port.
        Api = "api",
        /// The operations port.
        Operations = "operations",
    }

    /// What became of a TLS handshake.
    TlsHandshake {
        /// It was a whole one.
        Full = "full",
        /// The client resumed an earlier session.
        Resumed = "resumed",
        /// It failed, or ended early.
        Failed = "failed",
        /// The client does not speak TLS.
        NotTls = "not-tls",
    }

    /// What became of changed files.
    ReloadOutcome {
        /// They are in use.
        Changed = "changed",
        /// They cannot be used.
        Refused = "refused",
    }

    /// How a client is connected.
    Transport {
        /// WebSocket.
        WebSocket = "websocket",
        /// Server-sent events.
        Sse = "sse",
        /// Long polling.
        Poll = "poll",
    }

    /// Why the node refused a handshake.
    RefusalReason {
        /// The token is missing or not valid.
        Token = "token",
        /// The token was revoked.
        Revoked = "revoked",
        /// The node has not read the revocations yet.
        RevocationsUnknown = "revocations-unknown",
        /// The page's origin is not allowed.
        Origin = "origin",
        /// The node has its maximum number of connections.
        Limit = "limit",
        /// The files that are left are kept for the operations port and the bus.
        Files = "files",
        /// More clients connect per second than the node accepts.
        ConnectRate = "connect-rate",
        /// The peer connects more often than one peer may.
        PeerRate = "peer-rate",
        /// The address sends more requests than one address may.
        AddressRate = "address-rate",
        /// The node is draining.
        Draining = "draining",
        /// The request is not a valid handshake.
        BadRequest = "bad-request",
        /// The signature is valid, but the claims do not permit the connection.
        NotAllowed = "not-allowed",
        /// The signing keys cannot be fetched.
        Keys = "keys",
        /// The memory of the node is nearly used up.
        Memory = "memory",
    }

    /// Why the public port refused a request, or a connection, before it looked at a token.
    HttpRefusal {
        /// There is no such path.
        NotFound = "not-found",
        /// The path does not take this method.
        Method = "method",
        /// The head of the request is larger than the node reads.
        HeadTooLarge = "head-too-large",
        /// All handshake places are taken, and no address has more than this one.
        NoPlace = "no-place",
        /// A trusted proxy sent no usable PROXY header.
        ProxyHeader = "proxy-header",
        /// The busiest address lost its oldest handshake place to another address.
        Displaced = "displaced",
        /// The client speaks TLS, and the port does not.
        TlsOnPlainPort = "tls-on-plain-port",
    }

    /// The outcome of a join of a room.
    JoinOutcome {
        /// The peer is a member.
        Joined = "joined",
        /// The room has as many members as it may have.
        Full = "full",
        /// The peer or its tenant has as many rooms as it may have.
        TooManyRooms = "too-many-rooms",
        /// The bus did not answer.
        Failed = "failed",
    }

    /// What of a room a slow member did not get.
    RoomDrop {
        /// A message to the room.
        Message = "message",
        /// A change of its members, or their number.
        Change = "change",
    }

    /// The outcome of a resume request.
    ResumeOutcome {
        /// The session continues and nothing is missing.
        Complete = "complete",
        /// The session continues. Messages may be missing, and `welcome` reports it.
        Gap = "gap",
        /// There was no such session, so a new one began.
        Refused = "refused",
    }

    /// The path of a message.
    Path {
        /// Sender and receiver on this node.
        Local = "local",
        /// Over the bus.
        Remote = "remote",
    }

    /// A bounded queue.
    Queue {
        /// Messages for one connection's socket.
        SendQueue = "send-queue",
        /// Messages for a peer that is not connected.
        OfflineQueue = "offline-queue",
        /// Receipts, errors and answers for one client that reads none.
        Answers = "answers",
        /// Sends without an outcome.
        Pending = "pending",
        /// Commands for the bus.
        Publisher = "publisher",
        /// Acknowledgements for other nodes.
        AckBatch = "ack-batch",
        /// Senders that a receiver remembers.
        DuplicateFilter = "duplicate-filter",
        /// Messages from the bus for the node.
        BusHandOff = "bus-hand-off",
        /// Peers and addresses whose connect rate a node remembers.
        ConnectPace = "connect-pace",
    }

    /// What a budget bounds.
    Budget {
        /// Bytes and number of the sends without an outcome.
        Pending = "pending",
        /// Bytes put into offline queues.
        Stored = "stored",
        /// Open connections.
        Connections = "connections",
        /// Revocations in force.
        Revocations = "revocations",
        /// Commands per second.
        Commands = "commands",
        /// Bytes that all nodes together hold for receivers without a session.
        Held = "held",
        /// Watched peers.
        Watches = "watches",
    }

    /// Whose budget it is.
    BudgetScope {
        /// One peer's, over all its sessions.
        Peer = "peer",
        /// One tenant's.
        Tenant = "tenant",
        /// The node's.
        Node = "node",
        /// That of one client address.
        Address = "address",
    }

    /// What a node gives up to stay within its memory.
    MemoryShed {
        /// A send that had no outcome yet.
        Send = "send",
        /// A connection with a full send queue.
        Connection = "connection",
    }

    /// A command to Redis.
    RedisOp {
        /// PUBLISH.
        Publish = "publish",
        /// SUBSCRIBE and UNSUBSCRIBE, until the confirmation.
        Subscribe = "subscribe",
        /// The script that claims a peer.
        Claim = "claim",
        /// The script that releases a claim.
        Release = "release",
        /// The scripts of the offline queue.
        OfflineQueue = "offline-queue",
        /// The look-up of a peer's node.
        Locate = "locate",
        /// The scripts of rooms, and the look-up of their members.
        Room = "room",
        /// The renewal of a node's lease.
        Lease = "lease",
        /// The script that exchanges what nodes say: of themselves, their connections, and what tenants have on them.
        NodeExchange = "node-exchange",
        /// The reading of revocations, and the script that stores them.
        Revocations = "revocations",
        /// Commands for the records of calls.
        CallRecord = "call-record",
        /// The scripts of event streams.
        EventStreams = "event-streams",
        /// PING.
        Ping = "ping",
    }

    /// What became of a request to a webhook endpoint.
    WebhookOutcome {
        /// The endpoint has the event.
        Delivered = "delivered",
        /// It answered, and not with success.
        Refused = "refused",
        /// It did not answer, or takes nothing now.
        Unreachable = "unreachable",
    }

    /// Why a webhook event was dropped.
    WebhookDrop {
        /// The bus takes nothing, and the node's queue is full.
        QueueFull = "queue-full",
        /// The stream of the endpoint is full, and the event was its oldest.
        StreamFull = "stream-full",
    }

    /// Why a client was asked to move.
    Goaway {
        /// The node drains.
        Draining = "draining",
        /// The node has more than its share of the cluster's connections.
        Rebalance = "rebalance",
        /// The connection has reached its maximum age.
        Age = "age",
    }

    /// Why a message from the bus was dropped.
    BusDrop {
        /// It is larger than any message of a node.
        Oversized = "oversized",
        /// It cannot be read.
        Malformed = "malformed",
        /// It is of a kind that another version of a node may know.
        OtherVersion = "other-version",
    }

    /// Why a pub/sub connection was rebuilt.
    BusRebuild {
        /// The first connection, or one after a failed attempt.
        Connect = "connect",
        /// The node did not receive its own probe.
        Deaf = "deaf",
        /// The connection was closed.
        Closed = "closed",
        /// Messages arrived faster than the node could process them.
        Overflow = "overflow",
        /// Data arrived that is not valid RESP.
        Protocol = "protocol",
        /// Redis has become a replica: another connection may lead to its master.
        Replica = "replica",
    }
}
