//! Two nodes under load across them, for one state of Redis: what clients, operators and logs see of it. Not the states
//! themselves.

use std::{sync::Arc, time::Duration};

use switchboard_testkit::{
    Cluster, DeploymentOptions, Load, LoadPlan, NodeProcess, Oracle, OracleReport, PATIENCE, RedisLayout,
    RedisOptions, RedisServer, TestPeer, wait_until,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Mutex, MutexGuard},
    time::sleep,
};

/// 100 messages a second, all of them across the two nodes.
const PLAN: LoadPlan = LoadPlan {
    pairs: 10,
    every: Duration::from_millis(200),
};

/// Clients are pinged every second, and nobody is moved for balance.
const QUICK_PINGS: &str = "[session]\nheartbeat_ms = 1000\n[rebalance]\nenabled = false\n";

/// What sends between nodes may end in while the bus is not up.
pub(crate) const ENDS: [&str; 2] = ["bus-unavailable", "timeout"];

/// How soon all is well again after Redis is.
pub(crate) const HEALED_WITHIN: Duration = Duration::from_secs(5);

/// What a line about the bus begins with.
const BUS: &str = "the bus between nodes ";

/// Two nodes, a load, and two clients of one node.
pub(crate) struct Drill {
    pub(crate) cluster: Cluster,
    oracle: Arc<Oracle>,
    load: Load,
    /// Two peers of the first node.
    near: (TestPeer, TestPeer),
    near_sent: u64,
    /// One of the second node.
    far: TestPeer,
    _alone: MutexGuard<'static, ()>,
}

