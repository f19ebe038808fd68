//! The thread of the attacker. Its priority is low: the attacker stands for other machines, and should take little of the CPU
//! that the cluster and the bystanders want.

use std::{process::Command, thread};

use anyhow::Context as _;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    attack::{Attack, Findings},
    scene::{LONGEST, Scene},
};

/// How much nicer the attacker is: against a busy thread of a node it gets a tenth of a core.
const NICER_BY: i32 = 10;

/// Runs the attack to its end.
pub(crate) async fn run(attack: &'static Attack, scene: Scene) -> anyhow::Result<Findings> {
    let (done, findings) = oneshot::channel();
    let thread = thread::Builder::new().name("attacker".into()).spawn(move || {
        lower_priority();
        let _ = done.send(in_runtime(attack, scene));
    })?;
    let findings = findings.await.context("the attacker panicked");
    let _ = thread.join();
    findings?
}

fn in_runtime(attack: &Attack, scene: Scene) -> anyhow::Result<Findings> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let findings = runtime.block_on(async { timeout(LONGEST, (attack.run)(scene)).await });
    findings.with_context(|| format!("{} is not over after {LONGEST:?}", attack.name))?
}

/// Lowers the priority of this thread alone, which no function of `std` can do.
fn lower_priority() {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    // The name stands in parentheses; `nice` is the seventeenth field behind it (proc_pid_stat(5)).
    let fields = stat
        .rsplit_once(')')
        .map(|(_, fields)| fields)
        .unwrap_or_default();
    let nice: i32 = fields
        .split_whitespace()
        .nth(16)
        .and_then(|nice| nice.parse().ok())
        .unwrap_or(0);
    let thread = stat.split(' ').next().unwrap_or_default();
    let nice = (nice + NICER_BY).to_string();
    let renice = Command::new("renice").args(["-n", &nice, "-p", thread]).output();
    if !renice.is_ok_and(|output| output.status.success()) {
        println!("    the attacker keeps its priority: renice failed");
    }
}
