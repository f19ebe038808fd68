//! Tokens end during a connection: announced, renewed, or closed with 4401. TURN credentials end too.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use switchboard_auth::Minter;
use switchboard_client::{Client, ConnectOptions};
use switchboard_protocol::{Claims, ErrorCode, Event, RegionId, Secret, ServerFrame};
use switchboard_testkit::{Cluster, PATIENCE, SECRET, claims, token};

fn short(peer: &str, seconds: u64) -> Secret {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = Claims {
        exp: now_s + seconds,
        ..claims(peer)
    };
    Minter::hs256(&Secret::new(SECRET))
        .unwrap()
        .mint(&claims, Some("switchboard"))
        .unwrap()
}

async fn expiring(client: &mut Client) {
    let announced = client.expect(PATIENCE, |frame| match frame {
        ServerFrame::Event(Event::Expiring { expires_at }) => Some(*expires_at),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    });
    announced.await.unwrap();
}

#[tokio::test]
async fn a_token_that_ends_is_announced_and_closes_the_connection_with_4401() {
    let cluster = Cluster::start(1).await.unwrap();
    let options = ConnectOptions::new(cluster.nodes[0].url(), short("alice", 3));
    let mut alice = Client::connect(&options).await.unwrap();
    expiring(&mut alice).await;
    let start = Instant::now();
    assert_eq!(alice.closed(PATIENCE).await.unwrap().0, 4401);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "closed at the token's end, not at the next heartbeat"
    );
}

#[tokio::test]
async fn a_renewed_token_keeps_the_connection_and_another_peers_token_is_refused() {
    let cluster = Cluster::start(1).await.unwrap();
    let options = ConnectOptions::new(cluster.nodes[0].url(), short("alice", 3));
    let mut alice = Client::connect(&options).await.unwrap();
    expiring(&mut alice).await;
    let refused = alice.renew(&token("bob").unwrap(), PATIENCE).await.unwrap();
    assert!(
        matches!(
            refused,
            Event::Error {
                code: ErrorCode::TokenInvalid,
                ..
            }
        ),
        "{refused:?}"
    );
    let refused = alice.renew(&Secret::new("garbage"), PATIENCE).await.unwrap();
    assert!(
        matches!(
            refused,
            Event::Error {
                code: ErrorCode::TokenInvalid,
                ..
            }
        ),
        "{refused:?}"
    );
    let renewed = alice.renew(&token("alice").unwrap(), PATIENCE).await.unwrap();
    assert!(matches!(renewed, Event::Renewed { .. }), "{renewed:?}");
    // Past the end of the first token.
    assert!(
        alice.closed(Duration::from_secs(4)).await.is_err(),
        "the connection goes on"
    );
}

#[tokio::test]
async fn the_newest_token_decides_at_once_also_when_it_ends_earlier() {
    let cluster = Cluster::start(1).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let shorter = short("alice", 6);
    let ends = Instant::now() + Duration::from_secs(6);
    let renewed = alice.renew(&shorter, PATIENCE).await.unwrap();
    assert!(matches!(renewed, Event::Renewed { .. }), "{renewed:?}");
    expiring(&mut alice).await;
    let left = ends - Instant::now();
    assert!(
        left > Duration::from_secs(4),
        "announced at once, not {left:?} before the end"
    );
    assert_eq!(alice.closed(PATIENCE).await.unwrap().0, 4401);
    // A token's time has whole seconds, so it may end up to one earlier.
    let late = Instant::now().saturating_duration_since(ends);
    assert!(late < Duration::from_secs(1), "closed {late:?} after the end");
}

#[tokio::test]
async fn new_turn_credentials_come_unasked_before_the_old_ones_end() {
    // The shortest life of credentials is a minute. Here only the client's own region has it.
    let ice = "[ice]\nturn_urls = [\"turn:turn.example:3478\"]\nturn_secret = \"north-of-the-wall\"\n\
               [[ice.regions]]\nname = \"eu\"\nturn_urls = [\"turn:eu.example\"]\nturn_ttl_s = 60\n";
    let cluster = Cluster::start_with(1, ice).await.unwrap();
    let mut options = ConnectOptions::new(cluster.nodes[0].url(), token("alice").unwrap());
    options.region = Some(RegionId::new("eu").unwrap());
    let mut alice = Client::connect(&options).await.unwrap();
    let first = alice.welcome().clone();
    let pushed = alice.expect(Duration::from_secs(55), |frame| match frame {
        ServerFrame::Event(Event::Ice {
            id: None,
            ice_servers,
            expires_at,
        }) => Some((ice_servers.clone(), *expires_at)),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    });
    let (ice_servers, expires_at) = pushed.await.unwrap();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now_s < first.expires_at && first.expires_at < expires_at);
    assert_ne!(ice_servers, first.ice_servers);
    assert_eq!(ice_servers[0].urls, ["turn:eu.example"]);
}
