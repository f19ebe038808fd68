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
    before: "the kernel held 4.2 MiB for each until it was closed",
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

/// Kernel memory that one silent client may cost, in KiB.
const MAX_KERNEL_KIB: u64 = 1024;

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let mut silent = Vec::new();
    for number in 0..READERS {
        let mut options = RawOptions::new(scene.port(1), ATTACKER, &format!("silent-{number}"));
        options.receive_bytes = Some(RECEIVE_BYTES);
        silent.push(Raw::connect(&options).await?);
    }
    let before = kernel_kib();
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
    let grown = kernel_kib().saturating_sub(before) / READERS as u64;
    let batches: u64 = flooded.iter().map(|flooded| flooded.batches).sum();
    let mut findings = Findings::of(format!(
        "{batches} sends; the kernel holds {grown} KiB for each reader"
    ));
    findings.check(
        grown <= MAX_KERNEL_KIB,
        format!("the kernel holds {grown} KiB for each reader"),
    );
    drop(silent);
    Ok(findings)
}

/// Kernel memory of all TCP sockets of this machine (proc_net(5), `sockstat`).
fn kernel_kib() -> u64 {
    /// KiB of a page.
    const PAGE_KIB: u64 = 4;
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("TCP:"))
        .unwrap_or_default();
    let pages = line
        .split_once(" mem ")
        .and_then(|(_, pages)| pages.trim().parse::<u64>().ok());
    pages.unwrap_or_default() * PAGE_KIB
}
