//! Messages between pairs of peers: at a fixed rate from intended moments (open loop), or as fast as receipts
//! come back (saturated). Every message is checked: once, in order, unchanged, with its final word.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use switchboard_auth::Minter;
use switchboard_client::{Client, ClientError, ConnectOptions};
use switchboard_protocol::{Event, MessageKind, ServerFrame};

use crate::{meter::CpuMeter, peers, stage::Node};

/// How long the last messages may take after the sending has ended.
const TAIL: Duration = Duration::from_secs(10);

/// How messages are paced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many a second over all pairs, whatever comes back.
    Open(f64),
    /// So many without receipt in each pair, always.
    Window(usize),
}

/// One run.
pub(crate) struct Flow<'a> {
    pub(crate) from: &'a Node,
    pub(crate) to: &'a Node,
    pub(crate) pairs: usize,
    pub(crate) pace: Pace,
    pub(crate) span: Duration,
    /// Makes peer IDs of different runs differ.
    pub(crate) tag: String,
}

/// What a run came to.
pub(crate) struct FlowResult {
    pub(crate) messages: u64,
    pub(crate) per_second: f64,
    /// CPU of the node or of both, in microseconds per message.
    pub(crate) node_micros: f64,
    pub(crate) redis_micros: f64,
    /// The generator's own.
    pub(crate) own_micros: f64,
    /// One way, from the intended moment, in nanoseconds.
    pub(crate) one_way: Histogram<u64>,
    /// Lost, doubled, reordered, changed or without a final word.
    pub(crate) wrong: u64,
}

pub(crate) fn new_histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?)
}

