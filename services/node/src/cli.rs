//! The command line, which scripts depend on. Only its form; each command is a module of `command`.

mod operator;
mod time;

use std::{net::SocketAddr, path::PathBuf, sync::LazyLock, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use time::duration;

pub use operator::{Nodes, Operator, Status, Top};

/// A horizontally scalable WebRTC signaling server.
///
/// Start with `switchboard dev` and open the printed address in two tabs.
#[derive(Debug, Parser)]
#[command(name = "switchboard", version = version(), max_term_width = 100, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Version and commit, for people and for reports of errors.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("SWITCHBOARD_COMMIT").unwrap_or("unknown");
        format!("{} (commit {commit})", env!("CARGO_PKG_VERSION"))
    });
    &VERSION
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one node for development: in-memory bus, demo page, a signing key of its own, STUN and TURN.
    ///
    /// Needs no Redis and no configuration; everything listens on 127.0.0.1.
    Dev(Dev),
    /// Run a production node.
    Serve(Serve),
    /// Ask a running node whether it is alive; exit code 0: it is. For containers without HTTP probes.
    Healthcheck(Healthcheck),
    /// Check the configuration, print its defaults, print its JSON schema.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make or read tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Connect as a peer and print what arrives, one JSON object a line, until interrupted.
    ///
    /// With --room it joins rooms first, and prints their members and who comes and goes. With --watch it prints whether
    /// peers are online, now and at each change.
    #[command(
        after_help = "Examples:\n  switchboard listen --room lobby --info '{\"name\":\"Bob\"}'\n  \
                            switchboard listen --watch alice --watch carol"
    )]
    Listen(Listen),
    /// Connect as a peer, send one message to a peer or to a room, and print its outcome.
    ///
    /// A message to a peer is delivered, or it fails. With --hold it waits for a peer that is offline. A message to a room
    /// needs a member, so the command joins the room first and leaves it at the end.
    #[command(after_help = "Examples:\n  switchboard send --to bob '\"hello\"'\n  \
                            switchboard send --to bob --hold 30s --kind offer '{\"sdp\":\"…\"}'\n  \
                            switchboard send --room lobby '{\"text\":\"hello, all\"}'")]
    Send(Send),
    /// Show what waits for each webhook endpoint, list the events that were given up, and send these again.
    ///
    /// Asks the operations port of a running node; any node of the cluster knows all of it. On the node's own machine, with
    /// its configuration, nothing else is needed. Without a command it lists the endpoints, for which no token is needed.
    #[command(
        after_help = "Examples:\n  switchboard webhooks --config /etc/switchboard/switchboard.toml\n  \
                      switchboard webhooks dead app --url http://10.0.0.7:9090 --token-file ops-token\n  \
                      switchboard webhooks replay app --id msg_5f0c1e9a7b3d24681a"
    )]
    Webhooks(Webhooks),
    /// Show the state of the cluster once: nodes, Redis servers, the largest tenants and rooms.
    ///
    /// Asks the operations port of a node, which answers for itself and for what the other nodes say of themselves over Redis.
    /// On the node's own machine, with its configuration, nothing else is needed. Only nodes that are asked themselves name
    /// tenants, rooms and Redis servers: give several with --node. Changes nothing. Exit code 1: no node answered.
    #[command(
        after_help = "Examples:\n  switchboard status --config /etc/switchboard/switchboard.toml\n  \
                      switchboard status --json --node http://10.0.0.7:9090 --node http://10.0.0.8:9090 --token-file ops-token\n  \
                      kubectl exec deploy/switchboard -- /switchboard status --config /etc/switchboard/config/switchboard.toml"
    )]
    Status(Status),
    /// The same as `status`, drawn again and again, until `q` is pressed.
    ///
    /// Without a terminal it prints one picture. Changes nothing.
    #[command(
        after_help = "Examples:\n  switchboard top --config /etc/switchboard/switchboard.toml\n  \
                      switchboard top --every 500ms --node http://switchboard-pods:9090 --token-file ops-token\n  \
                      kubectl exec -it deploy/switchboard -- /switchboard top --config /etc/switchboard/config/switchboard.toml"
    )]
    Top(Top),
    /// Send an offer and its answer between two nodes; try again until both are delivered or the time is over.
    Selftest(Selftest),
}

