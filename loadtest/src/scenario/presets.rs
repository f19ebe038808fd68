//! The scenarios that come with the program; their files are commented: they teach the format.

macro_rules! presets {
    ($($name:literal)+) => {
        &[$(($name, include_str!(concat!("../../presets/", $name, ".toml")))),+]
    };
}

/// Names and texts, in the order in which `list` shows them.
pub(crate) const ALL: &[(&str, &str)] = presets!(
    "calls" "idle" "reconnect-storm" "slow-consumer" "auth-abuse" "node-kill" "redis-outage" "redis-failover" "rolling-drain" "rooms" "join-storm"
    "lecture" "capacity"
);

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
    fn every_preset_is_sound_has_its_name_and_says_its_purpose() {
        for (name, text) in ALL {
            let scenario = load(text, &[]).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            assert_eq!(check(&scenario), Ok(()), "{name}");
            assert_eq!(scenario.name, *name);
            assert!(scenario.about.ends_with(['.', '?']), "{name}: {}", scenario.about);
            assert!(!scenario.thresholds.is_empty(), "{name}");
        }
    }

    #[test]
    fn every_key_but_name_and_about_has_a_comment_above_it_or_in_its_line() {
        for (name, text) in ALL {
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
}
