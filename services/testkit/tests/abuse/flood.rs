//! Bytes at full speed over one connection, and over the next one when that is closed.

use std::time::Duration;

use tokio::{io::AsyncReadExt as _, time::sleep};

use crate::{raw::Raw, scene::Scene};

/// How long a refused attacker waits. It is no politeness: the attack is what it sends when it is connected.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// How long a refused attacker waits: a short time, because it attacks only while it is connected.
pub(crate) struct Flood<F> {
    /// The node, counted from 0.
    pub(crate) node: usize,
    /// The peer, whose token is used for all connections.
    pub(crate) peer: String,
    /// Whether it reads what comes.
    pub(crate) reads: bool,
    /// After this number of batches it connects again.
    pub(crate) batches_per_connection: u64,
    /// The next bytes; `None`: nothing more on this connection, which stays open.
    pub(crate) next: F,
}

/// What was sent.
#[derive(Debug, Default)]
pub(crate) struct Flooded {
    pub(crate) connections: u64,
    pub(crate) refused: u64,
    pub(crate) batches: u64,
}

impl std::fmt::Display for Flooded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} batches over {} connections, {} refused",
            self.batches, self.connections, self.refused
        )
    }
}

/// Floods until the time is over.
pub(crate) async fn flood<F: FnMut() -> Option<Vec<u8>>>(scene: &Scene, mut flood: Flood<F>) -> Flooded {
    let mut flooded = Flooded::default();
    tokio::select! {
        () = connections(scene, &mut flood, &mut flooded) => {}
        () = scene.over() => {}
    }
    flooded
}

async fn connections<F: FnMut() -> Option<Vec<u8>>>(
    scene: &Scene,
    flood: &mut Flood<F>,
    flooded: &mut Flooded,
) {
    loop {
        let Ok(mut raw) = scene.raw(flood.node, &flood.peer).await else {
            flooded.refused += 1;
            sleep(AFTER_REFUSAL).await;
            continue;
        };
        flooded.connections += 1;
        if raw.read_until("welcome").await {
            one_connection(&mut raw, flood, flooded).await;
        }
    }
}

async fn one_connection<F: FnMut() -> Option<Vec<u8>>>(
    raw: &mut Raw,
    flood: &mut Flood<F>,
    flooded: &mut Flooded,
) {
    use tokio::io::AsyncWriteExt as _;
    let (mut reader, mut writer) = raw.stream.split();
    let reads = flood.reads;
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        while reads && matches!(reader.read(&mut buffer).await, Ok(1..)) {}
        if !reads {
            std::future::pending::<()>().await;
        }
    };
    let write = async {
        for _ in 0..flood.batches_per_connection {
            let Some(batch) = (flood.next)() else {
                return std::future::pending::<()>().await;
            };
            if writer.write_all(&batch).await.is_err() {
                return;
            }
            flooded.batches += 1;
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}
