//! Where peers are, who watches them, and the ends of their sessions.

use std::time::{Duration, Instant};

use switchboard_core::{Located, Presence};
use switchboard_protocol::PeerKey;
use tokio::time::sleep;

use super::bus::{Event, Hub, MemoryBus};

/// How often a node looks for sessions whose windows are over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where `key` is.
pub(super) fn locate(hub: &mut Hub, key: &PeerKey) -> Located {
    let now = Instant::now();
    let Some(owner) = hub.records.owner(key, now) else {
        return Located::OFFLINE;
    };
    Located {
        fence: owner.fence,
        claimed_for: now.saturating_duration_since(owner.claimed_at),
        presence: match owner.is_attached {
            true => Presence::Attached { node: owner.node },
            false => Presence::Detached,
        },
    }
}

/// The presence of `key` may have changed: the nodes that watch it learn what it is.
pub(super) fn announce(hub: &mut Hub, key: &PeerKey) {
    if !hub.watchers.contains_key(key) {
        return;
    }
    let located = locate(hub, key);
    // Without a record, the fence of all claims is not below that of the last one.
    let fence = match located.presence {
        Presence::Offline => hub.records.last_fence(),
        Presence::Detached | Presence::Orphaned | Presence::Attached { .. } => located.fence,
    };
    for node in hub.watchers.get(key).into_iter().flatten() {
        if let Some(queue) = hub.nodes.get(node) {
            // A change that does not fit is lost like on any bus.
            let _ = queue.push(Event::Presence(key.clone(), fence, located.presence.state()));
        }
    }
}

/// Ends sessions whose resume windows are over, until it is dropped. One node learns of each.
pub(super) async fn end_sessions(bus: MemoryBus, own: std::sync::Arc<crate::queue::Sender<Event>>) {
    loop {
        sleep(LOOK_EVERY).await;
        let mut hub = bus.hub();
        for (peer, session) in hub.records.take_ended(Instant::now()) {
            announce(&mut hub, &peer);
            // As above.
            let _ = own.push(Event::SessionEnded(peer, session));
        }
    }
}
