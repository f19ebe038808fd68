//! Properties of the configuration file.

use std::collections::HashMap;

use switchboard_node::config::{Config, parse};

/// A configuration that is read, once written, reads the same.
pub fn config_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(config) = parse(text, HashMap::new()) else {
        return;
    };
    // A number that TOML cannot hold cannot have come from TOML.
    let written = toml::to_string(&config).expect("what was TOML can be TOML");
    let again: Config = parse(&written, HashMap::new()).expect("a written configuration reads back");
    assert_eq!(toml::to_string(&again).expect("and can be written"), written);
}
