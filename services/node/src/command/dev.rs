//! `switchboard dev`: one node that needs nothing else, and a page to open.

use std::{
    io::{ErrorKind, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use anyhow::Context as _;
use switchboard_protocol::Secret;

use super::{runtime, serve};
use crate::{
    cli::Dev,
    config::{BrokerKind, Config, ConfigError, LogFormat, Settings},
    node::{ListenError, Node},
    turn_server::TurnServer,
};

/// How long a development node waits for its clients when it is stopped, in milliseconds.
const DRAIN_MS: u64 = 500;

/// Clients of a development node; fewer than any machine has files.
const CONNECTIONS: usize = 500;

/// The pages that may connect without an option: those that this machine serves, on every port.
const OWN_PAGES: [&str; 6] = [
    "http://localhost:*",
    "http://127.0.0.1:*",
    "http://[::1]:*",
    "https://localhost:*",
    "https://127.0.0.1:*",
    "https://[::1]:*",
];

/// The options that set keys of the configuration.
const OPTIONS: [(&str, &str); 6] = [
    ("server.listen", "--listen"),
    ("server.ops_listen", "--ops-listen"),
    ("server.allowed_origins", "--allow-origin"),
    ("broker.redis_urls", "--redis-url"),
    ("auth.hs256_secret_file", "--signing-secret-file"),
    ("node.id", "--node-id"),
];

pub(super) fn run(dev: Dev) -> anyhow::Result<()> {
    runtime::run(start(dev)).map_err(naming_options)
}

async fn start(dev: Dev) -> anyhow::Result<()> {
    let hangups = serve::hangups()?;
    let wants_turn = !dev.no_turn;
    let mut config = config(dev)?;
    let turn_secret = random_secret();
    let turn = match wants_turn {
        true => start_turn(&turn_secret).await,
        false => None,
    };
    if let Some(turn) = &turn {
        config.ice.stun_urls = vec![format!("stun:{}", turn.address())];
        config.ice.turn_urls = vec![format!("turn:{}?transport=udp", turn.address())];
        config.ice.turn_secret = turn_secret;
    }
    let turn_address = turn.as_ref().map(TurnServer::address);
    let settings = Settings::check(config)?;
    serve::node(settings, hangups, |node| announce(node, turn_address)).await?;
    if let Some(turn) = turn {
        turn.stop().await;
    }
    Ok(())
}

/// The error with options in place of keys: nobody wrote a configuration here.
fn naming_options(error: anyhow::Error) -> anyhow::Error {
    let error = match error.downcast::<ListenError>() {
        Ok(taken) => return cannot_listen(&taken),
        Err(error) => error,
    };
    match error.downcast::<ConfigError>() {
        Ok(ConfigError { key, problem }) => ConfigError::new(option(&key), problem).into(),
        Err(error) => error,
    }
}

/// What to type if a port is taken.
fn cannot_listen(error: &ListenError) -> anyhow::Error {
    let (address, option) = (error.address, option(error.key));
    let why = if error.source.kind() == ErrorKind::AddrInUse {
        format!("port {} is taken", address.port())
    } else {
        format!("cannot listen on {address}: {}", error.source)
    };
    let any_port = SocketAddr::new(address.ip(), 0);
    let second = match option {
        "--listen" => format!("; a second node needs --ops-listen {any_port} too"),
        _ => String::new(),
    };
    anyhow::anyhow!("{why}; use {option} {any_port} for any free port{second}")
}

fn option(key: &str) -> &str {
    OPTIONS
        .iter()
        .find(|(set, _)| *set == key)
        .map_or(key, |(_, option)| option)
}

fn config(dev: Dev) -> anyhow::Result<Config> {
    let mut config = Config::default();
    config.node.id = dev.node_id.unwrap_or_default();
    config.server.listen = dev.listen;
    config.server.ops_listen = dev.ops_listen;
    let own_pages = OWN_PAGES.map(str::to_owned).into_iter();
    config.server.allowed_origins = own_pages.chain(dev.allowed_origins).collect();
    config.demo.enabled = true;
    config.telemetry.log_format = LogFormat::Text;
    config.telemetry.log_filter = "warn".into();
    config.limits.connections = CONNECTIONS;
    config.drain.settle_ms = 0;
    config.drain.window_ms = 0;
    config.drain.grace_ms = 0;
    config.drain.deadline_ms = DRAIN_MS;
    match dev.signing_secret_file {
        Some(file) => config.auth.hs256_secret_file = Some(file),
        None => config.auth.hs256_secret = random_secret(),
    }
    match dev.redis_url {
        None => config.broker.kind = BrokerKind::Memory,
        Some(url) => config.broker.redis_urls = vec![Secret::new(url)],
    }
    for (key, address) in [
        ("server.listen", dev.listen),
        ("server.ops_listen", dev.ops_listen),
    ] {
        if !address.ip().is_loopback() {
            let problem = "a development node listens on loopback addresses only";
            return Err(ConfigError::new(key, problem).into());
        }
    }
    Ok(config)
}

/// 256 random bits, in hexadecimal.
fn random_secret() -> Secret {
    let bytes: [u8; 32] = rand::random();
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Calls on one machine work without TURN, so a failure here is a warning.
async fn start_turn(secret: &Secret) -> Option<TurnServer> {
    let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    match TurnServer::start(any_port, secret.clone()).await {
        Ok(turn) => Some(turn),
        Err(error) => {
            eprintln!("the embedded TURN server could not start; calls work without it: {error:#}");
            None
        }
    }
}

fn announce(node: &Node, turn: Option<SocketAddr>) -> anyhow::Result<()> {
    let public = node.public_address().context("the public port has no address")?;
    let ops = node.ops_address().context("the operations port has no address")?;
    let turn = turn.map_or_else(String::new, |turn| format!("  STUN, TURN  {turn} (UDP)\n"));
    let text = format!(
        "Switchboard is ready. Open this address in two tabs and let them call each other:\n\n    \
         http://{public}/\n\n  \
           signaling   ws://{public}/v1/ws\n  \
           operations  http://{ops}/metrics  /livez  /readyz\n\
         {turn}\n\
         Your own page, on any port of this machine: GET http://{public}/dev/session gives it a token.\n\
         Stop with Ctrl-C.\n"
    );
    // A program that reads the address may close the pipe then, and the node goes on.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}
