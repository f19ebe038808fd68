//! `agent`: load for a coordinator on another machine.

use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;

use crate::{
    fleet::{
        Key, Program,
        agent::{Agent, serve},
        handshake::read_secret,
    },
    preflight::refuse_remote,
    scenario::Span,
};

/// `agent`.
#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// The address for coordinators. It starts load for every client that knows the secret: keep it in a private network.
    #[arg(long, default_value = "127.0.0.1:7700")]
    listen: String,
    /// A file with the secret that coordinators must know; `openssl rand -hex 32` makes one.
    #[arg(long)]
    secret_file: PathBuf,
    /// The HS256 secret that the loaded servers trust; keys never cross the network.
    #[arg(long)]
    hs256_secret_file: Option<PathBuf>,
    /// A private key (PEM) instead.
    #[arg(long, conflicts_with = "hs256_secret_file")]
    key_file: Option<PathBuf>,
    /// The `kid` of that key.
    #[arg(long, requires = "key_file")]
    key_id: Option<String>,
    /// Load servers that are not on this machine. Only ever your own.
    #[arg(long)]
    allow_remote: bool,
    /// End when no coordinator came for so long, for example 10m.
    #[arg(long)]
    leave_after: Option<Span>,
}

/// Serves coordinators, one after the other.
pub(super) async fn agent(args: AgentArgs) -> anyhow::Result<()> {
    let key = match (&args.hs256_secret_file, args.key_file) {
        (Some(file), _) => Key::Hs256(read_secret(file)?),
        (None, Some(file)) => Key::Pem(file, args.key_id),
        (None, None) => Key::Own,
    };
    let allow_remote = args.allow_remote;
    let agent = Agent {
        secret: read_secret(&args.secret_file)?,
        key,
        program: Program::this()?,
        check: Box::new(move |scenario| refuse_remote(&scenario.target.urls, allow_remote)),
        leave_after: args.leave_after.map(Span::get),
    };
    let listener = TcpListener::bind(&args.listen).await?;
    eprintln!("agent: waiting for coordinators on {}", listener.local_addr()?);
    serve(listener, agent).await;
    Ok(())
}
