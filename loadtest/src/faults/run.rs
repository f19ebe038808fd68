//! Doing faults at their times.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{sync::mpsc, time::Instant};

use super::{Controls, Struck, command};
use crate::scenario::{Fault, FaultAction};

/// Does each fault at its time after `start`, the load's, and tells it on `told`. Faults do not wait for each other, and
/// one that fails keeps none from being done. Returns when all are done; dropping it ends what is not.
pub(crate) async fn run(faults: Vec<Fault>, start: Instant, controls: Controls, told: mpsc::Sender<Struck>) {
    let hand = Hand {
        start,
        controls,
        told,
    };
    join_all(faults.iter().map(|fault| hand.strike(fault))).await;
}

struct Hand {
    start: Instant,
    controls: Controls,
    told: mpsc::Sender<Struck>,
}

impl Hand {
    async fn strike(&self, fault: &Fault) {
        tokio::time::sleep_until(self.start + fault.at.get()).await;
        let server = fault.server.as_deref().unwrap_or_default();
        let what = fault.to_string();
        let at = self.start.elapsed();
        match fault.action {
            FaultAction::Kill => {
                let outcome = async { self.controls.own()?.kill(server).await }.await;
                let is_done = self.tell(at, what, outcome).await;
                if is_done && self.lasted(fault).await {
                    self.start_again(server).await;
                }
            }
            FaultAction::Start => self.start_again(server).await,
            FaultAction::Freeze => {
                let outcome = self.controls.own().and_then(|own| own.freeze(server));
                let is_done = self.tell(at, what, outcome).await;
                if is_done && self.lasted(fault).await {
                    self.thaw(server).await;
                }
            }
            FaultAction::Thaw => self.thaw(server).await,
            FaultAction::Drain => {
                self.tell(at, what, self.controls.drain(server).await).await;
            }
            FaultAction::Undrain => {
                self.relieve(at, what, self.controls.undrain(server).await).await;
            }
            FaultAction::Roll => match &fault.server {
                Some(server) => {
                    self.roll(server).await;
                }
                None => self.roll_all().await,
            },
            FaultAction::Run => {
                let what = format!("{what} {}", fault.command.join(" "));
                self.tell(at, what, command::run(&fault.command).await).await;
            }
        }
    }

    /// Waits for the time that the fault lasts, counted from when it was to be done; `false` if it is for good.
    async fn lasted(&self, fault: &Fault) -> bool {
        let Some(lasts) = fault.lasts else {
            return false;
        };
        tokio::time::sleep_until(self.start + fault.at.get() + lasts.get()).await;
        true
    }

    async fn start_again(&self, server: &str) {
        let at = self.start.elapsed();
        let outcome = async { self.controls.own()?.start_again(server).await }.await;
        self.relieve(at, format!("{server} started again"), outcome).await;
    }

    async fn thaw(&self, server: &str) {
        let at = self.start.elapsed();
        let outcome = self.controls.own().and_then(|own| own.thaw(server));
        self.relieve(at, format!("{server} thawed"), outcome).await;
    }

    /// One after the other; a node that does not come back ends it, so that it does not take the whole cluster down.
    async fn roll_all(&self) {
        let nodes = self.controls.nodes();
        if let Err(error) = self.controls.own() {
            self.tell(self.start.elapsed(), "roll".to_owned(), Err(error))
                .await;
        }
        for node in nodes {
            if !self.roll(&node).await {
                return;
            }
        }
    }

    /// Whether the node is back.
    async fn roll(&self, node: &str) -> bool {
        let at = self.start.elapsed();
        // It is told when the node has ended, with the time at which it was asked to: its clients move from then on.
        let stopped = async { self.controls.own()?.stop(node).await }.await;
        if !self.tell(at, format!("roll {node}"), stopped).await {
            return false;
        }
        let at = self.start.elapsed();
        let started = async { self.controls.own()?.start_again(node).await }.await;
        self.relieve(at, format!("{node} started again"), started).await
    }

    async fn tell(&self, at: Duration, what: String, outcome: anyhow::Result<()>) -> bool {
        self.send(at, what, outcome, false).await
    }

    async fn relieve(&self, at: Duration, what: String, outcome: anyhow::Result<()>) -> bool {
        self.send(at, what, outcome, true).await
    }

    async fn send(&self, at: Duration, what: String, outcome: anyhow::Result<()>, is_relief: bool) -> bool {
        let error = outcome.err().map(|error| format!("{error:#}"));
        let is_done = error.is_none();
        let struck = Struck {
            at,
            what,
            error,
            is_relief,
        };
        // Nobody may listen any more at the end of a run; the fault is done all the same.
        let _ = self.told.send(struck).await;
        is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(toml: &str) -> Fault {
        toml::from_str(toml).unwrap()
    }

    #[tokio::test]
    async fn faults_are_done_in_their_time_whatever_becomes_of_others() {
        let (told, mut heard) = mpsc::channel(8);
        let faults = vec![
            fault("at = \"300ms\"\ndo = \"kill\"\nserver = \"n1\"\nfor = \"100ms\""),
            fault("at = \"100ms\"\ndo = \"thaw\"\nserver = \"n1\""),
            fault("at = \"200ms\"\ndo = \"roll\""),
        ];
        run(faults, Instant::now(), Controls::Ops(Vec::new()), told).await;
        for (least_ms, what, is_relief) in [
            (100, "n1 thawed", true),
            (200, "roll", false),
            (300, "kill n1", false),
        ] {
            let struck = heard.recv().await.unwrap();
            assert_eq!((struck.what.as_str(), struck.is_relief), (what, is_relief));
            assert!(struck.at >= Duration::from_millis(least_ms), "{struck:?}");
            assert!(struck.error.unwrap().contains("use `run` with a command"));
        }
        // What could not be killed is not started again.
        assert_eq!(heard.recv().await, None);
    }

    #[tokio::test]
    async fn a_command_is_told_with_its_outcome() {
        let (told, mut heard) = mpsc::channel(8);
        let faults = vec![fault(
            "at = \"0s\"\ndo = \"run\"\ncommand = [\"test\", \"1\", \"=\", \"2\"]",
        )];
        run(faults, Instant::now(), Controls::Ops(Vec::new()), told).await;
        let struck = heard.recv().await.unwrap();
        assert_eq!(struck.what, "run test 1 = 2");
        assert!(struck.error.unwrap().contains("exit status: 1"));
    }
}
