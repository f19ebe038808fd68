//! The users of Redis for which docs/operating.md has lines, and the commands that servers have carried out. Not what nodes do
//! with the rights.

use std::collections::BTreeMap;

use switchboard_harness::RedisServer;

/// The line behind the first place of the page that begins with `place`, word by word.
///
/// # Panics
/// When the page has no such place.
pub(crate) fn documented(place: &str) -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut lines = page.lines().skip_while(|line| !line.starts_with(place));
    let line = lines.find_map(|line| Some(line.split_once("ACL SETUSER")?.1));
    let line = line.unwrap().split('`').next().unwrap();
    let words = line.replace("\\|", "|");
    let words = words.split_whitespace().map(str::to_owned);
    ["ACL", "SETUSER"]
        .map(str::to_owned)
        .into_iter()
        .chain(words)
        .collect()
}

/// The user of nodes in mode `standalone` and `sharded`, and behind Sentinels.
pub(crate) fn plain() -> Vec<String> {
    documented("For `standalone`")
}

/// The user of nodes in mode `cluster`.
pub(crate) fn of_cluster() -> Vec<String> {
    documented("For `cluster`")
}

/// The user of nodes that watch Sentinels.
pub(crate) fn of_sentinels() -> Vec<String> {
    documented("For the Sentinels")
}

/// What webhooks need too.
pub(crate) fn of_webhooks() -> Vec<String> {
    documented("| [webhooks]")
}

/// What a further server needs too.
pub(crate) fn of_a_further_server() -> Vec<String> {
    documented("| a [further server]")
}

/// What a database other than 0 needs too.
pub(crate) fn of_a_database() -> Vec<String> {
    documented("| a database")
}

/// The rights to commands in a line, without the plus.
pub(crate) fn rights(line: &[String]) -> Vec<&str> {
    line.iter().filter_map(|word| word.strip_prefix('+')).collect()
}

/// Types a line on a server.
pub(crate) async fn type_line(server: &RedisServer, line: &[String]) {
    let words: Vec<&str> = line.iter().map(String::as_str).collect();
    server.command::<String>(&words).await.unwrap();
}

/// How often each command was carried out by any of the servers, within scripts too.
pub(crate) async fn calls(servers: &[RedisServer]) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for server in servers {
        let text: String = server.command(&["INFO", "commandstats"]).await.unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("cmdstat_")) {
            let (name, counts) = line.split_once(":calls=").unwrap();
            let count: u64 = counts.split(',').next().unwrap().parse().unwrap();
            *calls.entry(name.to_owned()).or_default() += count;
        }
    }
    calls
}

/// What the servers have refused for a lack of rights: the user, and the command, key or channel.
pub(crate) async fn refusals(servers: &[RedisServer]) -> Vec<(String, String)> {
    let mut refusals = Vec::new();
    for server in servers {
        let client = redis::Client::open(format!("redis://{}", server.address())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let log = redis::cmd("ACL").arg("LOG").to_owned();
        let log: Vec<BTreeMap<String, redis::Value>> = log.query_async(&mut connection).await.unwrap();
        let text = |entry: &BTreeMap<String, redis::Value>, field: &str| {
            redis::from_redis_value_ref::<String>(&entry[field]).unwrap()
        };
        refusals.extend(
            log.iter()
                .map(|entry| (text(entry, "username"), text(entry, "object"))),
        );
    }
    refusals
}