impl Drill {
    /// Starts them on a Redis with these options; one drill at a time, because each loads the machine.
    pub(crate) async fn start(redis: RedisOptions) -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let _alone = ALONE.lock().await;
        let options = DeploymentOptions {
            server: redis,
            ..DeploymentOptions::default()
        };
        let cluster = Cluster::start_with_redis(RedisLayout::Standalone, options, 2, QUICK_PINGS);
        let cluster = cluster.await.unwrap();
        let oracle = Oracle::start();
        let on_first = |name| TestPeer::start(&oracle, name, vec![cluster.nodes[0].url()]);
        let near = (on_first("near-a"), on_first("near-b"));
        let far = TestPeer::start(&oracle, "far", vec![cluster.nodes[1].url()]);
        let load = Load::start(PLAN, &oracle, &cluster.urls_from(0)).await.unwrap();
        let drill = Self {
            cluster,
            oracle,
            load,
            near,
            near_sent: 0,
            far,
            _alone,
        };
        drill.lasts(1.0).await;
        drill
    }

    /// The state begins, or ends, now.
    pub(crate) fn fault(&self, name: &str) {
        self.oracle.fault(name);
    }

    /// The load goes on for so long. The time is the subject of the test, not a wait for a condition.
    pub(crate) async fn lasts(&self, seconds: f64) {
        sleep(Duration::from_secs_f64(seconds)).await;
    }

    pub(crate) fn redis(&self) -> &RedisServer {
        &self.cluster.redis
    }

    /// Waits until every node gives this reason at `/readyz`, with these words.
    pub(crate) async fn until_reason(&self, reason: &str, words: &str) {
        for node in &self.cluster.nodes {
            let given = async || {
                let body = node.get("/readyz").await.ok()?.body;
                (body.contains(reason) && body.contains(words)).then_some(body)
            };
            let what = format!("{reason} is given with {words:?}");
            let (body, took) = wait_until(&what, PATIENCE, given).await.unwrap();
            println!("after {took:?}: {body}");
            assert_eq!(node.status("/livez").await, Some(200), "the node lives");
        }
        let is_seen = async || (self.metric("switchboard_bus_up").await == 0.0).then_some(());
        wait_until("the metric says so", HEALED_WITHIN, is_seen)
            .await
            .unwrap();
    }

    /// Waits until every node is ready, with all its channels.
    pub(crate) async fn until_ready(&self) -> Duration {
        let mut longest = Duration::ZERO;
        for node in &self.cluster.nodes {
            let is_whole = async || {
                let desired = node.metric("switchboard_subscriptions_desired").await?;
                let confirmed = node.metric("switchboard_subscriptions_confirmed").await?;
                let is_up = node.metric("switchboard_bus_up").await? == 1.0;
                let is_ready = node.status("/readyz").await? == 200;
                (is_up && is_ready && desired == confirmed && desired > 0.0).then_some(())
            };
            let (_, took) = wait_until("the node is ready again", HEALED_WITHIN, is_whole)
                .await
                .unwrap();
            longest = longest.max(took);
        }
        println!("ready after {longest:?}");
        longest
    }

    /// A message between two clients of one node, which arrives at once.
    pub(crate) async fn calls_on_one_node_go_on(&mut self) {
        let (from, to) = &mut self.near;
        from.send(to.number, to.name(), 0).await.unwrap();
        let (oracle, count) = (&self.oracle, self.near_sent + 1);
        self.near_sent = count;
        let arrived = async || (oracle.arrived(from.number, to.number) >= count).then_some(());
        wait_until("a message on one node arrives", Duration::from_secs(1), arrived)
            .await
            .unwrap();
    }

    /// Peers that have a record in Redis.
    pub(crate) async fn records(&self) -> usize {
        let words = ["KEYS", "sb:{*}:s:*"];
        self.redis().command::<Vec<String>>(&words).await.unwrap().len()
    }

    /// The sum of a metric over the nodes.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let mut sum = 0.0;
        for node in &self.cluster.nodes {
            sum += node.metric(series).await.unwrap_or_default();
        }
        sum
    }

    /// Sends a message with `bytes` more than it needs from the first node's peer to one of the second node.
    pub(crate) async fn send_across(&mut self, bytes: usize) {
        let far = &self.far;
        self.near.0.send(far.number, far.name(), bytes).await.unwrap();
    }

    /// Ends the load and checks what its clients saw: every send has its one outcome, nothing is lost silently, twice or
    /// out of order, and every error is one of `codes`.
    pub(crate) async fn end(self, codes: &[&str]) -> OracleReport {
        let report = self.load.stop().await.unwrap();
        println!("{report}");
        if !report.is_ok() {
            println!("{}", report.traces());
            for node in &self.cluster.nodes {
                println!("{}", lines(node, "").join("\n"));
            }
        }
        assert!(
            report.is_ok(),
            "the delivery contract was broken; the traces are above"
        );
        let expected: usize = codes.iter().map(|code| report.failed_with(code)).sum();
        assert_eq!(report.failures(), expected, "other errors than {codes:?}");
        for node in &self.cluster.nodes {
            assert_eq!(node.status("/livez").await, Some(200));
        }
        report
    }

    /// The lines of every node about the bus since it was up first.
    pub(crate) fn bus_lines(&self) -> Vec<Vec<String>> {
        let nodes = self.cluster.nodes.iter();
        nodes.map(|node| lines(node, BUS).split_off(1)).collect()
    }

    /// One state of the bus has come and gone: a line at its beginning that names the server, the reason and the effect,
    /// and one at its end.
    pub(crate) fn has_one_outage_in_the_log(&self, state: &str, reason: &str) {
        let server = self.redis().address().to_string();
        for lines in self.bus_lines() {
            println!("{}", lines.join("\n"));
            let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
            let wanted = [state, reason, &server, "calls on one node go on"];
            assert!(
                lines
                    .iter()
                    .any(|line| wanted.iter().all(|words| line.contains(words))),
                "{wanted:?}"
            );
            assert!(first.contains("\"WARN\"") && first.contains(&server), "{first}");
            assert!(
                last.contains("between nodes is up") && last.contains("down_s"),
                "{last}"
            );
            assert!(lines.len() <= 4, "not for each attempt: {lines:#?}");
        }
    }
}

/// A connection to Redis that was there before nobody else could connect, or before the password changed.
pub(crate) struct Admin(TcpStream);

impl Admin {
    pub(crate) async fn open(redis: &RedisServer) -> Self {
        Self(TcpStream::connect(redis.address()).await.unwrap())
    }

    /// Sends one command as a line; what Redis answers, as it is, and not an error.
    pub(crate) async fn call(&mut self, line: &str) -> String {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        let mut answer = vec![0; 1024];
        let count = self.0.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(!answer.starts_with('-'), "{line}: {answer}");
        answer
    }
}

/// The lines of the node's log at level INFO or above with these words.
fn lines(node: &NodeProcess, words: &str) -> Vec<String> {
    let log = node.log();
    let lines = log.lines().filter(|line| line.contains(words));
    lines.map(str::to_owned).collect()
}
