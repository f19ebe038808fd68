//! The configuration of a node: every key, its default, its unit in its name. Not how it is read (`load`)
//! nor what makes it valid (`settings`).

mod load;
mod settings;

use std::{net::SocketAddr, path::PathBuf};

pub use load::{ConfigError, default_toml, load, parse, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use settings::{BrokerSettings, DrainSettings, Settings};
use switchboard_protocol::Secret;

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

section! {
    /// A node's configuration.
    Config {
        /// The node itself.
        node: NodeSection = NodeSection::default(),
        /// Its ports.
        server: ServerSection = ServerSection::default(),
        /// Which tokens it accepts.
        auth: AuthSection = AuthSection::default(),
        /// What joins it with other nodes.
        broker: BrokerSection = BrokerSection::default(),
        /// How sessions behave.
        session: SessionSection = SessionSection::default(),
        /// Bounds.
        limits: LimitsSection = LimitsSection::default(),
        /// STUN and TURN servers handed to peers.
        ice: IceSection = IceSection::default(),
        /// How the node is emptied before it stops.
        drain: DrainSection = DrainSection::default(),
        /// How connections are kept in balance between nodes.
        rebalance: RebalanceSection = RebalanceSection::default(),
        /// Logs and traces.
        telemetry: TelemetrySection = TelemetrySection::default(),
        /// The demo page.
        demo: DemoSection = DemoSection::default(),
    }
}

section! {
    /// `[node]`.
    NodeSection {
        /// The node's name, unique in the cluster; empty: the host name and a random suffix.
        id: String = String::new(),
    }
}

section! {
    /// `[server]`.
    ServerSection {
        /// Address of the public port.
        listen: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 8080)),
        /// Address of the operations port.
        ops_listen: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 9090)),
        /// Origins whose pages may connect; `*` allows all. The node's own host is always allowed.
        allowed_origins: Vec<String> = Vec::new(),
        /// Whether a token may stand in the query, as EventSource needs it.
        accept_query_token: bool = true,
        /// How long a client may take to send the head of a request, in milliseconds.
        handshake_timeout_ms: u64 = 10_000,
    }
}

section! {
    /// `[auth]`.
    AuthSection {
        /// A shared secret of at least 32 bytes for HS256, HS384 and HS512.
        #[schemars(with = "String")]
        hs256_secret: Secret = Secret::default(),
        /// A file that holds the shared secret.
        hs256_secret_file: Option<PathBuf> = None,
        /// A folder of public keys, each `<kid>.pem`.
        public_keys_dir: Option<PathBuf> = None,
        /// The URL of a JSON Web Key Set; empty: none.
        jwks_url: String = String::new(),
        /// The `iss` that tokens must carry; empty: any.
        issuer: String = String::new(),
        /// The `aud` that tokens must carry; empty: any.
        audience: String = "switchboard".into(),
    }
}

/// What joins the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BrokerKind {
    /// Nothing: one node alone.
    Memory,
    /// Redis pub/sub.
    Redis,
}

/// How Redis is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RedisMode {
    /// One server.
    Standalone,
}

section! {
    /// `[broker]`.
    BrokerSection {
        /// What joins the nodes.
        kind: BrokerKind = BrokerKind::Redis,
        /// How Redis is run; this version serves `standalone`.
        redis_mode: RedisMode = RedisMode::Standalone,
        /// Where Redis is.
        #[schemars(with = "Vec<String>")]
        redis_urls: Vec<Secret> = vec![Secret::new("redis://127.0.0.1:6379")],
        /// A file that holds the one URL instead, so that a password stands in no configuration.
        redis_url_file: Option<PathBuf> = None,
    }
}

section! {
    /// `[session]`.
    SessionSection {
        /// How long a send may wait for its final word, in milliseconds.
        send_deadline_ms: u64 = 5_000,
        /// How often a client is pinged, in milliseconds.
        heartbeat_ms: u64 = 25_000,
        /// How long the session of a lost connection is kept for a resume, in seconds; 0: not at all.
        resume_window_s: u64 = 60,
    }
}

