//! Peers that join and leave rooms and send to them: connecting them, the schedule of their changes and messages, and
//! the end, when every roster must equal the truth. What one peer does is in `member`.

mod hearing;
mod member;
mod truth;

use std::{sync::Arc, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::{Instant, timeout},
};

use self::{
    member::{Member, Order, Phase, Shared},
    truth::Truth,
};
use super::{
    oracle::Oracle,
    pacer::{MAX_BACKLOG, Starts},
    peer::Peer,
    schedule::Schedule,
    share::{Names, PairName},
};
use crate::{
    drivers::{Driver, Refusal, RoomLink},
    record::{Counter, Recorder},
    scenario::{Changes, Rooms, Stage},
};

/// Connects under way at once.
const MAX_AT_ONCE: usize = 64;

/// Orders that one peer may be behind before further ones are dropped.
const MAX_ORDERS: usize = 64;

/// The peers of this worker, connected.
pub(crate) struct ConnectedRooms<D: Driver> {
    peers: Vec<Peer<D>>,
    shared: Arc<Shared>,
    rooms: Rooms,
}

/// The peers after the check. They stay connected until [`RoomPeers::leave`].
pub(crate) struct RoomPeers {
    members: JoinSet<()>,
    phase: watch::Sender<Phase>,
}

impl RoomPeers {
    /// All leave.
    pub(crate) async fn leave(mut self) {
        self.phase.send_replace(Phase::Leave);
        while self.members.join_next().await.is_some() {}
    }
}

impl<D> ConnectedRooms<D>
where
    D: Driver,
    D::Link: RoomLink,
{
    /// Connects all peers.
    pub(crate) async fn connect(
        driver: D,
        oracle: Arc<Oracle>,
        names: Names,
        rooms: Rooms,
    ) -> Result<Self, Refusal> {
        let shared = Arc::new((driver, names, Arc::clone(&oracle)));
        let (mut peers, mut connecting) = (Vec::with_capacity(rooms.peers), JoinSet::new());
        for number in 0..rooms.peers as u64 {
            if connecting.len() >= MAX_AT_ONCE {
                peers.extend(connected(&mut connecting).await?);
            }
            let shared = Arc::clone(&shared);
            connecting.spawn(async move {
                let (driver, names, oracle) = &*shared;
                let name = PairName {
                    population: 'r',
                    number,
                };
                let who = names.single(&name, driver.nodes());
                let peer = Peer::connect(driver, &oracle.recorder, &who, Duration::ZERO).await?;
                Ok((number, peer))
            });
        }
        while let Some(peer) = connected(&mut connecting).await? {
            peers.push(peer);
        }
        peers.sort_by_key(|(number, _)| *number);
        let (_, names, _) = &*shared;
        let truth = Truth::new(&names.tag, rooms.rooms, rooms.speakers);
        Ok(Self {
            peers: peers.into_iter().map(|(_, peer)| peer).collect(),
            shared: Arc::new(Shared {
                truth,
                oracle,
                payload_bytes: rooms.payload_bytes,
                followed: Semaphore::new(0),
                right: Semaphore::new(0),
                checked: Semaphore::new(0),
            }),
            rooms,
        })
    }

    /// Runs the stages from `start` on. Returns when every roster is right, or when the time for it is over.
    pub(crate) async fn run(self, start: Instant, seed: u64) -> RoomPeers {
        let Self { peers, shared, rooms } = self;
        let count = peers.len();
        let (phase, _) = watch::channel(Phase::Load);
        let (mut members, mut orders) = (JoinSet::new(), Vec::with_capacity(count));
        for (number, peer) in peers.into_iter().enumerate() {
            let (sender, receiver) = mpsc::channel(MAX_ORDERS);
            orders.push(sender);
            let member = Member::new(number, peer, Arc::clone(&shared));
            members.spawn(member.run(receiver, phase.subscribe()));
        }
        let recorder = &shared.oracle.recorder;
        let mut chance = StdRng::seed_from_u64(seed);
        let mut joining = 0..count;
        let changes = |late| {
            let (peer, room) = match rooms.changes {
                Changes::Join => joining.next().map(|peer| (peer, peer % rooms.rooms))?,
                Changes::Churn => (chance.random_range(0..count), chance.random_range(0..rooms.rooms)),
            };
            Some((peer, Order::Change { room, late }))
        };
        let mut speaking = (0..rooms.speakers.min(count)).cycle();
        let messages = |late| Some((speaking.next()?, Order::Say { late }));
        let starts = |stages: &[Stage], population| {
            let moments = Schedule::new(stages, 1.0, rooms.arrivals, seed ^ population);
            Starts::shared(moments, start, recorder, 1, MAX_BACKLOG)
        };
        let (changes, messages) = tokio::join!(
            dispatch(starts(&rooms.stages, 1), changes, &orders, recorder),
            dispatch(starts(&rooms.messages, 2), messages, &orders, recorder),
        );
        // The truth holds only then: a member that had not followed the last order was taken for right, and others for wrong.
        let followed = shared.followed.acquire_many(changes + messages);
        let _ = timeout(rooms.complete_within.get(), followed).await;
        phase.send_replace(Phase::Quiet(Instant::now()));
        let all = u32::try_from(count).unwrap_or(u32::MAX);
        // A peer that is not right by then is described by its own check.
        let _ = timeout(rooms.complete_within.get(), shared.right.acquire_many(all)).await;
        phase.send_replace(Phase::Check);
        let _ = shared.checked.acquire_many(all).await;
        RoomPeers { members, phase }
    }
}

async fn connected<D: Driver>(
    connecting: &mut JoinSet<Result<(u64, Peer<D>), Refusal>>,
) -> Result<Option<(u64, Peer<D>)>, Refusal> {
    match connecting.join_next().await {
        Some(Ok(peer)) => peer.map(Some),
        Some(Err(error)) => Err(Refusal(error.to_string())),
        None => Ok(None),
    }
}

/// Gives the orders that `next` makes to their peers, each at its moment. Returns how many it gave.
async fn dispatch(
    starts: Vec<Starts>,
    mut next: impl FnMut(Duration) -> Option<(usize, Order)>,
    orders: &[mpsc::Sender<Order>],
    recorder: &Recorder,
) -> u32 {
    let mut given = 0;
    for mut starts in starts {
        while let Some(late) = starts.next().await {
            let Some((peer, order)) = next(late) else {
                return given;
            };
            if orders.get(peer).is_some_and(|peer| peer.try_send(order).is_ok()) {
                given += 1;
            } else {
                recorder.count(Counter::Dropped);
            }
        }
    }
    given
}

#[cfg(test)]
mod tests;
