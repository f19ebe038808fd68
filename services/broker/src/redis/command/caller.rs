//! Begins calls of scripts: the script, its keys, and the arguments that name this run of this node.

use redis::Cmd;
use switchboard_protocol::{PeerKey, SessionId};

use super::super::{
    memory::MemoryWatermark,
    node_run::NodeRun,
    scripts::{Script, Scripts},
};
use crate::{keys::Names, partition::Partition};

/// Who calls, the names of its cluster, the scripts' hashes, and the room for stored messages.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) run: NodeRun,
    pub(crate) names: Names,
    pub(crate) scripts: Scripts,
    pub(crate) memory: MemoryWatermark,
}

impl Caller {
    /// `memory_watermark`: the part of Redis' memory that stored messages may fill.
    pub(crate) fn new(run: NodeRun, names: Names, memory_watermark: f64) -> Self {
        Self {
            run,
            scripts: Scripts::new(names.verbs()),
            names,
            memory: MemoryWatermark::new(memory_watermark),
        }
    }

    /// A call of `script` on the record of `key`.
    pub(crate) fn on_record(&self, script: Script, key: &PeerKey, with_source: bool) -> Cmd {
        let mut command = self.scripts.call(script, 1, with_source);
        command.arg(self.names.record(Partition::of(key.as_str()), key.as_str()));
        command
    }

    /// A call of `script` on the record and the offline queue of `key`.
    pub(crate) fn on_record_and_queue(&self, script: Script, key: &PeerKey, with_source: bool) -> Cmd {
        let (partition, peer) = (Partition::of(key.as_str()), key.as_str());
        let mut command = self.scripts.call(script, 2, with_source);
        command
            .arg(self.names.record(partition, peer))
            .arg(self.names.offline_queue(partition, peer));
        command
    }

    /// The same on the ends of sessions in its partition, too.
    pub(crate) fn on_record_queue_and_ends(&self, script: Script, key: &PeerKey, with_source: bool) -> Cmd {
        let (partition, peer) = (Partition::of(key.as_str()), key.as_str());
        let mut command = self.scripts.call(script, 3, with_source);
        command
            .arg(self.names.record(partition, peer))
            .arg(self.names.offline_queue(partition, peer))
            .arg(self.names.session_ends(partition));
        command
    }

    /// Appends the arguments that tell `session` of this run of this node from any other.
    pub(crate) fn identify(&self, command: &mut Cmd, session: SessionId) {
        command
            .arg(session_text(session))
            .arg(self.run.node.as_str())
            .arg(&self.run.incarnation);
    }
}

/// The text of a session's id.
pub(crate) fn session_text(session: SessionId) -> Vec<u8> {
    let mut text = Vec::with_capacity(SessionId::CHARS);
    session.write(&mut text);
    text
}
