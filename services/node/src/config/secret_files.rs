//! The sections whose secrets may be in files, and what their files say now. A running node reads them again. Not when
//! (`reload`), and not the files of other parts, which know their own: keys of issuers, and secrets of webhooks.

use std::path::PathBuf;

use switchboard_auth::{IceConfigError, IceServers};
use switchboard_broker::RedisConfig;

use super::{
    broker::{BrokerSection, BrokerSettings},
    error::ConfigError,
    ice::IceSection,
    keys::Config,
    ops::OpsSection,
};
use crate::ops::OpsAccess;

/// The sections, as they were configured.
#[derive(Debug, Clone)]
pub struct SecretFiles {
    ice: IceSection,
    ops: OpsSection,
    broker: BrokerSection,
    message_bytes: usize,
}

impl SecretFiles {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            ice: config.ice.clone(),
            ops: config.ops.clone(),
            broker: config.broker.clone(),
            message_bytes: config.limits.message_bytes,
        }
    }

    /// The files of `[ice]` and its regions.
    pub(crate) fn of_ice(&self) -> Vec<PathBuf> {
        let regions = self.ice.regions.iter().map(|region| &region.turn_secret_file);
        let files = std::iter::once(&self.ice.turn_secret_file).chain(regions);
        files.flatten().cloned().collect()
    }

    /// The files of `[ops]`.
    pub(crate) fn of_ops(&self) -> Vec<PathBuf> {
        Vec::from_iter(self.ops.token_file.clone())
    }

    /// The files of `[broker]`.
    pub(crate) fn of_broker(&self) -> Vec<PathBuf> {
        self.broker.files()
    }

    /// The ICE servers, with the secrets that the files hold now.
    pub(crate) fn ice(&self) -> Result<IceServers, ConfigError> {
        let refused = |error: IceConfigError| ConfigError::new("ice", error.to_string());
        IceServers::new(self.ice.check()?).map_err(refused)
    }

    /// The access to the operations port, with the token that the file holds now.
    pub(crate) fn ops(&self) -> Result<OpsAccess, ConfigError> {
        self.ops.check()
    }

    /// Where Redis is, with the passwords and certificates that the files hold now; `None` without Redis.
    pub(crate) fn redis(&self) -> Result<Option<RedisConfig>, ConfigError> {
        Ok(match self.broker.check(self.message_bytes)? {
            BrokerSettings::Redis(config) => Some(*config),
            BrokerSettings::Memory => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    /// The keys below `schema` that name files or folders, as `section.key`, and `section.table[].key` in a list of tables.
    fn keys_of_files(root: &Value, schema: &Value, path: &str) -> BTreeSet<String> {
        let reference = schema["$ref"].as_str().map(|text| text.rsplit('/').next());
        let schema = reference.flatten().map_or(schema, |name| &root["$defs"][name]);
        let mut keys = BTreeSet::new();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}{name}");
            if ["_file", "_files", "_dir"].iter().any(|end| name.ends_with(end)) {
                keys.insert(path.clone());
            }
            keys.extend(keys_of_files(root, schema, &format!("{path}.")));
            keys.extend(keys_of_files(root, &schema["items"], &format!("{path}[].")));
        }
        keys
    }

    #[test]
    fn the_page_about_operation_says_of_every_key_of_a_file_when_it_is_read() {
        let schema: Value = serde_json::from_str(&super::super::schema()).unwrap();
        let keys = keys_of_files(&schema, &schema, "");
        assert!(
            keys.contains("tls.ca_file") && keys.contains("webhooks.endpoints[].secret_files"),
            "{keys:?}"
        );
        let page = include_str!("../../../../docs/operating.md");
        let table = page.split("<!-- files -->").nth(1).unwrap();
        let table = table.split("<!-- /files -->").next().unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut documented = BTreeSet::new();
        for row in rows {
            let (key, rest) = row.split_once("` |").unwrap();
            let is_said = rest.contains("again") || rest.contains("at the start only, because");
            assert!(is_said, "{key}: whether the node reads it again");
            documented.insert(key.to_owned());
        }
        assert_eq!(documented, keys);
    }
}
