//! The memory of Redis, as INFO tells it: nodes stop to store clients' messages before leases and claims have no room.
//! Not the store itself (`command::offline_queue`).

use std::sync::atomic::{AtomicU64, Ordering};

use redis::Value;

/// Bytes that Redis uses for one stored byte, at most: the envelope's own overhead, and nodes that store at the same
/// time.
const GROWTH: u64 = 4;

/// What may be stored before the memory of Redis is known, in bytes.
const FIRST_ROOM_BYTES: u64 = 8 * 1024 * 1024;

/// What INFO says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryInfo {
    pub(crate) used: u64,
    /// `maxmemory`, or the memory of the host if there is none.
    pub(crate) most: u64,
    pub(crate) is_limited: bool,
    pub(crate) policy: String,
}

impl MemoryInfo {
    /// Reads the reply of `INFO memory`.
    pub(crate) fn read(reply: &Value) -> Option<Self> {
        let text: String = redis::from_redis_value_ref(reply).ok()?;
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let number = |name: &str| field(name)?.trim().parse::<u64>().ok();
        let limit = number("maxmemory").filter(|limit| *limit > 0);
        Some(Self {
            used: number("used_memory")?,
            most: limit.or_else(|| number("total_system_memory"))?,
            is_limited: limit.is_some(),
            policy: field("maxmemory_policy").unwrap_or_default().trim().to_owned(),
        })
    }

    /// Whether Redis refuses whatever needs memory.
    pub(crate) fn is_full(&self) -> bool {
        self.is_limited && !self.may_evict() && self.used >= self.most
    }

    /// Whether Redis may throw records away that are in use.
    pub(crate) fn may_evict(&self) -> bool {
        !matches!(self.policy.as_str(), "" | "noeviction")
    }
}

/// Whether there is room for stored messages.
#[derive(Debug)]
pub(crate) struct MemoryWatermark {
    /// The part of the memory that stored messages may fill, in thousandths.
    watermark_permille: u64,
    /// What may be stored until INFO is read again, in bytes.
    room: AtomicU64,
}

impl MemoryWatermark {
    /// `watermark`: from 0 to 1.
    pub(crate) fn new(watermark: f64) -> Self {
        Self {
            watermark_permille: (watermark.clamp(0.0, 1.0) * 1_000.0) as u64,
            room: AtomicU64::new(FIRST_ROOM_BYTES),
        }
    }

    /// INFO was read; whether memory is short now.
    pub(crate) fn note(&self, info: &MemoryInfo) -> bool {
        let watermark = info.most / 1_000 * self.watermark_permille;
        let room = watermark.saturating_sub(info.used);
        self.room.store(room / GROWTH, Ordering::Relaxed);
        room == 0
    }

    /// Redis does not tell its memory: nothing is known of any limit.
    pub(crate) fn give_up(&self) {
        self.room.store(u64::MAX, Ordering::Relaxed);
    }

    /// Takes room for `bytes`; false if there is none.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let taken = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                room.checked_sub(bytes)
            });
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(text: &str) -> Option<MemoryInfo> {
        MemoryInfo::read(&Value::BulkString(text.into()))
    }

    #[test]
    fn the_limit_is_that_of_redis_or_the_memory_of_its_host() {
        let text = "# Memory\r\nused_memory:10\r\nused_memory_human:1K\r\ntotal_system_memory:999\r\nmaxmemory:100\r\n\
                    maxmemory_policy:allkeys-lru\r\n";
        let limited = info(text).unwrap();
        assert_eq!((limited.used, limited.most, limited.may_evict()), (10, 100, true));
        let unlimited = info(
            &text
                .replace("maxmemory:100", "maxmemory:0")
                .replace("allkeys-lru", "noeviction"),
        );
        let unlimited = unlimited.unwrap();
        assert_eq!((unlimited.most, unlimited.may_evict()), (999, false));
        let full = info("used_memory:100\r\nmaxmemory:100\r\nmaxmemory_policy:noeviction\r\n").unwrap();
        assert_eq!(
            (limited.is_full(), unlimited.is_full(), full.is_full()),
            (false, false, true)
        );
        assert_eq!(info("used_memory:x"), None);
        assert_eq!(MemoryInfo::read(&Value::Nil), None);
    }

    #[test]
    fn nothing_is_stored_above_the_watermark_and_little_below_it_until_redis_is_asked_again() {
        let watermark = MemoryWatermark::new(0.75);
        assert!(
            watermark.take(8 << 20) && !watermark.take(1),
            "nothing is known yet"
        );
        watermark.give_up();
        assert!(watermark.take(1 << 40), "nothing will be known");
        let mut info = info("used_memory:0\r\nmaxmemory:4000\r\n").unwrap();
        assert!(!watermark.note(&info));
        assert!(watermark.take(700) && !watermark.take(100) && watermark.take(50));
        info.used = 3_000;
        assert!(watermark.note(&info));
        assert!(!watermark.take(1));
        info.used = 2_000;
        assert!(!watermark.note(&info));
        assert!(watermark.take(250) && !watermark.take(1));
    }
}
