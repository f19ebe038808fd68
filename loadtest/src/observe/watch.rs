//! Samples all servers once a second (CPU, memory), and reads their metrics before and after the load.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Ops, metrics,
    process::{cpu, resident_kib},
};
use crate::{cluster::Server, results::ServerUse};

/// How often the servers are sampled.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Samples that are kept: a day of them. After that, memory and CPU are still followed.
const MAX_SAMPLES: usize = 24 * 3600;

/// The node's gauge of its connections.
const CONNECTIONS: &str = "switchboard_connections";

/// Gives the servers as they are now; their processes change with faults.
type List = Arc<dyn Fn() -> Vec<Server> + Send + Sync>;

/// Cores that each server used since the sample before.
type Cores = BTreeMap<String, f64>;

/// Samples servers in a task of its own until dropped.
///
/// [`Watch::begin`] before the first connection, [`Watch::load_starts`] when the load starts, [`Watch::load_ended`] when
/// it has ended and everything is still connected.
pub(crate) struct Watch {
    list: List,
    ops: Ops,
    state: Arc<Mutex<State>>,
    _task: AbortOnDropHandle<()>,
}

/// The result of watching.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    /// Each server, in the order in which they first appeared. CPU and metrics are of the load alone. For a server that
    /// was started again, metrics are those of the last process. The CPU of a killed process after its last sample, at
    /// most a second, is missing.
    pub(crate) servers: Vec<ServerUse>,
    /// Each sample: seconds since the start of the load, below 0 before it, and cores by server.
    pub(crate) cores: Vec<(f64, Cores)>,
}

#[derive(Default)]
struct State {
    servers: Vec<Tally>,
    samples: Vec<(Instant, Cores)>,
    sampled_at: Option<Instant>,
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
    /// CPU of this process, at the last measurement.
    process_cpu: Duration,
    /// CPU of all its processes since it was first seen: now, at the last sample, and at the start of the load.
    cpu: Duration,
    cpu_at_sample: Duration,
    cpu_at_load_start: Duration,
    pid_at_load_start: Option<u32>,
    resident_before_kib: f64,
    resident_max_kib: f64,
    resident_kib: f64,
}

