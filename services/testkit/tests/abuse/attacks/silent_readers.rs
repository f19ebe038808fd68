//! Clients that read nothing while others send to them: the kernel holds all that waits for them.

use futures_util::{FutureExt as _, future::join_all};

use crate::{
    attack::{Attack, Findings},
    flood::{Flood, flood},
    raw::{self, Raw, RawOptions},
    scene::{ATTACKER, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "clients-that-do-not-read",
    title: "Four clients send to 16 clients that read nothing",
    before: "the kernel took 4.2 MiB for each until it was closed",
    rule: "The send buffer of a connection in the kernel is bounded.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

const READERS: usize = 16;

const SENDERS: usize = 4;

/// The least that the kernel takes for a reader.
const RECEIVE_BYTES: u32 = 2048;

const PAYLOAD_BYTES: usize = 32 * 1024;

/// What may wait in the kernel for one silent client, in KiB.
const MAX_WAITING_KIB: u64 = 256;

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let mut silent = Vec::new();
    for number in 0..READERS {
        let mut options = RawOptions::new(scene.port(1), ATTACKER, &format!("silent-{number}"));
        options.receive_bytes = Some(RECEIVE_BYTES);
        silent.push(Raw::connect(&options).await?);
    }
    let padding = "x".repeat(PAYLOAD_BYTES);
    let senders = (0..SENDERS).map(|sender| {
        let (scene, padding) = (&scene, &padding);
        let mut id = 0;
        let next = move || {
            id += 1;
            let to = id % READERS;
            Some(raw::text(&format!(
                r#"{{"type":"message","id":{id},"to":"silent-{to}","payload":"{padding}"}}"#
            )))
        };
        let attack = Flood {
            node: 0,
            peer: format!("attacker-{sender}"),
            reads: true,
            batches_per_connection: u64::MAX,
            next,
        };
        flood(scene, attack)
    });
    let flooded = join_all(senders).await;
    let batches: u64 = flooded.iter().map(|flooded| flooded.batches).sum();
    let ports: Vec<_> = silent
        .iter()
        .filter_map(|raw| Some(raw.stream.local_addr().ok()?.port()))
        .collect();
    let waiting = waiting_kib(scene.port(1), &ports);
    let most = waiting.iter().copied().max().unwrap_or_default();
    let mut findings = Findings::of(format!(
        "{batches} sends; the kernel holds up to {most} KiB for each of {} readers",
        waiting.len()
    ));
    findings.check(
        most <= MAX_WAITING_KIB,
        format!("the kernel holds {most} KiB for a reader; {MAX_WAITING_KIB} are allowed"),
    );
    Ok(findings)
}

/// What the node at `port` has written to the clients at these ports and they have not taken, in KiB
/// (proc_net(5), `tcp`, `tx_queue`).
fn waiting_kib(port: u16, clients: &[u16]) -> Vec<u64> {
    let text = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port_of = |address: &str| u16::from_str_radix(address.split_once(':')?.1, 16).ok();
    let waiting = text.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (local, remote) = (port_of(fields.get(1)?)?, port_of(fields.get(2)?)?);
        let (waiting, _) = fields.get(4)?.split_once(':')?;
        let bytes = u64::from_str_radix(waiting, 16).ok()?;
        (local == port && clients.contains(&remote)).then_some(bytes / 1024)
    });
    waiting.collect()
}
