//! What one client may do, decided for each frame: its grant, its rates, its ids, the end of its token. A state
//! machine: text and the time go in, one effect comes out; no IO and no clock of its own.
//!
//! The message rate counts commands that a client chose to send. Acknowledgements of messages that were written to it
//! are free, because other peers decide how many come. Pings and other acknowledgements have a rate of their own. A question
//! for several peers counts once for each.

use std::{borrow::Cow, sync::Arc, time::Duration};

use switchboard_protocol::{
    CloseCode, Command, CommandError, ErrorCode, Event, Grant, Info, JoinCommand, MessageId, MessageKind,
    PeerKey, RoomKey, SendCommand, SendTarget,
};

use crate::{
    limits::{AddressAccount, Limits, PeerAccount},
    presence::PresenceCommand,
};

/// A token that ends within this many seconds is announced with `expiring`.
const EXPIRING_NOTICE_S: u64 = 60;

/// One client's state between frames.
#[derive(Debug)]
pub struct CommandGate {
    grant: Grant,
    /// The rates of the peer, which all its sessions share.
    account: Arc<PeerAccount>,
    /// The rate of the client's address, where the operator bounds it.
    address: Option<Arc<AddressAccount>>,
    last_id: u64,
    /// Everything up to this number was acknowledged.
    acked_seq: u64,
    unnumbered: u64,
    bad_frames: u32,
    strikes: u32,
    /// When the last strike was forgiven, in seconds since the Unix epoch.
    forgiven_at_s: u64,
    is_expiry_announced: bool,
}

/// What follows from a frame or from the passing of time.
#[derive(Debug)]
pub enum CommandEffect<'a> {
    /// Nothing.
    Nothing,
    /// Give this to the router.
    Send {
        /// The receiver.
        to: PeerKey,
        /// Its kind.
        kind: MessageKind,
        /// The payload: a slice of the frame.
        payload: &'a str,
        /// The id that the client chose or the gate gave.
        id: MessageId,
        /// How long it may wait for a receiver without a session.
        hold: Option<Duration>,
    },
    /// Give this to the router, for the members of a room.
    SendToRoom {
        /// The room.
        room: RoomKey,
        /// Its kind.
        kind: MessageKind,
        /// The payload: a slice of the frame.
        payload: &'a str,
        /// The id that the client chose or the gate gave.
        id: MessageId,
    },
    /// The client becomes a member of a room.
    Join {
        /// The room.
        room: RoomKey,
        /// What it shows of itself: from the command, else from its token.
        info: Option<Info>,
        /// The command's `id`.
        id: Option<u64>,
    },
    /// The client leaves a room.
    Leave {
        /// The room.
        room: RoomKey,
        /// The command's `id`.
        id: Option<u64>,
    },
    /// Send this to the client.
    Reply(Event),
    /// Verify this token, then call [`CommandGate::renewed`] or [`CommandGate::not_renewed`].
    Renew {
        /// The JWT; never logged.
        token: String,
        /// The command's `id`.
        id: Option<u64>,
    },
    /// The client has processed everything up to this number, or everything before it and refuses it as late.
    Ack {
        /// The number.
        seq: u64,
        /// Whether that message is refused.
        late: bool,
    },
    /// Answer with ICE servers for this peer.
    Ice {
        /// The command's `id`.
        id: Option<u64>,
    },
    /// Give this to the router.
    Presence {
        /// What the client asks for.
        command: PresenceCommand,
        /// Of whom.
        peers: Vec<PeerKey>,
        /// The command's `id`.
        id: Option<u64>,
    },
    /// Close the connection.
    Close(CloseCode),
}

impl CommandGate {
    /// A gate for the bearer of `grant`, whose commands are charged to `account`.
    #[must_use]
    pub const fn new(grant: Grant, account: Arc<PeerAccount>) -> Self {
        Self {
            grant,
            account,
            address: None,
            last_id: 0,
            acked_seq: 0,
            unnumbered: 0,
            bad_frames: 0,
            strikes: 0,
            forgiven_at_s: 0,
            is_expiry_announced: false,
        }
    }

    /// Charges the client's commands to its address, too.
    #[must_use]
    pub fn with_address(self, address: Option<Arc<AddressAccount>>) -> Self {
        Self { address, ..self }
    }

