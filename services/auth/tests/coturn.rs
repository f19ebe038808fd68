//! TURN credentials against a real coturn: good ones relay, wrong and expired ones are refused. Without
//! `turnserver` and `turnutils_uclient` on the path it is skipped and says so, but fails where CI=true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use switchboard_auth::{TurnCredentials, TurnMinter};
use switchboard_protocol::{PeerId, Secret};

const SHARED: &str = "a-secret-shared-with-coturn";

/// A running coturn; killed on drop.
struct Coturn {
    process: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Coturn {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = dir.path().join("turnserver.conf");
        let file = |name: &str| dir.path().join(name).display().to_string();
        let text = format!(
            "listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlistening-port={port}\nmin-port=40000\nmax-port=40999\n\
             use-auth-secret\nstatic-auth-secret={SHARED}\nrealm=switchboard.test\nallow-loopback-peers\nno-cli\n\
             no-tls\nno-dtls\nfingerprint\nverbose\nsimple-log\nlog-file={}\npidfile={}\nuserdb={}\n",
            file("log"),
            file("pid"),
            file("db"),
        );
        std::fs::write(&config, text).unwrap();
        let process = Command::new("turnserver")
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut coturn = Self { process, port, dir };
        coturn.wait_until_it_listens();
        coturn
    }

    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "turnserver ended: {ended:?}");
            assert!(Instant::now() < deadline, "turnserver did not listen within 20 s");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Relays 20 messages for each of a client's four allocations; answers whether messages came through, and
    /// what it printed. It is UDP: under load one may be lost, which says nothing about credentials.
    fn relay(&self, credentials: &TurnCredentials) -> (bool, String) {
        let port = self.port.to_string();
        let mut client = Command::new("turnutils_uclient")
            .args(["-u", &credentials.username, "-w", credentials.credential.expose()])
            .args(["-p", &port, "-n", "20", "-m", "1", "-y", "127.0.0.1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while client.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                client.kill().unwrap();
                client.wait().unwrap();
                panic!("turnutils_uclient did not end within 60 s");
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let output = client.wait_with_output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        (output.status.success() && received(&printed) > 0, printed)
    }
}

impl Coturn {
    /// The client gets no allocation, and the server says that it is for the credentials.
    fn refuses(&self, credentials: &TurnCredentials) {
        let (relayed, printed) = self.relay(credentials);
        assert!(
            !relayed && printed.contains("Cannot complete Allocation"),
            "{printed}"
        );
        let user = format!("user <{}>", credentials.username);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            if log
                .lines()
                .any(|line| line.contains(&user) && line.contains("error 401"))
            {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "no 401 for {user} in coturn's log:\n{log}"
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The number in the client's last report, `tot_send_msgs=80, tot_recv_msgs=80`.
fn received(printed: &str) -> u32 {
    let last = printed.rsplit_once("tot_recv_msgs=").map_or("", |(_, rest)| rest);
    let digits = last
        .find(|c: char| !c.is_ascii_digit())
        .map_or(last, |end| &last[..end]);
    digits.parse().unwrap_or(0)
}

/// A port that is free for TCP and UDP.
fn free_port() -> u16 {
    for _ in 0..100 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        // coturn opens the next port as well.
        if port < u16::MAX
            && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok()
        {
            return port;
        }
    }
    panic!("no free port");
}

fn installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
}

#[test]
fn coturn_relays_for_good_credentials_and_refuses_wrong_and_expired_ones() {
    if !installed("turnserver") || !installed("turnutils_uclient") {
        let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !in_ci,
            "turnserver and turnutils_uclient (package coturn) must be installed in CI"
        );
        println!("skipped: turnserver and turnutils_uclient (package coturn) are not installed");
        return;
    }
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let alice = PeerId::new("team:alice@example.org").unwrap();
    let coturn = Coturn::start();

    let good = TurnMinter::new(&Secret::new(SHARED), 600).credentials(&alice, now_s);
    let (relayed, printed) = coturn.relay(&good);
    assert!(relayed, "{printed}");

    let bob = PeerId::new("bob").unwrap();
    let wrong = TurnMinter::new(&Secret::new("another-secret"), 600).credentials(&bob, now_s);
    coturn.refuses(&wrong);

    let expired = TurnMinter::new(&Secret::new(SHARED), 600).credentials(&alice, now_s - 3_600);
    coturn.refuses(&expired);

    // The expiry is part of what is signed, so nobody lengthens it.
    let longer = TurnCredentials {
        username: format!("{}:{alice}", now_s + 99_999),
        ..good
    };
    coturn.refuses(&longer);
}
