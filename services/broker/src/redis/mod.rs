//! The Redis backend. Two axes: a `topology` maps partitions to shards; a `shard` is one Redis server with the
//! connections and tasks that use it. `attach` claims one peer, `command` writes and reads what goes over the
//! wire, `scripts` are the Lua scripts.

mod asking;
mod attach;
mod backoff;
mod broker;
mod call_records;
mod claim;
mod cluster_load;
mod cluster_pool;
mod command;
mod config;
mod detour_run;
mod detours;
mod dial;
mod endpoint;
mod event_streams;
mod lasting;
mod memory;
mod node_exchange;
mod node_reading;
mod node_records;
mod node_run;
mod periods;
mod pool;
pub(crate) mod probe_payload;
mod record;
mod redirected;
mod refusal;
mod resp;
mod revocations;
mod room;
mod room_count;
mod room_queries;
mod scripts;
mod servers;
mod session_end;
mod shard;
mod status;
mod stuck_slots;
mod tenant_rooms;
mod tenant_usage;
mod tls;
mod topology;
mod url;

pub use broker::RedisBroker;
pub(crate) use command::{claims, offline_queue, owner, presence, room_delta, rooms};
pub use config::{RedisConfig, RedisConfigError, RedisCredentials, RedisMode};
pub(crate) use event_streams::partition_of;
pub(crate) use record::snapshot_text;
pub use shard::subscriber::parser::MAX_MESSAGE_BYTES;
pub(crate) use shard::subscriber::parser::parse as parse_frame;
pub use tls::{RedisTls, RedisTlsError};
