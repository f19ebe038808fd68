//! The scripts by which a node claims a peer, says it again, and lets it go; each touches one key. Not when
//! they run: that is `attach`, `reclaim` and `shutdown`.
//!
//! The record is a hash: `session`, `node`, `inc` (which run of that node), `state`, and the fence `v`,
//! which only grows: `max(v + 1, time in µs)`, so that it grows even when Redis lost the record.

use redis::{Cmd, Script, Value};
use switchboard_core::{BrokerError, PreviousOwner};
use switchboard_protocol::{NodeId, PeerKey, SessionId};

use super::{keys, lease::Lease, subscriber::desired::Holding};

const CLAIM: &str = r"
local old = redis.call('HMGET', KEYS[1], 'v', 'node', 'session')
local time = redis.call('TIME')
local v = math.max((tonumber(old[1]) or 0) + 1, time[1] * 1000000 + time[2])
local text = string.format('%.0f', v)
redis.call('HSET', KEYS[1], 'v', text, 'session', ARGV[1], 'node', ARGV[2], 'inc', ARGV[3], 'state', 'attached')
return {text, old[2], old[3]}
";

const REASSERT: &str = r"
local v = redis.call('HGET', KEYS[1], 'v')
if v and tonumber(v) > tonumber(ARGV[4]) then return v end
redis.call('HSET', KEYS[1], 'v', ARGV[4], 'session', ARGV[1], 'node', ARGV[2], 'inc', ARGV[3], 'state', 'attached')
return '0'
";

const RELEASE: &str = r"
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'v')
if old[1] == ARGV[1] and old[2] == ARGV[2] and (ARGV[4] == '0' or old[3] == ARGV[4]) then
  return redis.call('DEL', KEYS[1])
end
return 0
";

const END_LEASE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
";

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) fence: u64,
    pub(crate) previous: Option<PreviousOwner>,
}

/// Which script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Claim,
    Reassert,
    Release,
}

/// The scripts' hashes, computed once.
#[derive(Debug)]
pub(crate) struct Scripts {
    claim: String,
    reassert: String,
    release: String,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        let hash = |source| Script::new(source).get_hash().to_owned();
        Self {
            claim: hash(CLAIM),
            reassert: hash(REASSERT),
            release: hash(RELEASE),
        }
    }

    /// One call. `with_source` is for a Redis that has forgotten the script.
    pub(crate) fn call(
        &self,
        operation: Operation,
        holding: &Holding,
        node: &NodeId,
        lease: &Lease,
        with_source: bool,
    ) -> Cmd {
        let (hash, source) = match operation {
            Operation::Claim => (&self.claim, CLAIM),
            Operation::Reassert => (&self.reassert, REASSERT),
            Operation::Release => (&self.release, RELEASE),
        };
        let mut command = Cmd::with_capacity(8, 320);
        if with_source {
            command.arg("EVAL").arg(source);
        } else {
            command.arg("EVALSHA").arg(hash);
        }
        let mut session = Vec::with_capacity(SessionId::CHARS);
        holding.session.write(&mut session);
        command
            .arg(1)
            .arg(keys::session(holding.key.as_str()))
            .arg(session)
            .arg(node.as_str())
            .arg(lease.incarnation())
            .arg(holding.fence);
        command
    }

    /// Makes Redis know the scripts.
    pub(crate) fn load(pipeline: &mut redis::Pipeline) {
        for source in [CLAIM, REASSERT, RELEASE] {
            pipeline.cmd("SCRIPT").arg("LOAD").arg(source);
        }
    }
}

/// Gives the lease back, if it is still this run's.
pub(crate) fn end_lease(lease: &Lease) -> Cmd {
    let mut command = Cmd::new();
    command
        .arg("EVAL")
        .arg(END_LEASE)
        .arg(1)
        .arg(lease.key())
        .arg(lease.incarnation());
    command
}

/// Asks who holds `key`: node and run.
pub(crate) fn holder(key: &PeerKey) -> Cmd {
    let mut command = Cmd::with_capacity(4, 192);
    command
        .arg("HMGET")
        .arg(keys::session(key.as_str()))
        .arg("node")
        .arg("inc");
    command
}

/// Reads the answer of a claim.
pub(crate) fn read_claimed(reply: &Value, session: SessionId) -> Result<Claimed, BrokerError> {
    let (fence, node, old): (u64, Option<String>, Option<String>) =
        redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    let previous = node.zip(old).and_then(|(node, old)| {
        let node = NodeId::new(&node).ok()?;
        let old = SessionId::parse(&old).ok()?;
        (old != session).then_some(PreviousOwner { node, session: old })
    });
    Ok(Claimed { fence, previous })
}

/// Reads the answer of a re-assertion: the higher fence that stands, if one does.
pub(crate) fn read_reasserted(reply: &Value) -> Result<Option<u64>, BrokerError> {
    let fence: u64 = redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    Ok((fence > 0).then_some(fence))
}
