//! One send without an outcome: how far it has come and when it is due. Plain state.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use switchboard_protocol::{ErrorCode, MessageKind, TraceContext};
use switchboard_telemetry::Path;

use crate::limits::{Limits, PeerAccount, charge::PendingCharge};

/// The longest wait between two transmissions: the backoff must not keep a receiver waiting that comes back.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(1);

/// How long a transmitted send waits before it is transmitted again; three times longer after each repeat.
pub(crate) const FIRST_RETRY_DELAY: Duration = Duration::from_millis(150);

/// From this transmission on, a message without any subscriber goes into the offline queue even of an attached
/// peer: the peer's node is dying, or it finds the hint.
const URGENT_ATTEMPTS: u32 = 3;

/// How much longer than the offline queue a sender waits: the receiver's last acknowledgement may be on its way.
pub(crate) const QUEUED_MARGIN: Duration = Duration::from_secs(5);

/// How often a queued send is transmitted again. One that was stored for an attached receiver is transmitted again
/// after [`MAX_RETRY_DELAY`]: the hint to its node may be lost, and sends behind it wait for it.
pub(crate) const QUEUED_RETRY_DELAY: Duration = Duration::from_secs(5);

/// A send without an outcome.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: u64,
    pub(crate) kind: MessageKind,
    pub(crate) payload: Bytes,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) accepted_at: Instant,
    pub(crate) deadline: Instant,
    pub(crate) progress: Progress,
    pub(crate) path: Path,
    /// The outcome if the deadline comes first.
    pub(crate) at_deadline: ErrorCode,
    /// No report of an offline queue moves the deadline beyond this.
    last_deadline: Instant,
    /// Until when it is held for a receiver without a session.
    hold_until: Option<Instant>,
    attempts: u32,
    /// Its sender got `queued`.
    pub(crate) was_queued: bool,
    /// Returns its bytes when it ends; none for a sender without an account.
    charge: Option<PendingCharge>,
    /// The bytes charged for its place in an offline queue. They stay charged when it ends: they leak out.
    stored_bytes: Option<usize>,
}

/// How far a pending send has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not transmitted, or refused; waits for its stream's timer.
    Held,
    /// Transmitted.
    Transmitted {
        /// When to transmit it again unless its outcome comes first.
        retry_at: Instant,
    },
    /// In the offline queue of a detached receiver, whose next node will acknowledge it.
    Queued {
        /// When to transmit it again, in case the offline queue or the acknowledgement was lost; `None`: only the
        /// offline queue has the payload.
        retry_at: Option<Instant>,
    },
}

impl Pending {
    pub(crate) fn new(
        id: u64,
        kind: MessageKind,
        payload: Bytes,
        trace: Option<TraceContext>,
        charge: Option<PendingCharge>,
        now: Instant,
        limits: &Limits,
    ) -> Self {
        Self {
            id,
            kind,
            payload,
            trace,
            accepted_at: now,
            deadline: now + limits.send_deadline,
            last_deadline: now + limits.send_deadline + limits.resume_window + QUEUED_MARGIN,
            hold_until: None,
            progress: Progress::Held,
            path: Path::Remote,
            at_deadline: ErrorCode::Timeout,
            attempts: 0,
            was_queued: false,
            charge,
            stored_bytes: None,
        }
    }

    /// The same send; it may wait for `hold` for a receiver without a session.
    pub(crate) fn held_for(mut self, hold: Option<Duration>) -> Self {
        self.hold_until = hold.map(|hold| self.accepted_at + hold);
        let until = self.hold_until.map(|until| until + QUEUED_MARGIN);
        self.last_deadline = until.map_or(self.last_deadline, |until| until.max(self.last_deadline));
        self
    }

    /// Notes that it was transmitted by `path`.
    pub(crate) fn mark_transmitted(&mut self, path: Path, now: Instant) {
        let delay = (FIRST_RETRY_DELAY * 3_u32.saturating_pow(self.attempts.min(6))).min(MAX_RETRY_DELAY);
        self.attempts += 1;
        self.path = path;
        self.at_deadline = if self.was_queued {
            ErrorCode::Expired
        } else {
            ErrorCode::Timeout
        };
        self.progress = Progress::Transmitted {
            retry_at: now + delay,
        };
    }

