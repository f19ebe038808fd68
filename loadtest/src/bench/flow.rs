//! Messages between pairs of peers: at a fixed rate from intended moments (open loop), or as fast as receipts
//! come back (saturated). Every message is checked: once, in order, unchanged, with its final word.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use switchboard_client::{Client, ClientError, ConnectOptions};
use switchboard_protocol::{Event, MessageKind, ServerFrame};
use tokio::sync::mpsc;

use super::{
    peers,
    spacing::{self, Spacing},
    stage::{CpuMeter, Node, Stage},
};
use crate::drivers::tokens::Tokens;

/// How long the last messages may take after the sending has ended.
const TAIL: Duration = Duration::from_secs(10);

/// How messages are paced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many a second over all pairs, whatever comes back.
    Open(f64, Spacing),
    /// So many without receipt in each pair, always.
    Window(usize),
}

/// What each send is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// A final word: it carries an id.
    FinalWord,
    /// Nothing: published and forgotten. Only for an open loop.
    Nothing,
}

/// One run.
pub(crate) struct Flow<'a> {
    pub(crate) from: &'a Node,
    pub(crate) to: &'a Node,
    pub(crate) pairs: usize,
    pub(crate) pace: Pace,
    pub(crate) promise: Promise,
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
    /// Commands that Redis carried out for each message.
    pub(crate) redis_commands: f64,
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
    pub(crate) async fn run(&self, stage: &Stage) -> anyhow::Result<FlowResult> {
        let mut pairs = Vec::with_capacity(self.pairs);
        for number in 0..self.pairs {
            pairs.push(self.pair(&stage.tokens, number).await?);
        }
        let mut nodes = vec![self.from.pid, self.to.pid];
        nodes.dedup();
        let node_cpu = CpuMeter::start(&nodes)?;
        let redis_cpu = CpuMeter::start(&[stage.redis_pid()?])?;
        let commands_before = stage.redis_commands().await?;
        let own_cpu = CpuMeter::start(&[std::process::id()])?;
        let clock = Instant::now();
        let (mut sending, mut receiving) = (Vec::new(), Vec::new());
        for (number, ((client, receiver), pace)) in pairs.into_iter().zip(self.paces(clock)).enumerate() {
            let to = format!("r-{}-{number}", self.tag);
            let sender = Sending {
                client,
                to,
                promise: self.promise,
                sent: 0,
                words: 0,
                failed: 0,
            };
            sending.push(tokio::spawn(sender.run(pace, clock, self.span)));
            receiving.push(tokio::spawn(receive(receiver, clock, self.span + TAIL)));
        }
        let (mut messages, mut wrong) = (0_u64, 0_u64);
        for sender in sending {
            let (sent, unconfirmed) = sender.await??;
            messages += sent;
            wrong += unconfirmed;
        }
        let elapsed = clock.elapsed().as_secs_f64();
        let per_message = |micros: f64| micros / messages.max(1) as f64;
        let node_micros = per_message(node_cpu.micros()?);
        let redis_commands = per_message((stage.redis_commands().await? - commands_before) as f64);
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
            redis_commands,
            own_micros,
            one_way,
            wrong,
        })
    }

    async fn pair(&self, tokens: &Tokens, number: usize) -> anyhow::Result<(Client, Client)> {
        let connect = async |node: &Node, name: String| {
            let options = ConnectOptions::new(&node.url, tokens.mint(&name)?);
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

    /// Where each pair takes its moments from.
    fn paces(&self, clock: Instant) -> Vec<PairPace> {
        match self.pace {
            Pace::Window(window) => (0..self.pairs).map(|_| PairPace::Window(window)).collect(),
            Pace::Open(rate, spacing) => {
                let count = (rate * self.span.as_secs_f64()) as u64;
                let moments = spacing::start(clock, rate, spacing, count, self.pairs);
                moments.into_iter().map(PairPace::Moments).collect()
            }
        }
    }
}

enum PairPace {
    Moments(mpsc::Receiver<Duration>),
    Window(usize),
}

/// The sending half of a pair.
struct Sending {
    client: Client,
    to: String,
    promise: Promise,
    sent: u64,
    words: u64,
    failed: u64,
}

impl Sending {
    /// Sends until `span` is over and every send has its final word; returns sends, and those not delivered.
    async fn run(mut self, pace: PairPace, clock: Instant, span: Duration) -> anyhow::Result<(u64, u64)> {
        match pace {
            PairPace::Moments(mut moments) => loop {
                tokio::select! {
                    moment = moments.recv() => match moment {
                        Some(at) => self.send(at).await?,
                        None => break,
                    },
                    frame = self.client.next() => self.take(&frame.context("a sender lost its connection")?),
                }
            },
            PairPace::Window(window) => {
                while clock.elapsed() < span {
                    if self.sent - self.words < window as u64 {
                        self.send(clock.elapsed()).await?;
                    } else {
                        let frame = self.client.next().await.context("a sender lost its connection")?;
                        self.take(&frame);
                    }
                }
            }
        }
        while self.words < self.sent {
            match self.client.next_within(TAIL).await {
                Ok(frame) => self.take(&frame),
                Err(_) => break,
            }
        }
        Ok((self.sent, self.failed + self.sent - self.words))
    }

    async fn send(&mut self, at: Duration) -> anyhow::Result<()> {
        let id = (self.promise == Promise::FinalWord).then(|| self.client.next_id());
        let payload = peers::stamped(u64::try_from(at.as_nanos())?)?;
        self.client
            .send(MessageKind::Offer, &self.to, id, &payload)
            .await?;
        self.sent += 1;
        if self.promise == Promise::Nothing {
            self.words += 1;
        }
        Ok(())
    }

    fn take(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Event(Event::Receipt { .. }) => self.words += 1,
            ServerFrame::Event(Event::Error { .. }) => {
                self.words += 1;
                self.failed += 1;
            }
            ServerFrame::Event(_) | ServerFrame::Message(_) => {}
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
                    // A node's own number, of a message without an id, begins with a tilde.
                    .and_then(|id| id.trim_start_matches('~').parse::<u64>().ok());
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
