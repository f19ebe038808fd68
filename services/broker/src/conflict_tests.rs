//! Every policy against every owner.

use std::{cell::RefCell, collections::VecDeque};

use futures_util::FutureExt as _;
use switchboard_protocol::ResumeToken;

use super::*;

const WITHIN: Duration = Duration::from_millis(100);

fn session(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::BYTES])
}

fn claim(on_conflict: ConflictPolicy, resume: bool) -> Claim {
    Claim {
        token: ResumeToken::new(session(1), [0; 16]),
        resume,
        on_conflict,
        window: Duration::ZERO,
    }
}

fn resume() -> Claim {
    claim(ConflictPolicy::DetachThenTakeOver(WITHIN), true)
}

fn probe() -> Claim {
    claim(ConflictPolicy::ProbeThenReject(WITHIN), false)
}

fn owner(number: u8) -> Owner {
    Owner {
        node: NodeId::new("n2").unwrap(),
        session: Some(session(number)),
        is_attached: true,
        is_local: false,
        touches: None,
    }
}

/// Resolves against these owners, one per read, the last one for ever. The outcome, the reads, the questions and
/// the time.
async fn run(
    claim: &Claim,
    owners: impl IntoIterator<Item = Option<Owner>>,
) -> (Result<(), BrokerError>, usize, usize, Duration) {
    let owners = RefCell::new(owners.into_iter().collect::<VecDeque<_>>());
    let (reads, questions) = (RefCell::new(0), RefCell::new(0));
    let start = Instant::now();
    let read_owner = || {
        *reads.borrow_mut() += 1;
        let mut owners = owners.borrow_mut();
        let owner = if owners.len() > 1 {
            owners.pop_front().unwrap()
        } else {
            owners[0].clone()
        };
        std::future::ready(Ok(owner)).boxed()
    };
    let outcome = resolve(claim, read_owner, |_| *questions.borrow_mut() += 1).await;
    (outcome, reads.take(), questions.take(), start.elapsed())
}

#[tokio::test]
async fn a_take_over_asks_nobody() {
    let (outcome, reads, questions, _) = run(&claim(ConflictPolicy::TakeOver, false), [Some(owner(2))]).await;
    assert_eq!((outcome, reads, questions), (Ok(()), 0, 0));
}

#[tokio::test]
async fn a_peer_without_an_attached_owner_is_free() {
    let detached = Owner {
        is_attached: false,
        ..owner(2)
    };
    for owner in [None, Some(detached)] {
        let (outcome, reads, questions, _) = run(&probe(), [owner]).await;
        assert_eq!((outcome, reads, questions), (Ok(()), 1, 0));
    }
}

#[tokio::test]
async fn a_resume_needs_its_own_session() {
    let unknown = Owner {
        session: None,
        ..owner(1)
    };
    for owner in [None, Some(owner(2)), Some(unknown)] {
        let (outcome, _, questions, _) = run(&resume(), [owner]).await;
        assert_eq!((outcome, questions), (Err(BrokerError::NotResumable), 0));
    }
}

#[tokio::test]
async fn a_resume_waits_until_the_owner_has_detached() {
    let detached = Owner {
        is_attached: false,
        ..owner(1)
    };
    let owners = [Some(owner(1)), Some(owner(1)), Some(detached)];
    let (outcome, reads, questions, took) = run(&resume(), owners).await;
    assert_eq!((outcome, reads, questions), (Ok(()), 3, 1));
    assert!(took >= 2 * READ_EVERY, "{took:?}");
}

#[tokio::test]
async fn a_resume_does_not_wait_for_its_own_node() {
    let local = Owner {
        is_local: true,
        ..owner(1)
    };
    let (outcome, reads, questions, _) = run(&resume(), [Some(local)]).await;
    assert_eq!((outcome, reads, questions), (Ok(()), 1, 0));
}

#[tokio::test]
async fn a_resume_takes_over_from_an_owner_that_does_not_detach() {
    let (outcome, _, questions, took) = run(&resume(), [Some(owner(1))]).await;
    assert_eq!((outcome, questions), (Ok(()), 1));
    assert!(took >= WITHIN, "{took:?}");
}

#[tokio::test]
async fn a_resume_whose_session_is_taken_meanwhile_is_refused() {
    let (outcome, ..) = run(&resume(), [Some(owner(1)), Some(owner(2))]).await;
    assert_eq!(outcome, Err(BrokerError::NotResumable));
}

#[tokio::test]
async fn a_probed_owner_that_answers_stays() {
    let touched = |touches: &str| {
        Some(Owner {
            touches: Some(touches.to_owned()),
            ..owner(2)
        })
    };
    let owners = [touched("3"), touched("3"), touched("4")];
    let (outcome, reads, questions, _) = run(&probe(), owners).await;
    assert_eq!((outcome, reads, questions), (Err(BrokerError::InUse), 3, 1));
    let (outcome, ..) = run(&probe(), [Some(owner(2)), touched("1")]).await;
    assert_eq!(outcome, Err(BrokerError::InUse), "its first touch");
}

#[tokio::test]
async fn a_probe_concerns_owners_on_the_same_node_too_but_not_its_own_session() {
    let local = Owner {
        is_local: true,
        ..owner(2)
    };
    let (outcome, _, questions, took) = run(&probe(), [Some(local)]).await;
    assert_eq!((outcome, questions), (Ok(()), 1));
    assert!(took >= WITHIN, "a silent owner is waited for");
    let (outcome, _, questions, _) = run(&probe(), [Some(owner(1))]).await;
    assert_eq!((outcome, questions), (Ok(()), 0));
}

#[tokio::test]
async fn an_owner_that_is_touched_while_it_is_asked_to_detach_does_not_count_as_a_probe() {
    let touched = Owner {
        touches: Some("1".to_owned()),
        ..owner(1)
    };
    let (outcome, ..) = run(&resume(), [Some(owner(1)), Some(touched)]).await;
    assert_eq!(outcome, Ok(()));
}

#[tokio::test]
async fn an_error_of_the_record_ends_the_wait() {
    let read_owner = || std::future::ready(Err(BrokerError::Refused)).boxed();
    let outcome = resolve(&probe(), read_owner, |_| {}).await;
    assert_eq!(outcome, Err(BrokerError::Refused));
}
