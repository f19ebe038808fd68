//! A coturn as a child process: a TURN server that trusts one shared secret. Not its clients, and not the credentials.

use std::{
    net::{Ipv4Addr, UdpSocket},
    ops::Deref,
};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::{Port, Process, Ready, Recipe};

/// Ports tried, at most. [`Port`] reserves TCP only; another program may bind the UDP ports before coturn does.
const MAX_ATTEMPTS: usize = 5;

/// A running coturn; killed when dropped.
#[derive(Debug)]
pub struct Coturn {
    process: Process,
    port: u16,
    /// Its configuration and log. After the process: it goes when that is gone.
    _folder: TempDir,
}

impl Coturn {
    /// Starts one that accepts credentials made with `secret`, and relays to loopback.
    ///
    /// # Errors
    /// When turnserver is missing or does not come up; with the end of its log.
    pub async fn start(secret: &str) -> anyhow::Result<Self> {
        let mut last = anyhow::anyhow!("no UDP port is free");
        for _ in 0..MAX_ATTEMPTS {
            let port = Port::reserve()?;
            if !is_udp_free(port.number()) {
                continue;
            }
            let coturn = Self::on(port, secret)?;
            match coturn.process.start().await {
                Ok(()) => return Ok(coturn),
                Err(error) => last = error,
            }
        }
        Err(last.context("coturn is needed; install it with scripts/setup"))
    }

    fn on(reserved: Port, secret: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = reserved.number();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let config = file("turnserver.conf");
        let text = format!(
            "listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlistening-port={port}\nmin-port=40000\nmax-port=40999\n\
             use-auth-secret\nstatic-auth-secret={secret}\nrealm=switchboard.test\nallow-loopback-peers\nno-cli\n\
             no-tls\nno-dtls\nfingerprint\nverbose\nsimple-log\nlog-file=stdout\npidfile={}\nuserdb={}\n",
            file("pid"),
            file("db"),
        );
        std::fs::write(&config, text).with_context(|| format!("{config} cannot be written"))?;
        let recipe = Recipe {
            program: "turnserver".into(),
            arguments: vec!["-c".into(), config.into()],
            environment: Vec::new(),
            log: file("log").into(),
            ready: Ready::Accepts(port),
            ports: vec![reserved],
        };
        Ok(Self {
            process: Process::new("coturn", recipe),
            port,
            _folder: folder,
        })
    }

    /// Its port on 127.0.0.1, for TCP and UDP.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Deref for Coturn {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// Whether coturn can listen there: it binds the next port as well.
fn is_udp_free(port: u16) -> bool {
    let next = port.checked_add(1);
    let is_free = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    next.is_some_and(|next| is_free(port) && is_free(next))
}
