//! The driver of redis.
