//! Places for handshakes are held without a token.

use std::time::Duration;

use futures_util::{FutureExt as _, future::join_all};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    attack::{Attack, Findings},
    raw,
    scene::{ATTACKER, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "hold-handshakes",
    title: "One address holds 4,096 connections without a token, and sends a refused request on each every two seconds",
    before: "an honest client was not in after 20 s",
    rule: "Places before authentication are shared by address, a refused request ends its connection, and the time \
           before authentication is bounded.",
    is_quick: true,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

/// As many as a node has places for handshakes.
const CONNECTIONS: usize = 4_096;

const REQUEST: &[u8] = b"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n";

const REQUEST_EVERY: Duration = Duration::from_secs(2);

/// Connects at a time.
const AT_A_TIME: usize = 64;

/// A connect that is not open by then is given up. The kernel tries a second time after 1 s.
const DIAL_WITHIN: Duration = Duration::from_secs(2);

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let mut held = Vec::new();
    let mut opened = 0;
    while !scene.is_over() {
        opened += fill(&scene, &mut held).await;
        held.retain(|stream| stream.try_write(REQUEST).is_ok());
        tokio::select! {
            () = sleep(REQUEST_EVERY) => {}
            () = scene.over() => {}
        }
        held.retain(is_open);
    }
    Ok(Findings::of(format!(
        "{opened} connections opened, {} open when the time was over",
        held.len()
    )))
}

/// Opens connections until all are open, or the node takes no more.
async fn fill(scene: &Scene, held: &mut Vec<TcpStream>) -> usize {
    let before = held.len();
    while held.len() < CONNECTIONS && !scene.is_over() {
        let count = AT_A_TIME.min(CONNECTIONS - held.len());
        let dials = (0..count).map(|_| timeout(DIAL_WITHIN, raw::dial(scene.port(0), ATTACKER, None)));
        let dialed = join_all(dials).await;
        let open = held.len();
        held.extend(dialed.into_iter().flatten().flatten());
        if held.len() == open {
            break;
        }
    }
    held.len() - before
}

/// Reads what has come; whether the other side has not closed.
fn is_open(stream: &TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.try_read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}
