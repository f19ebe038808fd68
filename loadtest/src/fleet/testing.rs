//! What several tests of the fleet need: work that does nothing, worker scripts, and an assignment.

use std::{future::pending, sync::Arc, time::Duration};

use anyhow::ensure;
use tokio::time::Instant;

use super::{Assignment, Key, Program, worker::Work};
use crate::record::{Counter, Metric, Recorder};

/// How the work ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Well,
    NeverReady,
    PanicsPreparing,
    FailsRunning,
}

/// One connect before the load, ten messages in it.
pub(super) struct FakeWork {
    fate: Fate,
    number: usize,
    recorder: Arc<Recorder>,
}

impl FakeWork {
    pub(super) fn new(fate: Fate) -> Self {
        Self {
            fate,
            number: 0,
            recorder: Arc::default(),
        }
    }
}

impl Work for FakeWork {
    async fn prepare(&mut self, assignment: Assignment, recorder: Arc<Recorder>) -> anyhow::Result<()> {
        assert!(self.fate != Fate::PanicsPreparing, "as planned");
        if self.fate == Fate::NeverReady {
            pending::<()>().await;
        }
        self.number = assignment.number;
        self.recorder = recorder;
        self.recorder.count(Counter::Connects);
        self.recorder.connected("n1");
        Ok(())
    }

    async fn run(&mut self, start: Instant) -> anyhow::Result<Vec<String>> {
        ensure!(self.fate != Fate::FailsRunning, "as planned");
        let late = start.elapsed();
        for number in 1..=10 {
            self.recorder.count(Counter::Sent);
            self.recorder
                .time(Metric::OneWay, Duration::from_millis(number), late);
        }
        Ok(vec![format!("a violation at worker {}", self.number)])
    }

    async fn finish(&mut self) {
        self.recorder.disconnected("n1");
    }
}

/// A shell script as a worker process.
pub(super) fn script(text: &str) -> Program {
    Program {
        path: "/bin/sh".into(),
        args: vec!["-c".into(), text.into()],
    }
}

/// A worker that follows all orders and records nothing.
pub(super) const OBEDIENT: &str = r#"
    read prepare; echo '"ready"'
    read start; echo '{"ended":{"violations":[]}}'
    read finish; echo '"done"'
"#;

/// An assignment of the smallest scenario.
pub(super) fn assignment() -> Assignment {
    Assignment {
        scenario: toml::from_str("name = \"tiny\"").unwrap(),
        number: 0,
        of: 1,
        tag: "t".to_owned(),
        spread: false,
        key: Key::Own,
    }
}