    /// The grant in force now.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Decides on one decoded frame. `written_seq` is the number of the newest message that was written to the client;
    /// `now_ms` is the wall clock, in milliseconds since the Unix epoch.
    pub fn on_command<'a>(
        &mut self,
        decoded: Result<Command<'a>, CommandError>,
        written_seq: u64,
        now_ms: u64,
        limits: &Limits,
    ) -> CommandEffect<'a> {
        let granted = match &decoded {
            Ok(Command::Ack { seq, .. }) if self.is_first_ack((*seq).min(written_seq)) => Ok(()),
            Ok(Command::Ack { .. } | Command::Ping { .. }) => self.account.take_control(),
            Ok(
                Command::Lookup { peers, .. } | Command::Watch { peers, .. } | Command::Unwatch { peers, .. },
            ) => self.take_commands(peers.len().max(1)),
            Ok(
                Command::Send(_)
                | Command::Join(_)
                | Command::Leave { .. }
                | Command::Ice { .. }
                | Command::Renew { .. },
            )
            | Err(_) => self.take_commands(1),
        };
        if let Err(wait) = granted {
            return self.over_rate(id_of(&decoded), wait, limits);
        }
        let command = match decoded {
            Ok(command) => command,
            Err(error) => return self.refuse_frame(error, limits),
        };
        self.bad_frames = 0;
        match command {
            Command::Send(send) => self.on_send(&send, limits),
            Command::Join(join) => self.on_join(&join),
            Command::Leave { room, id } => self.on_leave(&room, id),
            Command::Lookup { peers, id } => self.on_presence(PresenceCommand::Lookup, &peers, id),
            Command::Watch { peers, id } => self.on_presence(PresenceCommand::Watch, &peers, id),
            Command::Unwatch { peers, id } => self.on_presence(PresenceCommand::Unwatch, &peers, id),
            Command::Ice { id } => CommandEffect::Ice { id },
            Command::Ack { seq, late } => {
                self.acked_seq = self.acked_seq.max(seq.min(written_seq));
                CommandEffect::Ack { seq, late }
            }
            Command::Renew { token, id } => CommandEffect::Renew {
                token: token.into_owned(),
                id,
            },
            Command::Ping { id } => CommandEffect::Reply(Event::Pong { id, time_ms: now_ms }),
        }
    }

    /// Charges `count` commands to the address and to the peer.
    fn take_commands(&self, count: usize) -> Result<(), Duration> {
        if let Some(address) = &self.address {
            address.take_commands(count)?;
        }
        self.account.take_commands(count)
    }

    /// Decides on one control frame of the transport, which has no answer of its own.
    pub fn on_control_frame(&mut self, limits: &Limits) -> CommandEffect<'static> {
        match self.account.take_control() {
            Err(wait) => self.over_rate(None, wait, limits),
            Ok(()) => CommandEffect::Nothing,
        }
    }

    /// Whether an acknowledgement up to `seq` says something new.
    const fn is_first_ack(&self, seq: u64) -> bool {
        seq > self.acked_seq
    }

    fn on_send<'a>(&mut self, send: &SendCommand<'a>, limits: &Limits) -> CommandEffect<'a> {
        if let Some(id) = send.id {
            if id <= self.last_id {
                return refuse(
                    send.id,
                    ErrorCode::BadFrame,
                    format!("`id` {id} is not above {}, the last one used", self.last_id),
                );
            }
            self.last_id = id;
        }
        let (kind, payload) = (send.kind, send.payload.get());
        match &send.to {
            SendTarget::Peer(to_peer) => {
                let to = match self.grant.peer.sibling(to_peer) {
                    Ok(to) => to,
                    Err(error) => return refuse(send.id, ErrorCode::BadId, format!("`to`: {error}")),
                };
                if !self.grant.send.allow(to_peer) {
                    return refuse(
                        send.id,
                        ErrorCode::NotAllowed,
                        "the token does not allow messages to this peer".into(),
                    );
                }
                if send.hold_ms.is_some() && send.id.is_none() {
                    let why = "`hold_ms` needs an `id`: without one no outcome is known".into();
                    return refuse(None, ErrorCode::MissingField, why);
                }
                let hold = Duration::from_millis(send.hold_ms.unwrap_or_default()).min(limits.hold);
                let id = self.message_id(send.id);
                CommandEffect::Send {
                    to,
                    kind,
                    payload,
                    id,
                    hold: (!hold.is_zero()).then_some(hold),
                }
            }
            SendTarget::Room(room) => match self.room(room, send.id) {
                Ok(room) => CommandEffect::SendToRoom {
                    room,
                    kind,
                    payload,
                    id: self.message_id(send.id),
                },
                Err(refused) => refused,
            },
        }
    }

    fn on_join<'a>(&self, join: &JoinCommand<'a>) -> CommandEffect<'a> {
        let shown = join.info.or(self.grant.info.as_deref());
        match self.room(&join.room, join.id) {
            Ok(room) => CommandEffect::Join {
                room,
                info: shown.map(|info| Info::from(info.to_owned())),
                id: join.id,
            },
            Err(refused) => refused,
        }
    }

    /// A client may always leave: its token may have changed since it joined.
    fn on_leave<'a>(&self, room: &str, id: Option<u64>) -> CommandEffect<'a> {
        match self.grant.peer.room(room) {
            Ok(room) => CommandEffect::Leave { room, id },
            Err(error) => refuse(id, ErrorCode::BadId, format!("`room`: {error}")),
        }
    }

    /// The room of this name, if the token allows it; the error is the answer.
    fn room<'a>(&self, room: &str, id: Option<u64>) -> Result<RoomKey, CommandEffect<'a>> {
        let key = self.grant.peer.room(room);
        let key = key.map_err(|error| refuse(id, ErrorCode::BadId, format!("`room`: {error}")))?;
        if self.grant.rooms.allow(room) {
            return Ok(key);
        }
        let message = "the token does not allow this room".into();
        Err(refuse(id, ErrorCode::NotAllowed, message))
    }

    fn message_id(&mut self, id: Option<u64>) -> MessageId {
        id.map_or_else(
            || {
                self.unnumbered += 1;
                MessageId::Node(self.unnumbered)
            },
            MessageId::Client,
        )
    }

    /// A peer may ask for those that it may send to. The end of a watch is always allowed.
    fn on_presence<'a>(
        &self,
        command: PresenceCommand,
        names: &[Cow<'_, str>],
        id: Option<u64>,
    ) -> CommandEffect<'a> {
        let mut peers = Vec::with_capacity(names.len());
        for name in names {
            match self.grant.peer.sibling(name) {
                Ok(peer) => peers.push(peer),
                Err(error) => return refuse(id, ErrorCode::BadId, format!("`peers`: {error}")),
            }
            if command != PresenceCommand::Unwatch && !self.grant.send.allow(name) {
                return refuse(
                    id,
                    ErrorCode::NotAllowed,
                    "the token does not allow to ask for one of these peers".into(),
                );
            }
        }
        CommandEffect::Presence { command, peers, id }
    }

    /// A command of an unknown type is no bad frame: its client may be newer than this node.
    fn refuse_frame<'a>(&mut self, error: CommandError, limits: &Limits) -> CommandEffect<'a> {
        self.bad_frames = if error.code == ErrorCode::UnknownType {
            0
        } else {
            self.bad_frames + 1
        };
        if self.bad_frames >= limits.bad_frames_in_a_row {
            return CommandEffect::Close(CloseCode::ProtocolViolation);
        }
        refuse(error.id, error.code, error.message)
    }

    fn over_rate<'a>(&mut self, id: Option<u64>, wait: Duration, limits: &Limits) -> CommandEffect<'a> {
        self.strikes += 1;
        if self.strikes >= limits.rate_strikes {
            return CommandEffect::Close(CloseCode::RateLimited);
        }
        CommandEffect::Reply(Event::Error {
            id,
            code: ErrorCode::RateLimited,
            message: ErrorCode::RateLimited.meaning().into(),
            retry_after_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)),
        })
    }

    /// A newer token was verified for this connection.
    pub fn renewed(&mut self, grant: Grant, id: Option<u64>) -> Event {
        if grant.peer != self.grant.peer {
            return Event::Error {
                id,
                code: ErrorCode::TokenInvalid,
                message: "the token is for another peer or tenant".into(),
                retry_after_ms: None,
            };
        }
        if let Err(reason) = grant.check_renewal(&self.grant) {
            return Self::not_renewed(id, reason.into());
        }
        let token_expires_at = grant.expires_at;
        self.grant = grant;
        self.is_expiry_announced = false;
        Event::Renewed { id, token_expires_at }
    }

    /// A newer token was refused; `reason` is for people and never holds the token.
    #[must_use]
    pub fn not_renewed(id: Option<u64>, reason: String) -> Event {
        Event::Error {
            id,
            code: ErrorCode::TokenInvalid,
            message: reason.into(),
            retry_after_ms: None,
        }
    }

    /// The effect that is due at this time. `now_s` is the wall clock, in seconds since the Unix epoch.
    pub fn on_time(&mut self, now_s: u64) -> CommandEffect<'static> {
        // Refusals are forgiven one by one with time, so that only a lasting flood closes; not faster because a client
        // moves the timer.
        if now_s > self.forgiven_at_s {
            self.forgiven_at_s = now_s;
            self.strikes = self.strikes.saturating_sub(1);
        }
        let expires_at = self.grant.expires_at;
        if now_s >= expires_at {
            return CommandEffect::Close(CloseCode::TokenEnded);
        }
        if !self.is_expiry_announced && now_s + EXPIRING_NOTICE_S >= expires_at {
            self.is_expiry_announced = true;
            return CommandEffect::Reply(Event::Expiring { expires_at });
        }
        CommandEffect::Nothing
    }

    /// When [`CommandGate::on_time`] next returns an effect, in seconds since the Unix epoch.
    #[must_use]
    pub const fn next_time_s(&self) -> u64 {
        let expires_at = self.grant.expires_at;
        if self.is_expiry_announced {
            expires_at
        } else {
            expires_at.saturating_sub(EXPIRING_NOTICE_S)
        }
    }
}

fn refuse<'a>(id: Option<u64>, code: ErrorCode, message: String) -> CommandEffect<'a> {
    CommandEffect::Reply(Event::Error {
        id,
        code,
        message: message.into(),
        retry_after_ms: None,
    })
}

fn id_of(decoded: &Result<Command<'_>, CommandError>) -> Option<u64> {
    match decoded {
        Ok(command) => command.id(),
        Err(error) => error.id,
    }
}
