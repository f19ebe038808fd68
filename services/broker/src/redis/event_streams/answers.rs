//! The answers of the scripts of event streams, as values.

use redis::{Value, from_redis_value};
use switchboard_core::{Backlog, DeadEvent, Held, Page, ReadFrom, StreamEntry, StreamEvent};

/// The answer of `hold_partitions.lua`.
pub(super) fn held((share, events, oldest_ms, dead, partitions): (usize, u64, u64, u64, Vec<usize>)) -> Held {
    let backlog = Backlog {
        events,
        oldest_ms,
        dead,
    };
    Held {
        partitions,
        share,
        backlog,
    }
}

/// One page of the answer of `read_partitions.lua`.
///
/// # Errors
/// When it has another form.
pub(super) fn page(page: Vec<Value>) -> Result<Page, String> {
    let mut values = page.into_iter();
    let next: String = values.next().map_or_else(|| Err(BAD.into()), read)?;
    let next = match next.as_str() {
        "lost" => return Ok(Page::Lost),
        "" => ReadFrom::New,
        _ => ReadFrom::Pending(next),
    };
    let entries = values.map(|value| {
        let (entry, id, key, at_ms, body) = read(value)?;
        let event = StreamEvent { id, key, at_ms, body };
        Ok(StreamEntry { entry, event })
    });
    let entries = entries.collect::<Result<_, String>>()?;
    Ok(Page::Entries { next, entries })
}

/// The fields of a dead event, names and values.
///
/// # Errors
/// When one is missing.
pub(super) fn dead(fields: Vec<String>) -> Result<DeadEvent, String> {
    let Ok([_, id, _, key, _, at_ms, _, body, _, reason, ..]) = <[String; 12]>::try_from(fields) else {
        return Err(BAD.into());
    };
    let at_ms = at_ms.parse().map_err(|_| BAD)?;
    let event = StreamEvent { id, key, at_ms, body };
    Ok(DeadEvent { event, reason })
}

const BAD: &str = "an event stream in Redis has a form that this version does not write";

fn read<T: redis::FromRedisValue>(value: Value) -> Result<T, String> {
    from_redis_value(value).map_err(|error| error.to_string())
}
