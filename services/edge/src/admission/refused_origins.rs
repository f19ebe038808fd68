//! Names refused origins in the log: each one at once, then at most once a minute with its count. An operator reads there
//! which entry is missing. Bounded, because anybody can invent origins.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The most origins that are named within one period.
const MAX_NAMED: usize = 64;

/// The period in which each origin has one line.
const PERIOD: Duration = Duration::from_secs(60);

/// The most characters of an origin in the log.
const MAX_CHARACTERS: usize = 128;

/// The origins of this period, with the requests since each one's line.
#[derive(Default)]
pub(crate) struct RefusedOrigins(Mutex<State>);

#[derive(Default)]
struct State {
    began: Option<Instant>,
    counts: HashMap<String, u64>,
    /// Requests with an origin for which there was no room.
    others: u64,
}

impl RefusedOrigins {
    /// Notes one refusal, and writes the lines that are due.
    pub(crate) fn note(&self, origin: &[u8], now: Instant) {
        for (origin, refused) in self.due(origin, now) {
            tracing::warn!(
                origin,
                refused,
                "pages of this origin are refused; if they are yours, add it to server.allowed_origins (`switchboard dev`: --allow-origin)"
            );
        }
    }

    /// The lines for now: origin and number of refusals.
    fn due(&self, origin: &[u8], now: Instant) -> Vec<(String, u64)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        if state
            .began
            .is_none_or(|began| now.duration_since(began) >= PERIOD)
        {
            state.began = Some(now);
            let others = std::mem::take(&mut state.others);
            let counts = std::mem::take(&mut state.counts);
            let mut again: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
            again.sort();
            due.append(&mut again);
            if others > 0 {
                due.push(("others".into(), others));
            }
        }
        let origin = printable(origin);
        if let Some(count) = state.counts.get_mut(&origin) {
            *count += 1;
        } else if state.counts.len() < MAX_NAMED {
            due.push((origin.clone(), 1));
            state.counts.insert(origin, 0);
        } else {
            state.others += 1;
        }
        due
    }
}

/// The origin without what could change the log's lines.
fn printable(origin: &[u8]) -> String {
    let text = String::from_utf8_lossy(origin);
    text.chars()
        .take(MAX_CHARACTERS)
        .flat_map(char::escape_default)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_named_at_once_and_then_counted() {
        let (origins, start) = (RefusedOrigins::default(), Instant::now());
        let one = || vec![("https://a.example".to_owned(), 1)];
        assert_eq!(origins.due(b"https://a.example", start), one());
        for _ in 0..5 {
            assert_eq!(origins.due(b"https://a.example", start), []);
        }
        let later = origins.due(b"https://b.example", start + PERIOD);
        assert_eq!(later[0], ("https://a.example".into(), 5));
        assert_eq!(later[1], ("https://b.example".into(), 1));
    }

    #[test]
    fn invented_origins_do_not_fill_memory_or_the_log() {
        let (origins, start) = (RefusedOrigins::default(), Instant::now());
        let lines: usize = (0..10_000)
            .map(|number| {
                origins
                    .due(format!("https://{number}.example").as_bytes(), start)
                    .len()
            })
            .sum();
        assert_eq!(lines, MAX_NAMED);
        let later = origins.due(b"x\ny", start + PERIOD);
        assert_eq!(later[0], ("others".into(), 10_000 - MAX_NAMED as u64));
        assert_eq!(later[1].0, "x\\ny");
        assert!(printable(&[0xff; 9000]).len() < 9000);
    }
}
