//! Properties of the scenario files of the load generator.

use switchboard_loadtest::scenario::Scenario;

/// A scenario that is read, once written, reads the same.
pub fn scenario(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(scenario) = toml::from_str::<Scenario>(text) else {
        return;
    };
    let written = toml::to_string(&scenario).expect("what was TOML can be TOML");
    let again: Scenario = toml::from_str(&written).expect("a written scenario reads back");
    // NaN is not equal to itself; its text is.
    assert_eq!(toml::to_string(&again).expect("and can be written"), written);
}
