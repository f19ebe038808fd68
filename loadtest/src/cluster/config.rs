//! A node's configuration for a load: generous limits, with the scenario's additions merged table by table. The node's
//! name and listen addresses are not in it; the harness adds them.

use anyhow::Context as _;
use switchboard_harness::RedisDeployment;
use switchboard_protocol::Secret;
use toml::{Table, Value};

use super::Lots;

/// The most that the node's configuration allows for rates.
const RATE: i64 = 1_000_000;

/// The node's own default; never asked to hold fewer.
const CONNECTIONS: usize = 100_000;

/// The part of a node's configuration that differs from run to run.
pub(super) struct NodeConfig<'a> {
    pub(super) secret: &'a Secret,
    /// The lines of `[broker]` that say where Redis is.
    pub(super) broker: Table,
    pub(super) lots: Lots,
}

impl NodeConfig<'_> {
    /// The file's text. Keys in `more` override the limits chosen here.
    ///
    /// # Errors
    /// When `more` is no TOML, or sets what this program must decide.
    pub(super) fn text(&self, more: &str) -> anyhow::Result<String> {
        let more: Table = more
            .parse()
            .context("`config` in the scenario's `[cluster]` is not valid TOML")?;
        for (section, key) in [
            ("node", "id"),
            ("server", "listen"),
            ("server", "ops_listen"),
            ("auth", "hs256_secret"),
            ("auth", "hs256_secret_file"),
            ("broker", "redis_mode"),
            ("broker", "redis_urls"),
        ] {
            let is_set = more.get(section).and_then(|table| table.get(key)).is_some();
            anyhow::ensure!(
                !is_set,
                "`config` in the scenario's `[cluster]` sets {section}.{key}, which is chosen for each run; leave it out"
            );
        }
        let mut table = self.table();
        merge(&mut table, more);
        Ok(toml::to_string(&table)?)
    }

    fn table(&self) -> Table {
        let text = |text: String| Value::String(text);
        let connections = self.lots.connections.max(CONNECTIONS);
        let sections: [(&str, Vec<(&str, Value)>); 2] = [
            (
                "auth",
                vec![("hs256_secret", text(self.secret.expose().to_owned()))],
            ),
            (
                "limits",
                vec![
                    (
                        "connections",
                        Value::Integer(i64::try_from(connections).unwrap_or(i64::MAX)),
                    ),
                    ("connects_per_second", Value::Integer(RATE)),
                    ("messages_per_second", Value::Integer(RATE)),
                    ("message_burst", Value::Integer(RATE)),
                ],
            ),
        ];
        let sections = sections.into_iter().map(|(name, keys)| {
            let keys = keys.into_iter().map(|(key, value)| (key.to_owned(), value));
            (name.to_owned(), Value::Table(keys.collect()))
        });
        let broker = ("broker".to_owned(), Value::Table(self.broker.clone()));
        sections.chain([broker]).collect()
    }
}

/// The lines of `[broker]` that say where this Redis is.
///
/// # Errors
/// When they are no TOML, which would be a mistake of the harness.
pub(super) fn broker(redis: &RedisDeployment) -> anyhow::Result<Table> {
    Ok(redis.broker_toml().parse()?)
}

/// Puts `more` over `base`: tables key by key, everything else as a whole.
fn merge(base: &mut Table, more: Table) {
    for (key, value) in more {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(table)) => merge(into, table),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(more: &str) -> anyhow::Result<Table> {
        let config = NodeConfig {
            secret: &Secret::new("a-secret-of-this-test-of-32-bytes"),
            broker: "redis_urls = [\"redis://127.0.0.1:20003\"]".parse().unwrap(),
            lots: Lots { connections: 150_000 },
        };
        Ok(config.text(more)?.parse()?)
    }

    #[test]
    fn the_scenarios_keys_join_the_section_that_is_there() {
        let table =
            text("[limits]\nmessage_bytes = 1024\nmessage_burst = 7\n[drain]\nsettle_ms = 1\n").unwrap();
        assert_eq!(table["limits"]["message_bytes"].as_integer(), Some(1024));
        assert_eq!(table["limits"]["message_burst"].as_integer(), Some(7));
        assert_eq!(table["limits"]["messages_per_second"].as_integer(), Some(RATE));
        assert_eq!(table["limits"]["connections"].as_integer(), Some(150_000));
        assert_eq!(table["drain"]["settle_ms"].as_integer(), Some(1));
    }

    #[test]
    fn the_scenario_may_change_other_keys_of_the_broker() {
        let table = text("[broker]\nredis_key_prefix = \"load\"\n").unwrap();
        assert_eq!(table["broker"]["redis_key_prefix"].as_str(), Some("load"));
        assert!(table["broker"].get("redis_urls").is_some());
    }

    #[test]
    fn the_scenario_cannot_set_addresses_and_keys() {
        let error = text("[server]\nlisten = \"127.0.0.1:1\"\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("server.listen"), "{error}");
        let error = format!("{:#}", text("[limits\n").unwrap_err());
        assert!(error.contains("`[cluster]` is not valid TOML"), "{error}");
    }
}
