//! What a node asks of the broker that joins the nodes, and what the broker reports. Not an implementation:
//! those are the memory and Redis backends in `switchboard-broker`, which pass one contract suite.

pub(crate) mod call_records;
pub(crate) mod claim;
pub(crate) mod error;
pub(crate) mod event_streams;
pub(crate) mod interface;
pub(crate) mod load;
pub(crate) mod node_record;
pub(crate) mod presence;
pub(crate) mod rooms;
pub(crate) mod route;
pub(crate) mod status;
pub(crate) mod stored_message;
pub(crate) mod usage;

pub use call_records::CallRecords;
pub use claim::{Claim, ClaimOutcome, ConflictPolicy, EndedSession, PreviousOwner, Retention};
pub use error::BrokerError;
pub use event_streams::{
    Append, Backlog, DeadEvent, EventStreams, Held, Page, ReadFrom, Replay, STREAM_PARTITIONS, StreamBounds,
    StreamEntry, StreamEvent,
};
pub use interface::{Broker, BrokerEvents};
pub use load::ClusterLoad;
pub use node_record::NodeRecord;
pub use presence::{Asker, Located, Presence};
pub use rooms::{
    JoinError, RoomChange, RoomDelta, RoomEntry, RoomJoin, RoomJoined, RoomLeave, RoomLeft, RoomMember,
    RoomMembership, RoomPage, RoomQuery, Roster,
};
pub use route::Route;
pub use status::{BusServer, BusState, BusStatus};
pub use stored_message::{Hold, StoreOutcome, StoredMessage};
pub use usage::TenantUsage;
