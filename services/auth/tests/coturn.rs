//! TURN credentials against a real coturn: good ones relay, wrong and expired ones are refused. Without
//! `turnserver` and `turnutils_uclient` on the path it is skipped and says so, but fails where CI=true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

use std::{
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use switchboard_auth::{TurnCredentials, TurnMinter};
use switchboard_harness::{Coturn, PATIENCE, find_program, or_skip, wait_until};
use switchboard_protocol::{PeerId, Secret};
use tokio::{process::Command, time::timeout};

const SHARED: &str = "a-secret-shared-with-coturn";

/// How long the client may take; it gives up by itself when nothing is relayed.
const RELAYED_WITHIN: Duration = Duration::from_secs(60);

/// Relays 20 messages for each of a client's four allocations. Returns whether messages came through, and what the
/// client printed. It is UDP: under load one may be lost, which says nothing about credentials.
async fn relay(coturn: &Coturn, credentials: &TurnCredentials) -> (bool, String) {
    let port = coturn.port().to_string();
    let client = Command::new("turnutils_uclient")
        .args(["-u", &credentials.username, "-w", credentials.credential.expose()])
        .args(["-p", &port, "-n", "20", "-m", "1", "-y", "127.0.0.1"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(RELAYED_WITHIN, client)
        .await
        .expect("turnutils_uclient ends within 60 s")
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    (output.status.success() && received(&printed) > 0, printed)
}

/// The client gets no allocation, and the server says that it is for the credentials.
async fn refuses(coturn: &Coturn, credentials: &TurnCredentials) {
    let (relayed, printed) = relay(coturn, credentials).await;
    assert!(
        !relayed && printed.contains("Cannot complete Allocation"),
        "{printed}"
    );
    let user = format!("user <{}>", credentials.username);
    let is_logged = async || {
        let log = coturn.log();
        let mut lines = log.lines();
        lines
            .any(|line| line.contains(&user) && line.contains("error 401"))
            .then_some(())
    };
    let waited = wait_until(&format!("coturn logs a 401 for {user}"), PATIENCE, is_logged).await;
    assert!(waited.is_ok(), "{waited:?}; its log:\n{}", coturn.log());
}

/// The number in the client's last report, `tot_send_msgs=80, tot_recv_msgs=80`.
fn received(printed: &str) -> u32 {
    let last = printed.rsplit_once("tot_recv_msgs=").map_or("", |(_, rest)| rest);
    let digits = last
        .find(|c: char| !c.is_ascii_digit())
        .map_or(last, |end| &last[..end]);
    digits.parse().unwrap_or(0)
}

#[tokio::test]
async fn coturn_relays_for_good_credentials_and_refuses_wrong_and_expired_ones() {
    for program in ["turnserver", "turnutils_uclient"] {
        if or_skip(find_program(program)).is_none() {
            return;
        }
    }
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let alice = PeerId::new("team:alice@example.org").unwrap();
    let coturn = Coturn::start(SHARED).await.unwrap();

    let good = TurnMinter::new(&Secret::new(SHARED), 600).credentials(&alice, now_s);
    let (relayed, printed) = relay(&coturn, &good).await;
    assert!(relayed, "{printed}");

    let bob = PeerId::new("bob").unwrap();
    let wrong = TurnMinter::new(&Secret::new("another-secret"), 600).credentials(&bob, now_s);
    refuses(&coturn, &wrong).await;

    let expired = TurnMinter::new(&Secret::new(SHARED), 600).credentials(&alice, now_s - 3_600);
    refuses(&coturn, &expired).await;

    // The signature covers the expiry, so a client cannot extend it.
    let longer = TurnCredentials {
        username: format!("{}:{alice}", now_s + 99_999),
        ..good
    };
    refuses(&coturn, &longer).await;
}
