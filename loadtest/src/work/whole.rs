//! All populations of a scenario together: what of them has to be there before the load, and running them. The one
//! place that knows which drivers there are.

use std::{pin::Pin, sync::Arc, time::Duration};

use switchboard_harness::rivals::SPREED_SECRET;
use tokio::{task::JoinSet, time::Instant};

use super::{
    abuse,
    call::Line,
    calls,
    idle::Crowd,
    judge::Judge,
    share::{Names, Share},
    streams::Talkers,
};
use crate::{
    drivers::{
        Driver, peerjs::PeerServer, redis::RedisFloor, socketio::SocketIo, spreed::Spreed,
        switchboard::Switchboard, tokens::Tokens,
    },
    fleet::{Assignment, worker::Work},
    record::Recorder,
    scenario::{DriverKind, Scenario},
};

type Doing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something that is ready to run from the start given.
type Ready = Box<dyn FnOnce(Instant) -> Doing + Send>;

/// The work of one worker.
#[derive(Default)]
pub(crate) struct ScenarioWork {
    ready: Vec<Ready>,
    crowd: Option<Crowd>,
    judge: Option<Arc<Judge>>,
    length: Duration,
}

/// What every population needs.
struct Ground {
    scenario: Scenario,
    tokens: Arc<Tokens>,
    judge: Arc<Judge>,
    names: Names,
}

/// How a driver is wanted.
#[derive(Clone, Copy)]
struct Wish {
    resume: bool,
    final_words: bool,
}

impl Work for ScenarioWork {
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
        let judge = Arc::new(Judge::new(recorder));
        self.judge = Some(Arc::clone(&judge));
        self.length = scenario.length();
        let names = Names {
            tag,
            share: Share { number, of },
            spread,
        };
        let ground = Ground {
            scenario,
            tokens,
            judge,
            names,
        };
        match ground.scenario.target.driver {
            DriverKind::Switchboard => {
                let (urls, tokens) = (ground.scenario.target.urls.clone(), Arc::clone(&ground.tokens));
                let make = move |wish: Wish| {
                    Ok(Switchboard {
                        urls: urls.clone(),
                        tokens: Arc::clone(&tokens),
                        resume: wish.resume,
                        final_words: wish.final_words,
                    })
                };
                self.prepare_with(ground, make).await
            }
            DriverKind::Peerjs => {
                let urls = ground.scenario.target.urls.clone();
                self.prepare_with(ground, move |_| PeerServer::new(urls.clone()))
                    .await
            }
            DriverKind::Socketio => {
                let urls = ground.scenario.target.urls.clone();
                self.prepare_with(ground, move |_| SocketIo::new(urls.clone()))
                    .await
            }
            DriverKind::Spreed => {
                let urls = ground.scenario.target.urls.clone();
                let make = move |_| Spreed::new(urls.clone(), SPREED_SECRET.as_bytes());
                self.prepare_with(ground, make).await
            }
            DriverKind::Redis => {
                let urls = ground.scenario.target.urls.clone();
                self.prepare_with(ground, move |_| RedisFloor::new(&urls)).await
            }
        }
    }

    async fn run(&mut self, start: Instant) -> anyhow::Result<Vec<String>> {
        let mut doing = JoinSet::new();
        for ready in self.ready.drain(..) {
            doing.spawn(ready(start));
        }
        if let Some(crowd) = &self.crowd {
            crowd.begin(start);
        }
        tokio::time::sleep_until(start + self.length).await;
        while let Some(done) = doing.join_next().await {
            done?;
        }
        Ok(self
            .judge
            .as_ref()
            .map(|judge| judge.stories())
            .unwrap_or_default())
    }

    async fn finish(&mut self) {
        if let Some(crowd) = self.crowd.take() {
            crowd.leave().await;
        }
    }
}

impl ScenarioWork {
    async fn prepare_with<D: Driver>(
        &mut self,
        ground: Ground,
        make: impl Fn(Wish) -> anyhow::Result<D>,
    ) -> anyhow::Result<()> {
        let Ground {
            scenario,
            tokens,
            judge,
            names,
        } = ground;
        let (share, seed, settle) = (names.share, scenario.seed, scenario.settle.get());
        if let Some(streams) = scenario.streams {
            let driver = make(Wish {
                resume: streams.resume,
                final_words: streams.final_words,
            })?;
            let talkers = Talkers::connect(driver, Arc::clone(&judge), names.clone(), streams)
                .await
                .map_err(|refusal| anyhow::anyhow!("a pair of streams cannot connect: {refusal}"))?;
            self.ready.push(Box::new(move |start| {
                Box::pin(talkers.run(start, share.of_rate(1.0), share.seed(seed, 2), settle))
            }));
        }
        if let Some(calls) = scenario.calls {
            let line = Arc::new(Line {
                driver: make(Wish {
                    resume: calls.resume,
                    final_words: true,
                })?,
                judge: Arc::clone(&judge),
                names: names.clone(),
                calls,
                settle,
            });
            self.ready.push(Box::new(move |start| {
                Box::pin(calls::run(line, start, share, seed))
            }));
        }
        if let Some(abuse) = scenario.abuse {
            let urls = scenario.target.urls;
            let judge = Arc::clone(&judge);
            self.ready.push(Box::new(move |start| {
                Box::pin(abuse::run(abuse, urls, tokens, judge, start, share, seed))
            }));
        }
        if let Some(idle) = scenario.idle {
            let driver = make(Wish {
                resume: false,
                final_words: true,
            })?;
            self.crowd = Some(Crowd::gather(driver, judge, names, idle).await);
        }
        Ok(())
    }
}