    /// Charges `bytes` for its place in an offline queue, unless that was done before; `false` if a budget is used
    /// up.
    pub(crate) fn charge_stored(
        &mut self,
        account: Option<&Arc<PeerAccount>>,
        bytes: usize,
        now: Instant,
    ) -> bool {
        let Some(account) = account.filter(|_| self.stored_bytes.is_none()) else {
            return true;
        };
        let is_granted = account.charge_stored(bytes, now).is_ok();
        self.stored_bytes = is_granted.then_some(bytes);
        is_granted
    }

    /// It is in no offline queue. One that ever was has cost its place.
    pub(crate) fn refund_stored(&mut self, account: Option<&Arc<PeerAccount>>) {
        let bytes = self.stored_bytes.take_if(|_| !self.was_queued);
        if let (Some(account), Some(bytes)) = (account, bytes) {
            account.refund_stored(bytes);
        }
    }

    /// Notes that it could not be transmitted, or was refused.
    pub(crate) fn wait(&mut self, at_deadline: ErrorCode) {
        // Its sender got `queued`: whatever fails afterwards, it has expired.
        if !self.was_queued {
            self.at_deadline = at_deadline;
        }
        self.progress = Progress::Held;
    }

    /// Notes that it is in the offline queue for at most `kept_for`. Drops the payload if it is larger than
    /// `room`; returns whether this is news, then the bytes before and the bytes kept.
    pub(crate) fn mark_queued(
        &mut self,
        kept_for: Duration,
        room: usize,
        now: Instant,
    ) -> Option<(usize, usize)> {
        let delay = if self.is_urgent() {
            MAX_RETRY_DELAY
        } else {
            QUEUED_RETRY_DELAY
        };
        let is_news = !std::mem::replace(&mut self.was_queued, true);
        let bytes = self.payload.len();
        if is_news && bytes > room {
            self.payload = Bytes::new();
            self.charge.iter_mut().for_each(PendingCharge::drop_payload);
        }
        let kept = self.payload.len();
        self.progress = Progress::Queued {
            retry_at: (kept > 0).then(|| now + delay),
        };
        self.attempts = 1;
        self.at_deadline = ErrorCode::Expired;
        let until = self.hold_until.unwrap_or(now).max(now + kept_for);
        self.deadline = (until + QUEUED_MARGIN).min(self.last_deadline);
        is_news.then_some((bytes, kept))
    }

    /// How long it is still to be held for a receiver without a session.
    pub(crate) fn hold(&self, now: Instant) -> Option<Duration> {
        let left = self.hold_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Whether it was transmitted before.
    pub(crate) const fn was_transmitted(&self) -> bool {
        self.attempts > 0
    }

    /// Whether it was transmitted so often that an attached receiver should have got it.
    pub(crate) const fn is_urgent(&self) -> bool {
        self.attempts >= URGENT_ATTEMPTS
    }

    pub(crate) const fn is_queued(&self) -> bool {
        matches!(self.progress, Progress::Queued { .. })
    }

    /// Whether only the offline queue has the payload.
    pub(crate) const fn is_only_stored(&self) -> bool {
        matches!(self.progress, Progress::Queued { retry_at: None })
    }

    /// Whether it is to be transmitted at `now`.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        match self.progress {
            Progress::Held => true,
            Progress::Transmitted { retry_at } => retry_at <= now,
            Progress::Queued { retry_at } => retry_at.is_some_and(|at| at <= now),
        }
    }

    /// When its stream must look at it again, if it waits in the offline queue.
    pub(crate) fn queued_until(&self) -> Option<Instant> {
        match self.progress {
            Progress::Queued { retry_at } => Some(retry_at.map_or(self.deadline, |at| at.min(self.deadline))),
            Progress::Held | Progress::Transmitted { .. } => None,
        }
    }
}
