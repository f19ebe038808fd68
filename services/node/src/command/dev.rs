//! `switchboard dev`: one node that needs nothing else, and a page to open.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use switchboard_protocol::Secret;

use super::{runtime, serve};
use crate::{
    cli::Dev,
    config::{BrokerKind, Config, ConfigError, LogFormat, Settings},
    node::Node,
    turn_server::TurnServer,
};

/// How long a development node waits for its clients when it is stopped, in milliseconds.
const DRAIN_MS: u64 = 500;

/// Clients of a development node; fewer than any machine has files.
const CONNECTIONS: usize = 500;

pub(super) fn run(dev: Dev) -> anyhow::Result<()> {
    runtime::run(async move {
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
    })
}

fn config(dev: Dev) -> anyhow::Result<Config> {
    let mut config = Config::default();
    config.node.id = dev.node_id.unwrap_or_default();
    config.server.listen = dev.listen;
    config.server.ops_listen = dev.ops_listen;
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
    if !dev.ops_listen.ip().is_loopback() {
        return Err(ConfigError::new(
            "--ops-listen",
            "a development node listens on loopback addresses only",
        )
        .into());
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
    println!("Switchboard is ready. Open this address in two tabs and let them call each other:");
    println!();
    println!("    http://{public}/");
    println!();
    println!("  signaling   ws://{public}/v1/ws");
    println!("  operations  http://{ops}/metrics  /livez  /readyz");
    if let Some(turn) = turn {
        println!("  STUN, TURN  {turn} (UDP)");
    }
    println!();
    println!("Tokens for development are handed out at /dev/session. Stop with Ctrl-C.");
    Ok(())
}
