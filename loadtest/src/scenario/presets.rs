//! The scenarios that come with the program; their files are commented: they teach the format.

/// Names and texts.
const ALL: &[(&str, &str)] = &[
    ("calls", include_str!("../../presets/calls.toml")),
    ("idle", include_str!("../../presets/idle.toml")),
    (
        "reconnect-storm",
        include_str!("../../presets/reconnect-storm.toml"),
    ),
    ("slow-consumer", include_str!("../../presets/slow-consumer.toml")),
    ("auth-abuse", include_str!("../../presets/auth-abuse.toml")),
    ("node-kill", include_str!("../../presets/node-kill.toml")),
    ("redis-outage", include_str!("../../presets/redis-outage.toml")),
    ("rolling-drain", include_str!("../../presets/rolling-drain.toml")),
    ("capacity", include_str!("../../presets/capacity.toml")),
];

/// All of them, as name and text, in the order in which `list` shows them.
pub(crate) const fn all() -> &'static [(&'static str, &'static str)] {
    ALL
}

/// The text of that name.
pub(crate) fn find(name: &str) -> Option<&'static str> {
    ALL.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{check, load};

    #[test]
    fn every_preset_is_sound_bears_its_name_and_says_what_it_is_for() {
        for (name, text) in all() {
            let scenario = load(text, &[]).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            assert_eq!(check(&scenario), Ok(()), "{name}");
            assert_eq!(scenario.name, *name);
            assert!(scenario.about.ends_with(['.', '?']), "{name}: {}", scenario.about);
            assert!(!scenario.thresholds.is_empty(), "{name}");
        }
    }

    #[test]
    fn every_key_but_name_and_about_of_a_preset_is_explained_above_it_or_beside_it() {
        for (name, text) in all() {
            for (number, line) in text.lines().enumerate() {
                let is_key = line.contains('=')
                    && !line.starts_with('#')
                    && !line.starts_with([' ', ']'])
                    && !line.starts_with("name =")
                    && !line.starts_with("about =");
                let above = number.checked_sub(1).and_then(|above| text.lines().nth(above));
                assert!(
                    !is_key || line.contains('#') || above.is_some_and(|above| above.starts_with('#')),
                    "{name}, line {}: {line}",
                    number + 1
                );
            }
        }
    }

    #[test]
    fn presets_are_found_by_name_only() {
        assert_eq!(find("calls"), Some(all()[0].1));
        assert_eq!(find("call"), None);
    }
}
