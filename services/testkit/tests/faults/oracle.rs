//! The oracle itself: it finds what is planted in its log. An oracle that cannot fail proves nothing.

use std::{sync::Arc, time::Instant};

use switchboard_client::{Outcome, SessionEvent};
use switchboard_protocol::{ErrorCode, ServerFrame, decode_event};
use switchboard_testkit::{ClientNo, Oracle, Verdict};

struct Stage {
    oracle: Arc<Oracle>,
    alice: ClientNo,
    bob: ClientNo,
}

impl Stage {
    /// Alice has sent 1 to 3 to bob and was told that all were delivered.
    fn new() -> Self {
        let stage = Self::without_words();
        for id in 1..=3 {
            stage.word(id, Outcome::Delivered);
        }
        stage
    }

    fn without_words() -> Self {
        let oracle = Oracle::start();
        let (alice, bob) = (oracle.client("alice"), oracle.client("bob"));
        for number in 1..=3 {
            oracle.sent(alice, number, bob, number, Instant::now());
        }
        Self { oracle, alice, bob }
    }

    fn word(&self, id: u64, outcome: Outcome) {
        self.oracle.note(self.alice, &SessionEvent::Word { id, outcome });
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
        self.oracle.note(at, &SessionEvent::Message(message));
    }

    fn judged_after(numbers: &[u64]) -> Verdict {
        let stage = Self::new();
        for number in numbers {
            stage.arrives_at(stage.bob, *number);
        }
        stage.oracle.judge()
    }
}

#[test]
fn a_run_in_which_all_arrives_once_and_in_order_keeps_the_promise() {
    let verdict = Stage::judged_after(&[1, 2, 3]);
    assert!(verdict.is_kept(), "{verdict}");
    assert_eq!((verdict.sent, verdict.delivered, verdict.arrived), (3, 3, 3));
}

#[test]
fn a_run_in_which_nothing_was_sent_proves_nothing() {
    assert!(!Oracle::start().judge().is_kept());
}

#[test]
fn a_loss_a_duplicate_and_a_reordering_are_each_found_and_told_apart() {
    let lost = Stage::judged_after(&[1, 3]);
    assert_eq!((lost.lost_silently, lost.duplicated, lost.reordered), (1, 0, 0));
    assert!(lost.stories().contains("number 2"), "{}", lost.stories());
    let twice = Stage::judged_after(&[1, 2, 2, 3]);
    assert_eq!(
        (twice.lost_silently, twice.duplicated, twice.reordered),
        (0, 1, 0)
    );
    let reordered = Stage::judged_after(&[1, 3, 2]);
    assert_eq!(
        (reordered.lost_silently, reordered.duplicated, reordered.reordered),
        (0, 0, 1)
    );
    assert!(!lost.is_kept() && !twice.is_kept() && !reordered.is_kept());
}

#[test]
fn a_send_without_a_word_and_one_with_two_are_found() {
    let stage = Stage::without_words();
    stage.word(1, Outcome::Delivered);
    stage.word(1, Outcome::Delivered);
    stage.word(2, Outcome::Delivered);
    for number in 1..=2 {
        stage.arrives_at(stage.bob, number);
    }
    let verdict = stage.oracle.judge();
    assert_eq!((verdict.many_words, verdict.wordless), (1, 1));
    assert!(!verdict.is_kept());
}

#[test]
fn a_message_at_the_wrong_peer_is_found() {
    let stage = Stage::new();
    for number in 1..=3 {
        stage.arrives_at(stage.bob, number);
    }
    stage.arrives_at(stage.alice, 1);
    let verdict = stage.oracle.judge();
    assert_eq!(verdict.misdelivered, 1);
    assert!(!verdict.is_kept());
}

#[test]
fn a_failed_send_may_have_arrived_or_not() {
    let stage = Stage::without_words();
    let timeout = || Outcome::Failed {
        code: ErrorCode::Timeout,
        message: "nobody confirmed it".into(),
    };
    stage.word(1, Outcome::Delivered);
    stage.word(2, timeout());
    stage.word(3, timeout());
    stage.arrives_at(stage.bob, 1);
    stage.arrives_at(stage.bob, 2);
    let verdict = stage.oracle.judge();
    assert!(verdict.is_kept(), "{verdict}");
    assert_eq!((verdict.failed_with("timeout"), verdict.told_but_arrived), (2, 1));
}
