//! Where the `switchboard` binary is.

use std::path::{Path, PathBuf};

/// The variable that names it.
const VARIABLE: &str = "SWITCHBOARD_BIN";

/// The binary that the scenario names, or `SWITCHBOARD_BIN`, or the one beside this program.
///
/// # Errors
/// When it is not there.
pub(super) fn find(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let named = given.map(Path::to_owned);
    let named = named.or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    if let Some(named) = named {
        anyhow::ensure!(
            named.is_file(),
            "there is no node binary at {}; build it with `cargo build -p switchboard-node`, or name another one \
             with `binary` in `[cluster]` or in {VARIABLE}",
            named.display()
        );
        return Ok(named);
    }
    let own = std::env::current_exe()?;
    // A test program is one folder deeper.
    let places = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("switchboard"));
    let found = places.into_iter().find(|place| place.is_file());
    found.ok_or_else(|| {
        anyhow::anyhow!(
            "there is no `switchboard` beside {}; build it with `cargo build -p switchboard-node` in the same \
             profile, or name one with `binary` in `[cluster]` or in {VARIABLE}",
            own.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_binary_is_named_with_the_fix() {
        let error = find(Some(Path::new("nowhere/switchboard")))
            .unwrap_err()
            .to_string();
        assert!(error.contains("nowhere/switchboard"), "{error}");
        assert!(error.contains("cargo build -p switchboard-node"), "{error}");
    }
}