impl Flow<'_> {
    pub(crate) async fn run(&self, minter: &Minter, redis_pid: u32) -> anyhow::Result<FlowResult> {
        let mut pairs = Vec::with_capacity(self.pairs);
        for number in 0..self.pairs {
            pairs.push(self.pair(minter, number).await?);
        }
        let mut nodes = vec![self.from.pid(), self.to.pid()];
        nodes.dedup();
        let node_cpu = CpuMeter::start(&nodes)?;
        let redis_cpu = CpuMeter::start(&[redis_pid])?;
        let own_cpu = CpuMeter::start(&[std::process::id()])?;
        let clock = Instant::now();
        let (mut sending, mut receiving) = (Vec::new(), Vec::new());
        for (number, (sender, receiver)) in pairs.into_iter().enumerate() {
            let to = format!("r-{}-{number}", self.tag);
            sending.push(tokio::spawn(send(
                sender,
                to,
                self.pace_of(number),
                clock,
                self.span,
            )));
            receiving.push(tokio::spawn(receive(receiver, clock, self.span + TAIL)));
        }
        let (mut messages, mut wrong) = (0, 0);
        for sender in sending {
            let (sent, unconfirmed) = sender.await??;
            messages += sent;
            wrong += unconfirmed;
        }
        let elapsed = clock.elapsed().as_secs_f64();
        let per_message = |micros: f64| micros / messages.max(1) as f64;
        let node_micros = per_message(node_cpu.micros()?);
        let (redis_micros, own_micros) = (per_message(redis_cpu.micros()?), per_message(own_cpu.micros()?));
        let mut one_way = new_histogram()?;
        let mut received = 0;
        for receiver in receiving {
            let seen = receiver.await??;
            one_way.add(&seen.one_way)?;
            received += seen.count;
            wrong += seen.wrong;
        }
        wrong += messages.abs_diff(received);
        let per_second = messages as f64 / elapsed;
        Ok(FlowResult {
            messages,
            per_second,
            node_micros,
            redis_micros,
            own_micros,
            one_way,
            wrong,
        })
    }

    async fn pair(&self, minter: &Minter, number: usize) -> anyhow::Result<(Client, Client)> {
        let connect = async |node: &Node, name: String| {
            let options = ConnectOptions::new(&node.url, peers::token(minter, &name)?);
            anyhow::Ok(Client::connect(&options).await?)
        };
        let sender = connect(self.from, format!("s-{}-{number}", self.tag)).await?;
        let receiver = connect(self.to, format!("r-{}-{number}", self.tag)).await?;
        let is_one_node = sender.welcome().node == receiver.welcome().node;
        anyhow::ensure!(
            is_one_node == (self.from.url == self.to.url),
            "the pair is not placed as it should be"
        );
        Ok((sender, receiver))
    }

    /// Open loop: each pair sends at its share of the rate, the pairs evenly out of step.
    fn pace_of(&self, number: usize) -> PairPace {
        match self.pace {
            Pace::Window(window) => PairPace::Window(window),
            Pace::Open(rate) => {
                let every = Duration::from_secs_f64(self.pairs as f64 / rate);
                PairPace::Every {
                    every,
                    first: every.mul_f64(number as f64 / self.pairs as f64),
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum PairPace {
    Every { every: Duration, first: Duration },
    Window(usize),
}

/// Sends until `span` is over and every send has its final word; returns sends, and those not delivered.
async fn send(
    mut client: Client,
    to: String,
    pace: PairPace,
    clock: Instant,
    span: Duration,
) -> anyhow::Result<(u64, u64)> {
    let (mut sent, mut words, mut failed) = (0_u64, 0_u64, 0_u64);
    let end = clock + span;
    loop {
        let due = match pace {
            PairPace::Every { every, first } => clock + first + every.mul_f64(sent as f64),
            PairPace::Window(window) if (sent - words) < window as u64 => Instant::now(),
            PairPace::Window(_) => end,
        };
        if due < end && due <= Instant::now() {
            let at = u64::try_from(due.duration_since(clock).as_nanos())?;
            let id = client.next_id();
            client
                .send(MessageKind::Offer, &to, Some(id), &peers::stamped(at)?)
                .await?;
            sent += 1;
            continue;
        }
        if due >= end && words == sent {
            return Ok((sent, failed));
        }
        let wait = if due < end {
            due.saturating_duration_since(Instant::now())
        } else {
            TAIL
        };
        match client.next_within(wait).await {
            Ok(ServerFrame::Event(Event::Receipt { .. })) => words += 1,
            Ok(ServerFrame::Event(Event::Error { .. })) => {
                words += 1;
                failed += 1;
            }
            Ok(ServerFrame::Event(_) | ServerFrame::Message(_)) => {}
            Err(ClientError::Timeout) if due < end => {}
            Err(ClientError::Timeout) => return Ok((sent, failed + sent - words)),
            Err(error) => return Err(error).context("a sender lost its connection"),
        }
    }
}

struct Seen {
    count: u64,
    wrong: u64,
    one_way: Histogram<u64>,
}

/// Receives until nothing comes any more.
async fn receive(mut client: Client, clock: Instant, most: Duration) -> anyhow::Result<Seen> {
    /// A pause this long after the sending has ended means that nothing comes any more.
    const QUIET: Duration = Duration::from_millis(500);
    let mut seen = Seen {
        count: 0,
        wrong: 0,
        one_way: new_histogram()?,
    };
    let mut last_id = 0;
    let span = most - TAIL;
    loop {
        let wait = (clock + span + QUIET)
            .saturating_duration_since(Instant::now())
            .max(QUIET);
        match client.next_within(wait).await {
            Ok(ServerFrame::Message(message)) => {
                let now = u64::try_from(clock.elapsed().as_nanos())?;
                seen.count += 1;
                let id = message
                    .mid
                    .rsplit('/')
                    .next()
                    .and_then(|id| id.parse::<u64>().ok());
                match (id, peers::stamp_of(message.payload.get())) {
                    (Some(id), Some(stamp)) if id == last_id + 1 => {
                        seen.one_way.saturating_record(now.saturating_sub(stamp));
                    }
                    _ => seen.wrong += 1,
                }
                last_id = id.unwrap_or(last_id);
            }
            Ok(ServerFrame::Event(_)) => {}
            Err(ClientError::Timeout) => return Ok(seen),
            Err(error) => return Err(error).context("a receiver lost its connection"),
        }
    }
}

/// Shares a minter between the steps of a benchmark.
pub(crate) type SharedMinter = Arc<Minter>;
