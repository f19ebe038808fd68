//! The oracle finds every violation that is planted in its log. An oracle that cannot fail proves nothing.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{sync::Arc, time::Instant};

use switchboard_client::{SendReport, SessionEvent};
use switchboard_harness::{ClientNo, Oracle, OracleReport};
use switchboard_protocol::{ErrorCode, ServerFrame, decode_event};

struct Stage {
    oracle: Arc<Oracle>,
    alice: ClientNo,
    bob: ClientNo,
}

impl Stage {
    /// Alice has sent 1 to 3 to bob and all have the outcome delivered.
    fn new() -> Self {
        let stage = Self::without_outcomes();
        for id in 1..=3 {
            stage.outcome(id, SendReport::delivered());
        }
        stage
    }

    fn without_outcomes() -> Self {
        let oracle = Oracle::start();
        let (alice, bob) = (oracle.client("alice"), oracle.client("bob"));
        for number in 1..=3 {
            oracle.sent(alice, number, bob, number, Instant::now());
        }
        Self { oracle, alice, bob }
    }

    fn outcome(&self, id: u64, report: SendReport) {
        self.oracle
            .on_event(self.alice, &SessionEvent::Outcome { id, report });
    }

    /// `at` gets a message of alice with that number.
    fn arrives_at(&self, at: ClientNo, number: u64) {
        let payload = self.oracle.payload(self.alice, self.bob, number, 4).unwrap();
        let text = format!(
            r#"{{"type":"message","from":"alice","mid":"00000000000000000000000000000001/{number}","seq":{number},"payload":{}}}"#,
            payload.get()
        );
        let message = match decode_event(&text).unwrap() {
            ServerFrame::Message(message) => Some(message),
            ServerFrame::Event(_) => None,
        };
        let message = message.unwrap();
        self.oracle.on_event(at, &SessionEvent::Message(message));
    }

    fn report_after(numbers: &[u64]) -> OracleReport {
        let stage = Self::new();
        for number in numbers {
            stage.arrives_at(stage.bob, *number);
        }
        stage.oracle.report()
    }
}

#[test]
fn a_run_in_which_all_arrives_once_and_in_order_is_ok() {
    let report = Stage::report_after(&[1, 2, 3]);
    assert!(report.is_ok(), "{report}");
    assert_eq!((report.sent, report.delivered, report.arrived), (3, 3, 3));
}

#[test]
fn a_run_in_which_nothing_was_sent_proves_nothing() {
    assert!(!Oracle::start().report().is_ok());
}

#[test]
fn a_loss_a_duplicate_and_a_reordering_are_each_found() {
    let lost = Stage::report_after(&[1, 3]);
    assert_eq!((lost.lost_silently, lost.duplicated, lost.reordered), (1, 0, 0));
    assert!(lost.traces().contains("number 2"), "{}", lost.traces());
    let twice = Stage::report_after(&[1, 2, 2, 3]);
    assert_eq!(
        (twice.lost_silently, twice.duplicated, twice.reordered),
        (0, 1, 0)
    );
    let reordered = Stage::report_after(&[1, 3, 2]);
    assert_eq!(
        (reordered.lost_silently, reordered.duplicated, reordered.reordered),
        (0, 0, 1)
    );
    assert!(!lost.is_ok() && !twice.is_ok() && !reordered.is_ok());
}

#[test]
fn a_send_without_an_outcome_and_one_with_two_are_found() {
    let stage = Stage::without_outcomes();
    stage.outcome(1, SendReport::delivered());
    stage.outcome(1, SendReport::delivered());
    stage.outcome(2, SendReport::delivered());
    for number in 1..=2 {
        stage.arrives_at(stage.bob, number);
    }
    let report = stage.oracle.report();
    assert_eq!((report.many_outcomes, report.without_outcome), (1, 1));
    assert!(!report.is_ok());
}

#[test]
fn a_message_at_the_wrong_peer_is_found() {
    let stage = Stage::new();
    for number in 1..=3 {
        stage.arrives_at(stage.bob, number);
    }
    stage.arrives_at(stage.alice, 1);
    let report = stage.oracle.report();
    assert_eq!(report.misdelivered, 1);
    assert!(!report.is_ok());
}

#[test]
fn a_failed_send_may_have_arrived_or_not() {
    let stage = Stage::without_outcomes();
    let timeout = || SendReport::failed(ErrorCode::Timeout, "nobody confirmed it");
    stage.outcome(1, SendReport::delivered());
    stage.outcome(2, timeout());
    stage.outcome(3, timeout());
    stage.arrives_at(stage.bob, 1);
    stage.arrives_at(stage.bob, 2);
    let report = stage.oracle.report();
    assert!(report.is_ok(), "{report}");
    assert_eq!((report.failed_with("timeout"), report.failed_but_arrived), (2, 1));
}
