//! Doing faults at their times.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::{DoneFault, DoneFaults, command};
use crate::{
    scenario::{Fault, FaultAction, Span},
    servers::Servers,
};

/// Does each fault at its time after `start` of the load, and adds it to `done`. Faults do not wait for each other,
/// and one that fails prevents no other. Returns when all are done; dropping the future stops the rest.
pub(crate) async fn run(faults: Vec<Fault>, start: Instant, servers: Servers, done: DoneFaults) {
    let faults_run = FaultsRun { start, servers, done };
    join_all(faults.iter().map(|fault| faults_run.run(fault))).await;
}

struct FaultsRun {
    start: Instant,
    servers: Servers,
    done: DoneFaults,
}

impl FaultsRun {
    async fn run(&self, fault: &Fault) {
        sleep_until(self.start + fault.at.get()).await;
        let (server, what) = (fault.server.as_deref().unwrap_or_default(), fault.to_string());
        match fault.action {
            FaultAction::Kill => {
                let kill = async { self.servers.process(server)?.kill().await };
                if self.report(what, false, kill).await && self.lasted(fault).await {
                    self.start_again(server).await;
                }
            }
            FaultAction::Start => drop(self.start_again(server).await),
            FaultAction::Freeze => {
                let freeze = async { self.servers.process(server)?.freeze() };
                if self.report(what, false, freeze).await && self.lasted(fault).await {
                    self.thaw(server).await;
                }
            }
            FaultAction::Thaw => self.thaw(server).await,
            FaultAction::Drain => drop(self.report(what, false, self.servers.post(server, "drain")).await),
            FaultAction::Undrain => drop(
                self.report(what, true, self.servers.post(server, "undrain"))
                    .await,
            ),
            FaultAction::Roll => self.roll(fault.server.clone()).await,
            FaultAction::RedisFailover => {
                let failover = async { self.servers.redis()?.failover().await.map(drop) };
                self.report(what, false, failover).await;
            }
            FaultAction::RedisReshard => {
                let slots = fault.slots.unwrap_or(Fault::DEFAULT_SLOTS);
                let reshard = async { self.servers.redis()?.reshard(slots).await.map(drop) };
                self.report(format!("{what} of {slots} slots"), false, reshard)
                    .await;
            }
            FaultAction::RedisPause => {
                let lasts = fault.lasts.map(Span::get).unwrap_or_default();
                let pause = async { self.servers.redis()?.pause(lasts).await };
                self.report(what, false, pause).await;
            }
            FaultAction::Run => {
                let what = format!("{what} {}", fault.command.join(" "));
                self.report(what, false, command::run(&fault.command)).await;
            }
        }
    }

    /// Waits until the fault is to end; `false` if it does not end by itself.
    async fn lasted(&self, fault: &Fault) -> bool {
        if let Some(lasts) = fault.lasts {
            sleep_until(self.start + fault.at.get() + lasts.get()).await;
        }
        fault.lasts.is_some()
    }

    async fn start_again(&self, server: &str) -> bool {
        let start = async { self.servers.process(server)?.start().await };
        self.report(format!("{server} started again"), true, start).await
    }

    async fn thaw(&self, server: &str) {
        let thaw = async { self.servers.process(server)?.thaw() };
        self.report(format!("{server} thawed"), true, thaw).await;
    }

    /// Rolls that node, or all of them one after the other. A node that does not come back ends it: a roll must not
    /// stop the whole cluster.
    async fn roll(&self, server: Option<String>) {
        let nodes = server.map_or_else(|| self.servers.nodes(), |server| vec![server]);
        if nodes.is_empty() {
            let refused = async { self.servers.process("n1").map(drop) };
            self.report("roll".to_owned(), false, refused).await;
        }
        for node in nodes {
            // It is reported when the node has ended, with the time at which it was asked to: clients move from then on.
            let stop = async { self.servers.process(&node)?.stop().await.map(drop) };
            if !self.report(format!("roll {node}"), false, stop).await || !self.start_again(&node).await {
                return;
            }
        }
    }

    /// Does it and reports its outcome; whether it succeeded.
    async fn report(
        &self,
        what: String,
        is_undo: bool,
        action: impl Future<Output = anyhow::Result<()>>,
    ) -> bool {
        let at: Duration = self.start.elapsed();
        let error = action.await.err().map(|error| format!("{error:#}"));
        let has_succeeded = error.is_none();
        self.done.lock().push(DoneFault {
            at,
            what,
            error,
            is_undo,
        });
        has_succeeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    async fn run_at_others(faults: &str) -> Vec<DoneFault> {
        let text = format!("name = \"t\"\ntarget.urls = [\"ws://127.0.0.1:1/\"]\nfaults = {faults}");
        let scenario = load(&text, &[]).unwrap();
        let servers = Servers::start(&scenario, 0).await.unwrap();
        let done = DoneFaults::default();
        run(scenario.faults, Instant::now(), servers, done.clone()).await;
        done.lock().clone()
    }

    #[tokio::test]
    async fn faults_are_done_in_their_time_whatever_becomes_of_others() {
        let done = run_at_others(
            r#"[
                { at = "300ms", do = "kill", server = "n1", for = "100ms" },
                { at = "100ms", do = "thaw", server = "n1" },
                { at = "200ms", do = "roll" },
            ]"#,
        )
        .await;
        // A server that could not be killed is not started again.
        assert_eq!(done.len(), 3, "{done:?}");
        let expected = [
            (100, "n1 thawed", true),
            (200, "roll", false),
            (300, "kill n1", false),
        ];
        for (done, (min_ms, what, is_undo)) in done.iter().zip(expected) {
            assert_eq!((done.what.as_str(), done.is_undo), (what, is_undo));
            assert!(done.at >= Duration::from_millis(min_ms), "{done:?}");
            assert!(done.error.as_ref().unwrap().contains("use `run` with a command"));
        }
    }

    #[tokio::test]
    async fn a_command_is_reported_with_its_outcome() {
        let done = run_at_others(r#"[{ at = "0s", do = "run", command = ["test", "1", "=", "2"] }]"#).await;
        assert_eq!(done[0].what, "run test 1 = 2");
        assert!(done[0].error.as_ref().unwrap().contains("exit status: 1"));
    }
}
