//! One bystander that stays: it sends numbered messages to its partner at an even rate, whether or not outcomes come back,
//! and checks those of its partner.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use switchboard_client::{Client, ClientError, ConnectOptions, Trust};
use switchboard_protocol::{Event, MessageKind, ReceiptStatus, ServerFrame};
use switchboard_testkit::{payload, token};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use crate::tally::Tally;

/// The time between two sends of one resident.
const SEND_EVERY: Duration = Duration::from_millis(80);

/// The longest wait for outcomes after the last send: more than the deadline of a send.
const SETTLE: Duration = Duration::from_secs(7);

/// The longest wait for messages whose senders know that they are delivered.
const ARRIVE_WITHIN: Duration = Duration::from_secs(2);

/// A connected resident.
pub(crate) struct Resident {
    name: String,
    partner: String,
    client: Client,
    tally: Arc<Tally>,
    /// When sends without an outcome were due, by their `id`.
    pending: HashMap<u64, Instant>,
    /// Sends that were delivered.
    pub(crate) delivered: u64,
    /// The number of the partner's last message.
    pub(crate) arrived: u64,
}

impl Resident {
    /// Connects from an address of its own, the `number`th of the residents.
    pub(crate) async fn connect(
        tally: &Arc<Tally>,
        number: u8,
        url: String,
        (name, partner): (&str, &str),
    ) -> anyhow::Result<Self> {
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 7, number));
        let mut options = ConnectOptions::new(url, token(name)?).bind_address(from);
        options.trust = Trust::anything();
        Ok(Self {
            name: name.to_owned(),
            partner: partner.to_owned(),
            client: Client::connect(&options).await?,
            tally: Arc::clone(tally),
            pending: HashMap::new(),
            delivered: 0,
            arrived: 0,
        })
    }

    /// Sends until `sending` is false, then waits for the missing outcomes.
    pub(crate) async fn stay(mut self, mut sending: watch::Receiver<bool>) -> Self {
        let mut ticks = interval(SEND_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            let step = tokio::select! {
                due = ticks.tick() => self.send(due).await,
                frame = self.client.next() => frame.map(|frame| self.on_frame(frame)),
                // It changes once.
                _ = sending.changed() => break,
            };
            if let Err(error) = step {
                return self.lost(&error);
            }
        }
        let settled = sleep(SETTLE);
        tokio::pin!(settled);
        while !self.pending.is_empty() {
            let frame = tokio::select! {
                frame = self.client.next() => frame,
                () = &mut settled => break,
            };
            match frame {
                Ok(frame) => self.on_frame(frame),
                Err(error) => return self.lost(&error),
            }
        }
        for id in self.pending.keys() {
            let words = format!("{}: the send {id} to {} has no outcome", self.name, self.partner);
            self.tally.error(words);
        }
        self
    }

    /// Reads on until the partner's last delivered message is here.
    pub(crate) async fn finish(mut self, delivered_by_partner: u64) {
        let arrive = async {
            while self.arrived < delivered_by_partner {
                match self.client.next().await {
                    Ok(frame) => self.on_frame(frame),
                    Err(_) => return,
                }
            }
        };
        let _ = timeout(ARRIVE_WITHIN, arrive).await;
        if self.arrived < delivered_by_partner {
            self.tally.error(format!(
                "{}: {delivered_by_partner} messages of {} were delivered, {} arrived",
                self.name, self.partner, self.arrived
            ));
        }
    }

    async fn send(&mut self, due: Instant) -> Result<(), ClientError> {
        let id = self.client.next_id();
        let Ok(payload) = payload(id.to_string()) else {
            return Ok(());
        };
        self.pending.insert(id, due);
        let kind = MessageKind::Message;
        self.client.send(kind, &self.partner, Some(id), &payload).await
    }

    fn on_frame(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Message(message) if message.from == self.partner => {
                let number = message.payload.get().parse().unwrap_or(0);
                if number != self.arrived + 1 {
                    let words = format!(
                        "{}: message {number} of {} follows {}",
                        self.name, self.partner, self.arrived
                    );
                    self.tally.error(words);
                }
                self.arrived = number;
            }
            ServerFrame::Event(Event::Receipt {
                id,
                status: ReceiptStatus::Delivered,
            }) => {
                if let Some(due) = self.pending.remove(&id) {
                    self.tally.delivered(due);
                    self.delivered += 1;
                }
            }
            ServerFrame::Event(Event::Error {
                id, code, message, ..
            }) => {
                id.map(|id| self.pending.remove(&id));
                self.tally.error(format!("{}: {code}: {message}", self.name));
            }
            ServerFrame::Message(_) | ServerFrame::Event(_) => {}
        }
    }

    fn lost(self, error: &ClientError) -> Self {
        self.tally.error(format!("{}: {error}", self.name));
        self
    }
}
