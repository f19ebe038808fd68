//! The fault proxy changes nothing without a command, and with one exactly what the command says.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use switchboard_harness::{ConnectionInfo, FaultProxy, PATIENCE, Side, wait_until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// How long nothing may arrive where nothing is to arrive.
const SILENCE: Duration = Duration::from_millis(50);

/// A proxy in front of a server that the test plays itself.
struct Setting {
    proxy: FaultProxy,
    listener: TcpListener,
}

impl Setting {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
        Self { proxy, listener }
    }

    /// Both ends of a new connection, and its id.
    async fn connect(&self) -> (TcpStream, TcpStream, u64) {
        let before = self.ids();
        let client = TcpStream::connect(self.proxy.address()).await.unwrap();
        let (server, _) = soon(self.listener.accept()).await.unwrap();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let entered = async || self.ids().into_iter().find(|id| !before.contains(id));
        let (id, _) = wait_until("the connection is listed", PATIENCE, entered)
            .await
            .unwrap();
        (client, server, id)
    }

    fn ids(&self) -> Vec<u64> {
        self.proxy.connections().iter().map(|info| info.id).collect()
    }

    async fn is_listed(&self, what: &str, like: impl Fn(&[ConnectionInfo]) -> bool) {
        let look = async || like(&self.proxy.connections()).then_some(());
        wait_until(what, PATIENCE, look).await.unwrap();
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap()
}

/// Sends `bytes` from one end and reads as many at the other.
async fn carry(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut arrived = vec![0; bytes.len()];
    let (sent, read) = soon(async { tokio::join!(from.write_all(bytes), to.read_exact(&mut arrived)) }).await;
    sent.unwrap();
    read.unwrap();
    arrived
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read(&mut [0])).await.is_err()
}

