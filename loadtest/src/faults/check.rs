//! Whether faults can be done at all, before anything is started.

use crate::{
    cluster::REDIS,
    scenario::{Fault, FaultAction},
};

/// Checks `faults` for a run with `nodes` nodes. `is_own`: they are started for the run; else only those with an
/// operations address can be drained, and the first `nodes` have one.
///
/// # Errors
/// The first fault that can never be done, with the fix.
pub(crate) fn check(faults: &[Fault], is_own: bool, nodes: usize) -> anyhow::Result<()> {
    for fault in faults {
        check_one(fault, is_own, nodes).map_err(|problem| {
            anyhow::anyhow!("fault `{}` at {}: {problem}", name(fault.action), fault.at)
        })?;
    }
    Ok(())
}

/// The action as it is written in a scenario.
pub(super) fn name(action: FaultAction) -> &'static str {
    match action {
        FaultAction::Kill => "kill",
        FaultAction::Start => "start",
        FaultAction::Freeze => "freeze",
        FaultAction::Thaw => "thaw",
        FaultAction::Drain => "drain",
        FaultAction::Undrain => "undrain",
        FaultAction::Roll => "roll",
        FaultAction::Run => "run",
    }
}

fn check_one(fault: &Fault, is_own: bool, nodes: usize) -> Result<(), String> {
    use FaultAction::{Drain, Freeze, Kill, Roll, Run, Start, Thaw, Undrain};
    let action = fault.action;
    if fault.lasts.is_some() && !matches!(action, Kill | Freeze) {
        return Err("only `kill` and `freeze` have a `for`; leave it out".to_owned());
    }
    if (action == Run) == fault.command.is_empty() {
        let text = "`command` goes with `run`, with the program as its first word, and with nothing else";
        return Err(text.to_owned());
    }
    match action {
        Kill | Start | Freeze | Thaw | Roll if !is_own => {
            return Err(
                "this needs a cluster that is started for the run; use `run` with a command".to_owned(),
            );
        }
        Kill | Start | Freeze | Thaw | Drain | Undrain if fault.server.is_none() => {
            return Err("name its `server`, such as \"n1\"".to_owned());
        }
        Run if fault.server.is_some() => return Err("`run` has no `server`; leave it out".to_owned()),
        Kill | Start | Freeze | Thaw | Drain | Undrain | Roll | Run => {}
    }
    let Some(server) = &fault.server else {
        return Ok(());
    };
    if server == REDIS {
        return match action {
            Kill | Start | Freeze | Thaw => Ok(()),
            Drain | Undrain | Roll | Run => Err("this can be done to nodes only, not to `redis`".to_owned()),
        };
    }
    if node_index(server).is_some_and(|index| index < nodes) {
        return Ok(());
    }
    Err(match (nodes, is_own) {
        (0, _) => format!("`{server}` has no operations address; give `ops_urls` in `[target]`"),
        (_, true) => format!("there is no server `{server}`; there are n1 to n{nodes} and {REDIS}"),
        (_, false) => {
            format!("there is no server `{server}`; there are n1 to n{nodes}, in the order of `ops_urls`")
        }
    })
}

/// `n1` is the first.
pub(super) fn node_index(server: &str) -> Option<usize> {
    let number: usize = server.strip_prefix('n')?.parse().ok()?;
    number.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(toml: &str, is_own: bool) -> String {
        let fault: Fault = toml::from_str(toml).unwrap();
        check(&[fault], is_own, 2).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn faults_that_can_be_done_pass() {
        for toml in [
            "at = \"1s\"\ndo = \"kill\"\nserver = \"n2\"\nfor = \"2s\"",
            "at = \"1s\"\ndo = \"freeze\"\nserver = \"redis\"",
            "at = \"1s\"\ndo = \"roll\"",
            "at = \"1s\"\ndo = \"run\"\ncommand = [\"true\"]",
        ] {
            assert_eq!(problem(toml, true), "", "{toml}");
        }
        assert_eq!(problem("at = \"1s\"\ndo = \"drain\"\nserver = \"n1\"", false), "");
    }

    #[test]
    fn faults_that_cannot_be_done_are_told_with_the_fix() {
        for (toml, is_own, expected) in [
            ("do = \"kill\"", true, "name its `server`"),
            ("do = \"kill\"\nserver = \"n3\"", true, "n1 to n2 and redis"),
            ("do = \"kill\"\nserver = \"n0\"", true, "n1 to n2 and redis"),
            ("do = \"kill\"\nserver = \"n1\"", false, "use `run`"),
            ("do = \"drain\"\nserver = \"redis\"", true, "nodes only"),
            (
                "do = \"drain\"\nserver = \"n1\"\nfor = \"1s\"",
                true,
                "leave it out",
            ),
            ("do = \"run\"", true, "`command` goes with `run`"),
            (
                "do = \"roll\"\ncommand = [\"true\"]",
                true,
                "`command` goes with `run`",
            ),
        ] {
            let found = problem(&format!("at = \"3s\"\n{toml}"), is_own);
            assert!(
                found.contains(expected) && found.contains("at 3s"),
                "{toml}: {found}"
            );
        }
    }
}
