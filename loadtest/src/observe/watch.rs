//! Looking at all servers once a second: CPU, memory; and at their metrics before and after the load.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};

use super::{
    Ops, metrics,
    process::{cpu, resident_kib},
};
use crate::{cluster::Server, results::ServerUse};

/// How often the servers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks that are kept: a day of them. Later ones are not, but memory and CPU are still followed.
const MOST_LOOKS: usize = 24 * 3600;

/// The node's gauge of its connections.
const CONNECTIONS: &str = "switchboard_connections";

/// Says which servers there are now; their processes change with faults.
type Servers = Arc<dyn Fn() -> Vec<Server> + Send + Sync>;

/// Looks at servers in a task of its own until dropped.
///
/// [`Watch::begin`] before the first connection, [`Watch::load_starts`] when the load does, [`Watch::load_ended`] when
/// it has ended and everybody is still connected.
pub(crate) struct Watch {
    servers: Servers,
    ops: Ops,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    /// Each server, in the order in which they first appeared. CPU and metrics are of the load alone. Of a
    /// server that was started again, metrics are the last process', and what a killed process used after the last
    /// look at it, at most a second, is not in its CPU.
    pub(crate) servers: Vec<ServerUse>,
    /// Each look: seconds since the start of the load, below 0 before it, and cores used since the look before, by
    /// server.
    pub(crate) looks: Vec<(f64, BTreeMap<String, f64>)>,
}

#[derive(Default)]
struct State {
    tallies: Vec<Tally>,
    looks: Vec<(Instant, BTreeMap<String, f64>)>,
    looked_at: Option<Instant>,
    load_start: Option<Instant>,
    metrics_before: BTreeMap<String, metrics::Series>,
}

/// One server, over all its processes.
#[derive(Default)]
struct Tally {
    name: String,
    /// Whether a process of it was ever seen on this machine.
    is_here: bool,
    pid: Option<u32>,
    /// Of this process, at the last look.
    process_cpu: Duration,
    /// Of all its processes since it was first seen.
    cpu: Duration,
    cpu_at_look: Duration,
    cpu_at_load_start: Duration,
    pid_at_load_start: Option<u32>,
    resident_before_kib: f64,
    resident_max_kib: f64,
    resident_kib: f64,
}

impl Watch {
    /// Looks for the first time, and then each second.
    pub(crate) fn begin(servers: impl Fn() -> Vec<Server> + Send + Sync + 'static) -> anyhow::Result<Self> {
        let servers: Servers = Arc::new(servers);
        let state = Arc::new(Mutex::new(State::default()));
        state.lock().look(&servers());
        let task = tokio::spawn({
            let (servers, state) = (Arc::clone(&servers), Arc::clone(&state));
            async move {
                let mut ticks = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    let servers = servers();
                    state.lock().look(&servers);
                }
            }
        });
        Ok(Self {
            servers,
            ops: Ops::new()?,
            state,
            task,
        })
    }

    /// The load starts at `at`, about now: CPU and metrics count from here.
    pub(crate) async fn load_starts(&self, at: Instant) {
        let metrics = self.metrics().await;
        let servers = (self.servers)();
        let mut state = self.state.lock();
        state.measure(&servers);
        state.metrics_before = metrics;
        state.load_start = Some(at);
        for tally in &mut state.tallies {
            tally.cpu_at_load_start = tally.cpu;
            tally.pid_at_load_start = tally.pid;
            tally.resident_max_kib = tally.resident_kib;
        }
    }

    /// Cores used in the last second, by server; for a live view.
    #[cfg(test)]
    fn cores(&self) -> BTreeMap<String, f64> {
        let state = self.state.lock();
        state
            .looks
            .last()
            .map(|(_, cores)| cores.clone())
            .unwrap_or_default()
    }

    /// The load has ended: the last look, and all that was seen.
    pub(crate) async fn load_ended(self) -> Watched {
        let servers = (self.servers)();
        // CPU first: reading metrics is work for the nodes too.
        self.state.lock().measure(&servers);
        self.task.abort();
        let metrics = self.metrics().await;
        let state = self.state.lock();
        Watched {
            servers: state
                .tallies
                .iter()
                .map(|tally| state.used(tally, &metrics))
                .collect(),
            looks: state.looks_since_start(),
        }
    }

    /// Of all servers that have some and answer.
    async fn metrics(&self) -> BTreeMap<String, metrics::Series> {
        let servers = (self.servers)();
        let reads = servers.into_iter().map(async |server| {
            let text = self.ops.metrics(&server.ops_url?).await.ok()?;
            Some((server.name, metrics::parse(&text)))
        });
        join_all(reads).await.into_iter().flatten().collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    /// Brings the tallies up to now.
    fn measure(&mut self, servers: &[Server]) {
        for server in servers {
            match self.tallies.iter_mut().find(|tally| tally.name == server.name) {
                Some(tally) => tally.measure(server.pid),
                None => self.tallies.push(Tally::first(server)),
            }
        }
    }

    /// Measures, and notes what was used since the last look.
    fn look(&mut self, servers: &[Server]) {
        self.measure(servers);
        let now = Instant::now();
        let span = self.looked_at.map(|at| now.saturating_duration_since(at));
        self.looked_at = Some(now);
        let mut cores = BTreeMap::new();
        // Of a server elsewhere nothing is known, and 0 would be a lie; of a dead one it is true.
        for tally in self.tallies.iter_mut().filter(|tally| tally.is_here) {
            let used = tally.cpu.saturating_sub(tally.cpu_at_look);
            tally.cpu_at_look = tally.cpu;
            if let Some(span) = span.filter(|span| !span.is_zero()) {
                cores.insert(tally.name.clone(), used.as_secs_f64() / span.as_secs_f64());
            }
        }
        if !cores.is_empty() && self.looks.len() < MOST_LOOKS {
            self.looks.push((now, cores));
        }
    }

    fn used(&self, tally: &Tally, after: &BTreeMap<String, metrics::Series>) -> ServerUse {
        let none = metrics::Series::new();
        // A new process counts from 0.
        let before = self.metrics_before.get(&tally.name);
        let before = before
            .filter(|_| tally.pid == tally.pid_at_load_start)
            .unwrap_or(&none);
        let after = after.get(&tally.name).unwrap_or(&none);
        ServerUse {
            name: tally.name.clone(),
            cpu_s: tally.cpu.saturating_sub(tally.cpu_at_load_start).as_secs_f64(),
            resident_before_kib: tally.resident_before_kib,
            resident_max_kib: tally.resident_max_kib,
            resident_after_kib: tally.resident_kib,
            connections: whole(metrics::total(after, CONNECTIONS)),
            metrics: metrics::changed(before, after),
        }
    }

    fn looks_since_start(&self) -> Vec<(f64, BTreeMap<String, f64>)> {
        let first = self.looks.first().map(|(at, _)| *at);
        let Some(start) = self.load_start.or(first) else {
            return Vec::new();
        };
        let seconds = |at: Instant| match at.checked_duration_since(start) {
            Some(since) => since.as_secs_f64(),
            None => -start.duration_since(at).as_secs_f64(),
        };
        let looks = self.looks.iter().map(|(at, cores)| (seconds(*at), cores.clone()));
        looks.collect()
    }
}

