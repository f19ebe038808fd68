//! All populations of a scenario together: connecting those that must be there before the load, then running them.
//! This is the one place that knows all drivers.

use std::{pin::Pin, sync::Arc, time::Duration};

use switchboard_harness::rivals::SPREED_SECRET;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::{
    abuse,
    call::CallPlan,
    calls,
    idle::IdlePeers,
    oracle::Oracle,
    rooms::{ConnectedRooms, RoomPeers},
    share::{Names, Share},
    streams::ConnectedStreams,
};
use crate::{
    drivers::{
        Driver, peerjs::PeerJs, redis::RawRedis, relay::Relay, socketio::SocketIo, spreed::Spreed,
        switchboard::Switchboard, tokens::Tokens,
    },
    fleet::{Assignment, worker::Work},
    preflight::check_target,
    record::Recorder,
    scenario::{DriverKind, Scenario},
};

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A population that is ready to run from the given start.
type Ready = Box<dyn FnOnce(Instant) -> Task<()> + Send>;

/// The population of rooms, which stays connected after its run.
type ReadyRooms = Box<dyn FnOnce(Instant) -> Task<RoomPeers> + Send>;

/// The work of one worker.
#[derive(Default)]
pub(crate) struct Populations {
    ready: Vec<Ready>,
    /// Idle peers that connect during the load.
    connecting: Option<Task<IdlePeers>>,
    idle: Option<IdlePeers>,
    rooms: Option<ReadyRooms>,
    room_peers: Option<RoomPeers>,
    oracle: Arc<Oracle>,
    length: Duration,
}

impl Work for Populations {
    async fn prepare(&mut self, assignment: Assignment, recorder: Arc<Recorder>) -> anyhow::Result<()> {
        let Assignment {
            scenario,
            number,
            of,
            tag,
            spread,
            key,
        } = assignment;
        let tokens = Arc::new(Tokens::new(&key, scenario.target.audience.as_deref())?);
        if number < scenario.generator.agents.len() {
            // Only the agent has the key, so the coordinator could not ask.
            check_target(&scenario.target, &key, &format!("{tag}-asks-{number}")).await?;
        }
        self.oracle = Arc::new(Oracle::new(recorder));
        self.length = scenario.length();
        let names = Names {
            tag,
            share: Share { number, of },
            spread,
            rotates: true,
        };
        let (kind, urls) = (scenario.target.driver, scenario.target.urls.clone());
        let trust = scenario.target.trust()?;
        let rooms = scenario.rooms.clone();
        let seed = names.share.seed(scenario.seed, 4);
        let all = (scenario, Arc::clone(&tokens), names.clone());
        match kind {
            DriverKind::Switchboard => {
                let driver = |resume, outcomes| {
                    let (urls, tokens) = (urls.clone(), Arc::clone(&tokens));
                    Switchboard {
                        urls,
                        trust: trust.clone(),
                        tokens,
                        resume,
                        outcomes,
                    }
                };
                if let Some(rooms) = rooms {
                    let (driver, oracle) = (driver(true, true), Arc::clone(&self.oracle));
                    let connected = ConnectedRooms::connect(driver, oracle, names, rooms).await;
                    let rooms = connected
                        .map_err(|refusal| anyhow::anyhow!("peers of rooms cannot connect: {refusal}"))?;
                    self.rooms = Some(Box::new(move |start| Box::pin(rooms.run(start, seed))));
                }
                self.prepare_with(all, driver).await
            }
            DriverKind::Peerjs => {
                self.prepare_with(all, |_, _| Relay::new(PeerJs, urls.clone()))
                    .await
            }
            DriverKind::Socketio => {
                self.prepare_with(all, |_, _| Relay::new(SocketIo, urls.clone()))
                    .await
            }
            DriverKind::Spreed => {
                self.prepare_with(all, |_, _| {
                    Relay::new(Spreed::new(SPREED_SECRET.as_bytes()), urls.clone())
                })
                .await
            }
            DriverKind::Redis => {
                self.prepare_with(all, |_, _| Relay::new(RawRedis, urls.clone()))
                    .await
            }
        }
    }

    async fn run(&mut self, start: Instant) -> anyhow::Result<Vec<String>> {
        let mut running = JoinSet::new();
        for ready in self.ready.drain(..) {
            running.spawn(ready(start));
        }
        let rooms = self
            .rooms
            .take()
            .map(|rooms| AbortOnDropHandle::new(tokio::spawn(rooms(start))));
        if let Some(connecting) = self.connecting.take() {
            tokio::time::sleep_until(start).await;
            self.idle = Some(connecting.await);
        }
        if let Some(idle) = &self.idle {
            idle.begin(start);
        }
        tokio::time::sleep_until(start + self.length).await;
        while let Some(done) = running.join_next().await {
            done?;
        }
        if let Some(rooms) = rooms {
            self.room_peers = Some(rooms.await?);
        }
        Ok(self.oracle.violations())
    }

    async fn finish(&mut self) {
        if let Some(idle) = self.idle.take() {
            idle.leave().await;
        }
        if let Some(peers) = self.room_peers.take() {
            peers.leave().await;
        }
    }
}

impl Populations {
    /// `driver` makes a driver, given whether it resumes and whether its sends get outcomes.
    async fn prepare_with<D: Driver>(
        &mut self,
        (scenario, tokens, names): (Scenario, Arc<Tokens>, Names),
        driver: impl Fn(bool, bool) -> D,
    ) -> anyhow::Result<()> {
        let oracle = &self.oracle;
        let (share, seed, settle) = (names.share, scenario.seed, scenario.settle.get());
        if let Some(streams) = scenario.streams {
            let driver = driver(streams.resume, streams.outcomes);
            let connected =
                ConnectedStreams::connect(driver, Arc::clone(oracle), names.clone(), streams).await;
            let streams =
                connected.map_err(|refusal| anyhow::anyhow!("streams cannot connect: {refusal}"))?;
            self.ready.push(Box::new(move |start| {
                Box::pin(streams.run(start, share.of_rate(1.0), share.seed(seed, 2), settle))
            }));
        }
        if let Some(calls) = scenario.calls {
            let (driver, oracle, names) = (driver(calls.resume, true), Arc::clone(oracle), names.clone());
            let plan = Arc::new(CallPlan {
                driver,
                oracle,
                names,
                calls,
                settle,
            });
            self.ready.push(Box::new(move |start| {
                Box::pin(calls::run(plan, start, share, seed))
            }));
        }
        if let Some(abuse) = scenario.abuse {
            let (target, oracle) = (scenario.target, Arc::clone(oracle));
            self.ready.push(Box::new(move |start| {
                Box::pin(abuse::run(abuse, target, tokens, oracle, start, share, seed))
            }));
        }
        if let Some(idle) = scenario.idle {
            let in_load = idle.ramp_in_load;
            let connecting = Box::pin(IdlePeers::connect(
                driver(false, true),
                Arc::clone(oracle),
                names,
                idle,
            ));
            if in_load {
                self.connecting = Some(connecting);
            } else {
                self.idle = Some(connecting.await);
            }
        }
        Ok(())
    }
}
