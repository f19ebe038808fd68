//! The call records of a process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_core::{BrokerError, CallRecords};

/// Records of one process; each takes about 200 bytes.
const MAX_RECORDS: usize = 65_536;

/// The records, shared by the nodes of a process.
#[derive(Debug, Default)]
pub(super) struct MemoryCallRecords(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    records: HashMap<String, (String, Instant)>,
    /// At this many records those that have ended are removed.
    sweep_at: usize,
}

impl MemoryCallRecords {
    fn begin_at(
        &self,
        name: String,
        record: String,
        ttl: Duration,
        now: Instant,
    ) -> Result<Option<String>, BrokerError> {
        let mut table = self.0.lock();
        if let Some((record, until)) = table.records.get(&name)
            && now < *until
        {
            return Ok(Some(record.clone()));
        }
        if table.records.len() >= table.sweep_at {
            table.records.retain(|_, (_, until)| now < *until);
            table.sweep_at = (table.records.len() * 2).clamp(1024, MAX_RECORDS);
            let room = table.sweep_at;
            table.records.shrink_to(room);
        }
        if table.records.len() >= MAX_RECORDS {
            return Err(BrokerError::QueueFull);
        }
        table.records.insert(name, (record, now + ttl));
        Ok(None)
    }
}

/// For the nodes of one process.
pub(super) struct SharedCallRecords(pub(super) Arc<MemoryCallRecords>);

impl CallRecords for SharedCallRecords {
    fn begin(
        &self,
        name: String,
        record: String,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<String>, BrokerError>> {
        std::future::ready(self.0.begin_at(name, record, ttl, Instant::now())).boxed()
    }

    fn replace(&self, name: String, record: String, ttl: Duration) -> BoxFuture<'_, Result<(), BrokerError>> {
        let until = Instant::now() + ttl;
        if let Some(entry) = self.0.0.lock().records.get_mut(&name) {
            *entry = (record, until);
        }
        std::future::ready(Ok(())).boxed()
    }

    fn remove(&self, name: String) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.0.0.lock().records.remove(&name);
        std::future::ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_records_is_bounded_and_those_that_have_ended_make_room() {
        let records = MemoryCallRecords::default();
        let (now, ttl) = (Instant::now(), Duration::from_secs(1));
        let begin = |name: usize, at| records.begin_at(name.to_string(), String::new(), ttl, at);
        for name in 0..MAX_RECORDS {
            assert_eq!(begin(name, now), Ok(None));
        }
        assert_eq!(begin(MAX_RECORDS, now), Err(BrokerError::QueueFull));
        assert_eq!(begin(0, now), Ok(Some(String::new())));
        assert_eq!(begin(MAX_RECORDS, now + ttl), Ok(None));
        assert_eq!(records.0.lock().records.len(), 1);
    }
}
