//! The offline queue of one receiver is filled, and a call comes.

use std::time::Duration;

use futures_util::{FutureExt as _, future::join_all};
use switchboard_client::Client;
use switchboard_protocol::{Event, MessageKind, ServerFrame};
use switchboard_testkit::payload;

use crate::{
    attack::{Attack, Findings},
    scene::Scene,
};

pub(crate) const ATTACK: Attack = Attack {
    name: "fill-one-offline-queue",
    title: "One sender fills the offline queue of a detached receiver with 300 tiny messages, then others call",
    before: "a call got `queue-full`",
    rule: "One sending peer gets a share of a receiver's offline queue.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

/// More than an offline queue holds.
const MESSAGES: usize = 300;

const CALLERS: usize = 4;

/// Longer than the deadline of a send.
const OUTCOME_WITHIN: Duration = Duration::from_secs(7);

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let mut findings = Findings::of(format!("{} detached receivers", scene.detach("absent", 1).await));
    let mut attacker = scene.connect(0, "attacker").await?;
    let tiny = payload("1")?;
    let mut last = 0;
    for _ in 0..MESSAGES {
        last = attacker.next_id();
        attacker
            .send(MessageKind::Message, "absent-0", Some(last), &tiny)
            .await?;
    }
    let first = first_word(&mut attacker, last).await;
    findings.note(format!("the answer to its last message: {first}"));
    let calls = (0..CALLERS).map(|number| call(&scene, number));
    for first in join_all(calls).await {
        let first = first?;
        findings.check(first == "queued", format!("a call got {first}"));
    }
    Ok(findings)
}

/// The first answer to a call of the receiver.
async fn call(scene: &Scene, number: usize) -> anyhow::Result<String> {
    let mut caller = Client::connect(&scene.other(number % 2, "caller", number)?).await?;
    let id = caller.next_id();
    caller
        .send(MessageKind::Offer, "absent-0", Some(id), &payload("1")?)
        .await?;
    Ok(first_word(&mut caller, id).await)
}

/// The first answer to the send `id`.
async fn first_word(client: &mut Client, id: u64) -> String {
    let answer = client.expect(OUTCOME_WITHIN, |frame| match frame {
        ServerFrame::Event(Event::Receipt { id: of, status }) if *of == id => {
            Some(format!("{status:?}").to_lowercase())
        }
        ServerFrame::Event(Event::Error { id: of, code, .. }) if *of == Some(id) => Some(code.to_string()),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    });
    answer.await.unwrap_or_else(|error| error.to_string())
}
