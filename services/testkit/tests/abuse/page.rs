//! The page with the results.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context as _;

use crate::verdict::{NODE_GROWTH_MIB, Outcome, P99_GROWTH, REDIS_GROWTH_MIB, ms};

/// Writes the page; a relative path starts at the root of the repository.
pub(crate) fn write(page: &Path, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = root.join(page);
    fs::write(&page, text(outcomes)?).with_context(|| format!("{} cannot be written", page.display()))
}

fn text(outcomes: &[Outcome]) -> anyhow::Result<String> {
    let mut page = format!(
        "# Abuse\n\n`make abuse` writes this page; do not edit it. Each attack meets two nodes on one Redis, with default limits \
         unless it says otherwise. Eight bystanders in four pairs send 100 messages a second, on each node and across. Every \
         250 ms a newcomer connects, sends one message and leaves. For 4 s the bystanders are alone, then the attack goes on \
         for 8 s or as long as it takes. The attacker has an address and tokens of its own, and a low priority for CPU, \
         because it stands for other machines.\n\n\
         An attack is held if no bystander meets an error and no newcomer is refused. A newcomer that waits 2 s for `welcome` \
         counts as refused. The bystanders' p99, from the moment a message is due until its outcome, may double, or grow by \
         {} ms. A node may grow by {NODE_GROWTH_MIB} MiB, and Redis by {REDIS_GROWTH_MIB} MiB. *Before* is what the attack did \
         to the release build of November 2026, before its rule existed.\n\n## Figures\n\nArrows lead from the time alone to \
         the time since the attack began; for memory, to the most since.\n\n\
         | attack | p50, ms | p99, ms | slowest connect, ms | errors, refusals | node, MiB | Redis, MiB | |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        ms(P99_GROWTH)
    );
    for outcome in outcomes {
        let [before, since] = outcome.noticed.messages;
        let [alone, attacked] = outcome.noticed.connects;
        let [memory, most] = outcome.memory;
        writeln!(
            page,
            "| `{}` | {} → {} | {} → {} | {} → {} | {}, {} | {:.0} → {:.0} | {:.1} → {:.1} | {} |",
            outcome.attack.name,
            ms(before.p50),
            ms(since.p50),
            ms(before.p99),
            ms(since.p99),
            ms(alone.max),
            ms(attacked.max),
            outcome.noticed.errors,
            outcome.noticed.refusals,
            memory.node_mib,
            most.node_mib,
            memory.redis_mib,
            most.redis_mib,
            if outcome.is_held() { "held" } else { "**not held**" }
        )?;
    }
    page.push_str(
        "\n## Attacks and rules\n\n| attack | what it does | before | rule |\n| --- | --- | --- | --- |\n",
    );
    for attack in outcomes.iter().map(|outcome| outcome.attack) {
        writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            attack.name, attack.title, attack.before, attack.rule
        )?;
    }
    Ok(page)
}
