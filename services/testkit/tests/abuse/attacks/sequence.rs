//! A resume that claims to have seen more than there was.

use std::time::Duration;

use futures_util::FutureExt as _;
use switchboard_client::{Client, ConnectError, Resume};
use switchboard_protocol::MessageKind;
use switchboard_testkit::payload;

use crate::{
    attack::{Attack, Findings},
    scene::Scene,
};

pub(crate) const ATTACK: Attack = Attack {
    name: "sequence-overflow",
    title: "A peer resumes with `seen=18446744073709551615`",
    before: "its `seq` began again at 0",
    rule: "A `seen` that the node never sent is refused, and `seq` never goes back.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

const ARRIVE_WITHIN: Duration = Duration::from_secs(6);

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let mut options = scene.options(0, "attacker")?;
    let first = Client::connect(&options).await?;
    let token = first.welcome().resume_token.clone();
    drop(first);
    options.resume = Some(Resume {
        token,
        seen: u64::MAX,
    });
    let mut resumed = match Client::connect(&options).await {
        Ok(resumed) => resumed,
        Err(ConnectError::Refused { status, problem, .. }) => {
            let words = problem.map(|problem| problem.to_string()).unwrap_or_default();
            let mut findings = Findings::of(format!("refused with {status} {words}"));
            findings.check(status == 400, format!("refused with {status}"));
            return Ok(findings);
        }
        Err(error) => return Err(error.into()),
    };
    let mut sender = scene.connect(1, "helper").await?;
    let id = sender.next_id();
    sender
        .send(MessageKind::Message, "attacker", Some(id), &payload("1")?)
        .await?;
    let seq = resumed.message(ARRIVE_WITHIN).await?.seq;
    let mut findings = Findings::of(format!("accepted; the next `seq` is {seq}"));
    findings.check(seq > 0, "`seq` began again at 0");
    Ok(findings)
}