section! {
    /// `[limits]`.
    LimitsSection {
        /// Connections of this node.
        connections: usize = 100_000,
        /// Verified clients let in per second in the long run, and twice as many at once.
        connects_per_second: u32 = 4_000,
        /// Connections in their handshake at the same time.
        handshakes: usize = 4_096,
        /// The largest frame of a client, in bytes.
        message_bytes: usize = 65_536,
        /// Commands a second of one connection, in the long run.
        messages_per_second: u32 = 1_000,
        /// Commands of one connection at once.
        message_burst: u32 = 4_000,
        /// Payload bytes waiting for one receiver's socket.
        send_queue_bytes: usize = 262_144,
        /// Messages waiting for one receiver's socket.
        send_queue_messages: usize = 1_024,
        /// Sends of one connection without a final word.
        pending_messages: usize = 4_096,
        /// Payload bytes of those sends.
        pending_bytes: usize = 1_048_576,
    }
}

section! {
    /// `[ice]`.
    IceSection {
        /// `stun:` URLs.
        stun_urls: Vec<String> = Vec::new(),
        /// `turn:` and `turns:` URLs.
        turn_urls: Vec<String> = Vec::new(),
        /// The secret shared with the TURN servers (coturn: `static-auth-secret`).
        #[schemars(with = "String")]
        turn_secret: Secret = Secret::default(),
        /// A file that holds that secret.
        turn_secret_file: Option<PathBuf> = None,
        /// How long TURN credentials are valid, in seconds.
        turn_ttl_s: u64 = 3_600,
    }
}

section! {
    /// `[drain]`.
    DrainSection {
        /// How long the node goes on as before after readiness is off, so that balancers notice; ms.
        settle_ms: u64 = 5_000,
        /// Over how long the `goaway`s are spread, in milliseconds.
        window_ms: u64 = 15_000,
        /// How long a client has after its `goaway` before it is closed, in milliseconds.
        grace_ms: u64 = 2_000,
        /// When whoever is left is cut off, in milliseconds from the first `goaway`.
        deadline_ms: u64 = 25_000,
    }
}

section! {
    /// `[rebalance]`.
    RebalanceSection {
        /// Whether a node with more than its share of the cluster's connections asks clients to move.
        enabled: bool = false,
        /// It begins above this multiple of the mean of all nodes, and ends half-way back to the mean.
        high_watermark: f64 = 1.1,
        /// A node with no more connections than this asks nobody.
        floor_connections: usize = 100,
        /// The share of its connections that a node asks per second, at most …
        pace_share: f64 = 0.04,
        /// … or this many connections, if that is more.
        pace_connections: usize = 5,
        /// How long a node has to be ready before it is counted and asks anybody, in milliseconds.
        settle_ms: u64 = 10_000,
        /// When a connection is asked to move because of its age, in seconds, and closed a minute later; 0: never.
        max_connection_age_s: u64 = 0,
        /// Each connection's own bound is earlier by up to this share, from 0 to 1.
        max_connection_age_jitter: f64 = 0.1,
    }
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

section! {
    /// `[telemetry]`.
    TelemetrySection {
        /// Where OTLP traces go (gRPC), e.g. `http://collector:4317`; empty: nowhere.
        otlp_endpoint: String = String::new(),
        /// The share of messages that are traced, from 0 to 1.
        trace_sample_ratio: f64 = 0.01,
        /// How logs are written.
        log_format: LogFormat = LogFormat::Json,
        /// What is logged, in the form of `tracing_subscriber::EnvFilter`.
        log_filter: String = "info".into(),
    }
}

section! {
    /// `[demo]`.
    DemoSection {
        /// Serve the demo page and hand a token to whoever asks. Only on a loopback address.
        enabled: bool = false,
    }
}
