//! Redis as child processes. Standalone is one [`RedisServer`]. A mode of several servers (sentinel, cluster, sharded)
//! is one more file here: it starts `RedisServer`s with arguments of its own and says where clients find them.

mod server;

pub use server::{REDIS, RedisOptions, RedisServer};
