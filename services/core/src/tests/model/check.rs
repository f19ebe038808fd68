//! What must be true when a schedule is over, by what each client knows.

use std::ops::AddAssign;

use switchboard_protocol::ErrorCode;

use super::client::{Client, Outcome};

/// What a schedule did, to show that its faults are real.
#[derive(Debug, Default)]
pub(super) struct Counts {
    sent: usize,
    delivered: usize,
    failed: usize,
    queued: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.queued += other.queued;
    }
}

pub(super) fn check(clients: &[Client]) -> Result<Counts, String> {
    let mut counts = Counts::default();
    for (number, client) in clients.iter().enumerate() {
        counts.queued += client.was_queued;
        for ((id, to), outcomes) in &client.sent {
            let what = format!("{number}/{id} to {to}");
            let received = clients[*to].received.iter();
            let arrived = received
                .filter(|(from, _, of)| from == &number && of == id)
                .count();
            counts.sent += 1;
            match outcomes[..] {
                [] => return Err(format!("{what} has no outcome")),
                [Outcome::Delivered] if arrived == 0 => return Err(format!("{what} was lost in silence")),
                [Outcome::Delivered] => counts.delivered += 1,
                // All connect before any sends or are late, and no schedule lasts as long as the window or a hold.
                [Outcome::Failed(code @ (ErrorCode::PeerOffline | ErrorCode::Expired))] => {
                    return Err(format!("{what}: {code}, but its receiver was there all the time"));
                }
                [Outcome::Failed(_) | Outcome::SessionLost] => counts.failed += 1,
                [_, ..] => return Err(format!("{what} has several outcomes: {outcomes:?}")),
            }
            if arrived > 1 {
                return Err(format!("{what} arrived {arrived} times"));
            }
        }
    }
    check_order(clients)?;
    Ok(counts)
}

fn check_order(clients: &[Client]) -> Result<(), String> {
    for (to, client) in clients.iter().enumerate() {
        for from in 0..clients.len() {
            let of = client.received.iter().filter(|(sender, ..)| *sender == from);
            let order: Vec<_> = of.map(|(_, session, id)| (*session, *id)).collect();
            if !order.is_sorted() {
                return Err(format!("{from} to {to} out of order: {order:?}"));
            }
        }
    }
    Ok(())
}