async fn is_reset(stream: &mut TcpStream) -> bool {
    let outcome = soon(stream.read(&mut [0])).await;
    outcome.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

async fn is_at_end(stream: &mut TcpStream) -> bool {
    matches!(soon(stream.read(&mut [0])).await, Ok(0))
}

/// Bytes whose order shows: no two stretches of the length of a chunk are the same.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xff).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_pass_unchanged_both_ways_and_so_does_the_end_of_each_stream() {
    let setting = Setting::new().await;
    let (mut client, mut server, id) = setting.connect().await;
    let bytes = pattern(1_000_003);
    assert!(carry(&mut client, &mut server, &bytes).await == bytes);
    client.shutdown().await.unwrap();
    assert!(is_at_end(&mut server).await);
    assert!(carry(&mut server, &mut client, &bytes).await == bytes);
    let expected = ConnectionInfo {
        id,
        bytes_to_upstream: 1_000_003,
        bytes_to_client: 1_000_003,
        subscribes: false,
    };
    setting
        .is_listed("every byte is counted", |open| open == [expected])
        .await;
    drop(server);
    assert!(is_at_end(&mut client).await);
    setting
        .is_listed("a connection that ended is gone", <[_]>::is_empty)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_connection_holds_its_sender_back_and_delivers_everything_in_order_once_thawed() {
    let setting = Setting::new().await;
    let (mut client, mut server, id) = setting.connect().await;
    assert!(setting.proxy.freeze(id));
    let bytes = pattern(64 * 1024 * 1024);
    let mut sent = 0;
    while let Ok(count) = timeout(SILENCE, client.write(&bytes[sent..])).await {
        sent += count.unwrap();
        assert!(sent < bytes.len(), "nothing held the sender back");
    }
    assert!(sent > 0 && is_silent(&mut server).await);
    server.write_all(b"held").await.unwrap();
    assert!(is_silent(&mut client).await);

    setting.proxy.thaw_all();
    let mut arrived = vec![0; sent];
    soon(server.read_exact(&mut arrived)).await.unwrap();
    assert!(arrived == bytes[..sent]);
    let mut arrived = [0; 4];
    soon(client.read_exact(&mut arrived)).await.unwrap();
    assert_eq!(&arrived, b"held");
}

#[tokio::test(flavor = "multi_thread")]
async fn freezing_all_holds_for_connections_opened_later_too() {
    let setting = Setting::new().await;
    let (mut old, mut old_server, _) = setting.connect().await;
    setting.proxy.freeze_all();
    let (mut new, mut new_server, _) = setting.connect().await;
    old.write_all(b"x").await.unwrap();
    new.write_all(b"x").await.unwrap();
    assert!(is_silent(&mut old_server).await);
    assert!(is_silent(&mut new_server).await);
    setting.proxy.thaw_all();
    assert_eq!(soon(old_server.read_u8()).await.unwrap(), b'x');
    assert_eq!(soon(new_server.read_u8()).await.unwrap(), b'x');
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_a_client_that_receives_nothing_still_arrive() {
    let setting = Setting::new().await;
    let (mut client, mut server, id) = setting.connect().await;
    assert!(setting.proxy.freeze_towards_client(id));
    server.write_all(b"lost?").await.unwrap();
    assert_eq!(carry(&mut client, &mut server, b"sent").await, b"sent");
    assert!(is_silent(&mut client).await);
    setting.proxy.thaw_all();
    let mut arrived = [0; 5];
    soon(client.read_exact(&mut arrived)).await.unwrap();
    assert_eq!(&arrived, b"lost?");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_connection_keeps_order_and_takes_at_least_that_long_but_not_once_per_chunk() {
    const DELAY: Duration = Duration::from_millis(100);
    let setting = Setting::new().await;
    setting.proxy.delay(DELAY);
    let (mut client, mut server, _) = setting.connect().await;
    let bytes = pattern(1024 * 1024);
    for way in [Side::Upstream, Side::Client] {
        let (from, to) = match way {
            Side::Upstream => (&mut client, &mut server),
            Side::Client => (&mut server, &mut client),
        };
        let start = Instant::now();
        assert!(carry(from, to, &bytes).await == bytes);
        let took = start.elapsed();
        assert!(took >= DELAY, "{took:?}");
        // 64 chunks at the least.
        assert!(took < 30 * DELAY, "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_the_delay_sends_at_once_what_it_held() {
    let setting = Setting::new().await;
    let (mut client, mut server, _) = setting.connect().await;
    setting.proxy.delay(Duration::MAX);
    client.write_all(b"first").await.unwrap();
    assert!(is_silent(&mut server).await);
    setting.proxy.delay(Duration::ZERO);
    client.write_all(b"second").await.unwrap();
    let mut arrived = [0; 11];
    soon(server.read_exact(&mut arrived)).await.unwrap();
    assert_eq!(&arrived, b"firstsecond");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_seen_by_both_sides_as_a_reset_and_by_no_other_connection() {
    let setting = Setting::new().await;
    let (mut client, mut server, id) = setting.connect().await;
    let (mut other, mut other_server, other_id) = setting.connect().await;
    setting.proxy.freeze_all();
    assert!(setting.proxy.cut(id));
    assert_eq!(setting.ids(), [other_id]);
    assert!(is_reset(&mut client).await);
    assert!(is_reset(&mut server).await);
    setting.proxy.thaw_all();
    assert_eq!(carry(&mut other, &mut other_server, b"still").await, b"still");

    setting.proxy.cut_all();
    assert!(is_reset(&mut other).await);
    assert!(is_reset(&mut other_server).await);
    assert!(setting.ids().is_empty());
    assert!(!setting.proxy.freeze(99), "there is no such connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_by_one_side_is_a_reset_for_the_other() {
    let setting = Setting::new().await;
    let (client, mut server, _) = setting.connect().await;
    client.set_zero_linger().unwrap();
    drop(client);
    assert!(is_reset(&mut server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_stays_open_and_silent_for_the_side_that_is_left() {
    for closed in [Side::Upstream, Side::Client] {
        let setting = Setting::new().await;
        let (client, server, id) = setting.connect().await;
        let (mut gone, mut left) = match closed {
            Side::Upstream => (server, client),
            Side::Client => (client, server),
        };
        assert!(setting.proxy.half_open(id, closed));
        assert!(is_at_end(&mut gone).await);
        // More than the system would hold on its own.
        soon(left.write_all(&pattern(32 * 1024 * 1024))).await.unwrap();
        assert!(is_silent(&mut left).await);
        assert_eq!(setting.ids(), [id]);
        assert!(setting.proxy.cut(id));
        assert!(is_reset(&mut left).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_ends_with_the_side_that_was_left() {
    let setting = Setting::new().await;
    let (client, _server, id) = setting.connect().await;
    assert!(setting.proxy.half_open(id, Side::Upstream));
    drop(client);
    setting.is_listed("it is gone", <[_]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_reset_and_one_after_the_refusal_is_not() {
    let setting = Setting::new().await;
    let (mut before, mut before_server, _) = setting.connect().await;
    setting.proxy.refuse(true);
    // The system has accepted it already, so that the reset may come only after `connect`.
    if let Ok(mut refused) = TcpStream::connect(setting.proxy.address()).await {
        assert!(is_reset(&mut refused).await);
    }
    assert_eq!(carry(&mut before, &mut before_server, b"stays").await, b"stays");
    setting.proxy.refuse(false);
    let (mut client, mut server, _) = setting.connect().await;
    assert_eq!(carry(&mut client, &mut server, b"again").await, b"again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_not_there_shows_as_a_reset() {
    let Setting { proxy, listener } = Setting::new().await;
    drop(listener);
    if let Ok(mut client) = TcpStream::connect(proxy.address()).await {
        assert!(is_reset(&mut client).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn corruption_changes_exactly_one_bit_of_the_next_chunk_towards_the_client() {
    let setting = Setting::new().await;
    let (mut client, mut server, id) = setting.connect().await;
    assert!(setting.proxy.corrupt_next(id));
    let bytes = pattern(100_000);
    assert!(carry(&mut client, &mut server, &bytes).await == bytes);
    let arrived = carry(&mut server, &mut client, &bytes).await;
    let flipped: u32 = bytes
        .iter()
        .zip(&arrived)
        .map(|(sent, got)| (sent ^ got).count_ones())
        .sum();
    assert_eq!(flipped, 1);
    assert!(carry(&mut server, &mut client, &bytes).await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_cut_instead_of_forwarding_the_chunk_with_the_needle_once() {
    let setting = Setting::new().await;
    let (mut client, mut server, _) = setting.connect().await;
    let (mut other, mut other_server, _) = setting.connect().await;
    setting.proxy.drop_next_matching(b"EVALSHA");
    assert_eq!(carry(&mut client, &mut server, b"before").await, b"before");
    assert_eq!(
        carry(&mut server, &mut client, b"EVALSHA").await,
        b"EVALSHA",
        "the other way"
    );
    client.write_all(b"x EVALSHA y").await.unwrap();
    assert!(is_reset(&mut client).await);
    assert!(is_reset(&mut server).await, "not a byte of it came");
    assert_eq!(carry(&mut other, &mut other_server, b"EVALSHA").await, b"EVALSHA");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_chunk_with_the_needle_towards_a_client_is_lost_once_and_in_silence() {
    let setting = Setting::new().await;
    let (mut client, mut server, _) = setting.connect().await;
    setting.proxy.lose_next_matching(b"offer");
    assert_eq!(
        carry(&mut client, &mut server, b"offer").await,
        b"offer",
        "the other way"
    );
    assert_eq!(carry(&mut server, &mut client, b"before").await, b"before");
    assert!(setting.proxy.is_waiting_to_lose());
    server.write_all(b"an offer").await.unwrap();
    assert!(is_silent(&mut client).await);
    assert!(!setting.proxy.is_waiting_to_lose());
    assert_eq!(carry(&mut server, &mut client, b"an offer").await, b"an offer");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_are_found_behind_their_credentials_and_however_their_bytes_are_split() {
    const SUBSCRIBE: &[u8] = b"*2\r\n$9\r\nSUBSCRIBE\r\n$5\r\ninbox\r\n";
    let setting = Setting::new().await;
    let (mut commands, mut commands_server, commands_id) = setting.connect().await;
    let (mut plain, mut plain_server, plain_id) = setting.connect().await;
    let (mut split, mut split_server, split_id) = setting.connect().await;
    carry(&mut commands, &mut commands_server, b"*1\r\n$4\r\nPING\r\n").await;
    carry(&mut plain, &mut plain_server, SUBSCRIBE).await;
    carry(
        &mut split,
        &mut split_server,
        b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n",
    )
    .await;
    for byte in SUBSCRIBE {
        carry(&mut split, &mut split_server, &[*byte]).await;
    }
    let seen: Vec<_> = setting
        .proxy
        .connections()
        .iter()
        .map(|info| (info.id, info.subscribes))
        .collect();
    assert_eq!(seen, [(commands_id, false), (plain_id, true), (split_id, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_proxy_closes_its_port_and_every_connection() {
    let setting = Setting::new().await;
    let (mut client, mut server, _) = setting.connect().await;
    let (mut half, _half_server, id) = setting.connect().await;
    setting.proxy.half_open(id, Side::Upstream);
    setting.proxy.freeze_all();
    let address = setting.proxy.address();
    drop(setting.proxy);
    assert!(is_at_end(&mut client).await);
    assert!(is_at_end(&mut server).await);
    assert!(is_at_end(&mut half).await);
    let refused = async || TcpStream::connect(address).await.err();
    wait_until("the port is closed", PATIENCE, refused).await.unwrap();
}
