//! Variables that look like keys of the configuration and are not read: `SWITCHBOARD_REDIS_URL` for
//! `SWITCHBOARD__BROKER__REDIS_URLS`. They are named, not read. Not the reading of the right ones (`load`).

use super::print::all_keys;

/// Variables of the commands, which have one underscore.
const OF_COMMANDS: [&str; 5] = ["URL", "TOKEN", "CA_FILE", "BIN", "OPS_TOKEN"];

/// A sentence for each variable among `names` that was probably meant as a key.
pub(super) fn misspelt<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let keys = all_keys();
    let mut sentences: Vec<_> = names.filter_map(|name| sentence(name, &keys)).collect();
    sentences.sort();
    sentences
}

fn sentence(name: &str, keys: &[String]) -> Option<String> {
    let rest = name.strip_prefix("SWITCHBOARD_")?;
    if rest.starts_with('_') || OF_COMMANDS.contains(&rest) {
        return None;
    }
    let wanted = rest.replace("__", "_").to_ascii_lowercase();
    let is_exact = |key: &&String| key.replace('.', "_") == wanted;
    let is_near = |key: &&String| {
        let name = key.rsplit('.').next().unwrap_or_default();
        name == wanted || name.strip_suffix('s') == Some(&wanted)
    };
    let key = keys.iter().find(is_exact).or_else(|| keys.iter().find(is_near))?;
    let right = variable_of(key);
    Some(format!(
        "{name} is not read; the variable of {key} is {right}, with two underscores"
    ))
}

/// The variable of `section.key`.
pub(super) fn variable_of(key: &str) -> String {
    format!("SWITCHBOARD__{}", key.replace('.', "__").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_with_one_underscore_is_named_with_the_right_one() {
        let sentences = |name: &str| misspelt([name].into_iter()).join("");
        for (wrong, right) in [
            ("SWITCHBOARD_REDIS_URL", "SWITCHBOARD__BROKER__REDIS_URLS"),
            ("SWITCHBOARD_SERVER_LISTEN", "SWITCHBOARD__SERVER__LISTEN"),
            (
                "SWITCHBOARD_AUTH__HS256_SECRET",
                "SWITCHBOARD__AUTH__HS256_SECRET",
            ),
            (
                "SWITCHBOARD_HS256_SECRET_FILE",
                "SWITCHBOARD__AUTH__HS256_SECRET_FILE",
            ),
        ] {
            assert!(sentences(wrong).contains(right), "{wrong}: {}", sentences(wrong));
        }
        for fine in [
            "SWITCHBOARD__NODE__ID",
            "SWITCHBOARD_TOKEN",
            "SWITCHBOARD_PORT_8080_TCP",
            "PATH",
        ] {
            assert_eq!(sentences(fine), "", "{fine}");
        }
    }
}
