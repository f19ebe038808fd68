//! The work over a server in memory: a call goes through, and the oracle names each thing that a server can do wrong
//! to a message, and nothing else.

use std::{sync::Arc, time::Duration};

use super::{
    call::{self, CallPlan},
    fake::{Fake, Wrong},
    oracle::Oracle,
    share::{Names, Share},
};
use crate::{
    record::{Counter, Counts, Recorder, WorkerUsage},
    scenario::{Calls, Span},
};

/// Counts of one call with three candidates each way, over a server that does this wrong.
async fn call_with(wrong: Option<(u64, Wrong)>) -> (Counts, Vec<String>) {
    let recorder = Arc::new(Recorder::default());
    let oracle = Arc::new(Oracle::new(Arc::clone(&recorder)));
    let plan = CallPlan {
        driver: Fake::new(wrong),
        oracle: Arc::clone(&oracle),
        names: Names {
            tag: "t".into(),
            share: Share { number: 0, of: 1 },
            spread: false,
            rotates: true,
        },
        calls: Calls {
            candidates: 3,
            candidate_gap: Span::from_millis(1),
            talk: Span::from_millis(5),
            renegotiations: 1,
            ..Calls::default()
        },
        settle: Duration::from_millis(200),
    };
    call::run(&plan, 0, Duration::ZERO).await;
    let counts = recorder.tick(0, WorkerUsage::default()).unwrap().counts;
    (counts, oracle.violations())
}

fn violations(counts: &Counts) -> Vec<Counter> {
    let silent = Counter::VIOLATIONS.iter().copied();
    silent.filter(|counter| counts.contains_key(counter)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_set_up_renegotiated_and_ended_with_every_message_accounted_for() {
    let (counts, descriptions) = call_with(None).await;
    assert_eq!(counts[&Counter::CallsSetUp], 1);
    // Two descriptions, six candidates, two descriptions more, and the bye.
    for counter in [Counter::Sent, Counter::Arrived, Counter::Delivered] {
        assert_eq!(counts[&counter], 11, "{counter:?}");
    }
    assert_eq!((violations(&counts), descriptions), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn each_wrong_is_named_and_nothing_else() {
    // The fourth message is a candidate or an answer, never the offer: the call goes on.
    let cases = [
        (Wrong::LoseAndSayDelivered, vec![Counter::Lost]),
        (Wrong::LoseAndReport, vec![]),
        (Wrong::Lose, vec![Counter::NoOutcome]),
        (Wrong::NoOutcome, vec![Counter::NoOutcome]),
        (Wrong::Double, vec![Counter::Duplicated]),
        (Wrong::Corrupt, vec![Counter::Lost, Counter::Corrupted]),
        (Wrong::ToTheSender, vec![Counter::Lost, Counter::Misdelivered]),
    ];
    for (wrong, expected) in cases {
        let (counts, descriptions) = call_with(Some((4, wrong))).await;
        assert_eq!(violations(&counts), expected, "{wrong:?}: {descriptions:?}");
        assert_eq!(descriptions.is_empty(), expected.is_empty(), "{wrong:?}");
    }
    let mut reordered = 0;
    for number in 1..=10 {
        let (counts, _) = call_with(Some((number, Wrong::SwapWithNext))).await;
        reordered += counts.get(&Counter::Reordered).copied().unwrap_or_default();
    }
    assert!(reordered > 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_offer_is_lost_fails_in_time() {
    let (counts, _) = call_with(Some((1, Wrong::LoseAndReport))).await;
    assert_eq!(
        (counts[&Counter::CallsFailed], counts[&Counter::SendErrors]),
        (1, 1)
    );
    assert_eq!(counts.get(&Counter::CallsSetUp), None);
}