impl Watch {
    /// Samples now, and then each second.
    pub(crate) fn begin(list: impl Fn() -> Vec<Server> + Send + Sync + 'static) -> anyhow::Result<Self> {
        let list: List = Arc::new(list);
        let state = Arc::new(Mutex::new(State::default()));
        state.lock().sample(&list());
        let (sampled, sampling) = (Arc::clone(&list), Arc::clone(&state));
        let task = tokio::spawn(async move {
            let mut ticks = interval_at(Instant::now() + SAMPLE_EVERY, SAMPLE_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let servers = sampled();
                sampling.lock().sample(&servers);
            }
        });
        Ok(Self {
            list,
            ops: Ops::new()?,
            state,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// The load starts at `at`, about now: CPU and metrics count from here.
    pub(crate) async fn load_starts(&self, at: Instant) {
        let metrics = self.metrics().await;
        let servers = (self.list)();
        let mut state = self.state.lock();
        state.measure(&servers);
        state.metrics_before = metrics;
        state.load_start = Some(at);
        for tally in &mut state.servers {
            tally.cpu_at_load_start = tally.cpu;
            tally.pid_at_load_start = tally.pid;
            tally.resident_max_kib = tally.resident_kib;
        }
    }

    /// The load has ended: the last measurement, and the result.
    pub(crate) async fn load_ended(self) -> Watched {
        let servers = (self.list)();
        // CPU first: reading metrics is work for the nodes too.
        self.state.lock().measure(&servers);
        let metrics = self.metrics().await;
        let state = self.state.lock();
        Watched {
            servers: state
                .servers
                .iter()
                .map(|tally| state.used(tally, &metrics))
                .collect(),
            cores: state.cores(),
        }
    }

    /// Of all servers that have some and answer.
    async fn metrics(&self) -> BTreeMap<String, metrics::Series> {
        let reads = (self.list)().into_iter().map(async |server| {
            let text = self.ops.metrics(&server.ops_url?).await.ok()?;
            Some((server.name, metrics::parse(&text)))
        });
        join_all(reads).await.into_iter().flatten().collect()
    }
}

impl State {
    /// Updates the tallies.
    fn measure(&mut self, servers: &[Server]) {
        for server in servers {
            match self.servers.iter_mut().find(|tally| tally.name == server.name) {
                Some(tally) => tally.measure(server.pid),
                None => self.servers.push(Tally::new(server)),
            }
        }
    }

    /// Measures, and notes what was used since the last sample.
    fn sample(&mut self, servers: &[Server]) {
        self.measure(servers);
        let now = Instant::now();
        let span = self
            .sampled_at
            .replace(now)
            .map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        let mut cores = Cores::new();
        // Of a server elsewhere nothing is known, and 0 would be wrong. For a dead server it is right.
        for tally in self.servers.iter_mut().filter(|tally| tally.is_here) {
            let used = tally.cpu.saturating_sub(tally.cpu_at_sample);
            tally.cpu_at_sample = tally.cpu;
            if span > 0.0 {
                cores.insert(tally.name.clone(), used.as_secs_f64() / span);
            }
        }
        if !cores.is_empty() && self.samples.len() < MAX_SAMPLES {
            self.samples.push((now, cores));
        }
    }

    fn used(&self, tally: &Tally, after: &BTreeMap<String, metrics::Series>) -> ServerUse {
        let none = metrics::Series::new();
        // A new process counts from 0.
        let before = self
            .metrics_before
            .get(&tally.name)
            .filter(|_| tally.pid == tally.pid_at_load_start);
        let after = after.get(&tally.name).unwrap_or(&none);
        ServerUse {
            name: tally.name.clone(),
            cpu_s: tally.cpu.saturating_sub(tally.cpu_at_load_start).as_secs_f64(),
            resident_before_kib: tally.resident_before_kib,
            resident_max_kib: tally.resident_max_kib,
            resident_after_kib: tally.resident_kib,
            connections: metrics::total(after, CONNECTIONS).round() as u64,
            metrics: metrics::changed(before.unwrap_or(&none), after),
        }
    }

    fn cores(&self) -> Vec<(f64, Cores)> {
        let Some(start) = self
            .load_start
            .or_else(|| self.samples.first().map(|(at, _)| *at))
        else {
            return Vec::new();
        };
        let since = |at: Instant| {
            let (after, before) = (
                at.saturating_duration_since(start),
                start.saturating_duration_since(at),
            );
            after.as_secs_f64() - before.as_secs_f64()
        };
        self.samples
            .iter()
            .map(|(at, cores)| (since(*at), cores.clone()))
            .collect()
    }
}

impl Tally {
    fn new(server: &Server) -> Self {
        let resident_kib = server
            .pid
            .and_then(|pid| resident_kib(pid).ok())
            .unwrap_or_default();
        Self {
            name: server.name.clone(),
            is_here: server.pid.is_some(),
            pid: server.pid,
            process_cpu: server.pid.and_then(|pid| cpu(pid).ok()).unwrap_or_default(),
            resident_before_kib: resident_kib,
            resident_kib,
            ..Self::default()
        }
    }

    fn measure(&mut self, pid: Option<u32>) {
        self.is_here |= pid.is_some();
        if pid != self.pid {
            // Everything that a new process has used it has used since the last measurement.
            (self.pid, self.process_cpu) = (pid, Duration::ZERO);
        }
        self.resident_kib = pid.and_then(|pid| resident_kib(pid).ok()).unwrap_or_default();
        self.resident_max_kib = self.resident_max_kib.max(self.resident_kib);
        let now = pid.and_then(|pid| cpu(pid).ok()).unwrap_or(self.process_cpu);
        self.cpu += now.saturating_sub(self.process_cpu);
        self.process_cpu = now;
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    struct Busy(Child);

    impl Busy {
        fn start() -> Self {
            Self(
                Command::new("sh")
                    .args(["-c", "while :; do :; done"])
                    .spawn()
                    .unwrap(),
            )
        }
    }

    impl Drop for Busy {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn n1(pid: Option<u32>) -> Vec<Server> {
        vec![Server {
            name: "n1".into(),
            pid,
            ops_url: None,
            version: None,
        }]
    }

    /// Waits for one more sample and returns its cores.
    async fn next_sample(watch: &Watch) -> Cores {
        let deadline = Instant::now() + Duration::from_secs(20);
        let wanted = watch.state.lock().samples.len() + 1;
        loop {
            if let Some((_, cores)) = watch.state.lock().samples.get(wanted - 1) {
                return cores.clone();
            }
            assert!(Instant::now() < deadline, "no sample within 20 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn a_busy_server_is_measured_over_two_processes() {
        let (first, second) = (Busy::start(), Busy::start());
        let pid = Arc::new(Mutex::new(first.0.id()));
        let shared = Arc::clone(&pid);
        let watch = Watch::begin(move || n1(Some(*shared.lock()))).unwrap();
        watch.load_starts(Instant::now()).await;
        assert!(next_sample(&watch).await["n1"] > 0.05);
        *pid.lock() = second.0.id();
        drop(first);
        assert!(next_sample(&watch).await["n1"] > 0.05);
        let watched = watch.load_ended().await;
        let n1 = &watched.servers[0];
        assert!(n1.cpu_s > 0.1 && n1.resident_before_kib > 0.0, "{n1:?}");
        assert!(n1.resident_max_kib >= n1.resident_after_kib, "{n1:?}");
        assert!(
            watched
                .cores
                .iter()
                .all(|(at, cores)| *at > 0.0 && cores["n1"] > 0.0),
            "{watched:?}"
        );
    }

    #[tokio::test]
    async fn a_server_elsewhere_has_a_name_and_no_figures() {
        let watch = Watch::begin(|| n1(None)).unwrap();
        watch.load_starts(Instant::now()).await;
        let n1 = &watch.load_ended().await.servers[0];
        assert_eq!(
            (n1.name.as_str(), n1.cpu_s, n1.resident_after_kib),
            ("n1", 0.0, 0.0)
        );
    }
}
