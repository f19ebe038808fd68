//! Handshakes of TLS that are finished, and then nothing: each costs a node a signature and memory, and needs no token.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
    net::TcpStream,
    time::Duration,
};

use futures_util::{FutureExt as _, future::join_all};
use switchboard_client::Trust;
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    attack::{Attack, Findings},
    raw,
    scene::{ATTACKER, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "finish-tls-handshakes",
    title: "One address finishes handshakes of TLS as fast as it can, sends nothing, and holds the latest 4,096",
    before: "the rule is as old as TLS on the node",
    rule: "At most two handshakes per core compute at the same time, a connection without a request has a place \
           before authentication like any other, and the time before authentication is bounded.",
    is_quick: true,
    config: "[server.tls]\n{certificate}",
    run: |scene| run(scene).boxed_local(),
};

/// As many as a node has places for handshakes.
const HELD: usize = 4_096;

/// Handshakes at a time.
const AT_A_TIME: usize = 32;

/// A step of a handshake that takes longer is given up.
const WITHIN: Duration = Duration::from_secs(2);

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let trust = Trust::anything();
    let (mut held, mut finished, mut refused) = (VecDeque::new(), 0, 0);
    while !scene.is_over() {
        let dials = (0..AT_A_TIME).map(|_| timeout(WITHIN, raw::dial(scene.port(0), ATTACKER, None)));
        let handshakes = join_all(dials)
            .await
            .into_iter()
            .flatten()
            .flatten()
            .map(|stream| {
                let trust = trust.clone();
                spawn_blocking(move || -> io::Result<_> {
                    let stream: TcpStream = stream.into_std()?;
                    stream.set_nonblocking(false)?;
                    stream.set_read_timeout(Some(WITHIN))?;
                    stream.set_write_timeout(Some(WITHIN))?;
                    let mut session = trust.secure("localhost", stream)?;
                    // The first use does the handshake.
                    session.flush()?;
                    Ok(session)
                })
            });
        for session in join_all(handshakes).await {
            match session? {
                Ok(session) => {
                    finished += 1;
                    held.push_back(session);
                }
                Err(_) => refused += 1,
            }
        }
        let over = held.len().saturating_sub(HELD);
        held.drain(..over);
    }
    let mut findings = Findings::of(format!("{finished} handshakes finished, {refused} refused"));
    findings.check(finished > 0, "no handshake was finished: this is no attack");
    Ok(findings)
}
