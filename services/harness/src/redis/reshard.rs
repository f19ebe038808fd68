//! Slots of a Redis Cluster that move to another master under load, as `redis-cli --cluster reshard` moves them.

use std::collections::BTreeSet;

use anyhow::Context as _;

use super::{RedisDeployment, RedisServer, cluster::SLOTS};
use crate::resp::{Connection, Reply};

/// Keys that move with one command.
const KEYS_AT_ONCE: &str = "100";

/// How long one MIGRATE may take, in milliseconds.
const MIGRATE_MS: &str = "5000";

impl RedisDeployment {
    /// Moves `count` slots from the master with the most slots to the one with the fewest: those with keys or subscribed
    /// shard channels first, because others move unnoticed. Which slots moved.
    ///
    /// # Errors
    /// When this is no Redis Cluster of two masters, or a server refuses a step; slots may then be left half moved.
    pub async fn reshard(&self, count: usize) -> anyhow::Result<Vec<u16>> {
        let masters = self.slots().await?;
        let most = masters.iter().max_by_key(|(_, slots)| slots.len());
        let fewest = masters.iter().rev().min_by_key(|(_, slots)| slots.len());
        let (Some((from, slots)), Some((to, _))) = (most, fewest) else {
            anyhow::bail!("there is no master with slots");
        };
        anyhow::ensure!(from.port() != to.port(), "slots need two masters to move between");
        let moving = slots_to_move(from, slots, count).await?;
        for slot in &moving {
            self.move_slot(*slot, from, to).await?;
        }
        Ok(moving)
    }

    /// Moves one slot with its keys.
    ///
    /// # Errors
    /// When a server refuses a step.
    pub async fn move_slot(&self, slot: u16, from: &RedisServer, to: &RedisServer) -> anyhow::Result<()> {
        self.begin_move(slot, from, to).await?;
        self.end_move(slot, from, to).await
    }

    /// Moves the keys of a slot, which then is half moved until [`RedisDeployment::end_move`].
    ///
    /// # Errors
    /// When a server refuses a step.
    pub async fn begin_move(&self, slot: u16, from: &RedisServer, to: &RedisServer) -> anyhow::Result<()> {
        let (mut source, mut target) = (from.connect().await?, to.connect().await?);
        let (from_id, to_id): (String, String) = (
            source.ask(&["CLUSTER", "MYID"]).await?,
            target.ask(&["CLUSTER", "MYID"]).await?,
        );
        let slot = slot.to_string();
        target
            .ask::<String>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id])
            .await?;
        source
            .ask::<String>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id])
            .await?;
        move_keys(&mut source, &slot, to).await
    }

    /// Gives the slot to its new master.
    ///
    /// # Errors
    /// When a server refuses a step.
    pub async fn end_move(&self, slot: u16, from: &RedisServer, to: &RedisServer) -> anyhow::Result<()> {
        let id: String = to.command(&["CLUSTER", "MYID"]).await?;
        let node = ["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id];
        // The target first: if it came second, nobody would serve the slot for a moment.
        to.command::<String>(&node).await?;
        let mut others = self.masters().await;
        others.retain(|other| other.port() != from.port() && other.port() != to.port());
        others.insert(0, from);
        for other in others {
            // A master without slots follows the one that took its last slot.
            let reply = other.connect().await?.call(&node).await?;
            let is_set = match &reply {
                Reply::Text(text) => text == "OK",
                Reply::Error(text) => text.contains("only with masters"),
                Reply::Integer(_) | Reply::Array(_) | Reply::Push(_) | Reply::Other => false,
            };
            anyhow::ensure!(is_set, "{}: SETSLOT is answered {reply:?}", other.name());
        }
        Ok(())
    }

    /// The masters with their slots, as the first one that answers knows them.
    ///
    /// # Errors
    /// When none answers, or this is no Redis Cluster.
    pub async fn slots(&self) -> anyhow::Result<Vec<(&RedisServer, Vec<u16>)>> {
        let masters = self.masters().await;
        let first = masters.first().context("no server answers")?;
        let nodes: String = first.command(&["CLUSTER", "NODES"]).await?;
        let mut found = Vec::new();
        for line in nodes.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let (Some(address), Some(flags)) = (words.get(1), words.get(2)) else {
                continue;
            };
            if !flags.contains("master") || flags.contains("fail") {
                continue;
            }
            // `127.0.0.1:7000@17000,host`
            let port = address
                .split(['@', ','])
                .next()
                .and_then(|word| word.rsplit(':').next());
            let port: u16 = port
                .unwrap_or_default()
                .parse()
                .context("CLUSTER NODES has no port")?;
            let is_it = |server: &&&RedisServer| [server.port(), server.shared_port()].contains(&port);
            if let Some(server) = masters.iter().find(is_it) {
                found.push((
                    *server,
                    words
                        .get(8..)
                        .unwrap_or_default()
                        .iter()
                        .flat_map(|word| range(word))
                        .collect(),
                ));
            }
        }
        Ok(found)
    }
}

/// `5461-10922`, or one slot. Nothing for one that is on its way: `[93-<-…]`.
fn range(word: &str) -> Vec<u16> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => (first..=last).collect(),
        _ => Vec::new(),
    }
}

/// `count` of `slots`: those in use first.
pub(super) async fn slots_to_move(
    server: &RedisServer,
    slots: &[u16],
    count: usize,
) -> anyhow::Result<Vec<u16>> {
    let mut connection = server.connect().await?;
    let mut used = BTreeSet::new();
    for channel in connection
        .ask::<Vec<String>>(&["PUBSUB", "SHARDCHANNELS"])
        .await?
    {
        let slot: u64 = connection.ask(&["CLUSTER", "KEYSLOT", &channel]).await?;
        used.insert(u16::try_from(slot)?);
        if used.len() == SLOTS {
            break;
        }
    }
    for slot in slots {
        let keys: u64 = connection
            .ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()])
            .await?;
        if keys > 0 {
            used.insert(*slot);
        }
    }
    let (first, rest): (Vec<u16>, Vec<u16>) = slots.iter().partition(|slot| used.contains(slot));
    Ok(first.into_iter().chain(rest).take(count).collect())
}

/// Moves the keys of a slot until it has none.
async fn move_keys(source: &mut Connection, slot: &str, to: &RedisServer) -> anyhow::Result<()> {
    let port = to.shared_port().to_string();
    loop {
        let keys: Vec<String> = source
            .ask(&["CLUSTER", "GETKEYSINSLOT", slot, KEYS_AT_ONCE])
            .await?;
        if keys.is_empty() {
            return Ok(());
        }
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", MIGRATE_MS];
        if let Some(password) = to.password() {
            words.extend(["AUTH", password]);
        }
        words.push("KEYS");
        words.extend(keys.iter().map(String::as_str));
        // `NOKEY`: they have expired or were deleted meanwhile.
        let moved = source.call(&words).await?;
        let is_moved = matches!(&moved, Reply::Text(text) if text == "OK" || text == "NOKEY");
        anyhow::ensure!(is_moved, "MIGRATE of slot {slot} is answered {moved:?}");
    }
}