/// `switchboard dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// Address of the public port and the demo page.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address of the operations port (/livez, /readyz, /metrics).
    #[arg(long, default_value = "127.0.0.1:9090")]
    pub ops_listen: SocketAddr,
    /// Join other nodes through this Redis, e.g. redis://127.0.0.1:6379. Without it the node is alone.
    #[arg(long)]
    pub redis_url: Option<String>,
    /// Sign with the secret in this file, not with a random one; nodes that share a Redis must share it.
    #[arg(long)]
    pub signing_secret_file: Option<PathBuf>,
    /// Let pages of this origin connect, e.g. `https://my.test`; can be given several times. Pages of this machine always may.
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub allowed_origins: Vec<String>,
    /// The node's name.
    #[arg(long)]
    pub node_id: Option<String>,
    /// Do not start the embedded STUN and TURN server.
    #[arg(long)]
    pub no_turn: bool,
}

/// `switchboard serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration file (TOML); SWITCHBOARD__SECTION__KEY in the environment overrides its keys.
    #[arg(long)]
    pub config: Option<PathBuf>,
}

/// `switchboard healthcheck`.
#[derive(Debug, Args)]
pub struct Healthcheck {
    /// The URL to ask, e.g. http://127.0.0.1:9090/livez; default: the operations port of the configuration.
    #[arg(long, conflicts_with_all = ["config", "ready"])]
    pub url: Option<String>,
    /// The node's configuration file; SWITCHBOARD__SERVER__OPS_LISTEN in the environment counts as for `serve`.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Ask whether it is ready. Not for a runtime that restarts what fails: without Redis a node is not ready.
    #[arg(long)]
    pub ready: bool,
    /// How long the answer may take, in milliseconds.
    #[arg(long, default_value_t = 2000)]
    pub timeout_ms: u64,
}

/// `switchboard config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read a configuration as `serve` does and name the first error (exit code 64).
    Check(Serve),
    /// Print every key with its default.
    Default,
    /// Print the JSON schema of the configuration.
    Schema,
}

/// `switchboard token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Sign a token and print it.
    Mint(Box<Mint>),
    /// Show the content of a token. Does not verify it.
    Inspect {
        /// The token; `-` reads it from standard input, which keeps it out of the shell's history.
        token: String,
    },
}

/// The longest life of a minted token, in seconds: 100 years.
const MAX_TTL_S: u64 = 3_155_760_000;

/// `switchboard token mint`.
#[derive(Debug, Args)]
pub struct Mint {
    /// The peer ID.
    #[arg(long)]
    pub peer: String,
    /// Take secret, audience and issuer from this node configuration; the first secret signs.
    #[arg(long, conflicts_with = "secret_file")]
    pub config: Option<PathBuf>,
    /// Sign with HS256 and the secret in this file.
    #[arg(long)]
    pub secret_file: Option<PathBuf>,
    /// Sign with the private key in this PEM file; RSA, EC and Ed25519 keys choose their algorithm.
    #[arg(long, conflicts_with_all = ["secret_file", "config"])]
    pub key_file: Option<PathBuf>,
    /// The name (`kid`) of the key in `--key-file` or `--secret-file`.
    #[arg(long, conflicts_with = "config")]
    pub kid: Option<String>,
    /// How long the token is valid, in seconds.
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=MAX_TTL_S))]
    pub ttl_s: u64,
    /// The tenant.
    #[arg(long)]
    pub tenant: Option<String>,
    /// The audience.
    #[arg(long)]
    pub audience: Option<String>,
    /// The issuer.
    #[arg(long)]
    pub issuer: Option<String>,
    /// A pattern of peer IDs that the peer may send to; can be given several times.
    #[arg(long = "may-send-to")]
    pub may_send_to: Vec<String>,
    /// For the backend API: the token has the role `backend`.
    #[arg(long)]
    pub backend: bool,
}

/// The node and the token of a command-line peer.
#[derive(Debug, Args)]
pub struct Connect {
    /// The node's WebSocket address.
    #[arg(long, default_value = "ws://127.0.0.1:8080/v1/ws", env = "SWITCHBOARD_URL")]
    pub url: String,
    /// The token. Better in the environment or a file than on the command line, where others can see it.
    #[arg(long, env = "SWITCHBOARD_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// A file that holds the token.
    #[arg(long, conflicts_with = "token")]
    pub token_file: Option<PathBuf>,
    /// A PEM file of authorities that may certify a wss:// node, in addition to those of the system.
    #[arg(long, env = "SWITCHBOARD_CA_FILE")]
    pub ca_file: Option<PathBuf>,
}