impl Tally {
    fn first(server: &Server) -> Self {
        let resident = server.pid.and_then(|pid| resident_kib(pid).ok());
        Self {
            name: server.name.clone(),
            is_here: server.pid.is_some(),
            pid: server.pid,
            process_cpu: server.pid.and_then(|pid| cpu(pid).ok()).unwrap_or_default(),
            resident_before_kib: resident.unwrap_or_default(),
            resident_kib: resident.unwrap_or_default(),
            ..Self::default()
        }
    }

    fn measure(&mut self, pid: Option<u32>) {
        self.is_here |= pid.is_some();
        if pid != self.pid {
            // All that a new process has used it has used since the last time.
            (self.pid, self.process_cpu) = (pid, Duration::ZERO);
        }
        self.resident_kib = pid.and_then(|pid| resident_kib(pid).ok()).unwrap_or_default();
        self.resident_max_kib = self.resident_max_kib.max(self.resident_kib);
        let now = pid.and_then(|pid| cpu(pid).ok()).unwrap_or(self.process_cpu);
        self.cpu += now.saturating_sub(self.process_cpu);
        self.process_cpu = now;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of connections"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    struct Busy(Child);

    impl Drop for Busy {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn busy() -> Busy {
        Busy(
            Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
                .unwrap(),
        )
    }

    fn named(pid: u32) -> Vec<Server> {
        vec![Server {
            name: "n1".into(),
            pid: Some(pid),
            ops_url: None,
            version: None,
        }]
    }

    /// Waits for so many more looks.
    async fn looks(watch: &Watch, more: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let wanted = watch.state.lock().looks.len() + more;
        while watch.state.lock().looks.len() < wanted {
            assert!(Instant::now() < deadline, "nobody looks");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn a_busy_server_is_seen_over_two_processes() {
        let (first, second) = (busy(), busy());
        let pid = Arc::new(Mutex::new(first.0.id()));
        let shared = Arc::clone(&pid);
        let watch = Watch::begin(move || named(*shared.lock())).unwrap();
        watch.load_starts(Instant::now()).await;
        looks(&watch, 1).await;
        assert!(watch.cores()["n1"] > 0.05, "{:?}", watch.cores());
        *pid.lock() = second.0.id();
        drop(first);
        looks(&watch, 1).await;
        assert!(watch.cores()["n1"] > 0.05, "{:?}", watch.cores());
        let watched = watch.load_ended().await;
        let n1 = &watched.servers[0];
        assert!(n1.cpu_s > 0.1, "{n1:?}");
        assert!(
            n1.resident_before_kib > 0.0 && n1.resident_max_kib >= n1.resident_after_kib,
            "{n1:?}"
        );
        assert!(
            watched
                .looks
                .iter()
                .all(|(at, cores)| *at > 0.0 && cores["n1"] > 0.0),
            "{watched:?}"
        );
    }

    #[tokio::test]
    async fn a_server_elsewhere_is_named_and_nothing_more() {
        let far = || {
            vec![Server {
                name: "n1".into(),
                pid: None,
                ops_url: None,
                version: None,
            }]
        };
        let watch = Watch::begin(far).unwrap();
        watch.load_starts(Instant::now()).await;
        let n1 = &watch.load_ended().await.servers[0];
        assert_eq!(
            (n1.name.as_str(), n1.cpu_s, n1.resident_after_kib),
            ("n1", 0.0, 0.0)
        );
    }
}