/// `switchboard listen`.
#[derive(Debug, Args)]
pub struct Listen {
    /// The node and the token.
    #[command(flatten)]
    pub connect: Connect,
    /// Stop after this many messages.
    #[arg(long)]
    pub count: Option<u64>,
    /// A room to join; can be given several times.
    #[arg(long = "room")]
    pub rooms: Vec<String>,
    /// What the other members of the rooms see of this peer: a JSON object.
    #[arg(long, requires = "rooms")]
    pub info: Option<String>,
    /// A peer ID to watch; can be given several times.
    #[arg(long = "watch")]
    pub watched: Vec<String>,
}

/// `switchboard send`.
#[derive(Debug, Args)]
pub struct Send {
    /// The node and the token.
    #[command(flatten)]
    pub connect: Connect,
    /// The receiver's peer ID.
    #[arg(long, required_unless_present = "room")]
    pub to: Option<String>,
    /// The room whose members receive it, instead of one peer.
    #[arg(long, conflicts_with = "to")]
    pub room: Option<String>,
    /// How long the message may wait for a receiver that is offline, for example 30s; the node limits it.
    #[arg(long, value_parser = duration, conflicts_with = "room")]
    pub hold: Option<Duration>,
    /// The kind of the message.
    #[arg(long, value_enum, default_value_t = Kind::Message)]
    pub kind: Kind,
    /// The payload: any JSON value.
    pub payload: String,
}

/// The kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names are those of the protocol")]
pub enum Kind {
    Offer,
    Answer,
    Candidate,
    Bye,
    Message,
}

/// `switchboard selftest`.
#[derive(Debug, Args)]
pub struct Selftest {
    /// `host:port` of the nodes' public ports, one or several; the two peers connect to two of the addresses
    /// behind these names.
    #[arg(long, value_delimiter = ',', required = true)]
    pub nodes: Vec<String>,
    /// The nodes have TLS. Their certificates must be for the names in `--nodes`.
    #[arg(long)]
    pub tls: bool,
    /// A PEM file of authorities that may certify them, in addition to those of the system; implies `--tls`.
    #[arg(long, env = "SWITCHBOARD_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Fail unless the two peers are on two nodes.
    #[arg(long)]
    pub apart: bool,
    /// Give up after this time, in seconds.
    #[arg(long, default_value_t = 60)]
    pub within_s: u64,
    /// Sign the peers' tokens with HS256 and the secret in this file.
    #[arg(long)]
    pub secret_file: Option<PathBuf>,
    /// The audience of those tokens.
    #[arg(long, requires = "secret_file")]
    pub audience: Option<String>,
    /// Their issuer.
    #[arg(long, requires = "secret_file")]
    pub issuer: Option<String>,
    /// A file that holds the token of the peer that calls.
    #[arg(long, conflicts_with = "secret_file", requires = "callee_token_file")]
    pub caller_token_file: Option<PathBuf>,
    /// A file that holds the token of the peer that answers.
    #[arg(long, requires = "caller_token_file")]
    pub callee_token_file: Option<PathBuf>,
}

/// `switchboard webhooks`.
#[derive(Debug, Args)]
pub struct Webhooks {
    /// The operations port, for example http://10.0.0.7:9090; default: the one of the configuration.
    #[arg(long, global = true, env = "SWITCHBOARD_OPS_URL")]
    pub url: Option<String>,
    /// The operator.
    #[command(flatten)]
    pub operator: Operator,
    /// Print the node's answer: one JSON document.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do; without it: list the endpoints.
    #[command(subcommand)]
    pub command: Option<WebhooksCommand>,
}

/// What to do with webhooks.
#[derive(Debug, Subcommand)]
pub enum WebhooksCommand {
    /// List the events of an endpoint that were given up, the latest first: ID, type, whom it is about, and why.
    Dead {
        /// The endpoint's name.
        #[arg(value_parser = endpoint_name)]
        name: String,
        /// The most events to list.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        limit: u16,
    },
    /// Send events that were given up again, in the order in which they were given up, with the same IDs.
    ///
    /// Repair the endpoint first: an event that it refuses again is given up again. One command replays 1,000 events.
    Replay {
        /// The endpoint's name.
        #[arg(value_parser = endpoint_name)]
        name: String,
        /// Replay the event with this ID alone, as `dead` shows it.
        #[arg(long, value_parser = event_id)]
        id: Option<String>,
    },
}

/// A name that `[[webhooks.endpoints]]` can have.
fn endpoint_name(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("the name of an endpoint has the characters a-z 0-9 -"),
    }
}

/// A `webhook-id`.
fn event_id(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match text.starts_with("msg_") && text.bytes().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("an ID is the `webhook-id` of an event, for example msg_5f0c1e9a7b3d24681a"),
    }
}
